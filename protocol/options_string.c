// SPDX-License-Identifier: BSD-3-Clause
#include <errno.h>
#include <string.h>

#include "protocol/options_string.h"
#include "protocol/text.h"

static uint32_t tun_mtu(const struct ovpn_options *o)
{
	return o->tun_mtu != 0 ? o->tun_mtu : 1500;
}

uint32_t ovpn_options_link_mtu(const struct ovpn_options *o)
{
	const struct ovpn_cipher_info *ci = ovpn_cipher_info(o->cipher);
	bool stream = ci->mode == OVPN_MODE_CFB || ci->mode == OVPN_MODE_OFB;
	uint32_t mtu = tun_mtu(o);

	mtu += o->tap ? 32 : 0;
	mtu += o->comp && !o->comp_no_byte ? 1 : 0;
	mtu += o->fragment ? 4 : 0;
	mtu += 1; // opcode
	mtu += stream ? 8 : 4; // packet-id, with the time in stream modes
	mtu += ci->mode == OVPN_MODE_AEAD ? OVPN_AEAD_TAG_LEN : ovpn_digest_len(o->digest);
	mtu += ci->iv_len;
	mtu += ci->mtu_block; // with AEAD too, although it isn't on the wire
	return mtu;
}

int ovpn_options_build(const struct ovpn_options *o, char *buf, size_t size, size_t *ret_len)
{
	const struct ovpn_cipher_info *ci = ovpn_cipher_info(o->cipher);
	bool null_digest = o->digest == OVPN_DIGEST_NONE || ci->mode == OVPN_MODE_AEAD;
	struct ovpn_text t;

	ovpn_text_init(&t, buf, size);
	ovpn_text_add(&t, o->tap ? "V4,dev-type tap,link-mtu " : "V4,dev-type tun,link-mtu ");
	ovpn_text_add_u64(&t, ovpn_options_link_mtu(o));
	ovpn_text_add(&t, ",tun-mtu ");
	ovpn_text_add_u64(&t, tun_mtu(o));
	ovpn_text_add(&t, ",proto UDPv4");
	if (o->comp)
		ovpn_text_add(&t, ",comp-lzo");
	if (o->fragment)
		ovpn_text_add(&t, ",mtu-dynamic");
	if (o->key_direction >= 0)
		ovpn_text_add(&t, o->key_direction == 0 ? ",keydir 0" : ",keydir 1");
	if (o->show_cipher) {
		ovpn_text_add(&t, ",cipher ");
		ovpn_text_add(&t, o->cipher == OVPN_CIPHER_NONE ? "[null-cipher]" : ci->name);
	}
	ovpn_text_add(&t, ",auth ");
	ovpn_text_add(&t, null_digest ? "[null-digest]" : ovpn_digest_name(o->digest));
	ovpn_text_add(&t, ",keysize ");
	ovpn_text_add_u64(&t, ci->key_len * 8u);
	if (o->tls_auth)
		ovpn_text_add(&t, ",tls-auth");
	ovpn_text_add(&t, ",key-method 2");
	ovpn_text_add(&t, o->server ? ",tls-server" : ",tls-client");
	return ovpn_text_done(&t, ret_len);
}

bool ovpn_options_next(
	const char *s, size_t len, size_t *pos, const char **ret_item, size_t *ret_len)
{
	const char *item = s + *pos;
	const char *comma;
	size_t left;

	if (*pos >= len || *item == '\0')
		return false;
	left = strnlen(item, len - *pos);
	comma = memchr(item, ',', left);
	*ret_item = item;
	*ret_len = comma != NULL ? (size_t)(comma - item) : left;
	*pos += comma != NULL ? *ret_len + 1 : *ret_len;
	return true;
}

bool ovpn_options_cipher(const char *s, size_t len, const char **ret_name, size_t *ret_len)
{
	static const char key[] = "cipher ";
	const size_t key_len = sizeof(key) - 1;
	const char *item;
	size_t pos = 0;
	size_t n;

	while (ovpn_options_next(s, len, &pos, &item, &n)) {
		if (n <= key_len || memcmp(item, key, key_len) != 0)
			continue;
		item += key_len;
		n -= key_len;
		if (ovpn_text_equal(item, n, "[null-cipher]")) {
			item = "none";
			n = strlen(item);
		}
		*ret_name = item;
		*ret_len = n;
		return true;
	}
	return false;
}

static bool has_item(const char *s, size_t len, const char *want, size_t want_len)
{
	const char *item;
	size_t pos = 0;
	size_t n;

	while (ovpn_options_next(s, len, &pos, &item, &n)) {
		if (n == want_len && memcmp(item, want, n) == 0)
			return true;
	}
	return false;
}

bool ovpn_options_comp(const char *s, size_t len)
{
	return has_item(s, len, "comp-lzo", strlen("comp-lzo"));
}

// Items whose differences mean nothing.
static bool is_ignored(const char *item, size_t len)
{
	static const char *const ignored[] = { "link-mtu", "proto", "keydir", "tls-auth",
		"key-method", "tun-ipv6", "cipher", "tls-client", "tls-server" };

	for (size_t i = 0; i < sizeof(ignored) / sizeof(ignored[0]); i++) {
		size_t n = strlen(ignored[i]);

		if (len >= n && memcmp(item, ignored[i], n) == 0 && (len == n || item[n] == ' '))
			return true;
	}
	return false;
}

bool ovpn_options_mismatch(const char *theirs, size_t len, const char *ours, size_t *pos,
	const char **ret_item, size_t *ret_len)
{
	const char *item;
	size_t n;

	while (ovpn_options_next(theirs, len, pos, &item, &n)) {
		if (n == 0 || is_ignored(item, n) || has_item(ours, strlen(ours), item, n))
			continue;
		*ret_item = item;
		*ret_len = n;
		return true;
	}
	return false;
}
