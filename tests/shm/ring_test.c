// SPDX-License-Identifier: BSD-3-Clause
#include "shm/ring.h"

#include <errno.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <unistd.h>

#include "tests/gtc.h"

#define ENTRIES 8u
#define ELEM 16u

struct pair {
	void *mem;
	size_t size;
	struct shm_ring producer;
	struct shm_ring consumer;
};

static bool pair_init(struct pair *p, uint32_t entries, uint32_t elem)
{
	p->size = shm_ring_bytes(entries, elem);
	p->mem = mmap(NULL, p->size, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
	return p->mem != MAP_FAILED &&
		shm_ring_attach(&p->producer, p->mem, p->size, entries, elem, true) == 0 &&
		shm_ring_attach(&p->consumer, p->mem, p->size, entries, elem, false) == 0;
}

static void pair_done(struct pair *p)
{
	(void)munmap(p->mem, p->size);
}

GTC_TEST(ring, sizes)
{
	GTC_EXPECT_INT(shm_ring_bytes(8, 16), 3 * 4096);
	GTC_EXPECT_INT(shm_ring_bytes(512, 2048), 2 * 4096 + 512 * 2048);
	GTC_EXPECT_INT(shm_ring_bytes(0, 16), 0);
	GTC_EXPECT_INT(shm_ring_bytes(1, 16), 0);
	GTC_EXPECT_INT(shm_ring_bytes(12, 16), 0);
	GTC_EXPECT_INT(shm_ring_bytes(SHM_RING_ENTRIES_MAX * 2, 16), 0);
	GTC_EXPECT_INT(shm_ring_bytes(8, 12), 0);
	GTC_EXPECT_INT(shm_ring_bytes(8, 0), 0);
	GTC_EXPECT_INT(shm_ring_bytes(8, 65536), 0);
}

GTC_TEST(ring, attach_refuses_what_does_not_fit)
{
	static _Alignas(4096) uint8_t mem[3 * 4096];
	struct shm_ring r;

	GTC_EXPECT_INT(shm_ring_attach(&r, mem, sizeof(mem), 8, 16, true), 0);
	GTC_EXPECT_INT(shm_ring_attach(&r, mem, sizeof(mem) - 1, 8, 16, true), -EINVAL);
	GTC_EXPECT_INT(shm_ring_attach(&r, mem + 8, sizeof(mem), 8, 16, true), -EINVAL);
	GTC_EXPECT_INT(shm_ring_attach(&r, NULL, sizeof(mem), 8, 16, true), -EINVAL);
	GTC_EXPECT_INT(shm_ring_attach(&r, mem, sizeof(mem), 7, 16, true), -EINVAL);
}

GTC_TEST(ring, first_in_first_out_over_the_end_of_the_indices)
{
	struct pair p;
	uint64_t in[2], out[2];

	GTC_ASSERT(pair_init(&p, ENTRIES, ELEM));
	// Start just below the wrap of the 32-bit indices.
	p.producer.own = p.producer.peer = p.consumer.own = p.consumer.peer = UINT32_MAX - 5;
	p.producer.mem->head = p.producer.mem->tail = UINT32_MAX - 5;
	for (uint64_t i = 0; i < 100; i++) {
		for (uint64_t k = 0; k <= i % ENTRIES; k++) {
			in[0] = i;
			in[1] = k;
			GTC_ASSERT_INT(shm_ring_put(&p.producer, in, sizeof(in)), 0);
		}
		GTC_ASSERT_INT(shm_ring_count(&p.consumer), i % ENTRIES + 1);
		for (uint64_t k = 0; k <= i % ENTRIES; k++) {
			GTC_ASSERT_INT(shm_ring_get(&p.consumer, out, sizeof(out)), 1);
			GTC_ASSERT_INT(out[0], i);
			GTC_ASSERT_INT(out[1], k);
		}
		GTC_ASSERT_INT(shm_ring_get(&p.consumer, out, sizeof(out)), 0);
	}
	pair_done(&p);
}

GTC_TEST(ring, full_is_refused_and_nothing_is_overwritten)
{
	struct pair p;
	uint64_t v[2] = { 0 };
	int rc;

	GTC_ASSERT(pair_init(&p, ENTRIES, ELEM));
	for (v[0] = 0; v[0] < ENTRIES; v[0]++)
		GTC_ASSERT_INT(shm_ring_put(&p.producer, v, sizeof(v)), 0);
	GTC_EXPECT_INT(shm_ring_put(&p.producer, v, sizeof(v)), -ENOSPC);
	GTC_EXPECT(shm_ring_reserve(&p.producer, 0, &rc) == NULL);
	GTC_EXPECT_INT(rc, -ENOSPC);
	GTC_ASSERT_INT(shm_ring_get(&p.consumer, v, sizeof(v)), 1);
	GTC_EXPECT_INT(v[0], 0);
	GTC_EXPECT_INT(shm_ring_put(&p.producer, v, sizeof(v)), 0);
	GTC_EXPECT_INT(shm_ring_put(&p.producer, v, sizeof(v)), -ENOSPC);
	GTC_EXPECT_INT(shm_ring_put(&p.producer, v, ELEM + 1), -EMSGSIZE);
	pair_done(&p);
}

GTC_TEST(ring, reserved_elements_appear_together)
{
	struct pair p;
	uint64_t v[2];
	int rc;

	GTC_ASSERT(pair_init(&p, ENTRIES, ELEM));
	for (uint32_t i = 0; i < ENTRIES; i++) {
		uint64_t *e = shm_ring_reserve(&p.producer, i, &rc);

		GTC_ASSERT(e != NULL);
		e[0] = i;
		GTC_ASSERT_INT(shm_ring_count(&p.consumer), 0);
	}
	GTC_EXPECT(shm_ring_reserve(&p.producer, ENTRIES, &rc) == NULL);
	GTC_EXPECT_INT(rc, -ENOSPC);
	shm_ring_commit(&p.producer, ENTRIES);
	GTC_EXPECT_INT(shm_ring_count(&p.consumer), ENTRIES);
	for (uint32_t i = 0; i < ENTRIES; i++) {
		GTC_ASSERT_INT(shm_ring_get(&p.consumer, v, sizeof(v)), 1);
		GTC_EXPECT_INT(v[0], i);
	}
	pair_done(&p);
}

GTC_TEST(ring, consumed_keys_are_wiped)
{
	struct pair p;
	uint64_t v[2] = { 0x1111, 0x2222 };

	GTC_ASSERT(pair_init(&p, ENTRIES, ELEM));
	p.consumer.wipe = true;
	GTC_ASSERT_INT(shm_ring_put(&p.producer, v, sizeof(v)), 0);
	GTC_ASSERT_INT(shm_ring_get(&p.consumer, v, 8), 1);
	GTC_EXPECT_INT(v[0], 0x1111);
	GTC_EXPECT_MEM(p.producer.elems, "\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0", 16);
	pair_done(&p);
}

// Every value of the peer's index but those of a ring in order must be refused, and never lead to
// an access outside: the pages around the ring can't be touched.
GTC_TEST(ring, impossible_indices_are_refused)
{
	static const uint32_t bad[] = { 9, 10, 100, 0x7fffffff, 0x80000000, 0xfffffff0,
		0xffffffff };
	struct pair p;
	uint64_t v[2] = { 0 };
	int rc;

	for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
		GTC_ASSERT(pair_init(&p, ENTRIES, ELEM));
		p.consumer.mem->head = bad[i];
		GTC_EXPECT_INT(shm_ring_get(&p.consumer, v, sizeof(v)), -EPROTO);
		GTC_EXPECT_INT(shm_ring_count(&p.consumer), -EPROTO);
		p.consumer.mem->head = 0;
		for (uint32_t k = 0; k < ENTRIES; k++)
			GTC_ASSERT_INT(shm_ring_put(&p.producer, v, sizeof(v)), 0);
		p.producer.mem->tail = bad[i]; // the consumer claims to be ahead of the producer
		GTC_EXPECT_INT(shm_ring_put(&p.producer, v, sizeof(v)), -EPROTO);
		GTC_EXPECT(shm_ring_reserve(&p.producer, 0, &rc) == NULL);
		GTC_EXPECT_INT(rc, -EPROTO);
		pair_done(&p);
	}
}

GTC_TEST(ring, indices_that_run_backwards_are_refused)
{
	struct pair p;
	uint64_t v[2] = { 0 };

	GTC_ASSERT(pair_init(&p, ENTRIES, ELEM));
	for (int i = 0; i < 8; i++)
		GTC_ASSERT_INT(shm_ring_put(&p.producer, v, sizeof(v)), 0);
	GTC_ASSERT_INT(shm_ring_count(&p.consumer), 8);
	p.consumer.mem->head = 3;
	GTC_EXPECT_INT(shm_ring_count(&p.consumer), -EPROTO);
	p.consumer.mem->head = 8;
	for (int i = 0; i < 6; i++)
		GTC_ASSERT_INT(shm_ring_get(&p.consumer, v, sizeof(v)), 1);
	for (int i = 0; i < 6; i++)
		GTC_ASSERT_INT(shm_ring_put(&p.producer, v, sizeof(v)), 0);
	p.producer.mem->tail = 2; // it was 6 when the producer last read it
	GTC_EXPECT_INT(shm_ring_put(&p.producer, v, sizeof(v)), -EPROTO);
	pair_done(&p);
}

// A peer that edits everything in the shared pages while the honest side works between two guard
// pages. Any access outside ends the test with a signal.
GTC_TEST(ring, peer_that_edits_everything)
{
	size_t size = shm_ring_bytes(ENTRIES, ELEM);
	struct shm_ring producer, consumer;
	uint64_t v[2] = { 0 };
	unsigned short seed[3] = { 1, 2, 3 };
	uint8_t *all;
	int rc;

	all = mmap(
		NULL, size + 2 * 4096, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
	GTC_ASSERT(all != MAP_FAILED);
	GTC_ASSERT_INT(mprotect(all, 4096, PROT_NONE), 0);
	GTC_ASSERT_INT(mprotect(all + 4096 + size, 4096, PROT_NONE), 0);
	for (int round = 0; round < 20000; round++) {
		struct shm_ring_mem *mem = (struct shm_ring_mem *)(all + 4096);

		GTC_ASSERT_INT(shm_ring_attach(&producer, mem, size, ENTRIES, ELEM, true), 0);
		GTC_ASSERT_INT(shm_ring_attach(&consumer, mem, size, ENTRIES, ELEM, false), 0);
		for (int step = 0; step < 6; step++) {
			mem->tail = (uint32_t)nrand48(seed) % 64 - 32;
			rc = shm_ring_put(&producer, v, sizeof(v));
			GTC_EXPECT(rc == 0 || rc == -ENOSPC || rc == -EPROTO);
			mem->head = (uint32_t)nrand48(seed) % 64 - 32;
			rc = shm_ring_get(&consumer, v, sizeof(v));
			GTC_EXPECT(rc == 0 || rc == 1 || rc == -EPROTO);
			GTC_EXPECT(shm_ring_count(&consumer) <= (int)ENTRIES);
		}
	}
	(void)munmap(all, size + 2 * 4096);
}

#define MESSAGES 200000u

static int child_produces(struct pair *p)
{
	uint64_t v[2];

	for (uint64_t i = 0; i < MESSAGES;) {
		v[0] = i;
		v[1] = ~i;
		int rc = shm_ring_put(&p->producer, v, sizeof(v));

		if (rc == 0)
			i++;
		else if (rc != -ENOSPC)
			return 1;
		else
			(void)usleep(1); // lets the consumer run on a machine with one core
	}
	return 0;
}

GTC_TEST(ring, two_processes)
{
	struct pair p;
	uint64_t v[2], want = 0;
	int status = -1;
	pid_t pid;

	GTC_ASSERT(pair_init(&p, 64, ELEM));
	pid = fork();
	GTC_ASSERT(pid >= 0);
	if (pid == 0)
		_exit(child_produces(&p));
	while (want < MESSAGES) {
		int rc = shm_ring_get(&p.consumer, v, sizeof(v));

		if (rc == 0) {
			(void)usleep(1);
			continue;
		}
		if (!GTC_EXPECT_INT(rc, 1) || !GTC_EXPECT_INT(v[0], want) ||
			!GTC_EXPECT_INT(v[1], ~want))
			break;
		want++;
	}
	GTC_EXPECT_INT(waitpid(pid, &status, 0), pid);
	GTC_EXPECT_INT(status, 0);
	pair_done(&p);
}

GTC_TEST(ring, sleeper_is_woken_once)
{
	_Atomic uint32_t flag = 0;

	GTC_EXPECT(!shm_wake_needed(&flag));
	shm_sleep_begin(&flag);
	GTC_EXPECT(shm_wake_needed(&flag));
	GTC_EXPECT(!shm_wake_needed(&flag));
	shm_sleep_begin(&flag);
	shm_sleep_end(&flag);
	GTC_EXPECT(!shm_wake_needed(&flag));
}
