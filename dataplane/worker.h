// SPDX-License-Identifier: BSD-3-Clause
// A worker: everything that one thread owns. Other threads read its counters, its sleeping flag
// and its eventfd; main puts things into the rings and pointers that say so.
#pragma once

#include <stdalign.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>

#include "dataplane/burst.h"
#include "dataplane/crypto/crypto.h"
#include "dataplane/dp.h"

#define DP_BUCKETS 1024u // token buckets for source prefixes, a power of two
#define DP_PENDING 64u // commands that wait for a grace period

// One port as one worker sees it. Main fills rxq and txq before the start.
struct dp_worker_port {
	const struct dp_port *port;
	int32_t rxq; // queue that this worker polls, -1: none
	int32_t txq; // queue that this worker sends on, -1: hands frames to another worker
	int32_t rx_fd; // becomes readable when frames wait; -1: there is no such descriptor
	uint16_t tx_peer; // worker to hand frames to when txq is -1
	uint16_t tx_n; // frames in tx[]
	uint64_t tx_bytes; // of them
	struct rte_mbuf *tx[DP_BURST_MAX];
};

// Tokens of one source prefix or session, filled by time.
struct dp_bucket {
	uint32_t tokens; // in thousandths
	uint32_t filled_ms; // low 32 bits of CLOCK_MONOTONIC
};

// A command that has been unpublished and waits until no worker can still use what it replaces.
struct dp_pending {
	struct shm_cmd cmd; // may hold a key: wiped when done
	uint64_t token; // of core->qsbr, while it waits
	uint64_t epoch; // of the rings it came by; its acknowledgement goes nowhere else
	bool waits; // unpublished, to be finished; else to be started when its turn comes
};

// Of the burst that was taken before the one at hand is worked on: who its packets may be from or
// for (dataplane/ahead.c).
struct dp_ahead {
	uint16_t n; // whose keys have not been asked for
	bool inner; // packets to clients
	bool rx_asked; // of the datagrams at hand everything has been asked for
	bool tx_asked; // of the packets to clients at hand
	uint8_t key_id[DP_BURST]; // of datagrams
	uint16_t len[DP_BURST]; // bytes of ciphertext
	uint32_t slot[DP_BURST]; // in range
};

struct dp_worker {
	// Set before the start, read by everybody.
	struct dp_core *core;
	uint16_t index; // in core->worker, its thread id in core->qsbr
	int event_fd; // eventfd, non-blocking: written by whoever put work in our rings
	struct dp_worker_port outer;
	struct dp_worker_port inner; // one-armed: the same queues as outer, rxq -1
	struct rte_ring *handoff_in[SHM_WORKERS_MAX]; // from worker i; SPSC, of struct rte_mbuf *
	struct rte_ring *to_main; // SPSC, of struct dp_main_msg
	struct rte_ring *to_kernel; // SPSC, of struct rte_mbuf *; dp_meta.port_index says the port
	struct rte_ring *from_kernel; // SPSC, of struct rte_mbuf *, as to_kernel; main puts

	// Main publishes, the worker reads once an iteration.
	_Atomic(struct dp_rings *) rings; // NULL: no control is connected

	// The worker writes, others read.
	alignas(64) _Atomic uint32_t sleeping; // 1: write event_fd after putting work in
	_Atomic uint32_t control_broken; // 1: a ring is impossible; main disconnects, clears it
	// 1: something lies in to_main, to_kernel, or, where workers poll, in a ring towards
	// control; main clears it when it looks, and then wakes control if that sleeps.
	_Atomic uint32_t main_attention;
	alignas(64) uint64_t drop[DP_DROP_COUNT]; // relaxed 64-bit loads by readers
	uint64_t count[DP_COUNT_COUNT];

	// The worker alone from here on.
	alignas(64) struct dp_config *config; // of this iteration; may be NULL
	struct dp_rings *ctl; // of this iteration; may be NULL
	struct dp_crypto *crypto;
	struct dp_legacy *legacy; // dataplane/legacy.h
	struct dp_frag_table *frags;
	uint64_t now_tsc; // read once an iteration
	uint64_t now_ms; // CLOCK_MONOTONIC in milliseconds, from the TSC
	uint64_t tsc_base; // TSC and clock at the last synchronisation
	uint64_t ms_base;
	uint64_t tsc_hz;
	uint64_t unproven_cycles; // saved up for unproven packets
	bool loaded; // a receive burst was full: the budget of unproven packets binds
	uint32_t frag_id; // of IPv6 packets that are cut
	uint16_t ip_id; // of the next outer IPv4 header
	uint32_t sweep_slot; // next slot to look at
	uint64_t sweep_ms; // start of the second that is being swept
	uint64_t sweep_done; // slots visited in it
	uint64_t shift_ms; // tests: added to the clock
	uint32_t icmp_tokens; // ICMP errors still allowed in this second
	uint64_t icmp_refill_ms;
	uint32_t idle_turns; // iterations in a row without work
	bool online; // in core->qsbr
	struct rte_ether_addr inner_peer; // who sent the last frame to a tunnel address
	bool wake[SHM_WORKERS_MAX]; // workers that got packets in this iteration
	bool wake_any;
	bool tell_main; // something for main was put in this iteration
	bool tell_control; // something lies in its rings of which it may not have heard
	uint64_t tell_tsc; // since when

	struct dp_ahead ahead;
	struct dp_burst rx; // outer datagrams of sessions at their endpoint
	struct dp_burst reconf; // reconfiguration Pings with a session id that fits
	struct dp_burst moved; // P_DATA_V2 from a new address
	struct dp_burst plain; // decrypted, to be looked at
	struct dp_burst down; // plaintext to encrypt
	struct dp_crypto_op op[DP_BURST_MAX];
	uint16_t handoff_n[SHM_WORKERS_MAX]; // packets gathered for worker i
	struct rte_mbuf *handoff[SHM_WORKERS_MAX][DP_BURST];
	struct dp_bucket prefix_unproven[DP_BUCKETS]; // decryptions of unproven packets
	struct dp_bucket prefix_punt[DP_BUCKETS]; // punt_new
	struct dp_bucket slot_punt[DP_BUCKETS]; // punt_known, by hash of the slot
	struct dp_pending pending[DP_PENDING]; // a queue: grace periods end in order
	uint32_t pending_head; // oldest
	uint32_t pending_n;
	bool commanded; // a command is carried out that isn't among them; it will be acknowledged
};

// Count. The worker's own thread.
static inline void dp_count(struct dp_worker *w, enum dp_count what, uint64_t n)
{
	w->count[what] += n;
}

// Drop a packet for a named reason: the only way in which one is freed without being passed on.
static inline void dp_drop(struct dp_worker *w, struct rte_mbuf *m, enum dp_drop why)
{
	w->drop[why]++;
	rte_pktmbuf_free(m);
}

// Put a packet into a list. Lists have room for what their stage can get: callers flush at
// DP_BURST.
static inline void dp_burst_push(struct dp_burst *b, struct rte_mbuf *m)
{
	b->pkt[b->n++] = m;
}
