// SPDX-License-Identifier: BSD-3-Clause
#include <stdint.h>
#include <stdlib.h>

#include "control/set.h"
#include "tests/gtc.h"

struct elem {
	uint32_t key;
	uint32_t hash;
	bool there;
};

static bool same(const void *elem, const void *key)
{
	return ((const struct elem *)elem)->key == *(const uint32_t *)key;
}

// Each element is found if and only if it is there.
static void check_all(const struct ctl_set *s, const struct elem *e, uint32_t n)
{
	uint32_t there = 0;

	for (uint32_t i = 0; i < n; i++) {
		const struct elem *found = ctl_set_find(s, e[i].hash, same, &e[i].key);

		there += e[i].there;
		if (found != (e[i].there ? &e[i] : NULL))
			gtc_fail(__FILE__, __LINE__, "element %u of %u", i, n);
	}
	GTC_EXPECT_INT(s->count, there);
}

static void flip(struct ctl_set *s, struct elem *e)
{
	if (e->there)
		ctl_set_del(s, e, e->hash);
	else
		GTC_EXPECT_INT(ctl_set_add(s, e, e->hash), 0);
	e->there = !e->there;
}

// Elements come and go in any order, with hashes that collide within `hashes` values.
static void churn(uint32_t n, uint32_t hashes, unsigned steps)
{
	struct elem *e = calloc(n, sizeof(*e));
	struct ctl_set s = { 0 };
	uint32_t x = 1;

	GTC_ASSERT(e != NULL);
	for (uint32_t i = 0; i < n; i++)
		e[i] = (struct elem){ .key = i, .hash = i * 2654435761u % hashes };
	for (unsigned step = 0; step < steps; step++) {
		x = x * 1664525u + 1013904223u;
		flip(&s, &e[(x >> 8) % n]);
		if (step % 64 == 0)
			check_all(&s, e, n);
	}
	check_all(&s, e, n);
	ctl_set_done(&s);
	GTC_EXPECT_INT(s.count, 0);
	free(e);
}

GTC_TEST(set, comes_and_goes)
{
	churn(200, UINT32_MAX, 5000);
	churn(200, 7, 5000); // nearly all collide
	churn(12, 16, 5000); // the smallest set, over its end
	churn(12, 1, 500);
}

GTC_TEST(set, empty)
{
	struct ctl_set s = { 0 };
	struct elem e = { .key = 1 };

	GTC_EXPECT(ctl_set_find(&s, 0, same, &e.key) == NULL);
	ctl_set_del(&s, &e, 0);
	GTC_EXPECT_INT(ctl_set_add(&s, &e, 0), 0);
	ctl_set_del(&s, &s, 0); // not there
	GTC_EXPECT(ctl_set_find(&s, 0, same, &e.key) == &e);
	ctl_set_done(&s);
}
