// SPDX-License-Identifier: BSD-3-Clause
// Options strings: items, cipher, differences, and the client's cipher selection.
#include <stdlib.h>

#include "protocol/ncp.h"
#include "protocol/options_string.h"

static void check(bool ok)
{
	if (!ok)
		abort();
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	static const struct ovpn_ncp_list ours = { 2,
		{ OVPN_CIPHER_AES_256_GCM, OVPN_CIPHER_AES_128_GCM } };
	const char *s = (const char *)data;
	struct ovpn_ncp_client in = { .ours = &ours, .options = s, .options_len = size };
	enum ovpn_cipher cipher;
	const char *item;
	size_t pos = 0;
	size_t len;

	while (ovpn_options_next(s, size, &pos, &item, &len))
		check(pos <= size && item >= s && item + len <= s + size);
	if (ovpn_options_cipher(s, size, &item, &len))
		check(len > 0);
	(void)ovpn_options_comp(s, size); // only that it stays in bounds
	pos = 0;
	while (ovpn_options_mismatch(s, size, "V4,dev-type tun,tun-mtu 1500", &pos, &item, &len))
		check(pos <= size && len > 0);
	if (ovpn_ncp_select_client(&in, &cipher) == 0)
		check(ovpn_ncp_contains(&ours, cipher));
	in.pushed = s;
	in.pushed_len = size;
	if (ovpn_ncp_select_client(&in, &cipher) == 0)
		check(ovpn_ncp_contains(&ours, cipher));
	return 0;
}
