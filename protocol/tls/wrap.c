// SPDX-License-Identifier: BSD-3-Clause
#include "protocol/tls/wrap.h"

#include <errno.h>
#include <openssl/crypto.h>
#include <string.h>

#include "protocol/tls/mac.h"

#define PREFIX OVPN_CONTROL_PREFIX_LEN
#define ID_LEN 8 // replay id and net time
#define CRYPT_TAG_LEN 32
#define CRYPT_HEAD (PREFIX + ID_LEN + CRYPT_TAG_LEN)
// Offsets in a static key (protocol.md 3.1).
#define KEY_SIZE 128
#define HMAC_PART 64

void ovpn_wrap_keys_none(struct ovpn_wrap_keys *ret_keys)
{
	memset(ret_keys, 0, sizeof(*ret_keys));
}

int ovpn_wrap_keys_tls_auth(const struct ovpn_static_key *key, enum ovpn_digest digest,
	enum ovpn_wrap_direction direction, struct ovpn_wrap_keys *ret_keys)
{
	unsigned digest_len = ovpn_digest_len(digest);
	unsigned send = direction == OVPN_DIRECTION_INVERSE;
	unsigned recv = direction == OVPN_DIRECTION_NORMAL;

	if (direction < OVPN_DIRECTION_NONE || direction > OVPN_DIRECTION_INVERSE)
		return -EINVAL;
	if (digest_len == 0)
		return -ENOTSUP;
	memset(ret_keys, 0, sizeof(*ret_keys));
	ret_keys->mode = OVPN_WRAP_TLS_AUTH;
	ret_keys->digest = (uint8_t)digest;
	ret_keys->digest_len = (uint8_t)digest_len;
	memcpy(ret_keys->send_hmac, key->bytes + send * KEY_SIZE + HMAC_PART, digest_len);
	memcpy(ret_keys->recv_hmac, key->bytes + recv * KEY_SIZE + HMAC_PART, digest_len);
	return 0;
}

// Everything of a tls-crypt wrapping but the keys.
static void crypt_begin(struct ovpn_wrap_keys *keys)
{
	memset(keys, 0, sizeof(*keys));
	keys->mode = OVPN_WRAP_TLS_CRYPT;
	keys->digest = OVPN_DIGEST_SHA256;
	keys->digest_len = CRYPT_TAG_LEN;
}

void ovpn_wrap_keys_tls_crypt(
	const struct ovpn_static_key *key, bool server, struct ovpn_wrap_keys *ret_keys)
{
	const uint8_t *send = key->bytes + (server ? 0 : KEY_SIZE);
	const uint8_t *recv = key->bytes + (server ? KEY_SIZE : 0);

	crypt_begin(ret_keys);
	memcpy(ret_keys->send_hmac, send + HMAC_PART, 32);
	memcpy(ret_keys->recv_hmac, recv + HMAC_PART, 32);
	memcpy(ret_keys->send_cipher, send, 32);
	memcpy(ret_keys->recv_cipher, recv, 32);
}

int ovpn_wrap_keys_save(const struct ovpn_wrap_keys *keys, struct ovpn_wrap_saved *ret_saved)
{
	if (keys->mode != OVPN_WRAP_TLS_CRYPT)
		return -EINVAL;
	memcpy(ret_saved->bytes, keys->send_hmac, 32);
	memcpy(ret_saved->bytes + 32, keys->recv_hmac, 32);
	memcpy(ret_saved->bytes + 64, keys->send_cipher, 32);
	memcpy(ret_saved->bytes + 96, keys->recv_cipher, 32);
	return 0;
}

void ovpn_wrap_keys_restore(const struct ovpn_wrap_saved *saved, struct ovpn_wrap_keys *ret_keys)
{
	crypt_begin(ret_keys);
	memcpy(ret_keys->send_hmac, saved->bytes, 32);
	memcpy(ret_keys->recv_hmac, saved->bytes + 32, 32);
	memcpy(ret_keys->send_cipher, saved->bytes + 64, 32);
	memcpy(ret_keys->recv_cipher, saved->bytes + 96, 32);
}

void ovpn_wrap_keys_wipe(struct ovpn_wrap_keys *keys)
{
	explicit_bzero(keys, sizeof(*keys));
}

static uint8_t mode_of(const struct ovpn_wrap_keys *keys)
{
	return keys != NULL ? keys->mode : (uint8_t)OVPN_WRAP_NONE;
}

size_t ovpn_wrap_overhead(const struct ovpn_wrap_keys *keys)
{
	return mode_of(keys) == OVPN_WRAP_NONE ? 0 : ID_LEN + (size_t)keys->digest_len;
}

void ovpn_wrap_init(struct ovpn_wrap *wrap, const struct ovpn_wrap_keys *keys, uint32_t first_id,
	uint32_t now_s)
{
	memset(wrap, 0, sizeof(*wrap));
	wrap->keys = keys;
	ovpn_replay_send_init(&wrap->send, now_s, first_id);
}

void ovpn_wrap_resume(struct ovpn_wrap *wrap, const struct ovpn_wrap_keys *keys,
	const struct ovpn_wrap_state *stored, uint32_t now_s)
{
	uint32_t after = stored->send_time_s + 1;

	ovpn_wrap_init(wrap, keys, 1, now_s > after ? now_s : after);
	wrap->recv = stored->recv;
}

void ovpn_wrap_export(const struct ovpn_wrap *wrap, struct ovpn_wrap_state *ret_state)
{
	memset(ret_state, 0, sizeof(*ret_state));
	ret_state->send_time_s = wrap->send.net_time;
	ret_state->recv = wrap->recv;
}

// HMAC in the order of protocol.md 3.2: id and time, prefix, body.
static int auth_hmac(const struct ovpn_wrap_keys *keys, const uint8_t *key, const uint8_t *id,
	const uint8_t *prefix, const struct ovpn_span *body, uint8_t *out)
{
	const struct ovpn_span piece[] = { { id, ID_LEN }, { prefix, PREFIX }, *body };

	return ovpn_hmac((enum ovpn_digest)keys->digest, key, keys->digest_len, piece, 3, out);
}

// Tag of protocol.md 3.3: prefix, id and time lie together, then the body in clear.
static int crypt_tag(
	const uint8_t *key, const uint8_t *head, const struct ovpn_span *body, uint8_t *out)
{
	const struct ovpn_span piece[] = { { head, PREFIX + ID_LEN }, *body };

	return ovpn_hmac(OVPN_DIGEST_SHA256, key, CRYPT_TAG_LEN, piece, 2, out);
}

static void put_id(uint8_t *out, struct ovpn_wrap_id id)
{
	ovpn_put_be32(out, id.id);
	ovpn_put_be32(out + 4, id.time_s);
}

static void get_id(const uint8_t *in, struct ovpn_wrap_id *ret_id)
{
	ret_id->id = ovpn_get_be32(in);
	ret_id->time_s = ovpn_get_be32(in + 4);
}

static int seal_auth(const struct ovpn_wrap_keys *keys, struct ovpn_wrap_id id,
	const uint8_t *plain, const struct ovpn_span *body, uint8_t *out)
{
	uint8_t *at = out + PREFIX + keys->digest_len;

	memcpy(out, plain, PREFIX);
	put_id(at, id);
	memcpy(at + ID_LEN, body->data, body->len);
	return auth_hmac(keys, keys->send_hmac, at, plain, body, out + PREFIX);
}

static int seal_crypt(const struct ovpn_wrap_keys *keys, struct ovpn_wrap_id id,
	const uint8_t *plain, const struct ovpn_span *body, uint8_t *out)
{
	uint8_t *tag = out + PREFIX + ID_LEN;
	int rc;

	memcpy(out, plain, PREFIX);
	put_id(out + PREFIX, id);
	rc = crypt_tag(keys->send_hmac, out, body, tag);
	if (rc < 0)
		return rc;
	return ovpn_aes256_ctr(keys->send_cipher, tag, body->data, body->len, out + CRYPT_HEAD);
}

int ovpn_wrap_seal_as(const struct ovpn_wrap_keys *keys, struct ovpn_wrap_id id,
	const uint8_t *plain, size_t len, uint8_t *out, size_t size, size_t *ret_len)
{
	size_t total = len + ovpn_wrap_overhead(keys);
	struct ovpn_span body;
	int rc = 0;

	if (len <= PREFIX)
		return -EINVAL;
	if (total > size)
		return -ENOSPC;
	body = (struct ovpn_span){ plain + PREFIX, len - PREFIX };
	switch (mode_of(keys)) {
	case OVPN_WRAP_TLS_AUTH: rc = seal_auth(keys, id, plain, &body, out); break;
	case OVPN_WRAP_TLS_CRYPT: rc = seal_crypt(keys, id, plain, &body, out); break;
	default: memcpy(out, plain, len); break;
	}
	if (rc == 0)
		*ret_len = total;
	return rc;
}

int ovpn_wrap_seal(struct ovpn_wrap *wrap, const uint8_t *plain, size_t len, uint8_t *out,
	size_t size, size_t *ret_len)
{
	struct ovpn_wrap_id id = { 0 };

	if (len <= PREFIX)
		return -EINVAL;
	if (len + ovpn_wrap_overhead(wrap->keys) > size)
		return -ENOSPC;
	// The clock is asked only when the ids ran out, and then any later time will do.
	if (mode_of(wrap->keys) != OVPN_WRAP_NONE)
		ovpn_replay_send_next(&wrap->send, wrap->send.net_time, &id.time_s, &id.id);
	return ovpn_wrap_seal_as(wrap->keys, id, plain, len, out, size, ret_len);
}

static int open_auth(const struct ovpn_wrap_keys *keys, const uint8_t *dgram, size_t len,
	uint8_t *plain, size_t *ret_len, struct ovpn_wrap_id *ret_id)
{
	uint8_t hmac[OVPN_WRAP_DIGEST_MAX];
	const uint8_t *id = dgram + PREFIX + keys->digest_len;
	struct ovpn_span body = { id + ID_LEN, len - PREFIX - keys->digest_len - ID_LEN };
	int rc = auth_hmac(keys, keys->recv_hmac, id, dgram, &body, hmac);

	if (rc < 0)
		return rc;
	if (CRYPTO_memcmp(hmac, dgram + PREFIX, keys->digest_len) != 0)
		return -EBADMSG;
	memcpy(plain, dgram, PREFIX);
	memcpy(plain + PREFIX, body.data, body.len);
	get_id(id, ret_id);
	*ret_len = PREFIX + body.len;
	return 0;
}

static int open_crypt(const struct ovpn_wrap_keys *keys, const uint8_t *dgram, size_t len,
	uint8_t *plain, size_t *ret_len, struct ovpn_wrap_id *ret_id)
{
	uint8_t tag[CRYPT_TAG_LEN];
	const uint8_t *got = dgram + PREFIX + ID_LEN;
	struct ovpn_span body = { plain + PREFIX, len - CRYPT_HEAD };
	int rc = ovpn_aes256_ctr(
		keys->recv_cipher, got, dgram + CRYPT_HEAD, body.len, plain + PREFIX);

	if (rc == 0)
		rc = crypt_tag(keys->recv_hmac, dgram, &body, tag);
	if (rc < 0)
		return rc;
	if (CRYPTO_memcmp(tag, got, CRYPT_TAG_LEN) != 0)
		return -EBADMSG;
	memcpy(plain, dgram, PREFIX);
	get_id(dgram + PREFIX, ret_id);
	*ret_len = PREFIX + body.len;
	return 0;
}

int ovpn_wrap_open(const struct ovpn_wrap_keys *keys, const uint8_t *dgram, size_t len,
	uint8_t *plain, size_t size, size_t *ret_len, struct ovpn_wrap_id *ret_id)
{
	size_t overhead = ovpn_wrap_overhead(keys);

	if (len <= PREFIX + overhead)
		return -EINVAL;
	if (len - overhead > size)
		return -ENOSPC;
	switch (mode_of(keys)) {
	case OVPN_WRAP_TLS_AUTH: return open_auth(keys, dgram, len, plain, ret_len, ret_id);
	case OVPN_WRAP_TLS_CRYPT: return open_crypt(keys, dgram, len, plain, ret_len, ret_id);
	default: break;
	}
	memcpy(plain, dgram, len);
	*ret_id = (struct ovpn_wrap_id){ 0 };
	*ret_len = len;
	return 0;
}

int ovpn_wrap_accept(struct ovpn_wrap *wrap, struct ovpn_wrap_id id)
{
	if (mode_of(wrap->keys) == OVPN_WRAP_NONE)
		return 0;
	return ovpn_replay_long_accept(&wrap->recv, id.time_s, id.id);
}

int ovpn_wrap_check(const struct ovpn_wrap *wrap, struct ovpn_wrap_id id)
{
	if (mode_of(wrap->keys) == OVPN_WRAP_NONE)
		return 0;
	return ovpn_replay_long_check(&wrap->recv, id.time_s, id.id);
}
