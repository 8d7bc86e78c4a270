// SPDX-License-Identifier: BSD-3-Clause
// Sessions of the legacy branch: their keys, what follows from their formats, their ports.
#include "dataplane/legacy.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "protocol/data_size.h"
#include "protocol/mobility.h"

struct dp_legacy *dp_legacy_create(void)
{
	struct dp_legacy *l = calloc(1, sizeof(*l));

	if (l == NULL)
		return NULL;
	l->crypto = dp_legacy_crypto_create();
	l->defrag_mem = calloc(1, ovpn_defrag_bytes(DP_DEFRAG_OPEN, DP_FRAME_MAX));
	if (l->crypto == NULL || l->defrag_mem == NULL)
		return dp_legacy_free(l);
	ovpn_defrag_init(&l->defrag, l->defrag_mem, DP_DEFRAG_OPEN, DP_FRAME_MAX);
	return l;
}

struct dp_legacy *dp_legacy_free(struct dp_legacy *l)
{
	if (l == NULL)
		return NULL;
	(void)dp_legacy_crypto_free(l->crypto);
	if (l->defrag_mem != NULL)
		explicit_bzero(l->defrag_mem, ovpn_defrag_bytes(DP_DEFRAG_OPEN, DP_FRAME_MAX));
	free(l->defrag_mem);
	free(l);
	return NULL;
}

struct dp_legacy_core *dp_legacy_core_create(void)
{
	return calloc(1, sizeof(struct dp_legacy_core));
}

void dp_legacy_core_free(struct dp_legacy_core *c)
{
	free(c);
}

bool dp_legacy_owns(const struct shm_key_slot *k)
{
	return k->used != 0 && (!dp_crypto_has(k->cipher) || (k->flags & SHM_DIR_EPOCH) != 0);
}

enum ovpn_data_format dp_legacy_data_format(const struct dp_core *core, uint32_t slot)
{
	return dp_dir_flags(core, slot) & SHM_DIR_EPOCH ? OVPN_DATA_FORMAT_EPOCH
							: dp_format(core, slot);
}

void dp_legacy_keys_done(struct shm_key_slot *k)
{
	if (k->flags & SHM_DIR_EPOCH) {
		dp_epoch_rx_free(((struct dp_epoch_cell *)k->rx_cell)->rx);
		dp_epoch_tx_free(((struct dp_epoch_cell *)k->tx_cell)->tx);
		explicit_bzero(k->rx_cell, sizeof(struct dp_epoch_cell));
		explicit_bzero(k->tx_cell, sizeof(struct dp_epoch_cell));
		return;
	}
	dp_legacy_cell_done((struct dp_legacy_cell *)k->rx_cell);
	dp_legacy_cell_done((struct dp_legacy_cell *)k->tx_cell);
}

static int epoch_keys(struct dp_legacy *l, struct shm_key_slot *k, struct dp_legacy_epochs at)
{
	struct dp_epoch_cell *rx = (struct dp_epoch_cell *)k->rx_cell;
	struct dp_epoch_cell *tx = (struct dp_epoch_cell *)k->tx_cell;

	rx->rx = dp_epoch_rx_create(l->crypto, k->cipher, k->rx_raw.cipher_key, at.rx);
	tx->tx = dp_epoch_tx_create(l->crypto, k->cipher, k->tx_raw.cipher_key, at.tx);
	if (rx->rx != NULL && tx->tx != NULL)
		return 0;
	dp_epoch_rx_free(rx->rx);
	dp_epoch_tx_free(tx->tx);
	rx->rx = NULL;
	tx->tx = NULL;
	return -ENOMEM;
}

int dp_legacy_keys(struct dp_legacy *l, struct shm_key_slot *k, struct dp_legacy_epochs at)
{
	struct dp_legacy_cell *rx = (struct dp_legacy_cell *)k->rx_cell;
	struct dp_legacy_cell *tx = (struct dp_legacy_cell *)k->tx_cell;
	int rc;

	if (k->flags & SHM_DIR_EPOCH)
		return epoch_keys(l, k, at);
	rc = dp_legacy_expand(l->crypto, k->cipher, k->digest, k->rx_raw.cipher_key,
		k->rx_raw.hmac_key, false, rx);
	if (rc < 0)
		return rc;
	rc = dp_legacy_expand(l->crypto, k->cipher, k->digest, k->tx_raw.cipher_key,
		k->tx_raw.hmac_key, true, tx);
	if (rc < 0)
		dp_legacy_cell_done(rx);
	return rc;
}

bool dp_legacy_long_ids(uint8_t dir_flags, uint8_t cipher)
{
	uint8_t mode = ovpn_cipher_info((enum ovpn_cipher)cipher)->mode;

	return (dir_flags & SHM_DIR_STATIC) != 0 || mode == OVPN_MODE_CFB || mode == OVPN_MODE_OFB;
}

uint64_t dp_legacy_first_id(uint8_t dir_flags, const struct shm_cmd_key *c)
{
	if (dir_flags & SHM_DIR_EPOCH)
		return 1ull << OVPN_EPOCH_COUNTER_BITS | 1;
	return dp_legacy_long_ids(dir_flags, c->cipher) ? ovpn_long_id(c->net_time, 1) : 1;
}

void dp_legacy_shape(struct dp_core *core, uint32_t slot, uint8_t cipher, uint8_t digest)
{
	struct shm_session *s = &core->session[slot];
	uint8_t flags = dp_dir_flags(core, slot);
	struct ovpn_data_shape shape = {
		.format = dp_legacy_data_format(core, slot),
		.static_key = (flags & SHM_DIR_STATIC) != 0,
		.cipher = (enum ovpn_cipher)cipher,
		.digest = (enum ovpn_digest)digest,
		.compress = (enum ovpn_compress)s->compress,
		.fragment = s->fragment_max != 0,
	};
	size_t len = ovpn_data_packet_len(&shape, OVPN_PING_LEN) + OVPN_SID_LEN;
	int off = ovpn_lazy_sid_offset(shape.format, shape.cipher, shape.digest);
	bool aead = ovpn_cipher_is_aead(shape.cipher);

	// Without an HMAC anybody could move the session (protocol.md 13.8).
	if (shape.static_key || len > OVPN_RECONF_MAX || (!aead && digest == OVPN_DIGEST_NONE)) {
		s->reconf_len = 0;
		return;
	}
	s->reconf_len = (uint16_t)len;
	atomic_fetch_or(&core->legacy->reconf_lens[len / 64], 1ull << len % 64);
	if ((flags & SHM_DIR_LAZY) && off > 0)
		atomic_fetch_or(&core->legacy->lazy_offs[off / 64], 1ull << off % 64);
}

int dp_legacy_port_add(struct dp_core *core, uint32_t slot, uint16_t port_be)
{
	uint32_t expected = 0;

	if (!atomic_compare_exchange_strong(&core->legacy->port_slot[port_be], &expected, slot + 1))
		return expected == slot + 1 ? 0 : -EEXIST;
	atomic_fetch_add(&core->legacy->static_keys, 1);
	return 0;
}

void dp_legacy_port_del(struct dp_core *core, uint32_t slot, uint16_t port_be)
{
	uint32_t expected = slot + 1;

	if (atomic_compare_exchange_strong(&core->legacy->port_slot[port_be], &expected, 0))
		atomic_fetch_sub(&core->legacy->static_keys, 1);
}

bool dp_legacy_reconf_len(const struct dp_core *core, uint16_t len)
{
	return len < DP_LEGACY_LENS * 64 &&
		(atomic_load_explicit(&core->legacy->reconf_lens[len / 64], memory_order_relaxed) >>
				(len % 64) &
			1) != 0;
}
