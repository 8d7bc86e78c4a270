// SPDX-License-Identifier: BSD-3-Clause
// A data packet of every format that isn't AEAD, of the epoch format, and the framing inside. The
// first byte chooses cipher and digest, the second the rest; formats without an HMAC let everything
// through, so the input reaches padding, packet-ids and framing.
#include <stdlib.h>

#include "protocol/framing.h"
#include "protocol/tls/data_epoch.h"
#include "protocol/tls/data_legacy.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void check(bool ok)
{
	if (!ok)
		abort();
}

static void unframe(uint8_t choice, uint8_t *p, size_t len)
{
	static struct ovpn_defrag defrag;
	struct ovpn_fragment f;
	struct ovpn_span whole;
	uint8_t *at = p;
	size_t rest = len;

	if (defrag.open == NULL)
		ovpn_defrag_init(&defrag, calloc(1, ovpn_defrag_bytes(4, 2048)), 4, 2048);
	if (ovpn_fragment_parse(p, len, &f) == 0 && f.type != OVPN_FRAGMENT_WHOLE &&
		ovpn_defrag_add(&defrag, choice & 3, choice, &f, p + 4, len - 4, &whole) == 1)
		check(whole.len > 0 && whole.len <= 2048);
	if (ovpn_compress_strip((enum ovpn_compress)(choice % OVPN_COMPRESS_COUNT), &at, &rest) ==
		0)
		check(at >= p && rest > 0 && at + rest <= p + len);
}

static void legacy(uint8_t format_choice, uint8_t choice, uint8_t *buf, size_t size)
{
	static const struct ovpn_direction_key key = { { 1, 2, 3 }, { 4, 5, 6 } };
	struct ovpn_legacy_format format = { .cipher = format_choice % OVPN_CIPHER_COUNT,
		.digest = choice % 4 == 0 ? OVPN_DIGEST_SHA1 : OVPN_DIGEST_NONE,
		.static_key = choice >> 7 };
	struct ovpn_legacy_packet p;
	struct ovpn_legacy l;

	if (ovpn_legacy_init(&l, &format, &key, false) < 0)
		return;
	if (ovpn_legacy_open(&l, buf, size, &p) == 0) {
		check(p.len > 0 && p.plain >= buf && p.plain + p.len <= buf + size);
		unframe(choice, p.plain, p.len);
	}
	ovpn_legacy_done(&l);
}

static void epoch(const uint8_t *buf, size_t size)
{
	static const uint8_t secret[OVPN_EPOCH_SECRET_LEN] = { 7 };
	static struct ovpn_epoch_open o;
	uint8_t *plain = malloc(size + 1);
	uint64_t id;
	size_t len;

	if (o.current.ctx == NULL)
		check(ovpn_epoch_open_init(&o, OVPN_CIPHER_AES_128_GCM, secret) == 0);
	check(plain != NULL);
	check(ovpn_epoch_open(&o, buf, size, plain, &len, &id) < 0 || len < size);
	free(plain);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	uint8_t *buf;

	if (size < 3)
		return 0;
	buf = malloc(size - 2); // exactly as long as the packet, for the sanitizer
	check(buf != NULL);
	memcpy(buf, data + 2, size - 2);
	epoch(buf, size - 2);
	unframe(data[1], buf, size - 2);
	memcpy(buf, data + 2, size - 2);
	legacy(data[0], data[1], buf, size - 2);
	free(buf);
	return 0;
}
