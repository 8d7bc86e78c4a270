// SPDX-License-Identifier: BSD-3-Clause
// The stages of the packet path, private to it. Every function here runs on the worker's own
// thread; one that takes a packet owns it from then on.
#pragma once

#include <assert.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <netinet/in.h>

#include <rte_ether.h>
#include <rte_ip.h>
#include <rte_mbuf.h>
#include <rte_udp.h>

#include "dataplane/tunnel_ports.h"
#include "dataplane/worker.h"
#include "protocol/data_packet.h"
#include "shm/layout.h"
#include "shm/message.h"

// ---- Limits, all in one place (D15, D21, C12, C14, C16) ----------------------------------------

#define DP_TURN_BURSTS 4u // bursts of each port, while they are full
#define DP_COMMANDS_PER_TURN 32u
#define DP_INSTALLS_PER_TURN 2u // installs and keys: two key expansions each
#define DP_INJECTS_PER_TURN 16u
#define DP_HOPS_MAX 3u
#define DP_OWNER_RUN 32u // packets in a row by another worker until it gets the session
#define DP_TX_OWNER_RUN 64u
#define DP_OWNER_CHANGE_MS 100u // owner changes at most so often
#define DP_MOVES_PER_SECOND 10u
#define DP_UNCONFIRMED_BYTES (256u * 1024u)
#define DP_UNPROVEN_MIN 8u // unproven packets served in any iteration
#define DP_UNPROVEN_PREFIX_RATE 2000u // per second and prefix, while a worker is loaded
#define DP_PUNT_NEW_RATE 200u // per second and prefix
#define DP_PUNT_NEW_BURST 400u
#define DP_PUNT_KNOWN_RATE 32u // per second and session
#define DP_PUNT_KNOWN_BURST 64u
#define DP_OCC_PER_SECOND 2u
#define DP_OCC_ANSWER_MAX 1250u // bytes of UDP payload
#define DP_ICMP_PER_SECOND 100u // per worker
#define DP_SWEEP_MIN 64u // slots a turn
#define DP_SWEEP_MAX 1024u

// ---- Small helpers -----------------------------------------------------------------------------

static inline struct shm_session *dp_session(struct dp_worker *w, uint32_t slot)
{
	return &w->core->session[slot];
}

// True when the slot (in range) is live and of that generation.
static inline bool dp_live(const struct dp_core *core, uint32_t slot, uint16_t generation)
{
	struct shm_dir *d = &core->dir[slot];

	return atomic_load_explicit(&d->state, memory_order_acquire) == SHM_STATE_LIVE &&
		atomic_load_explicit(&d->generation, memory_order_relaxed) == generation;
}

// Ask for what a received packet of this slot touches first, in two steps as in crypto/crypto.h:
// from memory into the second level cache, and from there into the first.
static inline void dp_fetch_rx(struct dp_worker *w, uint32_t slot)
{
	struct shm_session *s = dp_session(w, slot);

	rte_prefetch1(&w->core->dir[slot]);
	rte_prefetch1(&s->endpoint_index);
	rte_prefetch1(s->rx_key);
}

static inline void dp_prefetch_rx(struct dp_worker *w, uint32_t slot)
{
	struct shm_session *s = dp_session(w, slot);

	rte_prefetch0(&w->core->dir[slot]);
	rte_prefetch0(&s->endpoint_index);
	rte_prefetch0(s->rx_key);
}

// The same for a packet to its client.
static inline void dp_fetch_tx(struct dp_worker *w, uint32_t slot)
{
	struct shm_session *s;

	if (unlikely(slot >= w->core->sessions)) // SHM_SLOT_NONE
		return;
	s = dp_session(w, slot);
	rte_prefetch1(&w->core->dir[slot]);
	rte_prefetch1(&s->endpoint_index);
	rte_prefetch1(s->tx_key);
}

static inline void dp_prefetch_tx(struct dp_worker *w, uint32_t slot)
{
	struct shm_session *s = dp_session(w, slot);

	rte_prefetch0(s->tx_key);
	rte_prefetch0(&s->endpoint_index);
}

static inline uint16_t dp_owner(const struct dp_core *core, uint32_t slot)
{
	return atomic_load_explicit(&core->dir[slot].owner, memory_order_acquire);
}

static inline uint16_t dp_tx_owner(const struct dp_core *core, uint32_t slot)
{
	return atomic_load_explicit(&core->dir[slot].tx_owner, memory_order_acquire);
}

static inline uint8_t dp_dir_flags(const struct dp_core *core, uint32_t slot)
{
	return atomic_load_explicit(&core->dir[slot].flags, memory_order_relaxed);
}

static inline enum ovpn_data_format dp_format(const struct dp_core *core, uint32_t slot)
{
	return dp_dir_flags(core, slot) & SHM_DIR_DATA_V1 ? OVPN_DATA_FORMAT_V1
							  : OVPN_DATA_FORMAT_V2;
}

// The endpoint as the owner sees it: it is the only writer, so nothing can be torn.
static inline const struct shm_endpoint *dp_own_endpoint(struct shm_session *s)
{
	return &s->endpoint[atomic_load_explicit(&s->endpoint_index, memory_order_relaxed) & 1];
}

// A 64-bit counter with one writer and relaxed readers.
static inline void dp_add64(_Atomic uint64_t *counter, uint64_t n)
{
	uint64_t v = atomic_load_explicit(counter, memory_order_relaxed);

	atomic_store_explicit(counter, v + n, memory_order_relaxed);
}

static inline void dp_set64(_Atomic uint64_t *field, uint64_t v)
{
	if (atomic_load_explicit(field, memory_order_relaxed) != v)
		atomic_store_explicit(field, v, memory_order_relaxed);
}

// Mix a 64-bit number so that every bit of it changes half of the result (finaliser of murmur3).
static inline uint64_t dp_mix64(uint64_t x)
{
	x = (x ^ x >> 33) * 0xff51afd7ed558ccdull;
	x = (x ^ x >> 33) * 0xc4ceb9fe1a85ec53ull;
	return x ^ x >> 33;
}

// Numbers of four bytes of a packet, which may lie anywhere, as they are.
static inline uint32_t dp_load32(const void *p)
{
	uint32_t v;

	memcpy(&v, p, sizeof(v));
	return v;
}

// Ones' complement sum of a 20-byte IPv4 header, 0xffff with a good checksum in it. rte_raw_cksum()
// takes 16 bits at a time and any length: 57 instructions where this has 15.
static inline uint16_t dp_ip4_sum(const void *ip)
{
	const uint8_t *p = ip;
	uint64_t sum = (uint64_t)dp_load32(p) + dp_load32(p + 4) + dp_load32(p + 8) +
		dp_load32(p + 12) + dp_load32(p + 16);

	sum = (sum & 0xffffffff) + (sum >> 32);
	sum = (sum & 0xffff) + (sum >> 16 & 0xffff) + (sum >> 32);
	sum = (sum & 0xffff) + (sum >> 16);
	return (uint16_t)((sum & 0xffff) + (sum >> 16));
}

// Hash of the source prefix (/24 or /56) of an outer frame.
uint64_t dp_prefix_hash(const struct rte_mbuf *m);

// Take one token from a bucket that gets rate tokens a second and holds burst of them. Returns
// false when there is none.
bool dp_bucket_take(struct dp_bucket *b, uint64_t now_ms, uint32_t rate, uint32_t burst);

// ---- Frames (frame.c) --------------------------------------------------------------------------

// Sender, receiver and next hop of an outer frame whose meta is filled.
void dp_frame_endpoint(struct rte_mbuf *m, struct shm_endpoint *ret_ep);
// True when the frame came from that endpoint's remote address to its local one.
static inline bool dp_frame_is_from(struct rte_mbuf *m, const struct shm_endpoint *ep)
{
	const struct dp_meta *meta = dp_meta(m);
	const uint8_t *l3 = rte_pktmbuf_mtod_offset(m, const uint8_t *, meta->l3_off);
	const uint8_t *udp = rte_pktmbuf_mtod_offset(m, const uint8_t *, meta->l4_off);

	// Both ports, source first, lie as in the header.
	if (dp_load32(udp) != dp_load32(&ep->remote_port_be))
		return false;
	if (meta->flags & DP_META_IP6)
		return ep->remote.family == AF_INET6 && memcmp(l3 + 8, ep->remote.bytes, 16) == 0 &&
			memcmp(l3 + 24, ep->local.bytes, 16) == 0;
	return ep->remote.family == AF_INET && dp_load32(l3 + 12) == dp_load32(ep->remote.bytes) &&
		dp_load32(l3 + 16) == dp_load32(ep->local.bytes);
}
static_assert(offsetof(struct shm_endpoint, local_port_be) ==
		offsetof(struct shm_endpoint, remote_port_be) + 2,
	"compared as one number");
// True for one of our UDP addresses, those of static-key tunnels behind the others. addr: 4 or 16
// bytes, network order.
bool dp_is_listener(
	const struct dp_config *config, uint16_t family, const void *addr, uint16_t port_be);

// The same for IPv4.
static inline bool dp_is_listener4(
	const struct dp_config *config, uint32_t addr_be, uint16_t port_be)
{
	for (unsigned i = 0; i < config->listens; i++) {
		const struct shm_listen *l = &config->listen[i];
		uint32_t own = dp_load32(l->addr.bytes);

		if (l->port_be == port_be && l->addr.family == AF_INET &&
			(own == addr_be || own == INADDR_ANY))
			return true;
	}
	return config->ports != NULL &&
		dp_tunnel_ports_has(config->ports, AF_INET, &addr_be, port_be);
}
// True when a client may be at this address (C16).
bool dp_endpoint_allowed(struct dp_worker *w, const struct shm_endpoint *ep);
// Put UDP, IP and Ethernet headers of a datagram to ep in front of the packet and send it in as
// many fragments as the port needs. full_checksum: compute the UDP checksum over IPv4, too.
void dp_frame_send(
	struct dp_worker *w, struct rte_mbuf *m, const struct shm_endpoint *ep, bool full_checksum);

// Put an Ethernet header in front of a packet. After an odd number of bytes was cut off (P_DATA_V1)
// it lies at an odd address, which struct rte_ether_hdr may not.
static inline void dp_put_eth(struct rte_mbuf *m, const struct rte_ether_addr *dst,
	const struct rte_ether_addr *src, uint16_t ether_type)
{
	uint8_t *p = dp_prepend(m, RTE_ETHER_HDR_LEN);

	memcpy(p, dst, RTE_ETHER_ADDR_LEN);
	memcpy(p + RTE_ETHER_ADDR_LEN, src, RTE_ETHER_ADDR_LEN);
	p[12] = (uint8_t)(ether_type >> 8);
	p[13] = (uint8_t)ether_type;
}

// False while the kernel's routes aren't known, as without a kernel interface: nothing to ask.
static inline bool dp_has_next_hops(struct dp_core *core)
{
	return atomic_load_explicit(&core->next_hops, memory_order_relaxed) != NULL;
}

// ---- Ports (stage_output.c) --------------------------------------------------------------------

void dp_port_send(struct dp_worker *w, struct dp_worker_port *wp, struct rte_mbuf *m);
void dp_port_flush(struct dp_worker *w, struct dp_worker_port *wp);
// A plain inner IP packet out of the inner port, cut to its MTU. slot: the client it is from.
void dp_inner_send(struct dp_worker *w, struct rte_mbuf *m);
// A frame that isn't ours: to the kernel if it hasn't seen it.
void dp_kernel_send(struct dp_worker *w, struct dp_worker_port *wp, struct rte_mbuf *m);

// ---- The next burst (ahead.c) ------------------------------------------------------------------

// Ask for the sessions of n <= DP_BURST frames of a port that will be worked on next, as far as
// their first bytes tell. Frames are only read, nothing is judged.
void dp_ahead_sessions(
	struct dp_worker *w, const struct dp_worker_port *wp, struct rte_mbuf **pkt, uint16_t n);
// Ask for their keys, once: when the sessions have come and memory has time.
void dp_ahead_keys(struct dp_worker *w);

// ---- Uplink ------------------------------------------------------------------------------------

// Frames of a port: datagrams of clients, plaintext for them, or neither (stage_classify.c).
void dp_stage_classify(
	struct dp_worker *w, struct dp_worker_port *wp, struct rte_mbuf **pkt, uint16_t n);
// Datagrams to our UDP addresses with meta filled: who are they from (stage_lookup.c)?
void dp_stage_lookup(struct dp_worker *w, struct dp_burst *in);
// A data packet at its owner: sort it into w->rx, w->reconf or w->moved.
void dp_lookup_owned(struct dp_worker *w, struct rte_mbuf *m);
// Decrypt w->rx and check the window; what passes is handed to dp_stage_inner.
void dp_stage_decrypt(struct dp_worker *w);
// Decrypt one packet: key, tag, window. Returns 0 and the packet cut to its plaintext, *ret_newest
// if it was sent after every packet accepted before; or the reason to drop it, as a negative
// number: -1 - enum dp_drop. The packet stays the caller's.
int dp_decrypt_one(struct dp_worker *w, struct rte_mbuf *m, bool *ret_newest);
// True when a packet of this key and id was sent after all that were accepted.
bool dp_is_newest(const struct shm_session *s, unsigned which, uint64_t id);
// May one more unproven packet be served, of so many since start (TSC)? False: dropped.
bool dp_admit(struct dp_worker *w, struct rte_mbuf *m, uint64_t start, unsigned served);
// Unproven packets within their budget (stage_recover.c).
void dp_stage_recover(struct dp_worker *w);
// Decrypted packets: Ping, OCC, source address, route (stage_inner.c).
void dp_stage_inner(struct dp_worker *w, struct dp_burst *in);

// ---- Downlink ----------------------------------------------------------------------------------

// Slots that n <= DP_BURST frames of the inner port may be for, in range, SHM_SLOT_NONE: unknown.
// For asking for sessions ahead; nothing is judged here (stage_downlink.c).
void dp_guess_slots(
	struct dp_worker *w, struct rte_mbuf **pkt, uint16_t n, uint32_t ret_slot[DP_BURST]);
// A frame of the inner port (stage_downlink.c).
void dp_downlink(struct dp_worker *w, struct dp_worker_port *wp, struct rte_mbuf *m);
// Slot and generation of the session behind a tunnel address or iroute. Returns 0 or -ENOENT.
int dp_route4(struct dp_worker *w, uint32_t addr_be, uint32_t *ret_slot, uint16_t *ret_generation);
int dp_route6(
	struct dp_worker *w, const uint8_t addr[16], uint32_t *ret_slot, uint16_t *ret_generation);
// A plain inner packet to a session, by its tx_owner. flags: enum dp_meta_flag.
void dp_to_session(struct dp_worker *w, struct rte_mbuf *m, uint32_t slot, uint16_t generation,
	uint16_t flags);
// The same at its tx_owner: clamp, cut, gather for encryption (stage_encrypt.c).
void dp_down(struct dp_worker *w, struct rte_mbuf *m);
// Count the time to live of an inner IPv4 packet down where the dataplane is the router that has
// to. to_session: on its way to another client. Returns false when it is used up.
bool dp_ttl_down(struct dp_worker *w, struct rte_ipv4_hdr *ip, bool to_session);
// The same for IPv6 and its hop limit.
bool dp_hops_down(struct dp_worker *w, struct rte_ipv6_hdr *ip, bool to_session);
// Encrypt and send what was gathered.
void dp_stage_encrypt(struct dp_worker *w);
// Key slot to send with now, switching if it is time, or -1. tx_owner only.
int dp_tx_slot(struct dp_worker *w, uint32_t slot);
// Send a Ping in an empty buffer (m may be NULL: one is taken). Any worker.
void dp_send_ping(struct dp_worker *w, struct rte_mbuf *m, uint32_t slot, uint16_t generation,
	uint16_t flags);

// ---- Hand-off (handoff.c) ----------------------------------------------------------------------

void dp_handoff(struct dp_worker *w, uint16_t to, struct rte_mbuf *m, enum dp_handoff_kind kind);
void dp_handoff_flush(struct dp_worker *w);
unsigned dp_handoff_take(struct dp_worker *w);

// ---- Handover (handover.c) ---------------------------------------------------------------------

// An authentic packet that is the newest came from ep, which isn't the session's endpoint: move
// it there, if it may.
void dp_move(struct dp_worker *w, uint32_t slot, const struct shm_endpoint *ep);
// Give the session to the worker whose queue its newest packet came by, if it isn't this one and
// the last change is long enough ago. The session is not ours to write afterwards.
void dp_give_owner(struct dp_worker *w, uint32_t slot, uint16_t to);
// Count a packet at the known endpoint that another worker handed over, give the session away
// after many of them.
void dp_follow_queue(struct dp_worker *w, uint32_t slot, uint16_t origin);
// True when there is something to count: the packet was handed over, or such ones went before it.
static inline bool dp_follows(struct dp_worker *w, uint32_t slot, uint16_t origin)
{
	return origin != w->index || dp_session(w, slot)->foreign_run != 0;
}

// ---- Control (stage_punt.c, command.c)
// -----------------------------------------------------------

void dp_punt(struct dp_worker *w, struct rte_mbuf *m);
unsigned dp_inject(struct dp_worker *w);
unsigned dp_commands(struct dp_worker *w);
// Commands whose grace period is over.
unsigned dp_pending_run(struct dp_worker *w);
// True while a command of this slot waits: its owner must not change.
bool dp_pending_has(const struct dp_worker *w, uint32_t slot);
// Put an event into the ring; counted when it is full. ep and old may be NULL.
void dp_event(struct dp_worker *w, enum shm_event_kind kind, uint32_t slot, uint16_t which,
	const struct shm_endpoint *ep, const struct shm_endpoint *old);

// ---- Others
// --------------------------------------------------------------------------------------

// Keep-alive Pings, time-outs, planned key switches: a slice of the table. Returns slots seen.
unsigned dp_sweep(struct dp_worker *w);
// True when the sweep is so late that a worker shouldn't sleep.
bool dp_sweep_behind(const struct dp_worker *w);

// An OCC message of a session, plaintext (occ.c).
void dp_occ(struct dp_worker *w, struct rte_mbuf *m);

// An ARP packet on the inner port. Returns false when it isn't for a tunnel address.
bool dp_arp(struct dp_worker *w, struct dp_worker_port *wp, struct rte_mbuf *m);

// A neighbour solicitation on the inner port, a whole IPv6 packet behind its Ethernet header.
// Returns false when it is none, or not for a session's address.
bool dp_nd(struct dp_worker *w, struct dp_worker_port *wp, struct rte_mbuf *m);

// Lower the MSS of a TCP SYN in the IP packet at p, len bytes long and checked, to at most mss.
// Returns true when it was lowered.
bool dp_mss_clamp4(uint8_t *p, uint16_t len, uint16_t mss);
bool dp_mss_clamp6(uint8_t *p, uint16_t len, uint16_t mss);

// Answer an inner IPv4 packet (plain, at m's start) with an ICMP error, if rules and rate allow.
// to_slot: the session it came from, SHM_SLOT_NONE when from the inner port. m stays the caller's.
void dp_icmp_error(struct dp_worker *w, struct rte_mbuf *m, uint8_t type, uint8_t code,
	uint16_t mtu, uint32_t to_slot, uint16_t generation);
// The same for IPv6 with a message of ICMPv6; mtu counts for "packet too big" alone.
void dp_icmp6_error(struct dp_worker *w, struct rte_mbuf *m, uint8_t type, uint8_t code,
	uint16_t mtu, uint32_t to_slot, uint16_t generation);
#define DP_ICMP6_UNREACHABLE 1
#define DP_ICMP6_TOO_BIG 2
#define DP_ICMP6_TIME_EXCEEDED 3

// Cut an IPv4 packet at m's start into pieces of at most mtu bytes. Takes m. Fills at most max
// packets with headroom for everything. Returns their number, 0 when it failed (counted).
unsigned dp_frag4(struct dp_worker *w, struct rte_mbuf *m, uint16_t mtu, struct rte_mbuf **ret_pkt,
	unsigned max);
#define DP_FRAGS_MAX 8u
// The same for an IPv6 packet of ours without extension headers.
unsigned dp_frag6(struct dp_worker *w, struct rte_mbuf *m, uint16_t mtu, struct rte_mbuf **ret_pkt,
	unsigned max);

// Outer fragments (frag.c). Takes the frame; returns a whole datagram's frame when this was the
// last missing piece, else NULL. The IP header at l3_off is checked. frag_off: of the fragment
// header of IPv6, whose datagram comes back without extension headers.
struct dp_frag_table *dp_frag_table_create(void);
struct dp_frag_table *dp_frag_table_free(struct dp_frag_table *t);
struct rte_mbuf *dp_frag_add(struct dp_worker *w, struct rte_mbuf *m, uint16_t l3_off);
struct rte_mbuf *dp_frag_add6(
	struct dp_worker *w, struct rte_mbuf *m, uint16_t l3_off, uint16_t frag_off);
// Forget datagrams that are older than their time.
void dp_frag_expire(struct dp_worker *w);
