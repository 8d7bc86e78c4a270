// SPDX-License-Identifier: BSD-3-Clause
// First contact: no datagram may be accepted that doesn't carry a cookie of ours.
//
// The first byte chooses the wrapping and whether the rest is wrapped with the right key before it
// is given to the server, so that what lies behind the HMAC is reached, too.
#include <stdlib.h>
#include <string.h>

#include "protocol/tls/stateless.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static struct ovpn_cookie_keys cookies;
static struct ovpn_wrap_keys auth[2];
static struct ovpn_wrap_keys crypt[2];
static struct ovpn_v2_server_key v2;
static struct ovpn_static_key kc;
static struct ovpn_wrap_keys v2_keys;
static uint8_t wkc[OVPN_WKC_MAX];
static size_t wkc_len;

static void set_up(void)
{
	struct ovpn_static_key key;

	for (size_t i = 0; i < sizeof(key.bytes); i++)
		key.bytes[i] = (uint8_t)(i * 5 + 3);
	memset(&cookies, 1, sizeof(cookies));
	cookies.count = 2;
	kc = key;
	memcpy(v2.bytes, key.bytes, sizeof(v2.bytes));
	if (ovpn_wrap_keys_tls_auth(&key, OVPN_DIGEST_SHA256, OVPN_DIRECTION_NORMAL, &auth[0]) <
			0 ||
		ovpn_wrap_keys_tls_auth(
			&key, OVPN_DIGEST_SHA256, OVPN_DIRECTION_INVERSE, &auth[1]) < 0 ||
		ovpn_wkc_seal(&v2, &kc, (const uint8_t *)"\0x", 2, wkc, &wkc_len) < 0)
		abort();
	ovpn_wrap_keys_tls_crypt(&key, true, &crypt[0]);
	ovpn_wrap_keys_tls_crypt(&key, false, &crypt[1]);
	ovpn_wrap_keys_tls_crypt(&kc, false, &v2_keys);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	static bool ready;
	static uint8_t dgram[8192];
	struct ovpn_stateless st = { .cookies = &cookies, .hand_window_s = 60 };
	struct ovpn_wrap_id id = { .id = OVPN_EARLY_REPLAY_ID, .time_s = 1 };
	const struct ovpn_wrap_keys *keys = NULL;
	struct ovpn_first first;
	uint8_t reply[128];
	enum ovpn_first_verdict verdict;
	size_t reply_len = 0;
	size_t len = 0;

	if (!ready)
		set_up();
	ready = true;
	if (size < 1 || size > 4096)
		return 0;
	st.force_cookie = (data[0] & 16) != 0;
	switch (data[0] % 4) {
	case 1:
		st.tls_auth = &auth[0];
		keys = &auth[1];
		break;
	case 2:
		st.tls_crypt = &crypt[0];
		keys = &crypt[1];
		break;
	case 3:
		st.v2 = &v2;
		keys = &v2_keys;
		break;
	default: break;
	}
	if ((data[0] & 4) == 0) {
		len = size - 1;
		memcpy(dgram, data + 1, len);
	} else if (ovpn_wrap_seal_as(keys, id, data + 1, size - 1, dgram, sizeof(dgram), &len) <
		0) {
		return 0;
	}
	if ((data[0] & 8) != 0) {
		memcpy(dgram + len, wkc, wkc_len);
		len += wkc_len;
	}
	verdict = ovpn_stateless_recv(
		&st, "a", 1, 1700000000000, dgram, len, &first, reply, sizeof(reply), &reply_len);
	if (verdict == OVPN_FIRST_ACCEPT)
		abort(); // a cookie was forged
	if (verdict == OVPN_FIRST_REPLY && (reply_len < 26 || reply_len > sizeof(reply)))
		abort();
	if (verdict == OVPN_FIRST_DROP && first.reason == OVPN_FIRST_NONE)
		abort();
	ovpn_first_wipe(&first);
	return 0;
}
