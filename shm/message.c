// SPDX-License-Identifier: BSD-3-Clause
#include "shm/message.h"

#include <errno.h>
#include <string.h>
#include <sys/socket.h>

#include "protocol/cipher.h"
#include "protocol/framing.h"
#include "shm/ring.h"

#define MS_MAX (24u * 3600 * 1000) // no timer of a session is longer than a day
#define TUN_MTU_MIN 100u
#define TUN_MTU_MAX 9216u // the largest frame that any port's buffers take
#define MSS_MAX (TUN_MTU_MAX - 40)
#define FRAGMENT_MIN 256u // fewer bytes a datagram are all overhead
#define FRAGMENT_MAX 65507u

static const uint8_t zero[64];

static bool all_zero(const void *p, size_t len)
{
	return memcmp(p, zero, len) == 0;
}

// Family known and the bytes behind an IPv4 address zero, so that memcmp compares addresses.
static bool addr_ok(const struct shm_addr *a)
{
	if (a->family == AF_INET6)
		return true;
	return a->family == AF_INET && all_zero(a->bytes + 4, sizeof(a->bytes) - 4);
}

static bool addr_none(const struct shm_addr *a)
{
	return a->family == 0 && all_zero(a->bytes, sizeof(a->bytes));
}

static bool unicast4(const uint8_t *b)
{
	return b[0] != 0 && b[0] != 127 && b[0] < 224; // 224/4 multicast, 240/4 reserved, broadcast
}

static bool unicast6(const uint8_t *b)
{
	static const uint8_t mapped[12] = { [10] = 0xff, [11] = 0xff };

	if (b[0] == 0xff || memcmp(b, mapped, sizeof(mapped)) == 0)
		return false;
	return !all_zero(b, 15) || b[15] > 1; // neither :: nor ::1
}

static bool unicast(const struct shm_addr *a)
{
	if (!addr_ok(a))
		return false;
	return a->family == AF_INET ? unicast4(a->bytes) : unicast6(a->bytes);
}

int shm_endpoint_check(const struct shm_endpoint *e)
{
	return unicast(&e->remote) && e->remote_port_be != 0 ? 0 : -EINVAL;
}

// A remote that may be sent to, and one of our addresses of the same family. Whether that address
// is really ours is for the worker to say.
static bool endpoint_ok(const struct shm_endpoint *e)
{
	return shm_endpoint_check(e) == 0 && unicast(&e->local) && e->local_port_be != 0 &&
		e->local.family == e->remote.family;
}

static bool prefix_ok(const struct shm_addr *a, uint8_t prefix_len)
{
	uint8_t bits = a->family == AF_INET ? 32 : 128;

	if (!addr_ok(a) || prefix_len > bits)
		return false;
	for (unsigned bit = prefix_len; bit < bits; bit++) {
		if ((a->bytes[bit / 8] & 0x80 >> bit % 8) != 0)
			return false;
	}
	return true;
}

static bool within(const struct shm_addr *a, const struct shm_addr *net, uint8_t prefix_len)
{
	if (a->family != net->family)
		return false;
	for (unsigned bit = 0; bit < prefix_len; bit++) {
		if (((a->bytes[bit / 8] ^ net->bytes[bit / 8]) & 0x80 >> bit % 8) != 0)
			return false;
	}
	return true;
}

static bool subnet_ok(const struct shm_subnet *s)
{
	if (!prefix_ok(&s->addr, s->prefix_len))
		return false;
	return addr_none(&s->server) ||
		(unicast(&s->server) && within(&s->server, &s->addr, s->prefix_len));
}

static bool listens_ok(const struct shm_listen *listen, unsigned n)
{
	for (unsigned i = 0; i < n; i++) {
		if (!addr_ok(&listen[i].addr) || listen[i].port_be == 0)
			return false;
	}
	return true;
}

int shm_hello_check(const struct shm_hello *m, size_t len)
{
	const uint32_t known = SHM_HELLO_CLIENT_TO_CLIENT | SHM_HELLO_MOBILITY |
		SHM_HELLO_HAS_CONTROL | SHM_HELLO_HAS_TABLES | SHM_HELLO_BLOCK_IPV6;

	// The first fields are the same in every version, so that a mismatch has its own error.
	if (len < offsetof(struct shm_hello, flags) || m->kind != SHM_HELLO)
		return -EINVAL;
	if (m->version != SHM_LAYOUT_VERSION || m->layout_hash != shm_layout_hash())
		return -EPROTO;
	if (len != sizeof(*m) || (m->flags & ~known) != 0)
		return -EINVAL;
	if (m->listens > SHM_LISTEN_MAX || m->subnets > SHM_SUBNETS_MAX ||
		m->tunnels > SHM_TUNNELS_MAX)
		return -ERANGE;
	if (!listens_ok(m->listen, m->listens))
		return -EINVAL;
	for (unsigned i = 0; i < m->subnets; i++) {
		if (!subnet_ok(&m->subnet[i]))
			return -EINVAL;
	}
	if (m->tun_mtu < TUN_MTU_MIN || m->tun_mtu > TUN_MTU_MAX || m->occ_len > SHM_OCC_MAX)
		return -EINVAL;
	return m->occ_len == 0 || m->occ[m->occ_len - 1] == '\0' ? 0 : -EINVAL;
}

int shm_greeting_check(const struct shm_greeting *m, size_t len)
{
	int rc = shm_hello_check(&m->hello, len < sizeof(m->hello) ? len : sizeof(m->hello));

	if (rc < 0)
		return rc;
	if (len != shm_greeting_len(m->hello.tunnels))
		return -EINVAL;
	return listens_ok(m->tunnel, m->hello.tunnels) ? 0 : -EINVAL;
}

int shm_welcome_check(const struct shm_welcome *m, size_t len)
{
	if (len < offsetof(struct shm_welcome, instance) || m->kind != SHM_WELCOME)
		return -EINVAL;
	if (m->version != SHM_LAYOUT_VERSION || m->layout_hash != shm_layout_hash())
		return -EPROTO;
	if (len != sizeof(*m) || m->has_control > 1 || m->adopted > 1)
		return -EINVAL;
	if (m->sessions == 0 || m->sessions > SHM_SESSIONS_MAX)
		return -ERANGE;
	if (m->workers == 0 || m->workers > SHM_WORKERS_MAX)
		return -ERANGE;
	for (int kind = 0; kind < SHM_RING_KINDS; kind++) {
		if (shm_ring_bytes(m->entries[kind], shm_ring_elem_size(kind)) == 0)
			return -EINVAL;
	}
	return m->rings_size >= shm_rings_bytes(m->workers, m->entries) ? 0 : -EINVAL;
}

// Flags and framing that go together.
static bool format_ok(const struct shm_cmd_install *m)
{
	const uint8_t legacy = SHM_DIR_EPOCH | SHM_DIR_STATIC | SHM_DIR_LAZY;
	const uint8_t known = SHM_DIR_DATA_V1 | SHM_DIR_MOBILITY | SHM_DIR_LEGACY | legacy;

	if ((m->dir_flags & ~known) != 0 || m->compress >= OVPN_COMPRESS_COUNT || m->reserved != 0)
		return false;
	if (m->fragment_max != 0 &&
		(m->fragment_max < FRAGMENT_MIN || m->fragment_max > FRAGMENT_MAX))
		return false;
	if ((m->dir_flags & SHM_DIR_LEGACY) == 0)
		return (m->dir_flags & legacy) == 0 && m->compress == 0 && m->fragment_max == 0;
	if (m->dir_flags & SHM_DIR_EPOCH)
		return (m->dir_flags & (SHM_DIR_DATA_V1 | SHM_DIR_STATIC | SHM_DIR_LAZY)) == 0;
	if (m->dir_flags & SHM_DIR_STATIC)
		return (m->dir_flags & (SHM_DIR_DATA_V1 | SHM_DIR_LAZY)) == 0;
	return (m->dir_flags & SHM_DIR_LAZY) == 0 || (m->dir_flags & SHM_DIR_DATA_V1) != 0;
}

// The peer of a static key may be unknown until it is heard, if any may come.
static bool unknown_peer(const struct shm_cmd_install *m)
{
	const uint8_t both = SHM_DIR_STATIC | SHM_DIR_MOBILITY;

	return (m->dir_flags & both) == both && addr_none(&m->endpoint.remote) &&
		m->endpoint.remote_port_be == 0 && unicast(&m->endpoint.local) &&
		m->endpoint.local_port_be != 0;
}

static bool install_ok(const struct shm_cmd_install *m)
{
	if (!endpoint_ok(&m->endpoint) && !unknown_peer(m))
		return false;
	if (all_zero(m->server_sid, SHM_SID_LEN) || all_zero(m->client_sid, SHM_SID_LEN))
		return false; // a zero session id means "none" on the wire; static mode draws its
			      // own
	if (!addr_none(&m->tunnel4) && (m->tunnel4.family != AF_INET || !unicast(&m->tunnel4)))
		return false;
	if (!addr_none(&m->tunnel6) && (m->tunnel6.family != AF_INET6 || !unicast(&m->tunnel6)))
		return false;
	if (m->ping_interval_ms > MS_MAX || m->timeout_ms > MS_MAX)
		return false;
	if (m->mss4 > MSS_MAX || m->mss6 > MSS_MAX)
		return false;
	if (m->tun_mtu < TUN_MTU_MIN || m->tun_mtu > TUN_MTU_MAX)
		return false;
	if (!format_ok(m))
		return false;
	return memchr(m->name, '\0', sizeof(m->name)) != NULL;
}

static bool key_ok(const struct shm_cmd_key *m)
{
	if (m->which >= SHM_KEY_SLOTS || m->key_id > 7)
		return false;
	if (m->cipher >= OVPN_CIPHER_COUNT || m->digest >= OVPN_DIGEST_COUNT)
		return false;
	if (ovpn_cipher_is_aead((enum ovpn_cipher)m->cipher) && m->digest != OVPN_DIGEST_NONE)
		return false;
	if (m->age == 0 || m->tx_delay_ms > MS_MAX)
		return false;
	// A key that was never derived; protocol.md 5.5 demands that it be refused.
	if (m->cipher == OVPN_CIPHER_NONE)
		return m->digest != OVPN_DIGEST_NONE && !all_zero(m->rx.hmac_key, 16) &&
			!all_zero(m->tx.hmac_key, 16);
	return !all_zero(m->rx.cipher_key, 16) && !all_zero(m->tx.cipher_key, 16);
}

int shm_cmd_check(const struct shm_cmd *m, uint32_t sessions)
{
	bool ok = false;

	if (m->slot >= sessions)
		return -ERANGE;
	switch (m->kind) {
	case SHM_CMD_INSTALL: ok = install_ok(&m->install); break;
	case SHM_CMD_KEY: ok = key_ok(&m->key); break;
	case SHM_CMD_KEY_DROP: ok = m->which < SHM_KEY_SLOTS; break;
	case SHM_CMD_REMOVE: ok = true; break;
	case SHM_CMD_IROUTE_ADD:
	case SHM_CMD_IROUTE_DEL: ok = prefix_ok(&m->iroute.addr, m->iroute.prefix_len); break;
	default: break;
	}
	return ok ? 0 : -EINVAL;
}

int shm_event_check(const struct shm_event *m, uint32_t sessions)
{
	if (m->slot >= sessions)
		return -ERANGE;
	switch (m->kind) {
	case SHM_EVENT_ACK: return m->status <= 0 ? 0 : -EINVAL;
	case SHM_EVENT_HANDOVER: return endpoint_ok(&m->endpoint) ? 0 : -EINVAL;
	case SHM_EVENT_TIMEOUT:
	case SHM_EVENT_EXIT: return 0;
	case SHM_EVENT_REKEY:
	case SHM_EVENT_TX_SWITCHED: return m->which < SHM_KEY_SLOTS ? 0 : -EINVAL;
	default: return -EINVAL;
	}
}

int shm_punt_check(const struct shm_punt *m, uint32_t sessions)
{
	if (m->slot != SHM_SLOT_NONE && m->slot >= sessions)
		return -ERANGE;
	if (m->len == 0 || m->len > SHM_DATAGRAM_MAX)
		return -EINVAL;
	return endpoint_ok(&m->from) ? 0 : -EINVAL;
}

int shm_inject_check(const struct shm_inject *m, uint32_t sessions)
{
	if (m->slot != SHM_SLOT_NONE && m->slot >= sessions)
		return -ERANGE;
	if (m->len == 0 || m->len > SHM_DATAGRAM_MAX)
		return -EINVAL;
	return m->slot != SHM_SLOT_NONE || endpoint_ok(&m->to) ? 0 : -EINVAL;
}

uint32_t shm_ring_elem_size(enum shm_ring_kind kind)
{
	switch (kind) {
	case SHM_RING_COMMAND: return sizeof(struct shm_cmd);
	case SHM_RING_EVENT: return sizeof(struct shm_event);
	case SHM_RING_PUNT_NEW:
	case SHM_RING_PUNT_KNOWN: return sizeof(struct shm_punt);
	case SHM_RING_INJECT: return sizeof(struct shm_inject);
	default: return 0;
	}
}

// Bytes of the first `kinds` rings of one worker.
static size_t worker_bytes(int kinds, const uint32_t entries[SHM_RING_KINDS])
{
	size_t bytes = 0;

	for (int kind = 0; kind < kinds; kind++)
		bytes += shm_ring_bytes(entries[kind], shm_ring_elem_size(kind));
	return bytes;
}

size_t shm_rings_offset(
	uint16_t worker, enum shm_ring_kind kind, const uint32_t entries[SHM_RING_KINDS])
{
	return sizeof(struct shm_rings_header) + worker * worker_bytes(SHM_RING_KINDS, entries) +
		worker_bytes(kind, entries);
}

size_t shm_rings_bytes(uint16_t workers, const uint32_t entries[SHM_RING_KINDS])
{
	return shm_rings_offset(workers, SHM_RING_COMMAND, entries);
}
