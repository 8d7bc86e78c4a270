// SPDX-License-Identifier: BSD-3-Clause
// Key method 2 in both directions: what parses can be written and parses to the same.
#include <errno.h>
#include <stdlib.h>

#include "protocol/key_method2.h"

static void check(bool ok)
{
	if (!ok)
		abort();
}

static bool same(const struct ovpn_span *a, const struct ovpn_span *b)
{
	return (a->data == NULL) == (b->data == NULL) && a->len == b->len &&
		(a->len == 0 || memcmp(a->data, b->data, a->len) == 0);
}

static void run(const uint8_t *data, size_t size, bool from_client)
{
	uint8_t again[OVPN_KM2_MAX + 8];
	struct ovpn_km2 back;
	struct ovpn_km2 m;
	size_t len = 0;
	int rc;

	if (ovpn_km2_parse(data, size, from_client, &m) < 0)
		return;
	rc = ovpn_km2_build(&m, from_client, again, sizeof(again), &len);
	// Fields missing at the end are written as absent ones, eight bytes at most.
	check(rc == 0 || rc == -EMSGSIZE);
	check(rc == 0 || m.too_long || size > OVPN_KM2_MAX - 8);
	if (rc < 0)
		return;
	check(ovpn_km2_parse(again, len, from_client, &back) == 0);
	check(same(&m.options, &back.options) && same(&m.username, &back.username));
	check(same(&m.password, &back.password) && same(&m.peer_info, &back.peer_info));
	check(memcmp(m.random2, back.random2, OVPN_KM2_RANDOM_LEN) == 0);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	run(data, size, true);
	run(data, size, false);
	return 0;
}
