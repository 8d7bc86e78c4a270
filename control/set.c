// SPDX-License-Identifier: BSD-3-Clause
// Open addressing with linear probing. What is removed leaves no mark: those behind it that would
// not be found any more move up.
#include "control/set.h"

#include <errno.h>
#include <stdlib.h>

#define PLACES_FIRST 16u

void ctl_set_done(struct ctl_set *set)
{
	free(set->place);
	*set = (struct ctl_set){ 0 };
}

void *ctl_set_find(const struct ctl_set *set, uint32_t hash, ctl_set_same_fn *same, const void *key)
{
	if (set->place == NULL)
		return NULL;
	for (uint32_t i = hash & set->mask; set->place[i].elem != NULL; i = (i + 1) & set->mask) {
		if (set->place[i].hash == hash && same(set->place[i].elem, key))
			return set->place[i].elem;
	}
	return NULL;
}

static void put(struct ctl_set *set, void *elem, uint32_t hash)
{
	uint32_t i = hash & set->mask;

	while (set->place[i].elem != NULL)
		i = (i + 1) & set->mask;
	set->place[i] = (struct ctl_set_place){ .elem = elem, .hash = hash };
}

static int grow(struct ctl_set *set)
{
	struct ctl_set old = *set;
	uint32_t places = old.place == NULL ? PLACES_FIRST : (old.mask + 1) * 2;
	struct ctl_set_place *place;

	if (places < PLACES_FIRST)
		return -ENOMEM; // more than 32 bits count
	place = calloc(places, sizeof(*place));
	if (place == NULL)
		return -ENOMEM;
	set->place = place;
	set->mask = places - 1;
	for (uint32_t i = 0; old.place != NULL && i <= old.mask; i++) {
		if (old.place[i].elem != NULL)
			put(set, old.place[i].elem, old.place[i].hash);
	}
	free(old.place);
	return 0;
}

int ctl_set_add(struct ctl_set *set, void *elem, uint32_t hash)
{
	// Three quarters of the places at most, so that searches are short.
	if (set->place == NULL || set->count >= set->mask / 4 * 3) {
		int rc = grow(set);

		if (rc < 0)
			return rc;
	}
	put(set, elem, hash);
	set->count++;
	return 0;
}

// May what begins its search at `home` lie at `hole`, from where it is at `at`?
static bool may_move(uint32_t home, uint32_t hole, uint32_t at)
{
	return hole <= at ? home <= hole || home > at : home <= hole && home > at;
}

void ctl_set_del(struct ctl_set *set, const void *elem, uint32_t hash)
{
	uint32_t hole, i;

	if (set->place == NULL)
		return;
	hole = hash & set->mask;
	while (set->place[hole].elem != elem) {
		if (set->place[hole].elem == NULL)
			return;
		hole = (hole + 1) & set->mask;
	}
	for (i = (hole + 1) & set->mask; set->place[i].elem != NULL; i = (i + 1) & set->mask) {
		if (may_move(set->place[i].hash & set->mask, hole, i)) {
			set->place[hole] = set->place[i];
			hole = i;
		}
	}
	set->place[hole] = (struct ctl_set_place){ 0 };
	set->count--;
}
