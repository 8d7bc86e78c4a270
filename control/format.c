// SPDX-License-Identifier: BSD-3-Clause
#include "control/format.h"

#include <string.h>

#include "config/server.h"
#include "control/peer.h"
#include "protocol/data_size.h"
#include "protocol/key_method2.h"
#include "protocol/mobility.h"
#include "protocol/options_string.h"
#include "protocol/peer_info.h"
#include "shm/layout.h"

#define FRAGMENT_DEFAULT 1300u // for clients with `fragment`, where the server says nothing

static const char *select_cipher(const struct cfg_server *cfg, const struct ovpn_ncp_list *ciphers,
	const struct ovpn_km2 *km, struct ctl_format *f)
{
	const char *fallback = cfg->tls.data_ciphers_fallback;
	struct ovpn_ncp_server in = { .ours = ciphers,
		.peer_info = (const char *)km->peer_info.data,
		.peer_info_len = km->peer_info.len,
		.options = (const char *)km->options.data,
		.options_len = km->options.len };
	enum ovpn_cipher cipher;

	if (fallback != NULL)
		in.has_fallback =
			ovpn_cipher_by_name(fallback, strlen(fallback), &in.fallback) == 0;
	if (ovpn_ncp_select_server(&in, &cipher, &f->push_cipher) < 0)
		return OVPN_NCP_FAILED;
	f->cipher = (uint8_t)cipher;
	return NULL;
}

// The client signs with what its own `auth` says, which nothing negotiates. Its options string
// tells, so there is no need for both ends to say the same; but nobody gets less than asked for.
static const char *select_digest(
	const struct cfg_server *cfg, const struct ovpn_options_facts *facts, struct ctl_format *f)
{
	enum ovpn_digest ours = OVPN_DIGEST_SHA1;

	if (ovpn_cipher_is_aead((enum ovpn_cipher)f->cipher)) {
		f->digest = OVPN_DIGEST_NONE;
		return NULL;
	}
	(void)ovpn_digest_by_name(cfg->tls.auth, strlen(cfg->tls.auth), &ours); // config checked
	f->digest = (uint8_t)(facts->has_digest ? facts->digest : ours);
	if (f->digest == OVPN_DIGEST_NONE && ours != OVPN_DIGEST_NONE)
		return "this server doesn't take 'auth none' with this cipher";
	if (f->digest == OVPN_DIGEST_MD5 && ours != OVPN_DIGEST_MD5)
		return "this server doesn't take 'auth MD5'";
	if (f->cipher == OVPN_CIPHER_NONE && f->digest == OVPN_DIGEST_NONE)
		return "neither cipher nor digest: packets would be anybody's";
	return NULL;
}

// Nothing is ever compressed. A client with a compression context is told a framing that all
// packets can pass uncompressed; each release knows one.
static const char *select_compress(const struct cfg_server *cfg,
	const struct ovpn_options_facts *facts, const struct ovpn_peer_caps *caps, bool has_info,
	struct ctl_format *f)
{
	f->push_compress = facts->comp;
	if (!facts->usable)
		f->compress = (uint8_t)cfg->comp; // the numbers agree
	else if (!facts->comp)
		f->compress = OVPN_COMPRESS_NONE;
	else if (caps->comp_stub_v2)
		f->compress = OVPN_COMPRESS_V2;
	else if (caps->lzo_stub || caps->lzo || !has_info)
		f->compress = OVPN_COMPRESS_BYTE;
	else if (caps->comp_stub)
		f->compress = OVPN_COMPRESS_SWAP;
	else
		return "compression isn't offered, and this client can't do without: remove "
		       "'compress' or 'comp-lzo' from its configuration";
	return NULL;
}

static void select_fragment(const struct cfg_server *cfg, const struct ovpn_options_facts *facts,
	bool ipv6, struct ctl_format *f)
{
	uint32_t bytes = cfg->fragment != 0 ? cfg->fragment : FRAGMENT_DEFAULT;

	if (facts->usable ? !facts->fragment : cfg->fragment == 0)
		return;
	if (cfg->fragment_mtu)
		bytes -= ipv6 ? 48 : 28;
	f->fragment = (uint16_t)bytes;
}

// What can't be done at all, whatever is negotiated.
static const char *refuse(const struct ovpn_options_facts *facts, const struct ctl_format *f)
{
	const enum ovpn_cipher cipher = (enum ovpn_cipher)f->cipher;
	unsigned bits = ovpn_cipher_info(cipher)->key_len * 8u;

	if (facts->tap)
		return "this server has no 'dev tap', only 'dev tun'";
	if (facts->no_replay && !ovpn_cipher_is_aead(cipher))
		return "this server doesn't take 'no-replay'";
	if (facts->has_cipher && facts->cipher == cipher && facts->key_bits != 0 &&
		facts->key_bits != bits)
		return "this server doesn't take 'keysize': the cipher has keys of its usual size";
	return NULL;
}

static void restrict_agreed(
	const struct cfg_server *cfg, const struct ctl_format *f, unsigned *agreed)
{
	const enum ovpn_cipher cipher = (enum ovpn_cipher)f->cipher;

	if (!ovpn_cipher_is_aead(cipher))
		*agreed &= ~(unsigned)CTL_PUSH_EPOCH;
	// Without a digest nothing proves whose a packet is (protocol.md 13.8).
	if (!ovpn_cipher_is_aead(cipher) && f->digest == OVPN_DIGEST_NONE)
		*agreed &= ~(unsigned)CTL_PUSH_MOBILITY;
	*agreed &= ~(unsigned)CTL_PUSH_LAZY;
	if ((*agreed & CTL_PUSH_MOBILITY) == 0 || cfg->mobility != CFG_MOBILITY_LAZY)
		return;
	// A peer-id does it at no cost; without one the format must have the room.
	if ((*agreed & CTL_PUSH_PEER_ID) != 0 ||
		ovpn_lazy_sid_offset(OVPN_DATA_FORMAT_V1, cipher, (enum ovpn_digest)f->digest) >= 0)
		*agreed |= CTL_PUSH_LAZY;
}

const char *ctl_format_decide(const struct cfg_server *cfg, const struct ovpn_ncp_list *ciphers,
	const struct ovpn_km2 *km, bool ipv6, unsigned *agreed, struct ctl_format *ret_format)
{
	struct ovpn_options_facts facts;
	struct ovpn_peer_caps caps;
	struct ctl_format f = { 0 };
	const char *why;

	ovpn_options_learn((const char *)km->options.data, km->options.len, &facts);
	ovpn_peer_info_caps((const char *)km->peer_info.data, km->peer_info.len, &caps);
	why = select_cipher(cfg, ciphers, km, &f);
	if (why == NULL)
		why = refuse(&facts, &f);
	if (why == NULL)
		why = select_digest(cfg, &facts, &f);
	if (why == NULL)
		why = select_compress(cfg, &facts, &caps, km->peer_info.len > 1, &f);
	if (why != NULL)
		return why;
	select_fragment(cfg, &facts, ipv6, &f);
	restrict_agreed(cfg, &f, agreed);
	*ret_format = f;
	return NULL;
}

const char *ctl_format_compress_option(enum ovpn_compress compress)
{
	switch (compress) {
	case OVPN_COMPRESS_BYTE: return "comp-lzo no";
	case OVPN_COMPRESS_SWAP: return "compress stub";
	case OVPN_COMPRESS_V2: return "compress stub-v2";
	default: return NULL;
	}
}

void ctl_format_shape(const struct ctl_peer *peer, struct ovpn_data_shape *ret_shape)
{
	const bool v2 = (peer->agreed & CTL_PUSH_PEER_ID) != 0;
	const bool epoch = (peer->agreed & CTL_PUSH_EPOCH) != 0;

	*ret_shape = (struct ovpn_data_shape){ .format = epoch ? OVPN_DATA_FORMAT_EPOCH
			: v2				       ? OVPN_DATA_FORMAT_V2
							       : OVPN_DATA_FORMAT_V1,
		.cipher = (enum ovpn_cipher)peer->format.cipher,
		.digest = (enum ovpn_digest)peer->format.digest,
		.compress = (enum ovpn_compress)peer->format.compress,
		.fragment = peer->format.fragment != 0 };
}

uint8_t ctl_format_dir_flags(const struct ctl_peer *peer)
{
	const struct ctl_format *f = &peer->format;
	uint8_t flags = 0;

	if ((peer->agreed & CTL_PUSH_PEER_ID) == 0)
		flags |= SHM_DIR_DATA_V1;
	if ((peer->agreed & CTL_PUSH_MOBILITY) != 0)
		flags |= SHM_DIR_MOBILITY;
	if ((peer->agreed & CTL_PUSH_EPOCH) != 0)
		flags |= SHM_DIR_EPOCH | SHM_DIR_LEGACY;
	if ((peer->agreed & CTL_PUSH_LAZY) != 0 && (peer->agreed & CTL_PUSH_PEER_ID) == 0)
		flags |= SHM_DIR_LAZY | SHM_DIR_LEGACY;
	if (!ovpn_cipher_is_aead((enum ovpn_cipher)f->cipher) || f->fragment != 0 ||
		f->compress != OVPN_COMPRESS_NONE)
		flags |= SHM_DIR_LEGACY;
	return flags;
}

uint64_t ctl_format_reneg_bytes(const struct cfg_server *cfg, enum ovpn_cipher cipher)
{
	return cfg->tls.reneg_bytes != 0 ? cfg->tls.reneg_bytes : ovpn_cipher_reneg_bytes(cipher);
}
