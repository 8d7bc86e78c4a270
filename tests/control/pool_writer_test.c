// SPDX-License-Identifier: BSD-3-Clause
// The file of ifconfig-pool-persist on a disk that takes its time: a FIFO in the place of the new
// file, which nobody reads at first.
#include "control/pool_writer.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "config/server.h"
#include "control/clock.h"
#include "control/policy.h"
#include "control/pool.h"
#include "tests/config/parse.h"

struct place {
	char dir[32];
	char path[64];
	char beside[64]; // where the new file is written
};

static void place_begin(struct place *at)
{
	strcpy(at->dir, "/tmp/visp-writer-XXXXXX");
	GTC_ASSERT(mkdtemp(at->dir) != NULL);
	(void)snprintf(at->path, sizeof(at->path), "%s/ipp", at->dir);
	(void)snprintf(at->beside, sizeof(at->beside), "%s/ipp.new", at->dir);
}

static void place_end(const struct place *at)
{
	(void)unlink(at->path);
	GTC_EXPECT_INT(rmdir(at->dir), 0); // nothing else is left in it
}

static void file_is(const char *path, const char *want)
{
	char got[256] = "";
	int fd = open(path, O_RDONLY | O_CLOEXEC);

	if (GTC_EXPECT(fd >= 0)) {
		GTC_EXPECT(read(fd, got, sizeof(got) - 1) >= 0);
		(void)close(fd);
	}
	GTC_EXPECT_STR(got, want);
}

// Let the writer go on: it finds that a FIFO can't be synchronised.
static void disk_fails(const struct place *at)
{
	int fd = open(at->beside, O_RDONLY | O_CLOEXEC); // waits for the writer to open its end
	char text[256];

	GTC_ASSERT(fd >= 0);
	while (read(fd, text, sizeof(text)) > 0)
		;
	(void)close(fd);
}

static int begin(struct ctl_pool_writer *w, const char *path, const char *text)
{
	return ctl_pool_writer_begin(w, path, strdup(text), strlen(text));
}

GTC_TEST(ctl_pool_writer, one_at_a_time)
{
	struct ctl_pool_writer w = { 0 };
	struct place at;
	int rc = 1;

	place_begin(&at);
	GTC_EXPECT(!ctl_pool_writer_end(&w, true, &rc)); // nothing to wait for
	GTC_EXPECT_INT(begin(&w, at.path, "a,10.8.0.4\n"), 0);
	GTC_EXPECT(ctl_pool_writer_end(&w, true, &rc));
	GTC_EXPECT_INT(rc, 0);
	GTC_EXPECT(!ctl_pool_writer_end(&w, true, &rc)); // said once
	file_is(at.path, "a,10.8.0.4\n");

	GTC_ASSERT_INT(mkfifo(at.beside, 0600), 0);
	GTC_EXPECT_INT(begin(&w, at.path, "b,10.8.0.5\n"), 0); // and not a word from the disk
	GTC_EXPECT_INT(begin(&w, at.path, "c,10.8.0.6\n"), -EBUSY);
	GTC_EXPECT(!ctl_pool_writer_end(&w, false, &rc));
	file_is(at.path, "a,10.8.0.4\n"); // the old one, whole
	disk_fails(&at);
	GTC_EXPECT(ctl_pool_writer_end(&w, true, &rc));
	GTC_EXPECT_INT(rc, -EINVAL);
	file_is(at.path, "a,10.8.0.4\n");
	GTC_EXPECT_INT(access(at.beside, F_OK), -1);

	GTC_EXPECT_INT(begin(&w, at.path, "d,10.8.0.7\n"), 0);
	GTC_EXPECT(ctl_pool_writer_end(&w, true, &rc));
	GTC_EXPECT_INT(rc, 0);
	file_is(at.path, "d,10.8.0.7\n");
	place_end(&at);
}

// The policy's turns don't wait for the disk, lose nothing by its failure, and its end leaves the
// newest on it.
GTC_TEST(ctl_pool_writer, policy)
{
	const uint64_t far_ms = ctl_now_ms() + 3600000;
	struct cfg_error err = { 0 };
	struct ctl_policy *policy;
	struct ctl_grant *grant[2];
	struct cfg_server *cfg;
	const char *why;
	struct place at;
	char text[256];

	place_begin(&at);
	(void)snprintf(text, sizeof(text),
		"server 10.8.0.0 255.255.255.0\ntopology subnet\nca ca\ncert cert\nkey key\ndh "
		"none\n"
		"ifconfig-pool-persist %s 600\n",
		at.path);
	GTC_ASSERT_INT(PARSE_TEXT(cfg_server_parse, text, NULL, &cfg, &err), 0);
	GTC_ASSERT_INT(ctl_policy_create(cfg, &policy), 0);
	GTC_ASSERT_INT(mkfifo(at.beside, 0600), 0);
	GTC_ASSERT_INT(ctl_policy_grant(policy, "ann", NULL, NULL, &grant[0], &why), 0);
	(void)ctl_policy_tick(policy, NULL, ctl_now_ms()); // not yet
	(void)ctl_policy_tick(policy, NULL, far_ms);
	GTC_ASSERT_INT(ctl_policy_grant(policy, "bob", NULL, NULL, &grant[1], &why), 0);
	(void)ctl_policy_tick(policy, NULL, far_ms + 3600000); // still at the first
	disk_fails(&at);
	// What failed and what came later: at the next turn that finds the writer idle.
	for (int i = 1; access(at.path, F_OK) < 0 && i < 5000; i++) {
		(void)ctl_policy_tick(policy, NULL, far_ms + i * 3600000ull);
		(void)usleep(1000);
	}
	file_is(at.path, "ann,10.8.0.2\nbob,10.8.0.3\n");
	grant[0] = ctl_grant_free(policy, grant[0]);
	GTC_ASSERT_INT(ctl_policy_grant(policy, "cid", NULL, NULL, &grant[0], &why), 0);
	grant[0] = ctl_grant_free(policy, grant[0]);
	grant[1] = ctl_grant_free(policy, grant[1]);
	policy = ctl_policy_free(policy);
	file_is(at.path, "ann,10.8.0.2\ncid,10.8.0.4\nbob,10.8.0.3\n");
	cfg = cfg_server_free(cfg);
	place_end(&at);
}
