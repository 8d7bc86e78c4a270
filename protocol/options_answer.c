// SPDX-License-Identifier: BSD-3-Clause
// Reading a client's options string for what matters, and the string that it wants to hear.
#include <errno.h>
#include <string.h>

#include "protocol/options_string.h"
#include "protocol/text.h"

// Value of an item "NAME VALUE"; false when the item has another name.
static bool value_of(
	const char *item, size_t len, const char *name, const char **ret_value, size_t *ret_len)
{
	size_t n = strlen(name);

	if (len <= n + 1 || memcmp(item, name, n) != 0 || item[n] != ' ')
		return false;
	*ret_value = item + n + 1;
	*ret_len = len - n - 1;
	return true;
}

static void learn_item(struct ovpn_options_facts *f, const char *item, size_t n)
{
	const char *value;
	uint64_t number;
	size_t len;

	if (ovpn_text_equal(item, n, "comp-lzo")) {
		f->comp = true;
	} else if (ovpn_text_equal(item, n, "mtu-dynamic")) {
		f->fragment = true;
	} else if (ovpn_text_equal(item, n, "no-replay")) {
		f->no_replay = true;
	} else if (ovpn_text_equal(item, n, "dev-type tap")) {
		f->tap = true;
	} else if (value_of(item, n, "cipher", &value, &len)) {
		f->has_cipher = ovpn_cipher_by_name(value, len, &f->cipher) == 0;
	} else if (value_of(item, n, "auth", &value, &len)) {
		f->has_digest = ovpn_digest_by_name(value, len, &f->digest) == 0;
	} else if (value_of(item, n, "keysize", &value, &len)) {
		if (ovpn_parse_u64(value, len, 4096, &number) == 0)
			f->key_bits = (uint32_t)number;
	} else if (value_of(item, n, "link-mtu", &value, &len)) {
		if (ovpn_parse_u64(value, len, 70000, &number) == 0)
			f->link_mtu = (uint32_t)number;
	} else if (value_of(item, n, "tun-mtu", &value, &len)) {
		if (ovpn_parse_u64(value, len, 70000, &number) == 0)
			f->tun_mtu = (uint32_t)number;
	}
}

// A peer whose nominal cipher is AEAD writes "[null-digest]" whatever its `auth` is. The cipher may
// be missing, but its link-mtu shows it: tag 16, IV 12, and 16 or 1 for the block.
static bool nominal_aead(const struct ovpn_options_facts *f)
{
	uint32_t aead = f->tun_mtu + 1 + 4 + 16 + 12 + (f->comp ? 1 : 0) + (f->fragment ? 4 : 0);

	if (f->has_cipher)
		return ovpn_cipher_is_aead(f->cipher);
	return f->link_mtu == aead + 16 || f->link_mtu == aead + 1;
}

void ovpn_options_learn(const char *s, size_t len, struct ovpn_options_facts *ret_facts)
{
	struct ovpn_options_facts f = { .tun_mtu = 1500 };
	const char *item;
	size_t pos = 0;
	size_t n;

	f.usable = len >= 3 && memcmp(s, "V4,", 3) == 0;
	while (f.usable && ovpn_options_next(s, len, &pos, &item, &n))
		learn_item(&f, item, n);
	if (f.has_digest && f.digest == OVPN_DIGEST_NONE && nominal_aead(&f))
		f.has_digest = false;
	*ret_facts = f;
}

// Items that come back as they are, if the client has them.
static bool is_shared(const char *item, size_t n)
{
	static const char *const names[] = { "link-mtu", "tun-mtu", "proto", "comp-lzo",
		"mtu-dynamic", "cipher", "auth", "keysize", "no-replay", "tls-auth", "key-method" };

	for (size_t i = 0; i < sizeof(names) / sizeof(names[0]); i++) {
		size_t len = strlen(names[i]);

		if (n >= len && memcmp(item, names[i], len) == 0 && (n == len || item[len] == ' '))
			return true;
	}
	return false;
}

int ovpn_options_answer(
	const char *theirs, size_t len, uint32_t tun_mtu, char *buf, size_t size, size_t *ret_len)
{
	struct ovpn_text t;
	const char *item;
	size_t pos = 0;
	size_t n;

	if (len < 3 || memcmp(theirs, "V4,", 3) != 0)
		return -EINVAL;
	ovpn_text_init(&t, buf, size);
	ovpn_text_add(&t, "V4,dev-type tun");
	while (ovpn_options_next(theirs, len, &pos, &item, &n)) {
		if (ovpn_text_equal(item, n, "keydir 0"))
			ovpn_text_add(&t, ",keydir 1");
		else if (ovpn_text_equal(item, n, "keydir 1"))
			ovpn_text_add(&t, ",keydir 0");
		else if (ovpn_text_equal(item, n, "tls-client"))
			ovpn_text_add(&t, ",tls-server");
		else if (tun_mtu != 0 && n > 8 && memcmp(item, "tun-mtu ", 8) == 0) {
			ovpn_text_add(&t, ",tun-mtu ");
			ovpn_text_add_u64(&t, tun_mtu);
		} else if (is_shared(item, n) && ovpn_text_is_printable(item, n)) {
			ovpn_text_add(&t, ",");
			ovpn_text_add_mem(&t, item, n);
		}
	}
	return ovpn_text_done(&t, ret_len);
}
