// SPDX-License-Identifier: BSD-3-Clause
// The wrapped client key of tls-crypt-v2:
//
//   tag[32] || AES-256-CTR(Ke, tag[0..15], Kc[256] || metadata) || length[2]
//   tag = HMAC-SHA256(Ka, length || Kc || metadata)
//
// Source: protocol.md 3.5.
#include <errno.h>
#include <openssl/crypto.h>
#include <string.h>

#include "protocol/tls/mac.h"
#include "protocol/tls/static_key.h"

#define TAG_SIZE 32
#define LENGTH_SIZE 2
#define SERVER_HMAC_OFFSET 64
// Shortest tls-crypt packet in front of a WKc: header, id and time, tag, one byte.
#define TLS_CRYPT_MIN 50

int ovpn_wkc_seal(const struct ovpn_v2_server_key *server, const struct ovpn_static_key *kc,
	const uint8_t *metadata, size_t metadata_len, uint8_t *ret_wkc, size_t *ret_len)
{
	uint8_t plain[OVPN_STATIC_KEY_SIZE + OVPN_WKC_METADATA_MAX];
	uint8_t wkc[OVPN_WKC_MAX];
	uint8_t length[LENGTH_SIZE];
	struct ovpn_span piece[2];
	size_t plain_len = OVPN_STATIC_KEY_SIZE + metadata_len;
	size_t len = TAG_SIZE + plain_len + LENGTH_SIZE;
	int rc;

	if (metadata_len > OVPN_WKC_METADATA_MAX)
		return -EINVAL;
	memcpy(plain, kc->bytes, OVPN_STATIC_KEY_SIZE);
	if (metadata_len > 0)
		memcpy(plain + OVPN_STATIC_KEY_SIZE, metadata, metadata_len);
	ovpn_put_be16(length, (uint16_t)len);
	piece[0] = (struct ovpn_span){ length, sizeof(length) };
	piece[1] = (struct ovpn_span){ plain, plain_len };
	rc = ovpn_hmac(OVPN_DIGEST_SHA256, server->bytes + SERVER_HMAC_OFFSET, 32, piece, 2, wkc);
	if (rc == 0)
		rc = ovpn_aes256_ctr(server->bytes, wkc, plain, plain_len, wkc + TAG_SIZE);
	if (rc == 0) {
		memcpy(wkc + len - LENGTH_SIZE, length, sizeof(length));
		memcpy(ret_wkc, wkc, len);
		*ret_len = len;
	}
	explicit_bzero(plain, sizeof(plain));
	return rc;
}

int ovpn_wkc_open(const struct ovpn_v2_server_key *server, const uint8_t *wkc, size_t wkc_len,
	struct ovpn_static_key *ret_kc, uint8_t *ret_metadata, size_t *ret_metadata_len)
{
	uint8_t plain[OVPN_STATIC_KEY_SIZE + OVPN_WKC_METADATA_MAX];
	uint8_t tag[TAG_SIZE];
	struct ovpn_span piece[2];
	size_t plain_len;
	int rc;

	if (wkc_len < OVPN_WKC_MIN || wkc_len > OVPN_WKC_MAX)
		return -EINVAL;
	if (ovpn_get_be16(wkc + wkc_len - LENGTH_SIZE) != wkc_len)
		return -EINVAL;
	plain_len = wkc_len - TAG_SIZE - LENGTH_SIZE;
	rc = ovpn_aes256_ctr(server->bytes, wkc, wkc + TAG_SIZE, plain_len, plain);
	piece[0] = (struct ovpn_span){ wkc + wkc_len - LENGTH_SIZE, LENGTH_SIZE };
	piece[1] = (struct ovpn_span){ plain, plain_len };
	if (rc == 0)
		rc = ovpn_hmac(
			OVPN_DIGEST_SHA256, server->bytes + SERVER_HMAC_OFFSET, 32, piece, 2, tag);
	if (rc == 0 && CRYPTO_memcmp(tag, wkc, TAG_SIZE) != 0)
		rc = -EBADMSG;
	if (rc == 0) {
		memcpy(ret_kc->bytes, plain, OVPN_STATIC_KEY_SIZE);
		plain_len -= OVPN_STATIC_KEY_SIZE;
		if (ret_metadata != NULL) {
			memcpy(ret_metadata, plain + OVPN_STATIC_KEY_SIZE, plain_len);
			*ret_metadata_len = plain_len;
		}
	}
	explicit_bzero(plain, sizeof(plain));
	return rc;
}

int ovpn_wkc_cut(const uint8_t *dgram, size_t len, size_t *ret_body_len)
{
	size_t wkc_len;

	if (len < TLS_CRYPT_MIN + OVPN_WKC_MIN)
		return -EINVAL;
	wkc_len = ovpn_get_be16(dgram + len - LENGTH_SIZE);
	if (wkc_len < OVPN_WKC_MIN || wkc_len > OVPN_WKC_MAX || wkc_len + TLS_CRYPT_MIN > len)
		return -EINVAL;
	*ret_body_len = len - wkc_len;
	return 0;
}
