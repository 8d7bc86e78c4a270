// SPDX-License-Identifier: BSD-3-Clause
#include "control/ccd.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

#include "tests/gtc.h"

GTC_TEST(ctl_ccd, names)
{
	char longest[300];

	memset(longest, 'a', sizeof(longest));
	longest[255] = '\0';
	GTC_EXPECT(ctl_ccd_name_ok("alice"));
	GTC_EXPECT(ctl_ccd_name_ok("alice@example.org"));
	GTC_EXPECT(ctl_ccd_name_ok("Ana María"));
	GTC_EXPECT(ctl_ccd_name_ok("a..b"));
	GTC_EXPECT(ctl_ccd_name_ok(longest));
	longest[255] = 'a';
	longest[256] = '\0';
	GTC_EXPECT(!ctl_ccd_name_ok(longest));
	GTC_EXPECT(!ctl_ccd_name_ok(""));
	GTC_EXPECT(!ctl_ccd_name_ok("."));
	GTC_EXPECT(!ctl_ccd_name_ok(".."));
	GTC_EXPECT(!ctl_ccd_name_ok(".hidden"));
	GTC_EXPECT(!ctl_ccd_name_ok("../secret"));
	GTC_EXPECT(!ctl_ccd_name_ok("a/../../secret"));
	GTC_EXPECT(!ctl_ccd_name_ok("/etc/passwd"));
	GTC_EXPECT(!ctl_ccd_name_ok("a\nb"));
}

// A folder "ccd" in a folder of its own, with a file outside it.
struct place {
	char top[32];
	char dir[64];
};

static void put(const struct place *p, const char *name, const char *text)
{
	char path[160];
	FILE *f;

	snprintf(path, sizeof(path), "%s/%s", p->dir, name);
	f = fopen(path, "w");
	GTC_ASSERT(f != NULL);
	GTC_EXPECT(fputs(text, f) >= 0);
	GTC_EXPECT_INT(fclose(f), 0);
}

static void drop(const struct place *p, const char *name)
{
	char path[160];

	snprintf(path, sizeof(path), "%s/%s", p->dir, name);
	GTC_EXPECT_INT(unlink(path), 0);
}

static void place_make(struct place *p)
{
	strcpy(p->top, "/tmp/ctl-ccd-XXXXXX");
	GTC_ASSERT(mkdtemp(p->top) != NULL);
	snprintf(p->dir, sizeof(p->dir), "%s/ccd", p->top);
	GTC_ASSERT_INT(mkdir(p->dir, 0700), 0);
	put(p, "../outside", "ifconfig-push 10.8.0.66 255.255.255.0\n");
	put(p, "alice", "ifconfig-push 10.8.0.7 255.255.255.0\niroute 192.168.7.0 255.255.255.0\n");
	put(p, "bob", "disable\n");
	put(p, "eve", "ifconfig-push nonsense\n");
}

static void place_remove(const struct place *p)
{
	drop(p, "../outside");
	drop(p, "alice");
	drop(p, "bob");
	drop(p, "eve");
	GTC_EXPECT_INT(rmdir(p->dir), 0);
	GTC_EXPECT_INT(rmdir(p->top), 0);
}

GTC_TEST(ctl_ccd, lookup)
{
	struct cfg_ccd *ccd = NULL;
	struct cfg_error err;
	struct place p;
	char want[128];

	place_make(&p);
	GTC_EXPECT_INT(ctl_ccd_lookup(p.dir, false, "alice", NULL, &ccd, &err), 0);
	GTC_ASSERT(ccd != NULL);
	GTC_EXPECT_INT(ccd->ifconfig.bytes[3], 7);
	GTC_EXPECT_INT(ccd->n_iroutes, 1);
	cfg_ccd_free(ccd);
	GTC_EXPECT_INT(ctl_ccd_lookup(p.dir, false, "nobody", NULL, &ccd, &err), 0);
	GTC_EXPECT(ccd == NULL);
	GTC_EXPECT_INT(ctl_ccd_lookup(p.dir, false, "../outside", NULL, &ccd, &err), 0);
	GTC_EXPECT(ccd == NULL);
	GTC_EXPECT_INT(ctl_ccd_lookup(NULL, false, "alice", NULL, &ccd, &err), 0);
	GTC_EXPECT(ccd == NULL);
	GTC_EXPECT_INT(ctl_ccd_lookup(p.dir, false, "bob", NULL, &ccd, &err), -EACCES);
	snprintf(want, sizeof(want), "%s: the client's file says disable", p.dir);
	GTC_EXPECT_STR(err.text, want);
	GTC_EXPECT_INT(ctl_ccd_lookup(p.dir, true, "nobody", NULL, &ccd, &err), -EACCES);
	GTC_EXPECT_INT(ctl_ccd_lookup(p.dir, true, "../outside", NULL, &ccd, &err), -EACCES);
	GTC_EXPECT_INT(ctl_ccd_lookup(p.dir, false, "eve", NULL, &ccd, &err), -EINVAL);
	snprintf(want, sizeof(want), "%s/eve:1: 'ifconfig-push' takes 2 to 3 arguments", p.dir);
	GTC_EXPECT_INT(strncmp(err.text, want, strlen(want)), 0);

	put(&p, "DEFAULT", "push \"ping 5\"\n");
	GTC_EXPECT_INT(ctl_ccd_lookup(p.dir, false, "nobody", NULL, &ccd, &err), 0);
	GTC_ASSERT(ccd != NULL);
	GTC_EXPECT_INT(ccd->n_push, 1);
	cfg_ccd_free(ccd);
	GTC_EXPECT_INT(ctl_ccd_lookup(p.dir, false, "../outside", NULL, &ccd, &err), 0);
	GTC_EXPECT(ccd != NULL);
	cfg_ccd_free(ccd);
	GTC_EXPECT_INT(ctl_ccd_lookup(p.dir, true, "nobody", NULL, &ccd, &err), -EACCES);
	drop(&p, "DEFAULT");
	place_remove(&p);
}

static int count(void *arg, const char *cn, const struct cfg_addr *addr)
{
	GTC_EXPECT_STR(cn, "alice");
	GTC_EXPECT_INT(addr->bytes[3], 7);
	++*(int *)arg;
	return 0;
}

static int stop(void *arg, const char *cn, const struct cfg_addr *addr)
{
	(void)arg;
	(void)cn;
	(void)addr;
	return -ENOMEM;
}

GTC_TEST(ctl_ccd, fixed_addresses)
{
	struct cfg_notes notes = { 0 };
	struct place p;
	int n = 0;

	place_make(&p);
	GTC_EXPECT_INT(ctl_ccd_fixed(p.dir, count, &n, &notes), 0);
	GTC_EXPECT_INT(n, 1);
	GTC_EXPECT_INT(notes.n, 1); // eve's file is wrong
	GTC_EXPECT_INT(ctl_ccd_fixed(p.dir, stop, &n, NULL), -ENOMEM);
	GTC_EXPECT_INT(ctl_ccd_fixed("/nonexistent", count, &n, NULL), -ENOENT);
	cfg_notes_done(&notes);
	place_remove(&p);
}

// What client-connect writes stands behind the client's own file.
GTC_TEST(ctl_ccd, extend)
{
	struct cfg_notes notes = { 0 };
	struct cfg_ccd *ccd = NULL;
	struct cfg_error err = { 0 };
	struct place p;

	place_make(&p);
	put(&p, "alice",
		"ifconfig-push 10.8.0.7 255.255.255.0\npush \"route 10.1.0.0 255.255.0.0\"\n");
	GTC_ASSERT_INT(ctl_ccd_extend(p.dir, "alice",
			       "push \"route 10.2.0.0 255.255.0.0\"\n"
			       "ifconfig-push 10.8.0.9 255.255.255.0",
			       &notes, &ccd, &err),
		0);
	GTC_EXPECT_INT(ccd->ifconfig.bytes[3], 9);
	GTC_EXPECT_INT(ccd->n_push, 2);
	cfg_ccd_free(ccd);
	GTC_ASSERT_INT(
		ctl_ccd_extend(NULL, "bob", "iroute 10.3.0.0 255.255.0.0", &notes, &ccd, &err), 0);
	GTC_EXPECT_INT(ccd->n_iroutes, 1);
	cfg_ccd_free(ccd);
	GTC_EXPECT_INT(ctl_ccd_extend(p.dir, "alice", "disable\n", &notes, &ccd, &err), -EACCES);
	GTC_EXPECT_INT(
		ctl_ccd_extend(p.dir, "alice", "# what\nport 1\n", &notes, &ccd, &err), -EINVAL);
	GTC_EXPECT(strncmp(err.text, "client-connect:2: ", 18) == 0);
	GTC_EXPECT_INT(ctl_ccd_extend(p.dir, "alice", "config /etc/passwd\n", &notes, &ccd, &err),
		-EINVAL);
	cfg_notes_done(&notes);
	place_remove(&p);
}
