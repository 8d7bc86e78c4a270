// SPDX-License-Identifier: BSD-3-Clause
// Which slots of the session table (peer-ids) are free: last freed, last used, and none again
// before 10 s have passed since its removal (decisions.md D5, C10).
#pragma once

#include <stdint.h>

#define CTL_SLOT_REST_MS 10000u

struct ctl_slot_free {
	uint32_t slot;
	uint32_t ready_ds; // tenths of a second since `base_ms` from which it may be used
};

struct ctl_slots {
	struct ctl_slot_free *ring; // `size` places, oldest at `head`
	uint32_t size; // slots of the table
	uint32_t head;
	uint32_t count; // free ones, resting ones included
	uint64_t base_ms; // monotonic
};

// Make an empty list for `slots` slots. Returns 0 or -ENOMEM.
int ctl_slots_init(struct ctl_slots *s, uint32_t slots, uint64_t now_ms);
void ctl_slots_done(struct ctl_slots *s);

// Give a slot back; ready_ms: from when on it may be taken. Every slot at most once.
void ctl_slots_put(struct ctl_slots *s, uint32_t slot, uint64_t ready_ms);

// A slot that is free at once, in front of all that are there.
void ctl_slots_put_first(struct ctl_slots *s, uint32_t slot);

// Take the slot that has been free longest.
// Returns 0, -ENOSPC when none is free, -EAGAIN when all that are free still rest.
int ctl_slots_take(struct ctl_slots *s, uint64_t now_ms, uint32_t *ret_slot);
