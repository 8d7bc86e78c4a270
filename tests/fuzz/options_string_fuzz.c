// SPDX-License-Identifier: BSD-3-Clause
// Options strings: items, cipher, differences, the client's cipher selection, what a server learns
// from a client's string, and what it answers.
#include <stdlib.h>
#include <string.h>

#include "protocol/ncp.h"
#include "protocol/options_string.h"

static void check(bool ok)
{
	if (!ok)
		abort();
}

static void check_facts(const char *s, size_t size)
{
	struct ovpn_options_facts f;

	ovpn_options_learn(s, size, &f);
	check(f.usable || (!f.comp && !f.has_cipher && !f.has_digest && f.tun_mtu == 1500));
	check((unsigned)f.cipher < OVPN_CIPHER_COUNT && (unsigned)f.digest < OVPN_DIGEST_COUNT);
	check(f.key_bits <= 4096 && f.link_mtu <= 70000 && f.tun_mtu <= 70000);
}

// What we send is one line of printable text that begins as every such string, in any buffer.
static void check_answer(const char *s, size_t size, uint32_t tun_mtu, size_t room)
{
	char buf[2 * OVPN_OPTIONS_MAX];
	size_t len = 0;

	memset(buf, 0x7f, sizeof(buf));
	if (ovpn_options_answer(s, size, tun_mtu, buf, room, &len) == 0) {
		check(len < room && strlen(buf) == len && memcmp(buf, "V4,dev-type tun", 15) == 0);
		for (size_t i = 0; i < len; i++)
			check(buf[i] >= ' ' && buf[i] <= '~');
	}
	for (size_t i = room; i < sizeof(buf); i++)
		check(buf[i] == 0x7f);
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
	check_facts(s, size);
	check_answer(s, size, 0, OVPN_OPTIONS_MAX);
	check_answer(s, size, 1400, 2 * OVPN_OPTIONS_MAX);
	check_answer(s, size, 70000, size % OVPN_OPTIONS_MAX);
	return 0;
}
