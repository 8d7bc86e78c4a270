// SPDX-License-Identifier: BSD-3-Clause
// While bursts are full, the next one is taken before one is worked on, and what its packets will
// need is asked for: sessions at once, keys behind the crypto of the burst at hand. So memory works
// while the worker copies, decrypts and sends. Nothing is judged here, and nothing is kept: a wrong
// guess costs a line of cache.
#include "dataplane/path.h"
#include "protocol/opcode.h"

#define DATA_OFF (RTE_ETHER_HDR_LEN + sizeof(struct rte_ipv4_hdr) + sizeof(struct rte_udp_hdr))

// P_DATA_V2 where it lies in a plain datagram over IPv4.
static void guess_rx(struct dp_worker *w, struct rte_mbuf *m)
{
	struct dp_ahead *a = &w->ahead;
	const uint8_t *p = rte_pktmbuf_mtod_offset(m, const uint8_t *, DATA_OFF);
	uint32_t len = rte_pktmbuf_data_len(m), slot;

	if (len <= DATA_OFF + OVPN_DATA_V2_OVERHEAD || ovpn_opcode_of(p[0]) != OVPN_P_DATA_V2)
		return;
	slot = ovpn_get_be24(p + 1);
	if (slot >= w->core->sessions)
		return;
	dp_fetch_rx(w, slot);
	a->slot[a->n] = slot;
	a->key_id[a->n] = ovpn_key_id_of(p[0]);
	a->len[a->n++] = (uint16_t)(len - DATA_OFF - OVPN_DATA_V2_OVERHEAD);
}

static void guess_tx(struct dp_worker *w, struct rte_mbuf **pkt, uint16_t n)
{
	struct dp_ahead *a = &w->ahead;
	uint32_t guess[DP_BURST];

	dp_guess_slots(w, pkt, n, guess);
	for (uint16_t i = 0; i < n; i++) {
		if (guess[i] >= w->core->sessions) // SHM_SLOT_NONE
			continue;
		dp_fetch_tx(w, guess[i]);
		a->slot[a->n] = guess[i];
		a->len[a->n++] = rte_pktmbuf_data_len(pkt[i]);
	}
}

void dp_ahead_sessions(
	struct dp_worker *w, const struct dp_worker_port *wp, struct rte_mbuf **pkt, uint16_t n)
{
	uint16_t kind = wp->port->flags & (DP_PORT_OUTER | DP_PORT_INNER);

	w->ahead.n = 0;
	w->ahead.inner = kind == DP_PORT_INNER;
	if (w->ahead.inner) {
		guess_tx(w, pkt, n);
		return;
	}
	for (uint16_t i = 0; i < n; i++)
		guess_rx(w, pkt[i]);
}

void dp_ahead_keys(struct dp_worker *w)
{
	const struct dp_ahead *a = &w->ahead;

	for (uint16_t i = 0; i < a->n; i++) {
		struct shm_session *s = dp_session(w, a->slot[i]);
		const struct shm_key_slot *key = w->core->keys[a->slot[i]].key;
		struct dp_crypto_op op = { .len = a->len[i] };
		unsigned which;

		if (a->inner) {
			which = atomic_load_explicit(&s->tx_slot, memory_order_relaxed) & 1;
			op.cell = key[which].tx_cell;
		} else {
			which = s->rx_key[0].key_id != a->key_id[i];
			if (unlikely(which != 0)) // the first one's window lies with rx_key
				rte_prefetch1(&s->window[which]);
			op.cell = key[which].rx_cell;
		}
		dp_crypto_prefetch(&op, false);
	}
	w->ahead.n = 0;
}
