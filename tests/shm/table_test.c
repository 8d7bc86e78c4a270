// SPDX-License-Identifier: BSD-3-Clause
#include "shm/table.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "shm/fdpass.h"
#include "tests/gtc.h"

#define SESSIONS 64u

GTC_TEST(layout, offsets_that_matter)
{
	// Groups with different writers never share a pair of lines.
	GTC_EXPECT_INT(sizeof(struct shm_session) % 128, 0);
	GTC_EXPECT_INT(offsetof(struct shm_session, rx_key), 128);
	GTC_EXPECT_INT(offsetof(struct shm_session, tx_key) % 128, 0);
	GTC_EXPECT_INT(offsetof(struct shm_session, server_sid) % 128, 0);
	GTC_EXPECT_INT(offsetof(struct shm_key_slot, tx_cell), SHM_KEY_CELL);
	GTC_EXPECT_INT(offsetof(struct shm_key_slot, rx_raw), 2 * SHM_KEY_CELL);
	GTC_EXPECT_INT(sizeof(struct shm_keys) % 64, 0);
	GTC_EXPECT(shm_layout_hash() != 0);
	GTC_EXPECT_INT(shm_layout_hash(), shm_layout_hash());
}

GTC_TEST(table, create_makes_free_aligned_slots)
{
	struct shm_table t;

	GTC_ASSERT_INT(shm_table_create(SESSIONS, SHM_PAGES_SMALL, &t), 0);
	GTC_EXPECT_INT((uintptr_t)t.session % 128, 0);
	GTC_EXPECT_INT((uintptr_t)t.keys % 64, 0);
	GTC_EXPECT_INT(t.sessions, SESSIONS);
	GTC_EXPECT(!t.huge);
	GTC_EXPECT_INT(shm_table_populate(&t, NULL, NULL), 0);
	for (uint32_t i = 0; i < SESSIONS; i++)
		GTC_EXPECT_INT(t.dir[i].state, SHM_STATE_FREE);
	GTC_EXPECT((uint8_t *)&t.session[SESSIONS] <= (uint8_t *)t.header + t.sessions_bytes);
	GTC_EXPECT((uint8_t *)&t.keys[SESSIONS] <= (uint8_t *)t.keys_header + t.keys_bytes);
	memset(&t.session[SESSIONS - 1], 1, sizeof(t.session[0]));
	memset(&t.keys[SESSIONS - 1], 1, sizeof(t.keys[0]));
	shm_table_done(&t);
	shm_table_done(&t);
	GTC_EXPECT_INT(shm_table_create(0, SHM_PAGES_SMALL, &t), -EINVAL);
	GTC_EXPECT_INT(shm_table_create(SHM_SESSIONS_MAX + 1, SHM_PAGES_SMALL, &t), -EINVAL);
}

GTC_TEST(table, too_few_huge_pages_is_an_error_and_not_a_signal)
{
	struct shm_table t;
	int rc = shm_table_create(SHM_SESSIONS_MAX, SHM_PAGES_HUGE, &t);

	if (rc == 0) {
		shm_table_done(&t);
		GTC_SKIP("this machine has 6 GiB of huge pages free");
	}
	GTC_EXPECT_INT(rc, -ENOMEM);
	GTC_ASSERT_INT(shm_table_create(SESSIONS, SHM_PAGES_AUTO, &t), 0);
	memset(t.session, 0, SESSIONS * sizeof(t.session[0]));
	shm_table_done(&t);
}

GTC_TEST(table, seals_hold_for_their_maker)
{
	struct shm_table t;

	GTC_ASSERT_INT(shm_table_create(SESSIONS, SHM_PAGES_SMALL, &t), 0);
	GTC_EXPECT(ftruncate(t.keys_fd, 0) < 0 && errno == EPERM);
	GTC_EXPECT(ftruncate(t.sessions_fd, 1 << 30) < 0 && errno == EPERM);
	GTC_EXPECT(fcntl(t.keys_fd, F_ADD_SEALS, F_SEAL_WRITE) < 0 && errno == EPERM);
	shm_table_done(&t);
}

// What control may do with its descriptors, even as root.
GTC_TEST(table, control_gets_no_way_to_write_or_to_see_keys)
{
	struct shm_table t;
	int ro, path;

	GTC_ASSERT_INT(shm_table_create(SESSIONS, SHM_PAGES_SMALL, &t), 0);
	ro = shm_table_open_readonly(&t);
	path = shm_table_open_path(&t);
	GTC_ASSERT(ro >= 0 && path >= 0);
	GTC_EXPECT(mmap(NULL, 4096, PROT_READ | PROT_WRITE, MAP_SHARED, ro, 0) == MAP_FAILED);
	void *map = mmap(NULL, 4096, PROT_READ, MAP_SHARED, ro, 0);
	GTC_EXPECT(map != MAP_FAILED);
	GTC_EXPECT(mprotect(map, 4096, PROT_READ | PROT_WRITE) < 0);
	(void)munmap(map, 4096);
	GTC_EXPECT(mmap(NULL, 4096, PROT_READ, MAP_SHARED, path, 0) == MAP_FAILED);
	char byte;
	GTC_EXPECT(pread(path, &byte, 1, 0) < 0);
	(void)close(ro);
	(void)close(path);
	shm_table_done(&t);
}

// A dataplane in a process of its own: makes a table, marks it, sends the descriptors that control
// would hold, and waits to be killed.
static pid_t start_dataplane(int *ret_sock)
{
	struct shm_record record;
	struct shm_table t;
	int sv[2], fds[2];
	pid_t pid;

	if (socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, sv) < 0)
		return -1;
	pid = fork();
	if (pid != 0) {
		(void)close(sv[1]);
		*ret_sock = sv[0];
		return pid;
	}
	if (shm_table_create(SESSIONS, SHM_PAGES_SMALL, &t) < 0 ||
		shm_table_record(&t, &record) < 0)
		_exit(1);
	t.dir[7].state = SHM_STATE_LIVE;
	memset(t.keys[7].key[1].rx_cell, 0x5a, SHM_KEY_CELL);
	fds[0] = shm_table_open_readonly(&t);
	fds[1] = shm_table_open_path(&t);
	if (fds[0] < 0 || fds[1] < 0 || shm_send(sv[1], &record, sizeof(record), fds, 2) < 0)
		_exit(1);
	for (;;)
		(void)pause();
}

struct kept {
	pid_t pid;
	int sock;
	struct shm_record record;
	int fds[2];
};

static bool kept_start(struct kept *k)
{
	size_t len;
	unsigned n;

	k->pid = start_dataplane(&k->sock);
	return k->pid > 0 &&
		shm_recv(k->sock, &k->record, sizeof(k->record), &len, k->fds, 2, &n) == 0 &&
		len == sizeof(k->record) && n == 2;
}

static void kept_kill(struct kept *k)
{
	(void)kill(k->pid, SIGKILL);
	(void)waitpid(k->pid, NULL, 0);
}

static void kept_done(struct kept *k)
{
	(void)close(k->sock);
	shm_close_all(k->fds, 2);
}

GTC_TEST(table, next_process_adopts_what_a_killed_one_left)
{
	struct shm_table t;
	struct kept k;

	if (geteuid() != 0)
		GTC_SKIP("only root reopens memfds");
	GTC_ASSERT(kept_start(&k));
	// Two writers would repeat nonces: as long as the first lives, the second is refused.
	GTC_EXPECT_INT(shm_table_adopt(k.fds[0], k.fds[1], &k.record, &t), -EBUSY);
	kept_kill(&k);
	GTC_ASSERT_INT(shm_table_adopt(k.fds[0], k.fds[1], &k.record, &t), 0);
	GTC_EXPECT_INT(t.dir[7].state, SHM_STATE_LIVE);
	GTC_EXPECT_INT(t.keys[7].key[1].rx_cell[SHM_KEY_CELL - 1], 0x5a);
	t.dir[7].state = SHM_STATE_FREE; // it is mapped for writing
	shm_table_done(&t);
	kept_done(&k);
}

static int adopt_with(const struct kept *k, const struct shm_record *record, int sfd, int kfd)
{
	struct shm_table t;
	int rc = shm_table_adopt(sfd, kfd, record, &t);

	(void)k;
	if (rc == 0)
		shm_table_done(&t);
	return rc;
}

GTC_TEST(table, anything_that_differs_is_not_adopted)
{
	struct shm_record r;
	struct shm_table other;
	struct kept k;
	int file;

	if (geteuid() != 0)
		GTC_SKIP("only root reopens memfds");
	GTC_ASSERT(kept_start(&k));
	kept_kill(&k);
	r = k.record;
	r.instance[3]++;
	GTC_EXPECT_INT(adopt_with(&k, &r, k.fds[0], k.fds[1]), -ESTALE);
	r = k.record;
	r.layout_hash++;
	GTC_EXPECT_INT(adopt_with(&k, &r, k.fds[0], k.fds[1]), -ESTALE);
	r = k.record;
	r.sessions *= 2;
	GTC_EXPECT_INT(adopt_with(&k, &r, k.fds[0], k.fds[1]), -ESTALE);
	r = k.record;
	r.sessions_bytes -= 4096;
	GTC_EXPECT_INT(adopt_with(&k, &r, k.fds[0], k.fds[1]), -ESTALE);
	r = k.record;
	r.keys_ino++;
	GTC_EXPECT_INT(adopt_with(&k, &r, k.fds[0], k.fds[1]), -ESTALE);
	GTC_EXPECT_INT(adopt_with(&k, &k.record, k.fds[1], k.fds[0]), -ESTALE);
	GTC_EXPECT_INT(adopt_with(&k, &k.record, k.fds[0], k.fds[0]), -ESTALE);

	// Descriptors that a hostile control might send instead.
	file = open("/dev/null", O_RDWR | O_CLOEXEC);
	GTC_EXPECT_INT(adopt_with(&k, &k.record, file, k.fds[1]), -ESTALE);
	GTC_EXPECT_INT(adopt_with(&k, &k.record, k.fds[0], file), -ESTALE);
	(void)close(file);
	GTC_EXPECT_INT(adopt_with(&k, &k.record, k.sock, k.sock), -ESTALE);
	GTC_ASSERT_INT(shm_table_create(SESSIONS, SHM_PAGES_SMALL, &other), 0);
	GTC_EXPECT_INT(adopt_with(&k, &k.record, other.sessions_fd, k.fds[1]), -ESTALE);
	shm_table_done(&other);

	// And after all that the real one still is.
	GTC_EXPECT_INT(adopt_with(&k, &k.record, k.fds[0], k.fds[1]), 0);
	kept_done(&k);
}

GTC_TEST(table, widened_mode_is_not_adopted)
{
	struct kept k;
	char path[64];

	if (geteuid() != 0)
		GTC_SKIP("only root reopens memfds");
	GTC_ASSERT(kept_start(&k));
	kept_kill(&k);
	(void)snprintf(path, sizeof(path), "/proc/self/fd/%d", k.fds[0]);
	GTC_ASSERT_INT(chmod(path, 0644), 0);
	GTC_EXPECT_INT(adopt_with(&k, &k.record, k.fds[0], k.fds[1]), -ESTALE);
	kept_done(&k);
}

GTC_TEST(table, view_is_checked_against_the_greeting)
{
	struct shm_welcome w = { .sessions = SESSIONS };
	struct shm_view view;
	struct shm_table t;
	int ro;

	GTC_ASSERT_INT(shm_table_create(SESSIONS, SHM_PAGES_SMALL, &t), 0);
	ro = shm_table_open_readonly(&t);
	GTC_ASSERT(ro >= 0);
	GTC_EXPECT_INT(shm_view_map(ro, &w, &view), -EINVAL); // another instance
	memcpy(w.instance, t.header->instance, sizeof(w.instance));
	GTC_ASSERT_INT(shm_view_map(ro, &w, &view), 0);
	t.dir[63].generation = 77;
	t.session[63].tun_mtu = 1400;
	GTC_EXPECT_INT(view.dir[63].generation, 77);
	GTC_EXPECT_INT(view.session[63].tun_mtu, 1400);
	shm_view_done(&view);
	w.sessions = SESSIONS * 100;
	GTC_EXPECT_INT(shm_view_map(ro, &w, &view), -EINVAL);
	(void)close(ro);
	shm_table_done(&t);
}

GTC_TEST(table, greeting_is_saved_for_the_next_dataplane)
{
	struct shm_hello hello = {
		.kind = SHM_HELLO,
		.version = SHM_LAYOUT_VERSION,
		.layout_hash = shm_layout_hash(),
		.tun_mtu = 1500,
	};
	struct shm_hello back;
	struct shm_table t;

	GTC_ASSERT_INT(shm_table_create(SESSIONS, SHM_PAGES_SMALL, &t), 0);
	GTC_EXPECT_INT(shm_saved_read(t.saved, &back), -ENOENT);
	for (uint16_t mtu = 1400; mtu < 1405; mtu++) {
		hello.tun_mtu = mtu;
		shm_saved_write(t.saved, &hello);
		GTC_ASSERT_INT(shm_saved_read(t.saved, &back), 0);
		GTC_EXPECT_INT(back.tun_mtu, mtu);
	}
	t.saved->copy[t.saved->index & 1].listens = 9999;
	GTC_EXPECT_INT(shm_saved_read(t.saved, &back), -ERANGE);
	shm_table_done(&t);
}
