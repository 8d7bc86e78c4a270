// SPDX-License-Identifier: BSD-3-Clause
// OCC messages of clients: EXIT becomes an event, questions are answered here.
// Source: protocol.md 10.2; decisions.md C14.
#include "dataplane/path.h"
#include "protocol/ping.h"

#define UDP_OVERHEAD4 (sizeof(struct rte_ipv4_hdr) + sizeof(struct rte_udp_hdr))

// All questions together, a few a second and session.
static bool allowed(struct dp_worker *w, struct shm_session *s)
{
	if ((uint32_t)w->now_ms - s->occ_refill_ms >= 1000) {
		s->occ_refill_ms = (uint32_t)w->now_ms;
		s->occ_tokens = DP_OCC_PER_SECOND;
	}
	if (s->occ_tokens == 0)
		return false;
	s->occ_tokens--;
	return true;
}

// Longest plaintext whose datagram stays within the limit of an answer.
static size_t answer_max(struct dp_worker *w, uint32_t slot)
{
	return DP_OCC_ANSWER_MAX - ovpn_data_layouts[dp_format(w->core, slot)].overhead;
}

// The answer to a question. False: there is none.
static bool answer_of(
	struct dp_worker *w, uint32_t slot, const struct ovpn_occ *q, struct ovpn_occ *ret_a)
{
	size_t max = answer_max(w, slot) - OVPN_OCC_HEAD_LEN;

	*ret_a = (struct ovpn_occ){ 0 };
	switch (q->op) {
	case OVPN_OCC_REQUEST:
		if (w->config->occ_len == 0)
			return false;
		ret_a->op = OVPN_OCC_REPLY;
		ret_a->options.data = (const uint8_t *)w->config->occ;
		ret_a->options.len = w->config->occ_len - 1u; // the NUL is the builder's
		return true;
	case OVPN_OCC_MTU_LOAD_REQUEST:
		// The answer's datagram has about the size asked for, never more than the limit.
		ret_a->op = OVPN_OCC_MTU_LOAD;
		ret_a->load_size = q->load_size;
		if (ret_a->load_size < OVPN_OCC_HEAD_LEN + OVPN_DATA_OVERHEAD_MAX)
			ret_a->load_size = 0;
		else
			ret_a->load_size -= OVPN_OCC_HEAD_LEN + OVPN_DATA_OVERHEAD_MAX;
		if (ret_a->load_size > max)
			ret_a->load_size = (uint16_t)max;
		return true;
	case OVPN_OCC_MTU_REQUEST:
		ret_a->op = OVPN_OCC_MTU_REPLY;
		ret_a->recv_max = (uint16_t)(w->outer.port->mtu - UDP_OVERHEAD4);
		ret_a->sent_max = ret_a->recv_max;
		return true;
	default: return false;
	}
}

void dp_occ(struct dp_worker *w, struct rte_mbuf *m)
{
	uint32_t slot = dp_meta(m)->slot;
	uint16_t generation = dp_meta(m)->generation;
	struct ovpn_occ q, a;
	size_t len;
	uint8_t *p;

	if (ovpn_occ_parse(rte_pktmbuf_mtod(m, uint8_t *), rte_pktmbuf_pkt_len(m), &q) < 0) {
		dp_drop(w, m, DP_DROP_occ_malformed);
		return;
	}
	if (q.op == OVPN_OCC_EXIT) {
		dp_count(w, DP_COUNT_occ_received, 1);
		dp_event(w, SHM_EVENT_EXIT, slot, 0, NULL, NULL);
		rte_pktmbuf_free(m);
		return;
	}
	if (!answer_of(w, slot, &q, &a)) {
		dp_drop(w, m, DP_DROP_occ_malformed);
		return;
	}
	if (!allowed(w, dp_session(w, slot))) {
		dp_drop(w, m, DP_DROP_occ_limit);
		return;
	}
	rte_pktmbuf_reset(m); // the question is read: its buffer takes the answer
	p = (uint8_t *)rte_pktmbuf_append(m, (uint16_t)answer_max(w, slot));
	if (p == NULL || ovpn_occ_build(&a, p, answer_max(w, slot), &len) < 0) {
		dp_drop(w, m, DP_DROP_occ_malformed);
		return;
	}
	dp_count(w, DP_COUNT_occ_received, 1);
	rte_pktmbuf_trim(m, (uint16_t)(answer_max(w, slot) - len));
	dp_to_session(w, m, slot, generation, DP_META_FROM_CLIENT);
}
