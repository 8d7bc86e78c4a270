// SPDX-License-Identifier: BSD-3-Clause
#include "control/record.h"

#include <errno.h>
#include <stddef.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include "tests/gtc.h"

#define SESSIONS 8u

static const uint8_t instance[16] = "an instance here";
static const uint8_t tls_hash[32] = "settings";

static void make(struct ctl_records *r, int *ret_fd)
{
	struct ovpn_cookie_keys keys = { .count = 1, .key = { { 1, 2, 3 } } };

	GTC_ASSERT_INT(ctl_records_create(r, SESSIONS, instance, tls_hash, &keys, ret_fd), 0);
}

static struct shm_control_record sample(uint32_t slot)
{
	struct shm_control_record rec = { .slot = slot,
		.generation = 5,
		.flags = SHM_RECORD_LIVE,
		.primary = 1,
		.key[1] = { .valid = 1, .key_id = 3, .age = 9 } };

	memcpy(rec.cn, "alice", 6);
	return rec;
}

GTC_TEST(record, written_and_read)
{
	struct shm_control_record rec = sample(3), got;
	struct ctl_records r;
	int fd;

	make(&r, &fd);
	GTC_EXPECT_INT(ctl_record_read(&r, 3, &got), -ENOENT);
	GTC_EXPECT_INT(ctl_record_read(&r, SESSIONS, &got), -ENOENT);
	ctl_record_write(&r, &rec);
	GTC_ASSERT_INT(ctl_record_read(&r, 3, &got), 0);
	GTC_EXPECT_STR(got.cn, "alice");
	GTC_EXPECT_INT(got.sequence, 1);
	ctl_record_clear(&r, 3);
	GTC_EXPECT_INT(ctl_record_read(&r, 3, &got), -ENOENT);
	ctl_records_done(&r);
	(void)close(fd);
}

GTC_TEST(record, damage_is_seen)
{
	struct shm_control_record rec = sample(2), got;
	struct ctl_records r;
	int fd;

	make(&r, &fd);
	ctl_record_write(&r, &rec);
	for (size_t i = 0; i < sizeof(rec); i++) {
		uint8_t *byte = (uint8_t *)&r.record[2] + i;

		*byte ^= 0x10;
		GTC_EXPECT_INT(ctl_record_read(&r, 2, &got), -EBADMSG);
		*byte ^= 0x10;
	}
	GTC_EXPECT_INT(ctl_record_read(&r, 2, &got), 0);
	r.record[4] = r.record[2]; // whole, but in the wrong place
	GTC_EXPECT_INT(ctl_record_read(&r, 4, &got), -EBADMSG);
	ctl_records_done(&r);
	(void)close(fd);
}

// A kill between any two stores leaves the old record or the new one: whatever part of the copy to
// its place was done, and whatever part of the journal.
GTC_TEST(record, kill_at_any_byte)
{
	struct shm_control_record old = sample(1), new_rec = sample(1), got;
	struct shm_control_record journal;
	struct ctl_records r, again;
	int fd;

	make(&r, &fd);
	ctl_record_write(&r, &old);
	old = r.record[1];
	new_rec = old;
	memcpy(new_rec.cn, "bob\0\0", 6);
	new_rec.age = 77;
	ctl_record_write(&r, &new_rec);
	new_rec = r.record[1];
	journal = r.header->journal;
	for (size_t n = 0; n <= sizeof(new_rec); n += 4) {
		// The journal is whole, n bytes of it have reached their place.
		r.record[1] = old;
		memcpy(&r.record[1], &new_rec, n);
		r.header->journal = journal;
		GTC_ASSERT_INT(ctl_records_open(&again, fd, SESSIONS, instance), 0);
		GTC_ASSERT_INT(ctl_record_read(&again, 1, &got), 0);
		GTC_EXPECT_STR(got.cn, "bob");
		ctl_records_done(&again);
		if (n < 4 || n == sizeof(new_rec))
			continue;
		// Only n bytes of the journal were written, behind a checksum that isn't there yet.
		r.record[1] = old;
		r.header->journal = old;
		r.header->journal.checksum = ~new_rec.checksum;
		memcpy((uint8_t *)&r.header->journal + 4, (const uint8_t *)&new_rec + 4, n - 4);
		GTC_ASSERT_INT(ctl_records_open(&again, fd, SESSIONS, instance), 0);
		GTC_ASSERT_INT(ctl_record_read(&again, 1, &got), 0);
		GTC_EXPECT_STR(got.cn, "alice");
		ctl_records_done(&again);
	}
	ctl_records_done(&r);
	(void)close(fd);
}

GTC_TEST(record, another_table_is_refused)
{
	struct ctl_records r, again;
	uint8_t other[16] = { 9 };
	struct ovpn_cookie_keys keys;
	int fd;

	make(&r, &fd);
	GTC_EXPECT_INT(ctl_records_open(&again, fd, SESSIONS, other), -ESTALE);
	GTC_EXPECT_INT(ctl_records_open(&again, fd, SESSIONS + 100, instance), -ESTALE);
	GTC_ASSERT_INT(ctl_records_open(&again, fd, SESSIONS, instance), 0);
	GTC_EXPECT_INT(ctl_records_cookies(&again, &keys), 0);
	GTC_EXPECT_INT(keys.count, 1);
	GTC_EXPECT_INT(keys.key[0][2], 3);
	ctl_records_done(&again);
	r.header->record_size++;
	GTC_EXPECT_INT(ctl_records_open(&again, fd, SESSIONS, instance), -ESTALE);
	ctl_records_done(&r);
	(void)close(fd);
}

GTC_TEST(record, parked_packets)
{
	struct shm_parked parked = {
		.slot = 1, .generation = 5, .count = 2, .first_id = 4, .len = { 100, 200 }
	};
	struct shm_parked got;
	struct ctl_records r;
	uint32_t index, other;
	int fd;

	make(&r, &fd);
	GTC_ASSERT_INT(ctl_parked_put(&r, &parked, &index), 0);
	GTC_ASSERT_INT(ctl_parked_put(&r, &parked, &other), 0);
	GTC_EXPECT(index != other);
	GTC_EXPECT_INT(ctl_parked_get(&r, index, 1, 5, &got), 0);
	GTC_EXPECT_INT(got.len[1], 200);
	GTC_EXPECT_INT(ctl_parked_get(&r, index, 1, 6, &got), -EBADMSG);
	GTC_EXPECT_INT(ctl_parked_get(&r, SHM_PARKED_MAX, 1, 5, &got), -ERANGE);
	r.parked[other].len[0] = 2000; // more than there is
	GTC_EXPECT_INT(ctl_parked_get(&r, other, 1, 5, &got), -EBADMSG);
	ctl_parked_drop(&r, index);
	for (uint32_t i = 0; i < SHM_PARKED_MAX - 1; i++)
		GTC_ASSERT_INT(ctl_parked_put(&r, &parked, &index), 0);
	GTC_EXPECT_INT(ctl_parked_put(&r, &parked, &index), -ENOSPC);
	ctl_records_done(&r);
	(void)close(fd);
}

GTC_TEST(record, handshakes_are_remembered)
{
	struct shm_shaking entry = { .wrap = SHM_RECORD_WRAP_V2,
		.endpoint = { .remote = { .family = 2, .bytes = { 192, 0, 2, 1 } },
			.remote_port_be = 1 } };
	struct shm_shaking got;
	struct ctl_records r, again;
	uint32_t index;
	int fd;

	make(&r, &fd);
	index = ctl_shaking_take(&r);
	GTC_ASSERT(index != SHM_SLOT_NONE);
	GTC_EXPECT_INT(ctl_shaking_recover(&r, index, &got), -ENOENT); // taken, not written
	ctl_shaking_write(&r, index, &entry);
	GTC_ASSERT_INT(ctl_records_open(&again, fd, SESSIONS, instance), 0);
	GTC_EXPECT_INT(ctl_shaking_recover(&again, index, &got), 0);
	GTC_EXPECT_INT(got.wrap, SHM_RECORD_WRAP_V2);
	GTC_EXPECT(ctl_shaking_take(&again) != index); // still taken
	again.shaking[index].channel[3] ^= 1;
	GTC_EXPECT_INT(ctl_shaking_recover(&again, index, &got), -EBADMSG);
	GTC_EXPECT_INT(ctl_shaking_recover(&again, index, &got), -ENOENT);
	ctl_shaking_drop(&again, SHM_SLOT_NONE); // nothing
	ctl_records_done(&again);
	ctl_records_done(&r);
	(void)close(fd);
}

GTC_TEST(record, token_key_is_kept)
{
	uint8_t first[32] = { 1, 2, 3 }, second[32] = { 4 };
	struct ctl_records r;
	int fd;

	make(&r, &fd);
	ctl_records_token_key(&r, first); // none is there: this one is stored
	ctl_records_token_key(&r, second);
	GTC_EXPECT_MEM(second, first, sizeof(first));
	ctl_records_done(&r);
	(void)close(fd);
}

GTC_TEST(record, notes)
{
	static const char env[] = "a=1\0common_name=alice"; // and its own NUL
	static char large[SHM_NOTE_BYTES];
	struct shm_note copy;
	struct ctl_note note;
	struct ctl_records r, again;
	int fd;

	make(&r, &fd);
	GTC_EXPECT_INT(ctl_note_read(&r, 3, 5, &note), -EBADMSG);
	GTC_ASSERT_INT(ctl_note_write(&r, 3, 5, 1234, env, sizeof(env), "push-reset\n"), 0);
	GTC_EXPECT_INT(ctl_note_read(&r, 3, 6, &note), -EBADMSG); // a later session in that slot
	GTC_EXPECT_INT(ctl_note_read(&r, SESSIONS, 5, &note), -ENOENT);
	GTC_ASSERT_INT(ctl_records_open(&again, fd, SESSIONS, instance), 0);
	GTC_ASSERT_INT(ctl_note_read(&again, 3, 5, &note), 0);
	GTC_EXPECT_INT(note.since_s, 1234);
	GTC_EXPECT_INT(note.env_len, sizeof(env));
	GTC_EXPECT(memcmp(note.env, env, sizeof(env)) == 0);
	GTC_EXPECT_STR(note.config, "push-reset\n");
	copy = again.note[3];
	for (size_t i = 0; i < offsetof(struct shm_note, bytes) + sizeof(env) + 12; i++) {
		((uint8_t *)&copy)[i] ^= 0x10;
		GTC_EXPECT_INT(ctl_note_check(&copy, 3, 5), -EBADMSG);
		((uint8_t *)&copy)[i] ^= 0x10;
	}
	// Too much: the first variables go.
	memset(large, 'x', sizeof(large) - 1);
	memcpy(large, env, sizeof(env));
	GTC_EXPECT_INT(ctl_note_write(&r, 3, 5, 1, large, sizeof(large), "x"), -ENOBUFS);
	GTC_ASSERT_INT(ctl_note_read(&r, 3, 5, &note), 0);
	GTC_EXPECT_INT(note.env_len, sizeof(large) - 4);
	GTC_EXPECT_STR(note.env, "common_name=alice");
	memset(large, 'x', sizeof(large));
	large[sizeof(large) - 1] = '\0';
	GTC_EXPECT_INT(ctl_note_write(&r, 3, 5, 1, "", 0, large), 0); // exactly full
	GTC_ASSERT_INT(ctl_note_read(&r, 3, 5, &note), 0);
	ctl_records_done(&again);
	ctl_records_done(&r);
	(void)close(fd);
}

// What an earlier version has made has no place for notes, and is taken over all the same.
GTC_TEST(record, without_notes)
{
	struct shm_control_record rec = sample(3), got;
	struct ctl_records r, again;
	struct ctl_note note;
	char bytes[4096];
	int fd, old;

	make(&r, &fd);
	ctl_record_write(&r, &rec);
	old = memfd_create("old", MFD_CLOEXEC);
	GTC_ASSERT(old >= 0);
	for (size_t at = 0; at < ctl_records_bytes(SESSIONS); at += sizeof(bytes)) {
		size_t n = ctl_records_bytes(SESSIONS) - at;

		n = n < sizeof(bytes) ? n : sizeof(bytes);
		GTC_ASSERT_INT(pread(fd, bytes, n, (off_t)at), (ssize_t)n);
		GTC_ASSERT_INT(pwrite(old, bytes, n, (off_t)at), (ssize_t)n);
	}
	GTC_ASSERT_INT(ctl_records_open(&again, old, SESSIONS, instance), 0);
	GTC_EXPECT_INT(ctl_record_read(&again, 3, &got), 0);
	GTC_EXPECT_INT(ctl_note_write(&again, 3, 5, 1, "", 0, ""), -ENOENT);
	GTC_EXPECT_INT(ctl_note_read(&again, 3, 5, &note), -ENOENT);
	ctl_records_done(&again);
	ctl_records_done(&r);
	(void)close(fd);
	(void)close(old);
}
