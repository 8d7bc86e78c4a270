// SPDX-License-Identifier: BSD-3-Clause
#include "control/pool.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <unistd.h>

#include "tests/gtc.h"

static struct cfg_addr addr(const char *text)
{
	struct cfg_addr a = { 0 };

	GTC_EXPECT_INT(cfg_prefix_parse(text, &a), 0);
	return a;
}

// 10.8.0.0/29: .1 is the server, .2 to .6 are for clients.
static struct ctl_pool *small_pool(void)
{
	struct ctl_pool_config config = {
		.network = addr("10.8.0.0/29"),
		.server = addr("10.8.0.1"),
		.first = addr("10.8.0.2"),
		.last = addr("10.8.0.6"),
	};

	return ctl_pool_create(&config);
}

static void lease_is(struct ctl_pool *pool, const char *name, const char *want)
{
	struct cfg_addr a;
	char text[CFG_ADDR_TEXT];
	int rc = ctl_pool_lease(pool, name, &a);

	GTC_EXPECT_STR(rc == 0 ? cfg_addr_text(&a, true, text) : strerrorname_np(-rc), want);
}

static void release(struct ctl_pool *pool, const char *text)
{
	struct cfg_addr a = addr(text);

	ctl_pool_release(pool, &a);
}

static int take(struct ctl_pool *pool, const char *name, const char *text)
{
	struct cfg_addr a = addr(text);

	return ctl_pool_take(pool, name, &a);
}

static const char *holder(struct ctl_pool *pool, const char *text)
{
	struct cfg_addr a = addr(text);
	const char *name = ctl_pool_holder(pool, &a);

	return name != NULL ? name : "-";
}

// One lease for each whole group of four addresses; a fixed address may lie anywhere.
GTC_TEST(ctl_pool, net30)
{
	struct ctl_pool_config config = {
		.network = addr("10.8.0.0/28"),
		.server = addr("10.8.0.1"),
		.first = addr("10.8.0.4"),
		.last = addr("10.8.0.11"),
		.net30 = true,
	};
	struct ctl_pool *pool = ctl_pool_create(&config);
	struct ctl_pool_stats s;

	ctl_pool_stats(pool, &s);
	GTC_EXPECT_INT(s.size, 2);
	lease_is(pool, "a", "10.8.0.6/28");
	lease_is(pool, "b", "10.8.0.10/28");
	lease_is(pool, "c", "ENOSPC");
	GTC_EXPECT_INT(take(pool, "d", "10.8.0.9"), 0);
	release(pool, "10.8.0.9");
	lease_is(pool, "c", "ENOSPC");
	release(pool, "10.8.0.6");
	lease_is(pool, "c", "10.8.0.6/28");
	ctl_pool_free(pool);
}

GTC_TEST(ctl_pool, leases_until_exhausted)
{
	struct ctl_pool *pool = small_pool();
	struct ctl_pool_stats s;

	lease_is(pool, "a", "10.8.0.2/29");
	lease_is(pool, "b", "10.8.0.3/29");
	lease_is(pool, "c", "10.8.0.4/29");
	lease_is(pool, "d", "10.8.0.5/29");
	lease_is(pool, "e", "10.8.0.6/29");
	lease_is(pool, "f", "ENOSPC");
	GTC_EXPECT_STR(holder(pool, "10.8.0.4"), "c");
	ctl_pool_stats(pool, &s);
	GTC_EXPECT_INT(s.size, 5);
	GTC_EXPECT_INT(s.leased, 5);
	release(pool, "10.8.0.4");
	GTC_EXPECT_STR(holder(pool, "10.8.0.4"), "-");
	lease_is(pool, "f", "10.8.0.4/29");
	lease_is(pool, "g", "ENOSPC");
	release(pool, "10.9.0.4"); // not ours: nothing happens
	release(pool, "10.8.0.1");
	GTC_EXPECT(ctl_pool_free(pool) == NULL);
}

GTC_TEST(ctl_pool, sticks_and_reuses_the_oldest)
{
	struct ctl_pool *pool = small_pool();

	lease_is(pool, "a", "10.8.0.2/29");
	lease_is(pool, "b", "10.8.0.3/29");
	release(pool, "10.8.0.3");
	release(pool, "10.8.0.2");
	lease_is(pool, "c", "10.8.0.4/29"); // fresh ones first
	lease_is(pool, "a", "10.8.0.2/29"); // its own again
	release(pool, "10.8.0.2");
	lease_is(pool, "d", "10.8.0.5/29");
	lease_is(pool, "e", "10.8.0.6/29");
	lease_is(pool, "f", "10.8.0.3/29"); // b's, free for longer than a's
	lease_is(pool, "b", "10.8.0.2/29"); // b's own is taken
	release(pool, "10.8.0.3");
	lease_is(pool, "a", "10.8.0.3/29");
	ctl_pool_free(pool);
}

GTC_TEST(ctl_pool, several_sessions_of_one_name)
{
	struct ctl_pool *pool = small_pool();

	lease_is(pool, "a", "10.8.0.2/29");
	lease_is(pool, "a", "10.8.0.3/29");
	lease_is(pool, "", "10.8.0.4/29"); // without a name
	lease_is(pool, "", "10.8.0.5/29");
	release(pool, "10.8.0.2");
	release(pool, "10.8.0.3");
	lease_is(pool, "a", "10.8.0.3/29"); // the one that ended last
	ctl_pool_free(pool);
}

GTC_TEST(ctl_pool, fixed_addresses)
{
	struct ctl_pool *pool = small_pool();
	struct cfg_addr a = addr("10.8.0.3");
	struct ctl_pool_stats s;

	GTC_EXPECT_INT(ctl_pool_reserve(pool, &a, "boss"), 0);
	a = addr("10.8.0.1");
	GTC_EXPECT_INT(ctl_pool_reserve(pool, &a, "boss"), -ERANGE);
	lease_is(pool, "a", "10.8.0.2/29");
	lease_is(pool, "b", "10.8.0.4/29"); // .3 is passed over
	GTC_EXPECT_INT(take(pool, "boss", "10.8.0.3"), 0);
	GTC_EXPECT_INT(take(pool, "boss", "10.8.0.3"), -EADDRINUSE);
	GTC_EXPECT_INT(take(pool, "x", "10.8.0.2"), -EADDRINUSE);
	GTC_EXPECT_INT(take(pool, "x", "10.8.0.0"), -ERANGE);
	GTC_EXPECT_INT(take(pool, "x", "10.8.0.7"), -ERANGE);
	GTC_EXPECT_INT(take(pool, "x", "10.8.0.1"), -ERANGE);
	GTC_EXPECT_INT(take(pool, "x", "10.8.0.8"), -ERANGE);
	GTC_EXPECT_INT(take(pool, "x", "2001:db8::1"), -ERANGE);
	GTC_EXPECT_INT(take(pool, "adopted", "10.8.0.5"), 0); // a lease of before
	ctl_pool_stats(pool, &s);
	GTC_EXPECT_INT(s.size, 4);
	GTC_EXPECT_INT(s.leased, 3);
	GTC_EXPECT_INT(s.fixed, 1);
	GTC_EXPECT_INT(s.reserved, 1);
	release(pool, "10.8.0.3");
	lease_is(pool, "c", "10.8.0.6/29");
	lease_is(pool, "d", "ENOSPC"); // .3 is still set aside
	ctl_pool_free(pool);
}

GTC_TEST(ctl_pool, configurations)
{
	struct ctl_pool_config config = {
		.network = addr("10.8.0.0/24"),
		.server = addr("10.8.0.1"),
		.first = addr("10.9.0.2"),
		.last = addr("10.9.0.6"),
	};
	struct ctl_pool *pool;

	GTC_EXPECT(ctl_pool_create(&config) == NULL);
	GTC_EXPECT_INT(errno, EINVAL);
	config.network = addr("10.9.0.0/31");
	GTC_EXPECT(ctl_pool_create(&config) == NULL);
	config.network = addr("10.8.0.0/24");
	config.first = config.last = (struct cfg_addr){ 0 }; // nopool
	pool = ctl_pool_create(&config);
	GTC_ASSERT(pool != NULL);
	lease_is(pool, "a", "ENOSPC");
	GTC_EXPECT_INT(take(pool, "a", "10.8.0.77"), 0);
	release(pool, "10.8.0.77");
	lease_is(pool, "a", "ENOSPC");
	ctl_pool_free(pool);
	config.network = addr("10.0.0.0/8"); // large, but cheap until used
	config.server = addr("10.0.0.1");
	config.first = addr("10.0.0.0");
	config.last = addr("10.255.255.255");
	pool = ctl_pool_create(&config);
	GTC_ASSERT(pool != NULL);
	lease_is(pool, "a", "10.0.0.2/8");
	GTC_EXPECT_INT(take(pool, "z", "10.255.255.254"), 0);
	GTC_EXPECT_INT(take(pool, "z", "10.255.255.255"), -ERANGE);
	ctl_pool_free(pool);
	config.network = addr("2001:db8::/64"); // the first 2^24 of it
	config.server = addr("2001:db8::1");
	config.first = addr("2001:db8::1000");
	config.last = addr("2001:db8::ffff:ffff:ffff:ffff");
	pool = ctl_pool_create(&config);
	GTC_ASSERT(pool != NULL);
	lease_is(pool, "a", "2001:db8::1000/64");
	ctl_pool_free(pool);
}

static void file_put(const char *path, const char *text)
{
	FILE *f = fopen(path, "w");

	GTC_ASSERT(f != NULL);
	GTC_EXPECT(fputs(text, f) >= 0);
	GTC_EXPECT_INT(fclose(f), 0);
}

static void file_is(const char *path, const char *want)
{
	char got[1024] = "";
	FILE *f = fopen(path, "r");

	GTC_ASSERT(f != NULL);
	got[fread(got, 1, sizeof(got) - 1, f)] = '\0';
	fclose(f);
	GTC_EXPECT_STR(got, want);
}

static void file_write(struct ctl_pool *pool, struct ctl_pool *pool6, const char *path)
{
	size_t len = 0;
	char *text;

	GTC_ASSERT_INT(ctl_pool_text(pool, pool6, &text, &len), 0);
	GTC_EXPECT_INT(ctl_pool_store(path, text, len), 0);
	free(text);
}

GTC_TEST(ctl_pool, file)
{
	char dir[] = "/tmp/ctl-pool-XXXXXX";
	char path[64], want[128];
	struct ctl_pool *pool = small_pool();
	struct cfg_error err;
	unsigned skipped;

	GTC_ASSERT(mkdtemp(dir) != NULL);
	snprintf(path, sizeof(path), "%s/ipp.txt", dir);
	GTC_EXPECT_INT(ctl_pool_read(pool, NULL, path, &skipped, &err), 0); // none yet
	file_put(path,
		"# comment\n\nbob,10.8.0.5\nann,10.8.0.4,\nfar,10.9.0.4\n"
		"six,,2001:db8::2\nbob,10.8.0.6\r\n");
	GTC_EXPECT_INT(ctl_pool_read(pool, NULL, path, &skipped, &err), 0);
	GTC_EXPECT_INT(skipped, 2); // without an IPv6 pool its addresses are no news
	GTC_EXPECT(!ctl_pool_changed(pool));
	lease_is(pool, "ann", "10.8.0.4/29");
	GTC_EXPECT(!ctl_pool_changed(pool)); // nothing that the file doesn't say
	lease_is(pool, "x", "10.8.0.2/29");
	lease_is(pool, "y", "10.8.0.3/29");
	lease_is(pool, "z", "10.8.0.6/29");
	GTC_EXPECT(ctl_pool_changed(pool));
	release(pool, "10.8.0.2");
	file_write(pool, NULL, path);
	GTC_EXPECT(!ctl_pool_changed(pool));
	file_is(path, "bob,10.8.0.5\nx,10.8.0.2\ny,10.8.0.3\nann,10.8.0.4\nz,10.8.0.6\n");
	lease_is(pool, "new", "10.8.0.5/29"); // bob's, the longest free
	ctl_pool_free(pool);

	pool = small_pool();
	GTC_EXPECT_INT(ctl_pool_read(pool, NULL, path, &skipped, &err), 0);
	lease_is(pool, "z", "10.8.0.6/29");
	lease_is(pool, "bob", "10.8.0.5/29");
	file_put(path, "ann,10.8.0.4\nnonsense\n");
	GTC_EXPECT_INT(ctl_pool_read(pool, NULL, path, &skipped, &err), -EINVAL);
	snprintf(want, sizeof(want), "%s:2: this isn't \"NAME,ADDRESS,ADDRESS6\"", path);
	GTC_EXPECT_STR(err.text, want);
	GTC_EXPECT_INT(ctl_pool_store("/nonexistent/ipp.txt", "", 0), -ENOENT);
	ctl_pool_free(pool);
	GTC_EXPECT_INT(unlink(path), 0);
	GTC_EXPECT_INT(rmdir(dir), 0);
}

// Many leases and releases in a fixed random order, checked against a plain table.
GTC_TEST(ctl_pool, agrees_with_a_table)
{
	struct ctl_pool_config config = {
		.network = addr("10.8.0.0/24"),
		.server = addr("10.8.0.1"),
		.first = addr("10.8.0.10"),
		.last = addr("10.8.0.59"),
	};
	struct ctl_pool *pool = ctl_pool_create(&config);
	int held[256] = { 0 }; // name by last byte; 0: free
	unsigned used = 0, seed = 1;
	char name[16];

	GTC_ASSERT(pool != NULL);
	for (int step = 0; step < 20000; step++) {
		unsigned r = (seed = seed * 1664525 + 1013904223) >> 8;
		struct cfg_addr a = config.network;

		if (r % 5 < 3) {
			int id = 1 + (int)(r / 8 % 80);
			int rc;

			snprintf(name, sizeof(name), "n%d", id);
			rc = ctl_pool_lease(pool, name, &a);
			GTC_EXPECT_INT(rc, used == 50 ? -ENOSPC : 0);
			if (rc == 0) {
				GTC_ASSERT(a.bytes[3] >= 10 && a.bytes[3] <= 59);
				GTC_EXPECT_INT(held[a.bytes[3]], 0);
				held[a.bytes[3]] = id;
				used++;
			}
		} else {
			a.bytes[3] = (uint8_t)(r / 8);
			used -= held[a.bytes[3]] != 0;
			held[a.bytes[3]] = 0;
			ctl_pool_release(pool, &a);
		}
	}
	for (int i = 0; i < 256; i++) {
		struct cfg_addr a = config.network;

		a.bytes[3] = (uint8_t)i;
		snprintf(name, sizeof(name), "n%d", held[i]);
		GTC_EXPECT((ctl_pool_holder(pool, &a) != NULL) == (held[i] != 0));
		if (held[i] != 0)
			GTC_EXPECT_STR(ctl_pool_holder(pool, &a), name);
	}
	ctl_pool_free(pool);
}

static struct ctl_pool *pool6(uint32_t limit)
{
	struct ctl_pool_config config = { .limit = limit };

	(void)cfg_prefix_parse("fd00::/64", &config.network);
	(void)cfg_prefix_parse("fd00::1", &config.server);
	(void)cfg_prefix_parse("fd00::1000", &config.first);
	(void)cfg_prefix_parse("fd00::1003", &config.last);
	return ctl_pool_create(&config);
}

GTC_TEST(ctl_pool, ipv6)
{
	struct ctl_pool *pool = pool6(1u << 20);
	struct cfg_addr addr;

	GTC_ASSERT(pool != NULL);
	lease_is(pool, "ann", "fd00::1000/64");
	lease_is(pool, "bob", "fd00::1001/64");
	(void)cfg_addr_parse("fd00::", &addr);
	GTC_EXPECT_INT(ctl_pool_take(pool, "x", &addr), -ERANGE); // anycast to routers
	(void)cfg_addr_parse("fd00::1", &addr);
	GTC_EXPECT_INT(ctl_pool_take(pool, "x", &addr), -ERANGE); // the server's
	(void)cfg_addr_parse("fd00::10:0", &addr);
	GTC_EXPECT_INT(ctl_pool_take(pool, "x", &addr), -ERANGE); // behind the limit
	(void)cfg_addr_parse("fd00::77", &addr);
	GTC_EXPECT_INT(ctl_pool_take(pool, "cat", &addr), 0);
	GTC_EXPECT_INT(ctl_pool_take(pool, "dog", &addr), -EADDRINUSE);
	lease_is(pool, "e", "fd00::1002/64");
	lease_is(pool, "f", "fd00::1003/64");
	GTC_EXPECT_INT(ctl_pool_lease(pool, "g", &addr), -ENOSPC);
	ctl_pool_free(pool);
	GTC_EXPECT(pool6(0x1000) == NULL); // the range begins behind what is managed
}

GTC_TEST(ctl_pool, file_of_both)
{
	char dir[] = "/tmp/visp-pool-XXXXXX", path[64];
	struct ctl_pool *pool = small_pool(), *six = pool6(1u << 20);
	struct cfg_error err;
	unsigned skipped = 0;

	GTC_ASSERT(mkdtemp(dir) != NULL);
	snprintf(path, sizeof(path), "%s/ipp.txt", dir);
	file_put(path,
		"bob,10.8.0.5,fd00::1002\nann,10.8.0.4,\nsix,,fd00::1003\n"
		"odd,10.8.0.6,10.8.0.7\n");
	GTC_EXPECT_INT(ctl_pool_read(pool, six, path, &skipped, &err), 0);
	GTC_EXPECT_INT(skipped, 1);
	lease_is(six, "bob", "fd00::1002/64");
	lease_is(six, "six", "fd00::1003/64");
	lease_is(six, "ann", "fd00::1000/64");
	lease_is(pool, "ann", "10.8.0.4/29");
	GTC_EXPECT(ctl_pool_changed(six));
	file_write(pool, six, path);
	GTC_EXPECT(!ctl_pool_changed(six));
	file_is(path,
		"bob,10.8.0.5,fd00::1002\nodd,10.8.0.6,\nann,10.8.0.4,fd00::1000\n"
		"six,,fd00::1003\n");
	file_put(path, "bob,10.8.0.5,nonsense\n");
	GTC_EXPECT_INT(ctl_pool_read(pool, six, path, &skipped, &err), -EINVAL);
	ctl_pool_free(pool);
	ctl_pool_free(six);
	GTC_EXPECT_INT(unlink(path), 0);
	GTC_EXPECT_INT(rmdir(dir), 0);
}
