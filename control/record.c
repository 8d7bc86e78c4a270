// SPDX-License-Identifier: BSD-3-Clause
#include "control/record.h"

#include <errno.h>
#include <fcntl.h>
#include <stdatomic.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#include "protocol/cipher.h"
#include "protocol/framing.h"
#include "protocol/tls/channel.h"
#include "shm/message.h"

static_assert(sizeof(struct ovpn_channel_state) <= SHM_RECORD_CHANNEL, "stored as it is");
static_assert(sizeof(struct ovpn_wrap_saved) == SHM_RECORD_KEY, "stored as it is");
static_assert(OVPN_COOKIE_KEY_SIZE == 32, "stored as it is");

#define SUM_BEGIN(s) ((const uint8_t *)(s) + sizeof((s)->checksum))
#define SUM_BYTES(s) (sizeof(*(s)) - sizeof((s)->checksum))
#define HEADER_SUM_BYTES (offsetof(struct shm_control_header, cookie_index) - sizeof(uint32_t))

// Finds torn writes, not forgeries: nobody else can write here.
static uint32_t checksum(const uint8_t *bytes, size_t len)
{
	uint64_t h = 0x9e3779b97f4a7c15u ^ len;
	uint64_t word;

	for (; len >= 8; len -= 8, bytes += 8) {
		memcpy(&word, bytes, 8);
		h = (h ^ word) * 0xff51afd7ed558ccdu;
		h ^= h >> 32;
	}
	word = 0;
	memcpy(&word, bytes, len);
	h = (h ^ word) * 0xff51afd7ed558ccdu;
	h ^= h >> 29;
	return (uint32_t)h;
}

size_t ctl_records_bytes(uint32_t sessions)
{
	size_t bytes = sizeof(struct shm_control_header) +
		(size_t)sessions * sizeof(struct shm_control_record);

	bytes = (bytes + 4095) & ~(size_t)4095;
	bytes += SHM_PARKED_MAX * sizeof(struct shm_parked);
	return bytes + SHM_SHAKING_MAX * sizeof(struct shm_shaking);
}

// Behind that, from the next page on: the notes.
static size_t notes_at(uint32_t sessions)
{
	return (ctl_records_bytes(sessions) + 4095) & ~(size_t)4095;
}

static size_t bytes_with_notes(uint32_t sessions)
{
	return notes_at(sessions) + (size_t)sessions * sizeof(struct shm_note);
}

static int map(struct ctl_records *r, int fd, uint32_t sessions, bool notes)
{
	size_t bytes = notes ? bytes_with_notes(sessions) : ctl_records_bytes(sessions);
	uint8_t *p = mmap(NULL, bytes, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);

	if (p == MAP_FAILED)
		return -errno;
	(void)madvise(p, bytes, MADV_DONTDUMP); // it holds keys; best effort
	*r = (struct ctl_records){ .header = (struct shm_control_header *)p,
		.record = (struct shm_control_record *)(p + sizeof(struct shm_control_header)),
		.sessions = sessions,
		.bytes = bytes };
	r->shaking = (struct shm_shaking *)(p + ctl_records_bytes(sessions)) - SHM_SHAKING_MAX;
	r->note = notes ? (struct shm_note *)(p + notes_at(sessions)) : NULL;
	r->parked = (struct shm_parked *)r->shaking - SHM_PARKED_MAX;
	return 0;
}

int ctl_records_create(struct ctl_records *r, uint32_t sessions, const uint8_t instance[16],
	const uint8_t tls_hash[32], const struct ovpn_cookie_keys *cookies, int *ret_fd)
{
	int fd = memfd_create("visp-control", MFD_CLOEXEC | MFD_ALLOW_SEALING);
	struct shm_control_header *h;
	int rc;

	if (fd < 0)
		return -errno;
	if (fchmod(fd, 0600) < 0 || ftruncate(fd, (off_t)bytes_with_notes(sessions)) < 0 ||
		fcntl(fd, F_ADD_SEALS, F_SEAL_SHRINK | F_SEAL_GROW | F_SEAL_SEAL) < 0) {
		rc = -errno;
		goto close_fd;
	}
	rc = map(r, fd, sessions, true);
	if (rc < 0)
		goto close_fd;
	h = r->header;
	h->magic = SHM_RECORD_MAGIC;
	h->version = SHM_RECORD_VERSION;
	h->record_size = sizeof(struct shm_control_record);
	h->sessions = sessions;
	h->parked = SHM_PARKED_MAX;
	h->shaking = SHM_SHAKING_MAX;
	memcpy(h->instance, instance, sizeof(h->instance));
	memcpy(h->tls_hash, tls_hash, sizeof(h->tls_hash));
	ctl_records_set_cookies(r, cookies);
	h->checksum = checksum(SUM_BEGIN(h), HEADER_SUM_BYTES);
	*ret_fd = fd;
	return 0;

close_fd:
	(void)close(fd); // the first error counts
	return rc;
}

static bool header_fits(
	const struct shm_control_header *h, uint32_t sessions, const uint8_t instance[16])
{
	return h->magic == SHM_RECORD_MAGIC && h->version == SHM_RECORD_VERSION &&
		h->record_size == sizeof(struct shm_control_record) && h->sessions == sessions &&
		h->parked == SHM_PARKED_MAX && h->shaking == SHM_SHAKING_MAX &&
		memcmp(h->instance, instance, sizeof(h->instance)) == 0 &&
		h->checksum == checksum(SUM_BEGIN(h), HEADER_SUM_BYTES);
}

// A journal entry that is whole was perhaps not yet copied to its place: copying it again does no
// harm, because nothing can have been written after it.
static void redo(struct ctl_records *r)
{
	const struct shm_control_record *j = &r->header->journal;

	if (j->slot < r->sessions && j->checksum == checksum(SUM_BEGIN(j), SUM_BYTES(j)))
		memcpy(&r->record[j->slot], j, sizeof(*j));
}

int ctl_records_open(struct ctl_records *r, int fd, uint32_t sessions, const uint8_t instance[16])
{
	struct stat st;
	int rc;

	if (fstat(fd, &st) < 0)
		return -errno;
	if (st.st_size != (off_t)bytes_with_notes(sessions) &&
		st.st_size != (off_t)ctl_records_bytes(sessions))
		return -ESTALE;
	rc = map(r, fd, sessions, st.st_size == (off_t)bytes_with_notes(sessions));
	if (rc < 0)
		return rc;
	if (!header_fits(r->header, sessions, instance)) {
		ctl_records_done(r);
		return -ESTALE;
	}
	redo(r);
	return 0;
}

void ctl_records_done(struct ctl_records *r)
{
	if (r->header != NULL)
		(void)munmap(r->header, r->bytes); // fails only for bad arguments
	*r = (struct ctl_records){ 0 };
}

int ctl_records_cookies(const struct ctl_records *r, struct ovpn_cookie_keys *ret_keys)
{
	const struct shm_control_header *h = r->header;
	uint32_t i = h->cookie_index & 1;

	if (h->cookie_count[i] < 1 || h->cookie_count[i] > 2)
		return -EINVAL;
	memcpy(ret_keys->key, h->cookie_key[i], sizeof(ret_keys->key));
	ret_keys->count = (uint8_t)h->cookie_count[i];
	return 0;
}

void ctl_records_set_cookies(struct ctl_records *r, const struct ovpn_cookie_keys *keys)
{
	struct shm_control_header *h = r->header;
	uint32_t i = (h->cookie_index + 1) & 1;

	memcpy(h->cookie_key[i], keys->key, sizeof(keys->key));
	h->cookie_count[i] = keys->count;
	atomic_signal_fence(memory_order_seq_cst); // the index is stored last
	h->cookie_index++;
	atomic_signal_fence(memory_order_seq_cst);
}

void ctl_records_token_key(struct ctl_records *r, uint8_t key[32])
{
	static const uint8_t none[sizeof(r->header->token_key)];

	if (memcmp(r->header->token_key, none, sizeof(none)) == 0)
		ctl_records_set_token_key(r, key);
	else
		memcpy(key, r->header->token_key, sizeof(none));
}

// A kill in the middle leaves a key that nobody has: its tokens are refused, and passwords asked.
void ctl_records_set_token_key(struct ctl_records *r, const uint8_t key[32])
{
	memcpy(r->header->token_key, key, sizeof(r->header->token_key));
}

// Stores of one process become visible in their order, also to whoever looks after its death; what
// has to be kept in order is the compiler.
void ctl_record_write(struct ctl_records *r, struct shm_control_record *rec)
{
	struct shm_control_record *j;

	if (r->header == NULL || rec->slot >= r->sessions)
		return;
	j = &r->header->journal;
	rec->sequence++;
	rec->checksum = checksum(SUM_BEGIN(rec), SUM_BYTES(rec));
	j->checksum = ~rec->checksum; // no half of an old and half of a new entry passes
	atomic_signal_fence(memory_order_seq_cst);
	memcpy((uint8_t *)j + sizeof(j->checksum), SUM_BEGIN(rec), SUM_BYTES(rec));
	atomic_signal_fence(memory_order_seq_cst);
	*(volatile uint32_t *)&j->checksum = rec->checksum;
	atomic_signal_fence(memory_order_seq_cst);
	memcpy(&r->record[rec->slot], rec, sizeof(*rec));
	atomic_signal_fence(memory_order_seq_cst);
}

void ctl_record_clear(struct ctl_records *r, uint32_t slot)
{
	struct shm_control_record none = { .slot = slot };

	ctl_record_write(r, &none);
}

static bool key_ok(const struct shm_record_key *k)
{
	return k->valid == 0 || (k->valid == 1 && k->key_id <= 7);
}

int ctl_record_check(const struct shm_control_record *rec, uint32_t slot)
{
	if (rec->slot != slot || rec->checksum != checksum(SUM_BEGIN(rec), SUM_BYTES(rec)))
		return -EBADMSG;
	if ((rec->flags & SHM_RECORD_LIVE) == 0)
		return 0;
	if (rec->wrap > SHM_RECORD_WRAP_V2 || rec->primary >= SHM_KEY_SLOTS ||
		rec->negotiating > 1 || rec->cipher >= OVPN_CIPHER_COUNT ||
		rec->digest >= OVPN_DIGEST_COUNT || rec->compress >= OVPN_COMPRESS_COUNT)
		return -EBADMSG;
	if (memchr(rec->cn, '\0', sizeof(rec->cn)) == NULL ||
		memchr(rec->serial, '\0', sizeof(rec->serial)) == NULL)
		return -EBADMSG;
	if ((rec->wrap == SHM_RECORD_WRAP_V2) != ((rec->flags & SHM_RECORD_BASE_KEY) != 0))
		return -EBADMSG;
	if (!key_ok(&rec->key[0]) || !key_ok(&rec->key[1]) || rec->key[rec->primary].valid != 1)
		return -EBADMSG;
	if ((rec->flags & SHM_RECORD_PARKED) != 0 && rec->parked >= SHM_PARKED_MAX)
		return -EBADMSG;
	return 0;
}

int ctl_record_read(const struct ctl_records *r, uint32_t slot, struct shm_control_record *ret_rec)
{
	struct shm_control_record rec;
	static const struct shm_control_record untouched;

	if (r->header == NULL || slot >= r->sessions)
		return -ENOENT;
	rec = r->record[slot];
	if (memcmp(&rec, &untouched, sizeof(rec)) == 0)
		return -ENOENT;
	if (ctl_record_check(&rec, slot) < 0)
		return -EBADMSG;
	if ((rec.flags & SHM_RECORD_LIVE) == 0)
		return -ENOENT;
	*ret_rec = rec;
	explicit_bzero(&rec, sizeof(rec));
	return 0;
}

// ---- Parked packets --------------------------------------------------------------------------

int ctl_parked_put(struct ctl_records *r, struct shm_parked *parked, uint32_t *ret_index)
{
	if (r->header == NULL)
		return -ENOSPC;
	for (uint32_t n = 0; n < SHM_PARKED_MAX; n++) {
		uint32_t i = (r->parked_next + n) % SHM_PARKED_MAX;

		if (r->parked_used[i] != 0)
			continue;
		r->parked_used[i] = 1;
		r->parked_next = i + 1;
		parked->checksum = checksum(SUM_BEGIN(parked), SUM_BYTES(parked));
		memcpy(&r->parked[i], parked, sizeof(*parked));
		atomic_signal_fence(memory_order_seq_cst);
		*ret_index = i;
		return 0;
	}
	return -ENOSPC;
}

void ctl_parked_drop(struct ctl_records *r, uint32_t index)
{
	if (r->header != NULL && index < SHM_PARKED_MAX)
		r->parked_used[index] = 0;
}

int ctl_parked_check(const struct shm_parked *parked, uint32_t slot, uint16_t generation)
{
	size_t sum = 0;

	if (parked->slot != slot || parked->generation != generation || parked->count < 1 ||
		parked->count > 8 || parked->key_id > 7)
		return -EBADMSG;
	if (parked->checksum != checksum(SUM_BEGIN(parked), SUM_BYTES(parked)))
		return -EBADMSG;
	for (unsigned i = 0; i < parked->count; i++)
		sum += parked->len[i];
	return sum <= sizeof(parked->bytes) ? 0 : -EBADMSG;
}

int ctl_parked_get(struct ctl_records *r, uint32_t index, uint32_t slot, uint16_t generation,
	struct shm_parked *ret_parked)
{
	if (r->header == NULL || index >= SHM_PARKED_MAX)
		return -ERANGE;
	*ret_parked = r->parked[index];
	if (ctl_parked_check(ret_parked, slot, generation) < 0)
		return -EBADMSG;
	r->parked_used[index] = 1;
	return 0;
}

// ---- First handshakes ------------------------------------------------------------------------

uint32_t ctl_shaking_take(struct ctl_records *r)
{
	for (uint32_t n = 0; r->header != NULL && n < SHM_SHAKING_MAX; n++) {
		uint32_t i = (r->shaking_next + n) % SHM_SHAKING_MAX;

		if (r->shaking_used[i] != 0)
			continue;
		r->shaking_used[i] = 1;
		r->shaking_next = i + 1;
		return i;
	}
	return SHM_SLOT_NONE;
}

// A kill in the middle leaves a wrong checksum: that handshake is forgotten, nothing else.
void ctl_shaking_write(struct ctl_records *r, uint32_t index, struct shm_shaking *entry)
{
	if (r->header == NULL || index >= SHM_SHAKING_MAX)
		return;
	entry->used = 1;
	entry->checksum = checksum(SUM_BEGIN(entry), SUM_BYTES(entry));
	memcpy(&r->shaking[index], entry, sizeof(*entry));
	atomic_signal_fence(memory_order_seq_cst);
}

void ctl_shaking_drop(struct ctl_records *r, uint32_t index)
{
	if (r->header == NULL || index >= SHM_SHAKING_MAX)
		return;
	explicit_bzero(&r->shaking[index], sizeof(r->shaking[index]));
	r->shaking_used[index] = 0;
}

int ctl_shaking_check(const struct shm_shaking *entry)
{
	if (entry->checksum != checksum(SUM_BEGIN(entry), SUM_BYTES(entry)))
		return -EBADMSG;
	return entry->used == 1 && entry->wrap <= SHM_RECORD_WRAP_V2 &&
			shm_endpoint_check(&entry->endpoint) == 0
		? 0
		: -EBADMSG;
}

int ctl_shaking_recover(struct ctl_records *r, uint32_t index, struct shm_shaking *ret_entry)
{
	int rc;

	if (r->header == NULL || index >= SHM_SHAKING_MAX || r->shaking[index].used == 0)
		return -ENOENT;
	*ret_entry = r->shaking[index];
	rc = ctl_shaking_check(ret_entry);
	if (rc < 0)
		ctl_shaking_drop(r, index);
	else
		r->shaking_used[index] = 1;
	return rc;
}

// ---- Notes -----------------------------------------------------------------------------------

#define NOTE_HEAD (offsetof(struct shm_note, bytes) - sizeof(uint32_t))

int ctl_note_write(struct ctl_records *r, uint32_t slot, uint16_t generation, uint64_t since_s,
	const void *env, size_t env_len, const char *config)
{
	size_t config_len = strlen(config) + 1;
	const char *text = env;
	struct shm_note *note;
	int rc = 0;

	if (r->note == NULL || slot >= r->sessions)
		return -ENOENT;
	note = &r->note[slot];
	note->checksum = ~note->checksum; // no half of an old and half of a new one passes
	atomic_signal_fence(memory_order_seq_cst);
	if (config_len > SHM_NOTE_BYTES)
		return -ENOBUFS;
	while (env_len > SHM_NOTE_BYTES - config_len) {
		size_t n = strlen(text) + 1;

		text += n;
		env_len -= n;
		rc = -ENOBUFS;
	}
	note->slot = slot;
	note->generation = generation;
	note->env_len = (uint32_t)env_len;
	note->config_len = (uint32_t)config_len;
	note->since_s = since_s;
	if (env_len > 0)
		memcpy(note->bytes, text, env_len);
	memcpy(note->bytes + env_len, config, config_len);
	atomic_signal_fence(memory_order_seq_cst);
	note->checksum = checksum(SUM_BEGIN(note), NOTE_HEAD + env_len + config_len);
	atomic_signal_fence(memory_order_seq_cst);
	return rc;
}

int ctl_note_check(const struct shm_note *note, uint32_t slot, uint16_t generation)
{
	size_t env_len = note->env_len;
	size_t config_len = note->config_len;

	if (note->slot != slot || note->generation != generation || env_len > SHM_NOTE_BYTES ||
		config_len < 1 || config_len > SHM_NOTE_BYTES - env_len)
		return -EBADMSG;
	if (note->checksum != checksum(SUM_BEGIN(note), NOTE_HEAD + env_len + config_len))
		return -EBADMSG;
	return (env_len == 0 || note->bytes[env_len - 1] == '\0') &&
			memchr(note->bytes + env_len, '\0', config_len) ==
				note->bytes + env_len + config_len - 1
		? 0
		: -EBADMSG;
}

int ctl_note_read(
	const struct ctl_records *r, uint32_t slot, uint16_t generation, struct ctl_note *ret_note)
{
	const struct shm_note *note;

	if (r->note == NULL || slot >= r->sessions)
		return -ENOENT;
	note = &r->note[slot];
	if (ctl_note_check(note, slot, generation) < 0)
		return -EBADMSG;
	*ret_note = (struct ctl_note){ .since_s = note->since_s,
		.env = note->bytes,
		.env_len = note->env_len,
		.config = note->bytes + note->env_len };
	return 0;
}
