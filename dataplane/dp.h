// SPDX-License-Identifier: BSD-3-Clause
// The packet path as a library: what main sets up, what all workers share, and one iteration of a
// worker as a function, so that tests and benches drive it themselves.
//
// Order of a start: shm_table_create or _adopt; fill a struct dp_core (tables, ports, pool, number
// of workers); dp_core_init(); give each worker its queues (worker.h); dp_restore() if the table
// was adopted; then one thread a worker in dp_worker_run(). Main publishes configuration and rings
// whenever control connects.
#pragma once

#include <stdalign.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>

#include <rte_ether.h>
#include <rte_mbuf.h>
#include <rte_rcu_qsbr.h>
#include <rte_ring.h>

#include "dataplane/burst.h"
#include "dataplane/drop.h"
#include "shm/layout.h"
#include "shm/message.h"
#include "shm/ring.h"

#define DP_PORTS_MAX 2
#define DP_HANDOFF_ENTRIES 1024u // of each hand-off ring (D14)
#define DP_MAIN_ENTRIES 4096u // of each worker's request ring to main
#define DP_KERNEL_ENTRIES 512u // of each worker's frame rings to and from main
#define DP_FRAME_MAX 2048u // longest frame that we take or make; a buffer's room

struct dp_worker;
struct dp_addr_index;
struct dp_tunnel_index;
struct dp_iroute_index;
struct dp_next_hops; // neighbour and route tables; dataplane/route.h
struct dp_sid_index; // dataplane/sid_index.h
struct dp_legacy; // dataplane/legacy.h
struct dp_legacy_core;
struct dp_tunnel_ports;

enum dp_port_flag {
	DP_PORT_OUTER = 1u << 0, // carries datagrams of clients
	DP_PORT_INNER = 1u << 1, // carries their plaintext; both: one port for both
	// Our own transmissions come back (af_packet): drop frames whose source MAC is ours.
	DP_PORT_ECHO = 1u << 2,
	// The kernel has an interface of its own that sees the same frames (af_packet, af_xdp with
	// a program that leaves it the rest): what isn't ours is dropped here. Without this flag
	// it goes to main by w->to_kernel, for the mirrored TAP.
	DP_PORT_KERNEL_SEES = 1u << 3,
	// The other end is the local kernel itself (visp_tap, net_tap): it is the router that
	// counts TTL down, its MAC is peer_mac, and what is not for a tunnel address has no other
	// place to go.
	DP_PORT_KERNEL_PEER = 1u << 4,
	// Frames were not received for this MAC alone (promiscuous): check the destination.
	DP_PORT_CHECK_MAC = 1u << 5,
};

// A DPDK port. Main writes it before workers start; peer_mac may change later only through
// next-hop tables.
struct dp_port {
	uint16_t id; // DPDK port
	uint16_t mtu; // bytes of an IP packet
	uint16_t flags; // enum dp_port_flag
	uint16_t tx_workers; // workers 0 .. n-1 have a transmit queue; others hand frames to them
	struct rte_ether_addr mac; // ours; source of all frames but those made for tunnel addresses
	struct rte_ether_addr peer_mac; // all zero: unknown
};

// What control said in its greeting, in the form that workers use. Main makes one, publishes it in
// core->config and frees the old one after a grace period.
struct dp_config {
	uint32_t flags; // enum shm_hello_flag
	uint16_t listens;
	uint16_t subnets;
	struct shm_listen listen[SHM_LISTEN_MAX];
	struct dp_tunnel_ports *ports; // of static-key tunnels; NULL: there are none
	struct shm_subnet subnet[SHM_SUBNETS_MAX];
	uint16_t tun_mtu; // bytes
	uint16_t occ_len; // NUL included
	char occ[SHM_OCC_MAX];
	// Tunnel address to slot. Made with dp_tunnel_index_create() for these subnets; equal
	// subnets in a later greeting keep the index of the one before.
	struct dp_tunnel_index *tunnel;
};

// A worker's ends of its rings with control; main makes one for each worker when control connects,
// publishes it in w->rings, and takes it back (NULL, grace period, unmap) when it leaves. The
// worker alone uses the contents.
struct dp_rings {
	// Indexed by enum shm_ring_kind. Polling writes here in every turn: no line is shared with
	// the next worker's.
	alignas(64) struct shm_ring ring[SHM_RING_KINDS];
	_Atomic uint32_t *sleeps; // worker_sleeps of this worker: control clears it to wake us
	_Atomic uint32_t *control_sleeps; // and its own, to be cleared by whoever wakes it
	int control_fd; // eventfd towards control
	uint64_t epoch; // number of the connection, never 0
};

// Requests of workers to main, by w->to_main (rte_ring of elements of this size, single producer
// and consumer). Main is the single writer of the session-id table (D20).
enum dp_main_kind {
	DP_MAIN_SID_ADD = 1, // map sid of sid_kind to (slot, generation), unless a live one has it
	DP_MAIN_SID_DEL = 2, // forget sid if it still maps to (slot, generation)
};

enum dp_sid_kind {
	DP_SID_SERVER = 0, // moves sessions (protocol.md 13.2)
	DP_SID_CLIENT = 1, // classes punted datagrams (D21)
};

struct dp_main_msg {
	uint32_t kind; // enum dp_main_kind
	uint32_t slot;
	uint16_t generation;
	uint16_t sid_kind; // enum dp_sid_kind
	uint32_t reserved;
	uint8_t sid[SHM_SID_LEN];
};
static_assert(sizeof(struct dp_main_msg) == 24, "rte_ring elements are multiples of 4 bytes");

// Shared by main and all workers. Everything in the first group is set before workers start and
// constant afterwards; each pointer of the second group is published by main with a release store
// and freed after a grace period of qsbr.
struct dp_core {
	struct shm_dir *dir;
	struct shm_session *session;
	struct shm_keys *keys;
	uint32_t sessions; // slots
	uint16_t workers;
	uint16_t ports; // 1 or 2; port[0] is the outer one, port[ports - 1] the inner one
	struct dp_port port[DP_PORTS_MAX];
	struct rte_mempool *pool; // priv_size sizeof(struct dp_meta), room DP_FRAME_MAX + headroom
	bool adaptive; // workers sleep when idle
	struct dp_worker *worker[SHM_WORKERS_MAX]; // made by dp_core_init()
	struct rte_rcu_qsbr *qsbr; // thread id: index of the worker
	struct dp_addr_index *addr; // V1 sessions by UDP address; workers write it, under its lock
	struct dp_iroute_index *iroute; // networks behind clients; as addr
	struct dp_legacy_core *legacy; // dataplane/legacy.h; made by dp_core_init()
	struct dp_sid_index *sid; // main writes; set by main before workers start
	// MAC of the frames that answer for tunnel addresses on the inner port: differs from the
	// port's, which is the kernel's own on a TAP port. Set by dp_core_init().
	struct rte_ether_addr tunnel_mac;

	_Atomic(struct dp_config *) config; // NULL until control has connected once
	_Atomic(struct dp_next_hops *) next_hops; // as dp_next_hop() wants it
	_Atomic bool stop; // workers leave dp_worker_run()

	int main_fd; // eventfd of main, non-blocking; -1: nobody to wake (tests, benches)
	alignas(64) _Atomic uint32_t main_sleeps; // main sets it before it sleeps
};

// Make what the workers of a filled core share: QSBR variable, workers, hand-off rings, address
// and iroute index. EAL must be up. Main only. Returns 0 or -errno; on failure nothing is left.
int dp_core_init(struct dp_core *core);

// Free it again, after all workers have left. Tables, ports and pool stay the caller's.
void dp_core_done(struct dp_core *core);

// One whole iteration: commands, injects, hand-offs, both ports, unproven packets, sweep, grace
// periods, transmission, quiescent report. Returns the number of packets and messages handled, 0
// when there was nothing to do. The worker's own thread, or a test that plays it.
unsigned dp_worker_iterate(struct dp_worker *w);

// Loop of a worker until core->stop, with sleeping if core->adaptive. Argument of
// rte_eal_remote_launch: struct dp_worker *. Returns 0.
int dp_worker_run(void *worker);

// Sleep until woken, an RX interrupt, or the next thing that is due. Only when an iteration found
// nothing; dp_worker_run() calls it. The worker is offline in qsbr meanwhile.
void dp_worker_sleep(struct dp_worker *w);

// Wake a worker that may sleep, after something was put in one of its rings or published for it:
// full fence, look at its flag, write its eventfd. Any thread.
void dp_worker_wake(struct dp_worker *w);

// Rebuild everything that isn't in shared memory from an adopted table, and make the table sane:
// indexes out of range, half-installed and dying slots are freed, keys expanded by another library
// or ISA are expanded again, transmission goes on 64 ids later, owners are spread over the workers
// there are. Main, before workers start, after core->config is set (tunnel addresses) and
// core->sid. Returns the number of live sessions.
uint32_t dp_restore(struct dp_core *core);

// ---- What the process side provides ----------------------------------------------------------

// Wake main after w->main_attention was set: full fence, look at main_sleeps, write main_fd. At
// most once an iteration, by a worker.
void dp_main_wake(struct dp_core *core);

// MAC address of the next hop to an address, from the kernel's routes and neighbours. Any worker,
// lock-free, under its QSBR. Returns 0, -ENOENT when there is no route or no neighbour yet.
int dp_next_hop(const struct dp_core *core, const struct shm_addr *dst, uint8_t ret_mac[6]);

// Slot and generation of a session id. Any worker, lock-free, under its QSBR. Returns 0 or
// -ENOENT; the answer may be stale, so the caller compares the generation with the directory's.
int dp_sid_find(const struct dp_core *core, enum dp_sid_kind kind, const uint8_t sid[SHM_SID_LEN],
	uint32_t *ret_slot, uint16_t *ret_generation);

// Main, or dp_restore(): what DP_MAIN_SID_ADD and _DEL ask for. Returns 0, -EEXIST when another
// live session has that id, -ENOSPC.
int dp_sid_add(struct dp_core *core, enum dp_sid_kind kind, const uint8_t sid[SHM_SID_LEN],
	uint32_t slot, uint16_t generation);
int dp_sid_del(struct dp_core *core, enum dp_sid_kind kind, const uint8_t sid[SHM_SID_LEN],
	uint32_t slot, uint16_t generation);
