// SPDX-License-Identifier: BSD-3-Clause
// A decrypted payload: its kind, OCC messages, and the words of the mobility option.
#include <stdlib.h>

#include "protocol/mobility.h"
#include "protocol/ping.h"

static void check(bool ok)
{
	if (!ok)
		abort();
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	enum ovpn_payload_kind kind = ovpn_payload_classify(data, size);
	struct ovpn_mobility mobility;
	uint8_t again[66000];
	struct ovpn_occ back;
	struct ovpn_occ occ;
	size_t len = 0;

	check(kind != OVPN_PAYLOAD_PING || ovpn_is_ping(data, size));
	if (ovpn_mobility_parse((const char *)data, size, &mobility) == 0)
		check(mobility.version >= 1);
	if (ovpn_occ_parse(data, size, &occ) < 0)
		return 0;
	check(kind == OVPN_PAYLOAD_OCC);
	// Longer options strings are taken than written.
	if (occ.options.len >= OVPN_OCC_OPTIONS_MAX)
		return 0;
	check(ovpn_occ_build(&occ, again, sizeof(again), &len) == 0);
	check(ovpn_occ_parse(again, len, &back) == 0);
	check(back.op == occ.op && back.options.len == occ.options.len);
	check(back.load_size == occ.load_size && back.sent_max == occ.sent_max);
	return 0;
}
