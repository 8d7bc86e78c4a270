// SPDX-License-Identifier: BSD-3-Clause
#include "shm/session.h"

#include <errno.h>
#include <pthread.h>

#include "tests/gtc.h"

static void fill(struct shm_endpoint *e, uint8_t with)
{
	memset(e, with, sizeof(*e));
}

// All bytes of one endpoint are equal: a mixture is a torn copy.
static bool whole(const struct shm_endpoint *e)
{
	const uint8_t *b = (const uint8_t *)e;

	for (size_t i = 1; i < sizeof(*e); i++) {
		if (b[i] != b[0])
			return false;
	}
	return true;
}

GTC_TEST(session, endpoint_read_gives_the_last_one_written)
{
	static struct shm_session s;
	struct shm_endpoint e, got;

	for (unsigned i = 0; i < 10; i++) {
		fill(&e, (uint8_t)i);
		shm_endpoint_write(&s, &e);
		GTC_ASSERT_INT(shm_endpoint_read(&s, &got), 0);
		GTC_EXPECT_MEM(&got, &e, sizeof(e));
	}
}

// A writer that was killed in the middle has filled part of the idle copy only.
GTC_TEST(session, half_written_endpoint_is_never_seen)
{
	static struct shm_session s;
	struct shm_endpoint e, got;

	fill(&e, 1);
	shm_endpoint_write(&s, &e);
	memset(&s.endpoint[(s.endpoint_index + 1) & 1], 2, 20);
	GTC_ASSERT_INT(shm_endpoint_read(&s, &got), 0);
	GTC_EXPECT_MEM(&got, &e, sizeof(e));
}

static struct shm_session shared;
static _Atomic bool stop;

static void *writer(void *arg)
{
	struct shm_endpoint e;

	(void)arg;
	for (unsigned i = 0; !atomic_load(&stop); i++) {
		fill(&e, (uint8_t)i);
		shm_endpoint_write(&shared, &e);
	}
	return NULL;
}

GTC_TEST(session, endpoint_is_whole_under_a_writer_that_never_rests)
{
	struct shm_endpoint got;
	unsigned good = 0;
	pthread_t thread;

	atomic_store(&stop, false);
	GTC_ASSERT_INT(pthread_create(&thread, NULL, writer, NULL), 0);
	for (unsigned i = 0; i < 300000; i++) {
		int rc = shm_endpoint_read(&shared, &got);

		if (rc == -EAGAIN)
			continue;
		good++;
		if (!GTC_EXPECT(whole(&got)))
			break;
	}
	atomic_store(&stop, true);
	GTC_EXPECT_INT(pthread_join(thread, NULL), 0);
	GTC_EXPECT(good > 0);
}

GTC_TEST(session, picture_belongs_to_one_generation)
{
	static struct shm_session s;
	static struct shm_dir d;
	struct shm_session_info info;

	GTC_EXPECT_INT(shm_session_read(&d, &s, &info), -ENOENT);
	d.generation = 4;
	d.owner = 2;
	d.state = SHM_STATE_LIVE;
	s.rx_packets = 10;
	s.tx_slot = 1;
	s.tx_key[1].cipher = 3;
	memset(s.name, 'n', sizeof(s.name)); // a hostile writer may leave out the end
	GTC_ASSERT_INT(shm_session_read(&d, &s, &info), 0);
	GTC_EXPECT_INT(info.generation, 4);
	GTC_EXPECT_INT(info.owner, 2);
	GTC_EXPECT_INT(info.rx_packets, 10);
	GTC_EXPECT_INT(info.cipher, 3);
	GTC_EXPECT_INT(strlen(info.name), SHM_NAME_LEN - 1);
	s.tx_slot = 0xff;
	GTC_ASSERT_INT(shm_session_read(&d, &s, &info), 0);
	GTC_EXPECT_INT(info.cipher, 0);
	d.state = SHM_STATE_DYING;
	GTC_EXPECT_INT(shm_session_read(&d, &s, &info), -ENOENT);
}
