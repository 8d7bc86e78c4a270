// SPDX-License-Identifier: BSD-3-Clause
#include "legacy_client.h"

#include <string.h>

#include "protocol/ping.h"
#include "tests/gtc.h"

const struct lc_family lc_families[LC_FAMILIES] = {
	{ OVPN_CIPHER_AES_128_CBC, OVPN_DIGEST_SHA1 },
	{ OVPN_CIPHER_AES_192_CBC, OVPN_DIGEST_SHA256 },
	{ OVPN_CIPHER_AES_256_CBC, OVPN_DIGEST_SHA512 },
	{ OVPN_CIPHER_AES_256_CBC, OVPN_DIGEST_MD5 },
	{ OVPN_CIPHER_AES_256_CBC, OVPN_DIGEST_SHA224 },
	{ OVPN_CIPHER_AES_256_CBC, OVPN_DIGEST_SHA384 },
	{ OVPN_CIPHER_AES_128_CBC, OVPN_DIGEST_NONE },
	{ OVPN_CIPHER_AES_128_CFB, OVPN_DIGEST_SHA1 },
	{ OVPN_CIPHER_AES_192_CFB, OVPN_DIGEST_MD5 },
	{ OVPN_CIPHER_AES_256_CFB, OVPN_DIGEST_SHA512 },
	{ OVPN_CIPHER_AES_128_OFB, OVPN_DIGEST_SHA256 },
	{ OVPN_CIPHER_AES_192_OFB, OVPN_DIGEST_SHA1 },
	{ OVPN_CIPHER_AES_256_OFB, OVPN_DIGEST_NONE },
	{ OVPN_CIPHER_BF_CBC, OVPN_DIGEST_SHA1 },
	{ OVPN_CIPHER_BF_CFB, OVPN_DIGEST_SHA256 },
	{ OVPN_CIPHER_BF_OFB, OVPN_DIGEST_SHA1 },
	{ OVPN_CIPHER_DES_EDE3_CBC, OVPN_DIGEST_SHA1 },
	{ OVPN_CIPHER_CAST5_CBC, OVPN_DIGEST_SHA1 },
	{ OVPN_CIPHER_CAMELLIA_128_CBC, OVPN_DIGEST_SHA256 },
	{ OVPN_CIPHER_CAMELLIA_256_CBC, OVPN_DIGEST_SHA512 },
	{ OVPN_CIPHER_NONE, OVPN_DIGEST_SHA1 },
	{ OVPN_CIPHER_NONE, OVPN_DIGEST_SHA512 },
};

static void as_direction(const struct shm_raw_key *raw, struct ovpn_direction_key *ret_key)
{
	memcpy(ret_key->cipher_key, raw->cipher_key, sizeof(ret_key->cipher_key));
	memcpy(ret_key->hmac_key, raw->hmac_key, sizeof(ret_key->hmac_key));
}

void lc_rekey(struct lc *l)
{
	struct ovpn_direction_key c2s, s2c;

	ovpn_legacy_done(&l->seal);
	ovpn_legacy_done(&l->open);
	as_direction(&l->c.c2s, &c2s);
	as_direction(&l->c.s2c, &s2c);
	GTC_EXPECT_INT(ovpn_legacy_init(&l->seal, &l->format, &c2s, true), 0);
	GTC_EXPECT_INT(ovpn_legacy_init(&l->open, &l->format, &s2c, false), 0);
	l->id = ovpn_legacy_long_ids(&l->format) ? ovpn_long_id(LC_NET_TIME, 1) : 1;
}

void lc_install(struct h *h, uint32_t slot, const struct lc_family *f, struct h_client_opt opt,
	struct lc *l)
{
	memset(l, 0, sizeof(*l));
	opt.legacy = true;
	opt.cipher = f->cipher;
	opt.digest = f->digest;
	opt.net_time = LC_NET_TIME;
	opt.dir_flags |= SHM_DIR_LEGACY;
	l->format = (struct ovpn_legacy_format){ (uint8_t)f->cipher, (uint8_t)f->digest,
		(opt.dir_flags & SHM_DIR_STATIC) != 0 };
	l->compress = (enum ovpn_compress)opt.compress;
	GTC_ASSERT_INT(h_install(h, slot, &opt, &l->c), 0);
	lc_rekey(l);
}

void lc_done(struct lc *l)
{
	ovpn_legacy_done(&l->seal);
	ovpn_legacy_done(&l->open);
}

size_t lc_header_of(const struct lc *l, uint8_t *header)
{
	if (l->format.static_key)
		return 0;
	header[0] = ovpn_first_byte(l->c.v1 ? OVPN_P_DATA_V1 : OVPN_P_DATA_V2, l->c.key_id);
	ovpn_put_be24(header + 1, l->c.slot);
	return l->c.v1 ? 1 : 4;
}

// Bytes that are framed already.
size_t lc_seal_raw(struct lc *l, const uint8_t *plain, size_t len, uint8_t *out)
{
	uint8_t header[4];
	size_t n = 0;

	GTC_EXPECT_INT(ovpn_legacy_seal(&l->seal, header, lc_header_of(l, header), l->id++, NULL,
			       plain, len, out, &n),
		0);
	return n;
}

size_t lc_seal(struct lc *l, const uint8_t *plain, size_t len, uint8_t *out)
{
	uint8_t buf[H_FRAME_MAX + 8];
	uint8_t *p = buf + 4;

	memcpy(p, plain, len);
	p = ovpn_compress_add(l->compress, p, &len);
	return lc_seal_raw(l, p, len, out);
}

size_t lc_ping(struct lc *l, uint8_t *out)
{
	uint8_t p[OVPN_PING_LEN];

	ovpn_ping_put(p);
	return lc_seal(l, p, sizeof(p), out);
}

size_t lc_reconf(struct lc *l, uint8_t *out)
{
	size_t len = lc_ping(l, out);

	memcpy(out + len, l->c.sid, 8);
	return len + 8;
}

// Open a datagram of the server. Returns the length of the payload, -1: not authentic.
int lc_open_dgram(struct lc *l, struct h_datagram *d, uint8_t *plain, uint64_t *ret_id)
{
	struct ovpn_legacy_packet p;
	uint8_t *at;
	size_t len;

	if (ovpn_legacy_open(&l->open, d->data, d->len, &p) < 0)
		return -1;
	at = p.plain;
	len = p.len;
	if (ret_id != NULL)
		*ret_id = p.id;
	if (ovpn_compress_strip(l->compress, &at, &len) < 0)
		return -1;
	memcpy(plain, at, len);
	return (int)len;
}

// Packets up and down, of every length that a block cares about.
void lc_up_and_down(struct h *h, struct lc *l)
{
	uint8_t inner[H_FRAME_MAX], wire[H_FRAME_MAX], got[H_FRAME_MAX];
	struct h_datagram d;
	uint64_t last = 0;

	for (size_t len = 28; len <= 1500; len += len < 60 ? 1 : 113) {
		uint64_t id = 0;

		h_inner(inner, H_TUNNEL(l->c.slot), LC_OUTSIDE, len, false);
		h_outer(h, 0, l->c.addr, l->c.port, wire, lc_seal(l, inner, len, wire));
		h_run(h);
		GTC_EXPECT_INT(h_inner_out(h, got), len);
		GTC_EXPECT_MEM(got, inner, len);
		h_inner(inner, LC_OUTSIDE, H_TUNNEL(l->c.slot), len, false);
		h_inner_in(h, 0, inner, len);
		h_run(h);
		GTC_ASSERT(h_datagram_out(h, &d));
		GTC_EXPECT_INT(H_AT(d.addr, d.port), H_AT(l->c.addr, l->c.port));
		GTC_EXPECT_INT(lc_open_dgram(l, &d, got, &id), len);
		GTC_EXPECT_MEM(got, inner, len);
		GTC_EXPECT(id > last);
		last = id;
	}
	if (ovpn_legacy_long_ids(&l->format))
		GTC_EXPECT_INT(last >> 32, LC_NET_TIME);
}
