// SPDX-License-Identifier: BSD-3-Clause
// Lists of ciphers: what parses is written in normal form, which parses to the same list.
#include <stdlib.h>
#include <string.h>

#include "protocol/ncp.h"

static void check(bool ok)
{
	if (!ok)
		abort();
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	const char *s = (const char *)data;
	char text[OVPN_NCP_LIST_MAX + 1];
	struct ovpn_ncp_list list = { 0 };
	struct ovpn_ncp_list back = { 0 };
	size_t bad = 0;
	size_t len = 0;
	int rc;

	for (unsigned c = 0; c < OVPN_CIPHER_COUNT; c++)
		(void)ovpn_ncp_text_contains(s, size, (enum ovpn_cipher)c); // in bounds
	rc = ovpn_ncp_parse(s, size, UINT32_MAX, &list, &bad);
	check(bad <= size);
	if (rc < 0)
		return 0;
	check(list.count > 0);
	check(ovpn_ncp_build(&list, text, sizeof(text), &len) == 0);
	check(ovpn_ncp_parse(text, len, UINT32_MAX, &back, NULL) == 0);
	check(back.count == list.count && memcmp(back.cipher, list.cipher, list.count) == 0);
	for (unsigned i = 0; i < list.count; i++)
		check(ovpn_ncp_text_contains(text, len, (enum ovpn_cipher)list.cipher[i]));
	return 0;
}
