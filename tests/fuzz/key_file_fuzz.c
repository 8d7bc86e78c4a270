// SPDX-License-Identifier: BSD-3-Clause
// Key files: whatever is accepted must come out of the formatter and back again unchanged.
#include <stdlib.h>
#include <string.h>

#include "protocol/tls/static_key.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void check_error(const struct ovpn_key_error *err)
{
	if (memchr(err->reason, '\0', sizeof(err->reason)) == NULL || err->reason[0] == '\0')
		abort();
}

static void try_static(const char *text, size_t len)
{
	struct ovpn_static_key key;
	struct ovpn_static_key back;
	struct ovpn_key_error err = { 0 };
	char again[OVPN_KEY_TEXT_MAX];

	if (ovpn_static_key_parse(text, len, &key, &err) < 0) {
		check_error(&err);
		return;
	}
	if (ovpn_static_key_format(&key, again, sizeof(again)) < 0 ||
		ovpn_static_key_parse(again, strlen(again), &back, NULL) < 0 ||
		memcmp(&key, &back, sizeof(key)) != 0)
		abort();
}

static void try_server(const char *text, size_t len)
{
	struct ovpn_v2_server_key key;
	struct ovpn_v2_server_key back;
	struct ovpn_key_error err = { 0 };
	char again[OVPN_KEY_TEXT_MAX];

	if (ovpn_v2_server_key_parse(text, len, &key, &err) < 0) {
		check_error(&err);
		return;
	}
	if (ovpn_v2_server_key_format(&key, again, sizeof(again)) < 0 ||
		ovpn_v2_server_key_parse(again, strlen(again), &back, NULL) < 0 ||
		memcmp(&key, &back, sizeof(key)) != 0)
		abort();
}

static void try_client(const char *text, size_t len)
{
	struct ovpn_v2_client_key key;
	struct ovpn_v2_client_key back;
	struct ovpn_key_error err = { 0 };
	char again[OVPN_KEY_TEXT_MAX];

	if (ovpn_v2_client_key_parse(text, len, &key, &err) < 0) {
		check_error(&err);
		return;
	}
	if (ovpn_v2_client_key_format(&key, again, sizeof(again)) < 0 ||
		ovpn_v2_client_key_parse(again, strlen(again), &back, NULL) < 0 ||
		memcmp(&key, &back, sizeof(key)) != 0)
		abort();
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	const char *text = (const char *)data;

	try_static(text, size);
	try_server(text, size);
	try_client(text, size);
	return 0;
}
