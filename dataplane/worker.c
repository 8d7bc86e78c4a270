// SPDX-License-Identifier: BSD-3-Clause
// One turn of a worker, its loop, and how it sleeps. Source: decisions.md D13, D15.
#include "dataplane/worker.h"

#include <errno.h>
#include <poll.h>
#include <time.h>

#include <rte_cycles.h>
#include <rte_ethdev.h>

#include "dataplane/path.h"
#include "dataplane/wake.h"

#define IDLE_TURNS 64u // without work until a worker sleeps
#define IDLE_TURNS_QUIET                                                                           \
	4u // if the last work had no data: what comes next is an answer's time away
#define NAP_NS 200000 // while something must be polled
#define SLEEP_NS 100000000 // while every source of work can wake us: the sweep is due then
#define UNPROVEN_SHARE 4u // of a worker's time is for unproven packets while it is loaded
#define UNPROVEN_SAVED                                                                             \
	500u // and they may save up a five hundredth of a second: 5,000 moves at once

static uint64_t clock_ms(void)
{
	struct timespec ts;

	(void)clock_gettime(CLOCK_MONOTONIC, &ts); // can't fail for this clock
	return (uint64_t)ts.tv_sec * 1000 + (uint64_t)ts.tv_nsec / 1000000;
}

// Time of this turn from the TSC, compared with the clock once a second. It never goes back.
static void read_time(struct dp_worker *w)
{
	uint64_t now = rte_rdtsc();
	uint64_t ms;

	w->unproven_cycles = RTE_MIN(w->unproven_cycles + (now - w->now_tsc) / UNPROVEN_SHARE,
		w->tsc_hz / UNPROVEN_SAVED);
	if (now - w->tsc_base >= w->tsc_hz) {
		w->tsc_base = now;
		w->ms_base = clock_ms();
	}
	ms = w->ms_base + (now - w->tsc_base) * 1000 / w->tsc_hz + w->shift_ms;
	if (ms > w->now_ms)
		w->now_ms = ms;
	w->now_tsc = now;
}

static void begin(struct dp_worker *w)
{
	if (!w->online) {
		rte_rcu_qsbr_thread_online(w->core->qsbr, w->index);
		w->online = true;
	}
	read_time(w);
	w->config = atomic_load_explicit(&w->core->config, memory_order_acquire);
	w->ctl = atomic_load_explicit(&w->rings, memory_order_acquire);
}

// A burst from a queue, counted.
static uint16_t poll_queue(
	struct dp_worker *w, struct dp_worker_port *wp, struct rte_mbuf *pkt[DP_BURST])
{
	bool outer = wp == &w->outer;
	uint64_t bytes = 0;
	uint16_t n = rte_eth_rx_burst(wp->port->id, (uint16_t)wp->rxq, pkt, DP_BURST);

	if (n == 0)
		return 0;
	for (uint16_t i = 0; i < n; i++)
		bytes += rte_pktmbuf_pkt_len(pkt[i]);
	dp_count(w, outer ? DP_COUNT_outer_rx_packets : DP_COUNT_inner_rx_packets, n);
	dp_count(w, outer ? DP_COUNT_outer_rx_bytes : DP_COUNT_inner_rx_bytes, bytes);
	return n;
}

// One burst through all stages; of next ones who they may be for is known.
static void work_on(
	struct dp_worker *w, struct dp_worker_port *wp, struct rte_mbuf **pkt, uint16_t n)
{
	if (wp == &w->outer)
		w->loaded = n == DP_BURST;
	dp_stage_classify(w, wp, pkt, n);
	dp_stage_decrypt(w);
	dp_ahead_keys(w); // where nothing was decrypted or encrypted
	dp_stage_recover(w);
}

// While bursts are full, the next one is taken before one is worked on. Between two, other workers
// have their turn with us.
static unsigned receive(struct dp_worker *w, struct dp_worker_port *wp)
{
	struct rte_mbuf *pkt[2][DP_BURST];
	bool outer = wp == &w->outer;
	unsigned total, burst = 0;
	uint16_t n, next;

	if (wp->rxq < 0)
		return 0;
	n = poll_queue(w, wp, pkt[0]);
	if (outer && n == 0)
		w->loaded = false;
	for (total = n; n > 0; n = next) {
		struct rte_mbuf **ahead = pkt[(burst + 1) & 1];

		next = 0;
		if (n == DP_BURST && burst + 1 < DP_TURN_BURSTS)
			next = poll_queue(w, wp, ahead);
		if (next > 0)
			dp_ahead_sessions(w, wp, ahead, next);
		work_on(w, wp, pkt[burst & 1], n);
		w->ahead.rx_asked = w->ahead.tx_asked = false;
		if (next == 0)
			break;
		if (w->config != NULL)
			total += dp_handoff_take(w);
		w->ahead.rx_asked = outer;
		w->ahead.tx_asked = !outer;
		total += next;
		burst++;
	}
	return total;
}

// Frames that the kernel sent through its mirrored interface.
static unsigned from_kernel(struct dp_worker *w)
{
	struct rte_mbuf *pkt[DP_BURST];
	unsigned n = rte_ring_sc_dequeue_burst(w->from_kernel, (void **)pkt, DP_BURST, NULL);

	for (unsigned i = 0; i < n; i++) {
		bool outer = dp_meta(pkt[i])->port_index == 0;

		dp_port_send(w, outer ? &w->outer : &w->inner, pkt[i]);
	}
	dp_count(w, DP_COUNT_from_kernel, n);
	return n;
}

// Something lies in control's rings. A worker that sleeps itself may wake it; for one that polls,
// which does no system calls, main does.
static void tell_control(struct dp_worker *w, bool at_once)
{
	if (!w->core->adaptive || w->ctl == NULL || w->ctl->control_sleeps == NULL) {
		w->tell_main = true;
	} else {
		if (w->tell_tsc == 0)
			w->tell_tsc = w->now_tsc;
		if (!at_once && w->now_tsc - w->tell_tsc < w->tsc_hz / 1000000 * DP_CONTROL_WAKE_US)
			return; // more may come; before we sleep we say it
		if (shm_wake_needed(w->ctl->control_sleeps))
			dp_wake_fd(w->ctl->control_fd);
	}
	w->tell_control = false;
	w->tell_tsc = 0;
}

// Everything that this turn made goes out, then whoever has to see it is woken.
static void end(struct dp_worker *w)
{
	dp_stage_encrypt(w);
	dp_handoff_flush(w);
	if (w->outer.txq >= 0)
		dp_port_flush(w, &w->outer);
	if (w->inner.txq >= 0)
		dp_port_flush(w, &w->inner);
	if (w->wake_any) {
		for (uint16_t i = 0; i < w->core->workers; i++) {
			if (w->wake[i])
				dp_worker_wake(w->core->worker[i]);
			w->wake[i] = false;
		}
		w->wake_any = false;
	}
	if (w->tell_control)
		tell_control(w, false);
	if (w->tell_main) {
		w->tell_main = false;
		atomic_store_explicit(&w->main_attention, 1, memory_order_release);
		dp_main_wake(w->core);
	}
	rte_rcu_qsbr_quiescent(w->core->qsbr, w->index);
}

unsigned dp_worker_iterate(struct dp_worker *w)
{
	unsigned n;

	begin(w);
	n = dp_pending_run(w);
	n += dp_commands(w);
	n += dp_inject(w);
	if (w->config != NULL)
		n += dp_handoff_take(w);
	n += receive(w, &w->outer);
	n += receive(w, &w->inner);
	n += from_kernel(w);
	if (w->config != NULL)
		(void)dp_sweep(w);
	dp_frag_expire(w);
	end(w);
	dp_count(w, DP_COUNT_iterations, 1);
	if (n > 0)
		dp_count(w, DP_COUNT_busy_iterations, 1);
	return n;
}

void dp_worker_wake(struct dp_worker *w)
{
	atomic_thread_fence(memory_order_seq_cst);
	if (atomic_load_explicit(&w->sleeping, memory_order_relaxed) == 0)
		return;
	if (atomic_exchange_explicit(&w->sleeping, 0, memory_order_acq_rel) != 0)
		dp_wake_fd(w->event_fd);
}

// Is there anything in the rings? Asked after the sleeping flags are up.
static bool work_waits(struct dp_worker *w)
{
	struct dp_rings *ctl = atomic_load_explicit(&w->rings, memory_order_acquire);

	if (ctl != w->ctl || rte_ring_count(w->from_kernel) > 0 ||
		(w->config != NULL && dp_sweep_behind(w)) ||
		atomic_load_explicit(&w->core->stop, memory_order_relaxed))
		return true;
	if (ctl != NULL &&
		(shm_ring_count(&ctl->ring[SHM_RING_COMMAND]) > 0 ||
			shm_ring_count(&ctl->ring[SHM_RING_INJECT]) > 0))
		return true;
	for (uint16_t i = 0; i < w->core->workers; i++) {
		if (i != w->index && rte_ring_count(w->handoff_in[i]) > 0)
			return true;
	}
	return false;
}

static void sleep_on(struct dp_worker *w)
{
	struct pollfd fd[3] = { { .fd = w->event_fd, .events = POLLIN } };
	const struct dp_worker_port *wp[2] = { &w->outer, &w->inner };
	struct timespec t = { .tv_nsec = w->pending_n > 0 ? NAP_NS : SLEEP_NS };
	nfds_t n = 1;

	for (unsigned i = 0; i < 2; i++) {
		if (wp[i]->rxq < 0)
			continue;
		if (wp[i]->rx_fd < 0)
			t.tv_nsec = NAP_NS; // this queue can't wake us
		else
			fd[n++] = (struct pollfd){ .fd = wp[i]->rx_fd, .events = POLLIN };
	}
	(void)ppoll(fd, n, &t, NULL); // whatever it says, the next turn looks everywhere
	if (fd[0].revents & POLLIN)
		dp_wake_drain(w->event_fd);
}

void dp_worker_sleep(struct dp_worker *w)
{
	struct dp_rings *ctl;

	if (w->tell_control)
		tell_control(w, true);
	// The rings stay mapped until we have said that we are offline: the flag in them is ours
	// to set only while online, so it is set first and taken back after coming online.
	ctl = w->ctl;
	if (ctl != NULL && ctl->sleeps != NULL)
		shm_sleep_begin(ctl->sleeps);
	atomic_store_explicit(&w->sleeping, 1, memory_order_relaxed);
	atomic_thread_fence(memory_order_seq_cst);
	if (work_waits(w)) {
		atomic_store_explicit(&w->sleeping, 0, memory_order_relaxed);
		if (ctl != NULL && ctl->sleeps != NULL)
			shm_sleep_end(ctl->sleeps);
		return;
	}
	rte_rcu_qsbr_thread_offline(w->core->qsbr, w->index);
	sleep_on(w);
	rte_rcu_qsbr_thread_online(w->core->qsbr, w->index);
	atomic_store_explicit(&w->sleeping, 0, memory_order_relaxed);
	// Control may have gone meanwhile, and its rings with it.
	ctl = atomic_load_explicit(&w->rings, memory_order_acquire);
	if (ctl != NULL && ctl->sleeps != NULL)
		shm_sleep_end(ctl->sleeps);
	dp_count(w, DP_COUNT_sleeps, 1);
}

// Packets of sessions so far, its own and those of others that it handed on.
static uint64_t data_packets(const struct dp_worker *w)
{
	return w->count[DP_COUNT_decrypted] + w->count[DP_COUNT_encrypted] +
		w->count[DP_COUNT_handoff_out];
}

int dp_worker_run(void *worker)
{
	struct dp_worker *w = worker;
	uint64_t busy_tsc = 0; // start of the turn before, if that found work
	uint64_t data = 0; // packets of sessions so far
	unsigned turns = 0; // without work, after which it sleeps

	while (!atomic_load_explicit(&w->core->stop, memory_order_relaxed)) {
		unsigned n = dp_worker_iterate(w);

		// A turn lasts until the next one begins, whose time is read anyway.
		if (busy_tsc != 0)
			dp_count(w, DP_COUNT_busy_cycles, w->now_tsc - busy_tsc);
		busy_tsc = n > 0 ? w->now_tsc : 0;
		if (n > 0) {
			turns = data_packets(w) != data ? IDLE_TURNS : IDLE_TURNS_QUIET;
			data = data_packets(w);
			w->idle_turns = 0;
			continue;
		}
		if (!w->core->adaptive)
			continue;
		if (++w->idle_turns >= turns)
			dp_worker_sleep(w);
	}
	rte_rcu_qsbr_thread_offline(w->core->qsbr, w->index);
	w->online = false;
	return 0;
}
