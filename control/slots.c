// SPDX-License-Identifier: BSD-3-Clause
#include "control/slots.h"

#include <errno.h>
#include <stdlib.h>

int ctl_slots_init(struct ctl_slots *s, uint32_t slots, uint64_t now_ms)
{
	struct ctl_slot_free *ring = calloc(slots, sizeof(*ring));

	if (ring == NULL)
		return -ENOMEM;
	*s = (struct ctl_slots){ .ring = ring, .size = slots, .base_ms = now_ms };
	return 0;
}

void ctl_slots_done(struct ctl_slots *s)
{
	free(s->ring);
	*s = (struct ctl_slots){ 0 };
}

void ctl_slots_put(struct ctl_slots *s, uint32_t slot, uint64_t ready_ms)
{
	uint64_t ds = ready_ms > s->base_ms ? (ready_ms - s->base_ms + 99) / 100 : 0;
	struct ctl_slot_free *place;

	if (s->count >= s->size || slot >= s->size)
		return; // given back twice: a bug that must not write outside
	place = &s->ring[(s->head + s->count) % s->size];
	place->slot = slot;
	place->ready_ds = (uint32_t)ds;
	s->count++;
}

void ctl_slots_put_first(struct ctl_slots *s, uint32_t slot)
{
	if (s->count >= s->size || slot >= s->size)
		return;
	s->head = (s->head + s->size - 1) % s->size;
	s->ring[s->head] = (struct ctl_slot_free){ .slot = slot };
	s->count++;
}

int ctl_slots_take(struct ctl_slots *s, uint64_t now_ms, uint32_t *ret_slot)
{
	const struct ctl_slot_free *place = &s->ring[s->head];

	if (s->count == 0)
		return -ENOSPC;
	if (now_ms < s->base_ms + (uint64_t)place->ready_ds * 100)
		return -EAGAIN;
	*ret_slot = place->slot;
	s->head = (s->head + 1) % s->size;
	s->count--;
	return 0;
}
