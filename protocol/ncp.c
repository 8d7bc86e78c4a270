// SPDX-License-Identifier: BSD-3-Clause
#include <errno.h>
#include <string.h>

#include "protocol/ncp.h"
#include "protocol/options_string.h"
#include "protocol/peer_info.h"
#include "protocol/text.h"

bool ovpn_ncp_contains(const struct ovpn_ncp_list *list, enum ovpn_cipher cipher)
{
	for (unsigned i = 0; i < list->count; i++) {
		if (list->cipher[i] == cipher)
			return true;
	}
	return false;
}

static void add(struct ovpn_ncp_list *list, enum ovpn_cipher cipher)
{
	if (!ovpn_ncp_contains(list, cipher))
		list->cipher[list->count++] = (uint8_t)cipher;
}

// The default names whatever is there: none of its ciphers is obligatory.
static void add_default(struct ovpn_ncp_list *list, uint32_t supported)
{
	static const enum ovpn_cipher ciphers[] = { OVPN_CIPHER_AES_256_GCM,
		OVPN_CIPHER_AES_128_GCM, OVPN_CIPHER_CHACHA20_POLY1305 };

	for (size_t i = 0; i < sizeof(ciphers) / sizeof(ciphers[0]); i++) {
		if (supported >> ciphers[i] & 1)
			add(list, ciphers[i]);
	}
}

// One name of a configured list.
static int add_name(struct ovpn_ncp_list *list, const char *name, size_t len, uint32_t supported)
{
	bool optional = len > 0 && name[0] == '?';
	enum ovpn_cipher cipher;

	if (optional) {
		name++;
		len--;
	}
	if (len == 0)
		return -EINVAL;
	if (ovpn_text_equal(name, len, "DEFAULT")) {
		add_default(list, supported);
		return 0;
	}
	if (ovpn_cipher_by_name(name, len, &cipher) < 0 || !(supported >> cipher & 1))
		return optional ? 0 : -ENOENT;
	add(list, cipher);
	return 0;
}

int ovpn_ncp_parse(const char *s, size_t len, uint32_t supported, struct ovpn_ncp_list *ret_list,
	size_t *ret_bad)
{
	struct ovpn_ncp_list list = { 0 };
	char text[OVPN_NCP_LIST_MAX + 1];
	size_t text_len;
	size_t at = 0;

	do {
		const char *colon = at < len ? memchr(s + at, ':', len - at) : NULL;
		size_t n = colon != NULL ? (size_t)(colon - s) - at : len - at;
		int rc = add_name(&list, s + at, n, supported);

		if (rc < 0) {
			if (rc == -ENOENT && ret_bad != NULL)
				*ret_bad = at;
			return rc;
		}
		at += colon != NULL ? n + 1 : n;
		if (colon != NULL && at == len)
			return -EINVAL; // a colon at the end
	} while (at < len);
	if (list.count == 0)
		return -EINVAL;
	if (ovpn_ncp_build(&list, text, sizeof(text), &text_len) < 0)
		return -EMSGSIZE;
	*ret_list = list;
	return 0;
}

int ovpn_ncp_build(const struct ovpn_ncp_list *list, char *buf, size_t size, size_t *ret_len)
{
	struct ovpn_text t;

	ovpn_text_init(&t, buf, size);
	for (unsigned i = 0; i < list->count; i++) {
		if (i > 0)
			ovpn_text_add(&t, ":");
		ovpn_text_add(&t, ovpn_cipher_info((enum ovpn_cipher)list->cipher[i])->name);
	}
	return ovpn_text_done(&t, ret_len);
}

bool ovpn_ncp_text_contains(const char *s, size_t len, enum ovpn_cipher cipher)
{
	const char *name = ovpn_cipher_info(cipher)->name;
	size_t at = 0;

	while (at < len) {
		const char *colon = memchr(s + at, ':', len - at);
		size_t n = colon != NULL ? (size_t)(colon - s) - at : len - at;

		if (ovpn_text_equal(s + at, n, name))
			return true;
		at += n + 1;
	}
	return false;
}

// Cipher of an options string. Returns true when it names one; *ret_cipher is OVPN_CIPHER_COUNT
// when we don't know that one, so that it equals no entry of any list.
static bool options_cipher(const char *options, size_t len, enum ovpn_cipher *ret_cipher)
{
	const char *name;
	size_t name_len;

	if (options == NULL || !ovpn_options_cipher(options, len, &name, &name_len))
		return false;
	if (ovpn_cipher_by_name(name, name_len, ret_cipher) < 0)
		*ret_cipher = OVPN_CIPHER_COUNT;
	return true;
}

int ovpn_ncp_select_server(
	const struct ovpn_ncp_server *in, enum ovpn_cipher *ret_cipher, bool *ret_push)
{
	static const char ncp2[] = "AES-256-GCM:AES-128-GCM";
	struct ovpn_peer_caps caps = { 0 };
	enum ovpn_cipher legacy = OVPN_CIPHER_COUNT;
	bool has_legacy = false;
	const char *theirs = "";
	size_t theirs_len = 0;
	bool push;

	if (in->peer_info != NULL)
		ovpn_peer_info_caps(in->peer_info, in->peer_info_len, &caps);
	if (caps.ciphers != NULL) {
		theirs = caps.ciphers;
		theirs_len = caps.ciphers_len;
	} else {
		if (caps.ncp >= 2) {
			theirs = ncp2;
			theirs_len = strlen(ncp2);
		}
		has_legacy = options_cipher(in->options, in->options_len, &legacy);
	}
	push = caps.ciphers != NULL || caps.ncp >= 2;
	for (unsigned i = 0; i < in->ours->count; i++) {
		enum ovpn_cipher cipher = (enum ovpn_cipher)in->ours->cipher[i];

		if (ovpn_ncp_text_contains(theirs, theirs_len, cipher) ||
			(has_legacy && cipher == legacy)) {
			*ret_cipher = cipher;
			*ret_push = push;
			return 0;
		}
	}
	if (theirs_len > 0 || !in->has_fallback || (has_legacy && legacy != in->fallback))
		return -ENOKEY;
	*ret_cipher = in->fallback;
	*ret_push = push;
	return 0;
}

int ovpn_ncp_select_client(const struct ovpn_ncp_client *in, enum ovpn_cipher *ret_cipher)
{
	enum ovpn_cipher cipher;

	if (in->pushed != NULL) {
		if (ovpn_cipher_by_name(in->pushed, in->pushed_len, &cipher) < 0)
			return -ENOKEY;
		if (!ovpn_ncp_contains(in->ours, cipher) &&
			(!in->has_fallback || cipher != in->fallback))
			return -ENOKEY;
		*ret_cipher = cipher;
		return 0;
	}
	if (options_cipher(in->options, in->options_len, &cipher) &&
		ovpn_ncp_contains(in->ours, cipher)) {
		*ret_cipher = cipher;
		return 0;
	}
	if (!in->has_fallback)
		return -ENOKEY;
	*ret_cipher = in->fallback;
	return 0;
}
