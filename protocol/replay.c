// SPDX-License-Identifier: BSD-3-Clause
#include "protocol/replay.h"

int ovpn_replay_long_check(const struct ovpn_replay_long *win, uint32_t net_time, uint32_t id)
{
	if (id == 0)
		return -EINVAL;
	if (win->top == 0 || net_time > win->net_time)
		return 0;
	if (net_time < win->net_time)
		return -ERANGE;
	if (id > win->top)
		return 0;
	if (win->top - id >= OVPN_REPLAY_LONG_BITS)
		return -ERANGE;
	return win->bits >> (win->top - id) & 1 ? -EEXIST : 0;
}

int ovpn_replay_long_accept(struct ovpn_replay_long *win, uint32_t net_time, uint32_t id)
{
	int rc = ovpn_replay_long_check(win, net_time, id);

	if (rc < 0)
		return rc;
	if (win->top == 0 || net_time > win->net_time) {
		win->net_time = net_time;
		win->top = id;
		win->bits = 1;
		return 0;
	}
	if (id > win->top) {
		uint32_t ahead = id - win->top;

		win->bits = ahead >= OVPN_REPLAY_LONG_BITS ? 0 : win->bits << ahead;
		win->top = id;
	}
	win->bits |= 1ull << (win->top - id);
	return 0;
}

void ovpn_replay_send_init(struct ovpn_replay_send *s, uint32_t net_time, uint32_t first)
{
	s->net_time = net_time;
	s->next = first;
}

void ovpn_replay_send_next(
	struct ovpn_replay_send *s, uint32_t now, uint32_t *ret_net_time, uint32_t *ret_id)
{
	if (s->net_time == 0)
		s->net_time = now;
	// The counter ran out: it starts again in a later second, also when the clock stood still
	// or went back.
	if (s->next == 0) {
		s->net_time = now > s->net_time ? now : s->net_time + 1;
		s->next = 1;
	}
	*ret_net_time = s->net_time;
	*ret_id = s->next++;
}
