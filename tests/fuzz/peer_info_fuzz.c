// SPDX-License-Identifier: BSD-3-Clause
// Peer information: every variable that is found lies in the text and can be written again; cipher
// selection on top of it.
#include <stdlib.h>
#include <string.h>

#include "protocol/ncp.h"
#include "protocol/peer_info.h"

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
	const char *info = (const char *)data;
	struct ovpn_ncp_server in = { .ours = &ours, .peer_info = info, .peer_info_len = size };
	enum ovpn_cipher cipher;
	struct ovpn_peer_caps caps;
	struct ovpn_peer_var var;
	size_t pos = 0;
	bool push;

	while (ovpn_peer_info_next(info, size, &pos, &var)) {
		char name[OVPN_PEER_INFO_LINE_MAX + 1] = { 0 };
		char value[OVPN_PEER_INFO_LINE_MAX + 1] = { 0 };
		char line[OVPN_PEER_INFO_LINE_MAX + 2];
		struct ovpn_text t;

		check(pos <= size && var.name_len + 1 + var.value_len <= OVPN_PEER_INFO_LINE_MAX);
		check(var.name >= info && var.value + var.value_len <= info + size);
		memcpy(name, var.name, var.name_len);
		memcpy(value, var.value, var.value_len);
		ovpn_text_init(&t, line, sizeof(line));
		ovpn_peer_info_add(&t, name, value);
		check(ovpn_text_done(&t, NULL) == 0);
	}
	ovpn_peer_info_caps(info, size, &caps);
	if (ovpn_ncp_select_server(&in, &cipher, &push) == 0)
		check(push && ovpn_ncp_contains(&ours, cipher));
	return 0;
}
