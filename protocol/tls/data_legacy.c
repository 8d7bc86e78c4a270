// SPDX-License-Identifier: BSD-3-Clause
#include "protocol/tls/data_legacy.h"

#include <errno.h>
#include <limits.h>
#include <openssl/crypto.h>
#include <openssl/evp.h>
#include <openssl/rand.h>
#include <string.h>

#include "protocol/bytes.h"
#include "protocol/tls/legacy_algorithm.h"

#define SHORT_ID_LEN 4u
#define LONG_ID_LEN 8u
#define PLAIN_MAX (INT_MAX / 2)

bool ovpn_legacy_long_ids(const struct ovpn_legacy_format *format)
{
	enum ovpn_cipher_mode mode = ovpn_cipher_info((enum ovpn_cipher)format->cipher)->mode;

	return format->static_key || mode == OVPN_MODE_CFB || mode == OVPN_MODE_OFB;
}

const char *ovpn_legacy_check(const struct ovpn_legacy_format *format)
{
	enum ovpn_cipher_mode mode = ovpn_cipher_info((enum ovpn_cipher)format->cipher)->mode;

	if (format->cipher >= OVPN_CIPHER_COUNT || format->digest >= OVPN_DIGEST_COUNT)
		return "cipher or digest is unknown";
	if (mode == OVPN_MODE_AEAD)
		return format->static_key ? "AEAD ciphers don't work with a static key"
					  : "AEAD ciphers have a format of their own";
	if (format->static_key && mode != OVPN_MODE_CBC && mode != OVPN_MODE_NONE)
		return "CFB and OFB don't work with a static key";
	if (format->cipher == OVPN_CIPHER_NONE && format->digest == OVPN_DIGEST_NONE)
		return "cipher none with auth none protects nothing";
	if (format->cipher != OVPN_CIPHER_NONE && ovpn_legacy_cipher(format->cipher) == NULL)
		return ovpn_legacy_is_old(format->cipher) ? "the cipher needs the legacy provider "
							    "of OpenSSL, which this machine lacks"
							  : "OpenSSL here lacks this cipher";
	if (format->digest != OVPN_DIGEST_NONE && ovpn_legacy_digest(format->digest) == NULL)
		return "OpenSSL here lacks this digest";
	return NULL;
}

static int init_cipher(struct ovpn_legacy *l, uint8_t cipher, const uint8_t *key, bool seal)
{
	uint8_t any = 0;

	for (unsigned i = 0; i < ovpn_cipher_info((enum ovpn_cipher)cipher)->key_len; i++)
		any |= key[i];
	if (any == 0)
		return -EKEYREJECTED;
	l->cipher_ctx = EVP_CIPHER_CTX_new();
	if (l->cipher_ctx == NULL ||
		!EVP_CipherInit_ex2(
			l->cipher_ctx, ovpn_legacy_cipher(cipher), key, NULL, seal, NULL) ||
		!EVP_CIPHER_CTX_set_padding(l->cipher_ctx, 0))
		return -EIO;
	return 0;
}

// The key's two pads are hashed anew for each packet: two more blocks, but neither a copy of a
// context nor what libcrypto allocates for one.
static int init_hmac(struct ovpn_legacy *l, uint8_t digest, const uint8_t *key)
{
	const EVP_MD *md = ovpn_legacy_digest(digest);

	l->hash_block = (uint8_t)EVP_MD_get_block_size(md);
	if (l->hash_block == 0 || l->hash_block > sizeof(l->ipad))
		return -EIO;
	for (unsigned i = 0; i < l->hash_block; i++) {
		uint8_t k = i < l->digest_len ? key[i] : 0; // as long as the digest: 5.5

		l->ipad[i] = k ^ 0x36;
		l->opad[i] = k ^ 0x5c;
	}
	l->md_ctx = EVP_MD_CTX_new();
	return l->md_ctx != NULL && EVP_DigestInit_ex2(l->md_ctx, md, NULL) ? 0 : -EIO;
}

int ovpn_legacy_init(struct ovpn_legacy *l, const struct ovpn_legacy_format *format,
	const struct ovpn_direction_key *key, bool seal)
{
	const struct ovpn_cipher_info *ci = ovpn_cipher_info((enum ovpn_cipher)format->cipher);
	int rc = 0;

	memset(l, 0, sizeof(*l));
	if (ovpn_legacy_check(format) != NULL)
		return -ENOTSUP;
	l->mode = ci->mode;
	l->iv_len = ci->iv_len;
	l->block_len = ci->block_len;
	l->digest_len = (uint8_t)ovpn_digest_len((enum ovpn_digest)format->digest);
	l->static_key = format->static_key;
	l->seal = seal;
	if (ci->mode == OVPN_MODE_CBC || ci->mode == OVPN_MODE_NONE)
		l->id_len = format->static_key ? LONG_ID_LEN : SHORT_ID_LEN;
	if (format->cipher != OVPN_CIPHER_NONE)
		rc = init_cipher(l, format->cipher, key->cipher_key, seal);
	if (rc == 0 && format->digest != OVPN_DIGEST_NONE)
		rc = init_hmac(l, format->digest, key->hmac_key);
	if (rc < 0)
		ovpn_legacy_done(l);
	return rc;
}

void ovpn_legacy_done(struct ovpn_legacy *l)
{
	EVP_CIPHER_CTX_free(l->cipher_ctx); // wipes the key schedule
	EVP_MD_CTX_free(l->md_ctx);
	explicit_bzero(l, sizeof(*l));
}

int ovpn_legacy_set_sid(struct ovpn_legacy *l, const uint8_t *sid)
{
	bool room = l->mode == OVPN_MODE_CBC ||
		((l->mode == OVPN_MODE_CFB || l->mode == OVPN_MODE_OFB) && l->iv_len == 16);

	if (sid == NULL) {
		l->lazy = false;
		return 0;
	}
	if (!room || l->digest_len == 0 || l->static_key)
		return -ENOTSUP;
	memcpy(l->sid, sid, OVPN_SID_LEN);
	l->lazy = true;
	return 0;
}

size_t ovpn_legacy_plain_off(const struct ovpn_legacy *l, size_t header_len)
{
	return header_len + l->digest_len + l->iv_len + l->id_len;
}

size_t ovpn_legacy_sealed_len(const struct ovpn_legacy *l, size_t header_len, size_t len)
{
	size_t text = l->id_len + len;

	if (l->mode == OVPN_MODE_CBC)
		text = (text / l->block_len + 1) * l->block_len;
	return header_len + l->digest_len + l->iv_len + text;
}

static bool hmac(struct ovpn_legacy *l, const uint8_t *data, size_t len, uint8_t *out)
{
	uint8_t inner[OVPN_DIGEST_MAX];

	return EVP_DigestInit_ex2(l->md_ctx, NULL, NULL) &&
		EVP_DigestUpdate(l->md_ctx, l->ipad, l->hash_block) &&
		EVP_DigestUpdate(l->md_ctx, data, len) &&
		EVP_DigestFinal_ex(l->md_ctx, inner, NULL) &&
		EVP_DigestInit_ex2(l->md_ctx, NULL, NULL) &&
		EVP_DigestUpdate(l->md_ctx, l->opad, l->hash_block) &&
		EVP_DigestUpdate(l->md_ctx, inner, l->digest_len) &&
		EVP_DigestFinal_ex(l->md_ctx, out, NULL);
}

// Encrypt or decrypt in place. CBC: whole blocks.
static bool crypt(struct ovpn_legacy *l, const uint8_t *iv, uint8_t *text, size_t len)
{
	int n;

	return EVP_CipherInit_ex2(l->cipher_ctx, NULL, NULL, iv, -1, NULL) &&
		EVP_CipherUpdate(l->cipher_ctx, text, &n, text, (int)len) && n == (int)len;
}

static bool draw_iv(struct ovpn_legacy *l, uint8_t *iv)
{
	if (l->random_left < l->iv_len) {
		if (RAND_bytes(l->random, sizeof(l->random)) != 1)
			return false;
		l->random_left = sizeof(l->random);
	}
	l->random_left = (uint16_t)(l->random_left - l->iv_len);
	memcpy(iv, l->random + l->random_left, l->iv_len);
	return true;
}

// Write the IV. Returns false when there is no randomness.
static bool put_iv(struct ovpn_legacy *l, uint64_t id, const uint8_t *given, uint8_t *iv)
{
	if (l->mode == OVPN_MODE_CBC) {
		if (given != NULL)
			memcpy(iv, given, l->iv_len);
		else if (!draw_iv(l, iv))
			return false;
	} else {
		memset(iv, 0, l->iv_len);
		ovpn_put_be32(iv, (uint32_t)id);
		ovpn_put_be32(iv + 4, (uint32_t)(id >> 32));
	}
	if (l->lazy) // the whole of an IV of 8 bytes, the second half of one of 16
		memcpy(iv + l->iv_len - OVPN_SID_LEN, l->sid, OVPN_SID_LEN);
	return true;
}

int ovpn_legacy_seal(struct ovpn_legacy *l, const uint8_t *header, size_t header_len, uint64_t id,
	const uint8_t *iv, const uint8_t *plain, size_t len, uint8_t *out, size_t *ret_len)
{
	uint8_t *mac = out + header_len;
	uint8_t *iv_at = mac + l->digest_len;
	uint8_t *text = iv_at + l->iv_len;
	size_t text_len = l->id_len + len;

	if (l->static_key ? header_len != 0
			  : header_len != OVPN_HDR_V1_LEN && header_len != OVPN_HDR_V2_LEN)
		return -EINVAL;
	if (len == 0 || len > PLAIN_MAX || (uint32_t)id == 0 || !l->seal)
		return -EINVAL;
	memmove(text + l->id_len, plain, len); // first: the plain may lie where anything else goes
	if (header_len > 0)
		memmove(out, header, header_len);
	if (l->id_len > 0)
		ovpn_put_be32(text, (uint32_t)id);
	if (l->id_len == LONG_ID_LEN)
		ovpn_put_be32(text + SHORT_ID_LEN, (uint32_t)(id >> 32));
	if (l->mode == OVPN_MODE_CBC) {
		uint8_t pad = (uint8_t)(l->block_len - text_len % l->block_len);

		memset(text + text_len, pad, pad);
		text_len += pad;
	}
	if (l->cipher_ctx != NULL &&
		(!put_iv(l, id, iv, iv_at) || !crypt(l, iv_at, text, text_len)))
		return -EIO;
	if (l->md_ctx != NULL && !hmac(l, iv_at, l->iv_len + text_len, mac))
		return -EIO;
	*ret_len = (size_t)(text - out) + text_len;
	return 0;
}

// Length of PKCS #7 padding, 0 when it is wrong. The time doesn't depend on where it is wrong.
static size_t padding_of(const uint8_t *text, size_t len, unsigned block)
{
	uint8_t pad = text[len - 1];
	uint8_t bad = pad == 0 || pad > block;

	for (unsigned i = 1; i <= block; i++)
		bad |= (uint8_t)((text[len - i] != pad) & (i <= pad));
	return bad ? 0 : pad;
}

// Decrypt what an HMAC has vouched for, take padding and packet-id off.
static int open_text(struct ovpn_legacy *l, const uint8_t *iv, uint8_t *text, size_t len,
	struct ovpn_legacy_packet *ret_packet)
{
	if (l->cipher_ctx != NULL && !crypt(l, iv, text, len))
		return -EIO;
	if (l->mode == OVPN_MODE_CBC) {
		size_t pad = padding_of(text, len, l->block_len);

		if (pad == 0)
			return -EILSEQ;
		len -= pad;
	}
	if (len <= l->id_len)
		return -EINVAL;
	if (l->id_len == 0)
		ret_packet->id = ovpn_long_id(ovpn_get_be32(iv + 4), ovpn_get_be32(iv));
	else if (l->id_len == LONG_ID_LEN)
		ret_packet->id =
			ovpn_long_id(ovpn_get_be32(text + SHORT_ID_LEN), ovpn_get_be32(text));
	else
		ret_packet->id = ovpn_get_be32(text);
	ret_packet->plain = text + l->id_len;
	ret_packet->len = len - l->id_len;
	return 0;
}

int ovpn_legacy_open(
	struct ovpn_legacy *l, uint8_t *dgram, size_t len, struct ovpn_legacy_packet *ret_packet)
{
	uint8_t want[OVPN_DIGEST_MAX];
	struct ovpn_hdr hdr = { 0 };
	size_t fixed;
	uint8_t *mac;

	if (l->seal || len > PLAIN_MAX)
		return -EINVAL;
	if (!l->static_key &&
		(ovpn_hdr_parse(dgram, len, &hdr) < 0 || !ovpn_opcode_is_data(hdr.opcode)))
		return -EINVAL;
	fixed = hdr.len + l->digest_len + l->iv_len;
	if (len <= fixed + (l->mode == OVPN_MODE_CBC ? 0 : l->id_len) ||
		(len - fixed) % l->block_len != 0)
		return -EINVAL;
	mac = dgram + hdr.len;
	if (l->md_ctx != NULL) {
		if (!hmac(l, mac + l->digest_len, len - hdr.len - l->digest_len, want))
			return -EIO;
		if (CRYPTO_memcmp(want, mac, l->digest_len) != 0)
			return -EBADMSG;
	}
	return open_text(l, mac + l->digest_len, dgram + fixed, len - fixed, ret_packet);
}

int ovpn_static_keys_cut(const struct ovpn_static_key *key, int direction,
	struct ovpn_direction_key *ret_send, struct ovpn_direction_key *ret_receive)
{
	const size_t half = OVPN_STATIC_KEY_SIZE / 2;
	const uint8_t *send = key->bytes + (direction == 1 ? half : 0);
	const uint8_t *receive = key->bytes + (direction == 0 ? half : 0);

	if (direction < -1 || direction > 1)
		return -EINVAL;
	memcpy(ret_send->cipher_key, send, sizeof(ret_send->cipher_key));
	memcpy(ret_send->hmac_key, send + half / 2, sizeof(ret_send->hmac_key));
	memcpy(ret_receive->cipher_key, receive, sizeof(ret_receive->cipher_key));
	memcpy(ret_receive->hmac_key, receive + half / 2, sizeof(ret_receive->hmac_key));
	return 0;
}
