// SPDX-License-Identifier: BSD-3-Clause
#include "dataplane/next_hop.h"

#include <arpa/inet.h>
#include <errno.h>
#include <stdio.h>

#include "dataplane/dp.h"
#include "dataplane/wake.h"
#include "tests/gtc.h"

static struct shm_addr addr(const char *text)
{
	struct shm_addr a = { .family = strchr(text, ':') != NULL ? AF_INET6 : AF_INET };

	if (inet_pton(a.family, text, a.bytes) != 1)
		a.family = 0;
	return a;
}

static struct dp_route route(
	const char *dst, uint8_t len, uint32_t ifindex, const char *gateway, uint32_t metric)
{
	struct dp_route r = {
		.dst = addr(dst), .prefix_len = len, .ifindex = ifindex, .metric = metric
	};

	if (gateway != NULL)
		r.gateway = addr(gateway);
	return r;
}

static struct dp_neighbour neighbour(const char *text, uint32_t ifindex, uint8_t last)
{
	return (struct dp_neighbour){
		.addr = addr(text), .ifindex = ifindex, .mac = { 2, 0, 0, 0, 0, last }
	};
}

struct fixture {
	struct dp_core core;
	struct dp_wanted wanted;
};

static bool setup(struct fixture *f, const struct dp_route *r, unsigned routes,
	const struct dp_neighbour *n, unsigned neighbours)
{
	f->wanted.event_fd = dp_wake_open();
	f->core.next_hops = dp_next_hops_create(r, routes, n, neighbours, &f->wanted);
	return f->core.next_hops != NULL && f->wanted.event_fd >= 0;
}

static void teardown(struct fixture *f)
{
	dp_next_hops_free(f->core.next_hops);
}

// Last byte of the MAC address towards an address, or a negative errno.
static int hop(const struct fixture *f, const char *text)
{
	struct shm_addr a = addr(text);
	uint8_t mac[6];
	int rc = dp_next_hop(&f->core, &a, mac);

	return rc < 0 ? rc : mac[5];
}

GTC_TEST(next_hop, longest_prefix_wins_and_then_the_lowest_metric)
{
	static struct fixture f;
	const struct dp_route r[] = {
		route("0.0.0.0", 0, 2, "192.0.2.254", 0),
		route("192.0.2.0", 24, 2, NULL, 0),
		route("10.0.0.0", 8, 2, "192.0.2.3", 100),
		route("10.0.0.0", 8, 2, "192.0.2.2", 50),
		route("10.0.0.0", 8, 2, "192.0.2.3", 200),
		route("10.1.2.3", 32, 2, "192.0.2.4", 0),
		route("2001:db8::", 32, 2, "fe80::1", 0),
	};
	const struct dp_neighbour n[] = {
		neighbour("192.0.2.254", 2, 254),
		neighbour("192.0.2.2", 2, 2),
		neighbour("192.0.2.3", 2, 3),
		neighbour("192.0.2.4", 2, 4),
		neighbour("192.0.2.9", 3, 9), // on another interface
		neighbour("fe80::1", 2, 61),
	};

	GTC_ASSERT(setup(&f, r, 7, n, 6));
	GTC_EXPECT_INT(hop(&f, "198.51.100.1"), 254);
	GTC_EXPECT_INT(hop(&f, "192.0.2.3"), 3);
	GTC_EXPECT_INT(hop(&f, "10.9.9.9"), 2);
	GTC_EXPECT_INT(hop(&f, "10.1.2.3"), 4);
	GTC_EXPECT_INT(hop(&f, "2001:db8:1::5"), 61);
	GTC_EXPECT_INT(hop(&f, "2001:db9::5"), -ENOENT);
	GTC_EXPECT_INT(hop(&f, "192.0.2.9"), -ENOENT);
	teardown(&f);
}

GTC_TEST(next_hop, nothing_is_known_before_the_first_picture)
{
	static struct fixture f;

	GTC_EXPECT_INT(hop(&f, "192.0.2.1"), -ENOENT);
}

GTC_TEST(next_hop, missing_neighbour_is_asked_for_once)
{
	static struct fixture f;
	const struct dp_route r = route("192.0.2.0", 24, 2, NULL, 0);
	unsigned asked = 0;

	GTC_ASSERT(setup(&f, &r, 1, NULL, 0));
	for (int i = 0; i < 100; i++)
		GTC_EXPECT_INT(hop(&f, "192.0.2.7"), -ENOENT);
	for (unsigned i = 0; i < DP_WANTED; i++) {
		struct shm_addr want = addr("192.0.2.7");

		if (f.wanted.place[i].state != 2)
			continue;
		asked++;
		GTC_EXPECT_INT(f.wanted.place[i].ifindex, 2);
		GTC_EXPECT_MEM(&f.wanted.place[i].addr, &want, sizeof(want));
	}
	GTC_EXPECT_INT(asked, 1);
	teardown(&f);
}

static unsigned reported;

static void count_used(void *arg, uint32_t ifindex, const struct shm_addr *a)
{
	(void)arg;
	(void)ifindex;
	(void)a;
	reported++;
}

GTC_TEST(next_hop, stale_neighbours_in_use_are_reported)
{
	static struct fixture f;
	const struct dp_route r = route("192.0.2.0", 24, 2, NULL, 0);
	struct dp_neighbour n[2] = { neighbour("192.0.2.7", 2, 7), neighbour("192.0.2.8", 2, 8) };

	n[0].stale = n[1].stale = true;
	GTC_ASSERT(setup(&f, &r, 1, n, 2));
	GTC_EXPECT_INT(hop(&f, "192.0.2.7"), 7);
	dp_next_hops_used(f.core.next_hops, count_used, NULL);
	GTC_EXPECT_INT(reported, 1);
	dp_next_hops_used(f.core.next_hops, count_used, NULL);
	GTC_EXPECT_INT(reported, 1);
	teardown(&f);
}

GTC_TEST(next_hop, many_routes)
{
	static struct fixture f;
	static struct dp_route r[5000];
	struct dp_neighbour n[2] = { neighbour("192.0.2.1", 2, 1), neighbour("192.0.2.2", 2, 2) };
	char text[32];

	for (unsigned i = 0; i < 5000; i++) {
		(void)snprintf(text, sizeof(text), "20.%u.%u.0", i >> 8, i & 255);
		r[i] = route(text, 24, 2, i % 2 == 0 ? "192.0.2.1" : "192.0.2.2", 0);
	}
	GTC_ASSERT(setup(&f, r, 5000, n, 2));
	for (unsigned i = 0; i < 5000; i++) {
		(void)snprintf(text, sizeof(text), "20.%u.%u.77", i >> 8, i & 255);
		if (!GTC_EXPECT_INT(hop(&f, text), i % 2 == 0 ? 1 : 2))
			break;
	}
	teardown(&f);
}
