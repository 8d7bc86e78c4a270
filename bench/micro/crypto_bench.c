// SPDX-License-Identifier: BSD-3-Clause
// What a packet costs to encrypt and decrypt: raw calls of IPsec-MB, and the layer through which
// the dataplane makes them (nonces, prefetching, comparing tags), 1,024 keys, a new one each
// packet.
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "bench/micro/micro.h"
#include "bench/noise.h"

#define KEYS 1024u
#define N PG_MICRO_PACKETS
#define ROOM 2048u

struct lab {
	IMB_MGR *mb;
	struct dp_crypto *crypto;
	uint8_t (*cell)[DP_CRYPTO_CELL];
	uint8_t (*frame)[ROOM];
	struct dp_crypto_op op[N];
	struct pg_samples raw, ours;
	uint32_t next_id;
};

static const struct {
	enum ovpn_cipher cipher;
	const char *name;
} ciphers[] = {
	{ OVPN_CIPHER_AES_256_GCM, "aes-256-gcm" },
	{ OVPN_CIPHER_AES_128_GCM, "aes-128-gcm" },
	{ OVPN_CIPHER_CHACHA20_POLY1305, "chacha20-poly1305" },
};

static int lab_init(struct lab *l)
{
	memset(l, 0, sizeof(*l));
	l->mb = alloc_mb_mgr(0);
	l->crypto = dp_crypto_create();
	l->cell = aligned_alloc(64, KEYS * sizeof(*l->cell));
	l->frame = aligned_alloc(64, N * sizeof(*l->frame));
	if (l->mb == NULL || l->crypto == NULL || l->cell == NULL || l->frame == NULL)
		return -ENOMEM;
	init_mb_mgr_auto(l->mb, NULL);
	memset(l->frame, 0x5a, N * sizeof(*l->frame));
	return 0;
}

static void lab_done(struct lab *l)
{
	pg_samples_done(&l->raw);
	pg_samples_done(&l->ours);
	if (l->mb != NULL)
		free_mb_mgr(l->mb);
	(void)dp_crypto_free(l->crypto);
	free(l->cell);
	free(l->frame);
}

static int set_keys(struct lab *l, enum ovpn_cipher cipher)
{
	uint8_t key[OVPN_KEY_MAX], iv[OVPN_IMPLICIT_IV_LEN] = { 1 };
	int rc = 0;

	for (unsigned i = 0; i < KEYS && rc == 0; i++) {
		memset(key, (int)(i % 251 + 1), sizeof(key));
		memcpy(key, &i, sizeof(i));
		rc = dp_crypto_expand(l->crypto, (uint8_t)cipher, key, iv, l->cell[i]);
	}
	return rc;
}

// Frames in the shape of P_DATA_V2: eight bytes of header, tag, payload.
static void set_ops(struct lab *l, enum ovpn_cipher cipher, uint16_t len)
{
	for (unsigned i = 0; i < N; i++)
		l->op[i] = (struct dp_crypto_op){
			.cell = l->cell[(i * 617u) % KEYS],
			.aad = l->frame[i],
			.aad_len = 8,
			.tag = l->frame[i] + 8,
			.data = l->frame[i] + 24,
			.len = len,
			.cipher = (uint8_t)cipher,
			.packet_id = ++l->next_id,
		};
}

static aes_gcm_enc_dec_t raw_call(const struct lab *l, enum ovpn_cipher cipher, bool open)
{
	if (cipher == OVPN_CIPHER_AES_256_GCM)
		return open ? l->mb->gcm256_dec : l->mb->gcm256_enc;
	return open ? l->mb->gcm128_dec : l->mb->gcm128_enc;
}

static void raw_gcm(struct lab *l, aes_gcm_enc_dec_t call)
{
	uint8_t nonce[12] = { 0 };
	struct gcm_context_data ctx;

	for (unsigned i = 0; i < N; i++) {
		struct dp_crypto_op *o = &l->op[i];

		memcpy(nonce, &o->packet_id, 4);
		call((const struct gcm_key_data *)o->cell, &ctx, o->data, o->data, o->len, nonce,
			o->aad, o->aad_len, o->tag, 16);
	}
}

// The library's fastest way for this cipher: jobs, flushed at the end of each batch of 32.
static void raw_chacha(struct lab *l, bool open)
{
	static uint8_t nonce[PG_MICRO_BATCH][12];

	for (unsigned i = 0; i < N; i++) {
		struct dp_crypto_op *o = &l->op[i];
		IMB_JOB *job = IMB_GET_NEXT_JOB(l->mb);

		memcpy(nonce[i % PG_MICRO_BATCH], &o->packet_id, 4);
		*job = (IMB_JOB){
			.enc_keys = o->cell,
			.dec_keys = o->cell,
			.key_len_in_bytes = 32,
			.src = o->data,
			.dst = o->data,
			.msg_len_to_cipher_in_bytes = o->len,
			.msg_len_to_hash_in_bytes = o->len,
			.iv = nonce[i % PG_MICRO_BATCH],
			.iv_len_in_bytes = 12,
			.auth_tag_output = o->tag,
			.auth_tag_output_len_in_bytes = 16,
			.u.CHACHA20_POLY1305.aad = o->aad,
			.u.CHACHA20_POLY1305.aad_len_in_bytes = o->aad_len,
			.cipher_mode = IMB_CIPHER_CHACHA20_POLY1305,
			.hash_alg = IMB_AUTH_CHACHA20_POLY1305,
			.cipher_direction = open ? IMB_DIR_DECRYPT : IMB_DIR_ENCRYPT,
			.chain_order = open ? IMB_ORDER_HASH_CIPHER : IMB_ORDER_CIPHER_HASH,
		};
		(void)IMB_SUBMIT_JOB_NOCHECK(l->mb);
		while (i % PG_MICRO_BATCH == PG_MICRO_BATCH - 1 && IMB_FLUSH_JOB(l->mb) != NULL)
			;
	}
}

static void ours(struct lab *l, bool open)
{
	for (unsigned i = 0; i < N; i += PG_MICRO_BATCH) {
		if (open)
			(void)dp_crypto_open(l->crypto, &l->op[i], PG_MICRO_BATCH);
		else
			(void)dp_crypto_seal(l->crypto, &l->op[i], PG_MICRO_BATCH);
	}
}

static int round_of(struct lab *l, enum ovpn_cipher cipher, bool open, uint16_t len)
{
	double before, between, after;
	uint64_t t0, t1, t2, t3;
	int rc;

	set_ops(l, cipher, len);
	if (open) // decryption gets real ciphertext
		ours(l, false);
	before = pg_noise_probe();
	t0 = pg_tsc();
	ours(l, open);
	t1 = pg_tsc();
	between = pg_noise_probe();
	if (open && !l->op[0].ok)
		return -EBADMSG;
	t2 = pg_tsc();
	if (cipher == OVPN_CIPHER_CHACHA20_POLY1305)
		raw_chacha(l, open);
	else
		raw_gcm(l, raw_call(l, cipher, open));
	t3 = pg_tsc();
	after = pg_noise_probe();
	rc = pg_samples_add(
		&l->ours, (double)(t1 - t0) / N, pg_noise_quiet(before) && pg_noise_quiet(between));
	if (rc == 0)
		rc = pg_samples_add(&l->raw, (double)(t3 - t2) / N,
			pg_noise_quiet(between) && pg_noise_quiet(after));
	return rc;
}

static int measure(struct pg_micro *m, struct lab *l, unsigned c, bool open, uint16_t len)
{
	char id[64];
	struct pg_figure raw = { .id = id, .unit = "cycles" };
	struct pg_figure fig = { .id = id, .unit = "cycles" };
	int rc = 0;

	l->raw.n = l->ours.n = 0;
	while (rc == 0 && !pg_samples_enough(&l->ours, m->rounds))
		rc = round_of(l, ciphers[c].cipher, open, len);
	if (rc < 0)
		return rc;
	raw.summary = pg_samples_summary(&l->raw);
	fig.summary = pg_samples_summary(&l->ours);
	(void)snprintf(id, sizeof(id), "crypto.%s.%s.%u.raw", open ? "decrypt" : "encrypt",
		ciphers[c].name, len);
	pg_report_add(&m->report, &raw);
	(void)snprintf(id, sizeof(id), "crypto.%s.%s.%u", open ? "decrypt" : "encrypt",
		ciphers[c].name, len);
	fig.reference = raw.summary.median;
	fig.ratio = fig.summary.median / fig.reference;
	pg_report_add(&m->report, &fig);
	return 0;
}

int pg_micro_crypto(struct pg_micro *m)
{
	struct lab *l = calloc(1, sizeof(*l));
	int rc = l != NULL ? lab_init(l) : -ENOMEM;

	for (unsigned c = 0; c < sizeof(ciphers) / sizeof(ciphers[0]) && rc == 0; c++) {
		rc = set_keys(l, ciphers[c].cipher);
		for (unsigned i = 0; i < PG_SIZES * 2 && rc == 0; i++)
			rc = measure(m, l, c, i % 2 == 0, pg_sizes[i / 2]);
	}
	if (l != NULL)
		lab_done(l);
	free(l);
	return rc;
}
