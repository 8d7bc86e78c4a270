// SPDX-License-Identifier: BSD-3-Clause
#include "protocol/tls/cookie.h"

#include <errno.h>
#include <openssl/crypto.h>
#include <openssl/rand.h>
#include <string.h>

#include "protocol/tls/mac.h"

#define SID_SIZE 8
#define OLD_SLOTS 2 // a cookie lives for its own slot and so many after it

int ovpn_cookie_keys_init(struct ovpn_cookie_keys *ret_keys)
{
	struct ovpn_cookie_keys keys = { .count = 1 };

	if (RAND_priv_bytes(keys.key[0], OVPN_COOKIE_KEY_SIZE) != 1)
		return -EIO;
	*ret_keys = keys;
	ovpn_cookie_keys_wipe(&keys);
	return 0;
}

int ovpn_cookie_keys_rotate(struct ovpn_cookie_keys *keys)
{
	uint8_t key[OVPN_COOKIE_KEY_SIZE];

	if (RAND_priv_bytes(key, sizeof(key)) != 1)
		return -EIO;
	memcpy(keys->key[1], keys->key[0], sizeof(key));
	memcpy(keys->key[0], key, sizeof(key));
	keys->count = keys->count > 0 ? 2 : 1;
	explicit_bzero(key, sizeof(key));
	return 0;
}

void ovpn_cookie_keys_wipe(struct ovpn_cookie_keys *keys)
{
	explicit_bzero(keys, sizeof(*keys));
}

uint64_t ovpn_cookie_slot_ms(unsigned hand_window_s)
{
	uint64_t slot_s = ((uint64_t)hand_window_s + 1) / 2;

	return 1000 * (slot_s > 0 ? slot_s : 1);
}

static int cookie(const uint8_t *key, const void *addr, size_t addr_len,
	const uint8_t client_sid[SID_SIZE], uint64_t slot, uint8_t ret_sid[SID_SIZE])
{
	uint8_t mac[32];
	uint8_t head[9]; // the address's length separates it from what follows
	const struct ovpn_span piece[] = {
		{ head, sizeof(head) },
		{ addr, addr_len },
		{ client_sid, SID_SIZE },
	};
	uint8_t any = 0;
	int rc;

	ovpn_put_be64(head, slot);
	head[8] = (uint8_t)addr_len;
	rc = ovpn_hmac(OVPN_DIGEST_SHA256, key, OVPN_COOKIE_KEY_SIZE, piece, 3, mac);
	if (rc < 0)
		return rc;
	for (size_t i = 0; i < SID_SIZE; i++)
		any |= mac[i];
	mac[0] |= any == 0; // a session id of zero is none
	memcpy(ret_sid, mac, SID_SIZE);
	return 0;
}

int ovpn_cookie_make(const struct ovpn_cookie_keys *keys, const void *addr, size_t addr_len,
	const uint8_t client_sid[SID_SIZE], uint64_t slot, uint8_t ret_sid[SID_SIZE])
{
	if (addr_len > OVPN_COOKIE_ADDRESS_MAX || keys->count == 0)
		return -EINVAL;
	return cookie(keys->key[0], addr, addr_len, client_sid, slot, ret_sid);
}

int ovpn_cookie_verify(const struct ovpn_cookie_keys *keys, const void *addr, size_t addr_len,
	const uint8_t client_sid[SID_SIZE], uint64_t slot, const uint8_t sid[SID_SIZE])
{
	uint8_t want[SID_SIZE];

	if (addr_len > OVPN_COOKIE_ADDRESS_MAX || keys->count == 0 || keys->count > 2)
		return -EINVAL;
	for (unsigned k = 0; k < keys->count; k++) {
		for (uint64_t back = 0; back <= OLD_SLOTS && back <= slot; back++) {
			int rc =
				cookie(keys->key[k], addr, addr_len, client_sid, slot - back, want);

			if (rc < 0)
				return rc;
			if (CRYPTO_memcmp(want, sid, SID_SIZE) == 0)
				return 1;
		}
	}
	return 0;
}
