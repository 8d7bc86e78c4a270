// SPDX-License-Identifier: BSD-3-Clause
#include "bench/fleet.h"

#include <arpa/inet.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>

#include "protocol/mobility.h"
#include "protocol/ping.h"

#define SERVER_ADDR 0xc6336401u // 198.51.100.1
#define CLIENT_NET 0x64400000u // 100.64.0.0/10
#define CLIENT_MASK 0x003fffffu
#define MOVE_STEP 262147u // a prime: moved clients don't land where others are
#define TUNNEL_NET 0x0a000000u // 10.0.0.0/8, the server at .1
#define HOST_ADDR 0xc6120001u // 198.18.0.1, the network of benchmarks (RFC 2544)
#define PING_MS 10000u
#define TIMEOUT_MS 60000u
#define STAMP_MAGIC 0x56495350u
#define FIRST_PORT 1024u
#define ETH 14u
#define IP 20u
#define UDP 8u

struct stamp_wire {
	uint32_t magic;
	uint32_t slot;
	uint32_t seq;
	uint32_t tsc[2];
} __attribute__((packed));
static_assert(PG_STAMP_OFF + sizeof(struct stamp_wire) <= PG_INNER_MIN, "a stamp fits");

// A generator of keys and ids, not of secrets (splitmix64).
static uint64_t mix(uint64_t x)
{
	x += 0x9e3779b97f4a7c15ull;
	x = (x ^ x >> 30) * 0xbf58476d1ce4e5b9ull;
	x = (x ^ x >> 27) * 0x94d049bb133111ebull;
	return x ^ x >> 31;
}

static void fill(uint8_t *p, size_t len, uint64_t seed)
{
	for (size_t i = 0; i < len; i += 8) {
		uint64_t v = mix(seed + i);

		memcpy(p + i, &v, len - i < 8 ? len - i : 8);
	}
}

static void raw_key(uint32_t index, unsigned direction, struct shm_raw_key *raw)
{
	memset(raw, 0, sizeof(*raw));
	fill(raw->cipher_key, OVPN_KEY_MAX, ((uint64_t)index << 20) + direction * 4096);
	fill(raw->hmac_key, OVPN_IMPLICIT_IV_LEN, ((uint64_t)index << 20) + direction * 4096 + 999);
}

static int expand(struct pg_fleet *f)
{
	struct shm_raw_key raw;
	uint32_t keys = f->n < PG_KEYS ? f->n : PG_KEYS;
	int rc = 0;

	for (uint32_t i = 0; i < keys && rc == 0; i++) {
		raw_key(i, 0, &raw);
		rc = dp_crypto_expand(
			f->crypto, (uint8_t)f->cipher, raw.cipher_key, raw.hmac_key, f->up[i]);
		raw_key(i, 1, &raw);
		if (rc == 0)
			rc = dp_crypto_expand(f->crypto, (uint8_t)f->cipher, raw.cipher_key,
				raw.hmac_key, f->down[i]);
	}
	return rc;
}

int pg_fleet_create(struct pg_fleet *f, uint32_t n, enum ovpn_cipher cipher)
{
	static const uint8_t macs[3][6] = { { 2, 0x56, 0, 0, 0, 1 }, { 2, 0x56, 0, 0, 0, 2 },
		{ 2, 0x56, 0, 0, 0, 3 } };
	int rc;

	*f = (struct pg_fleet){ .n = n, .flows = 1, .cipher = cipher };
	memcpy(f->server_mac, macs[0], 6);
	memcpy(f->client_mac, macs[1], 6);
	memcpy(f->inner_mac, macs[2], 6);
	f->crypto = dp_crypto_create();
	if (f->crypto == NULL)
		return -errno;
	f->up = aligned_alloc(64, (size_t)PG_KEYS * DP_CRYPTO_CELL);
	f->down = aligned_alloc(64, (size_t)PG_KEYS * DP_CRYPTO_CELL);
	f->client = calloc(n, sizeof(*f->client));
	rc = -ENOMEM;
	if (f->up == NULL || f->down == NULL || f->client == NULL)
		goto fail;
	rc = expand(f);
	if (rc < 0)
		goto fail;
	for (uint32_t i = 0; i < n; i++)
		f->client[i] = (struct pg_client){ .next_id = 1, .generation = 1 };
	return 0;

fail:
	pg_fleet_done(f);
	return rc;
}

void pg_fleet_done(struct pg_fleet *f)
{
	f->crypto = dp_crypto_free(f->crypto);
	free(f->up);
	free(f->down);
	free(f->client);
	*f = (struct pg_fleet){ 0 };
}

static void addr4(struct shm_addr *a, uint32_t host_order)
{
	uint32_t be = htonl(host_order);

	memset(a, 0, sizeof(*a));
	a->family = AF_INET;
	memcpy(a->bytes, &be, sizeof(be));
}

void pg_fleet_hello(bool mobility, struct shm_hello *h)
{
	memset(h, 0, sizeof(*h));
	h->kind = SHM_HELLO;
	h->version = SHM_LAYOUT_VERSION;
	h->layout_hash = shm_layout_hash();
	h->flags = mobility ? SHM_HELLO_MOBILITY : 0;
	h->listens = 1;
	addr4(&h->listen[0].addr, SERVER_ADDR);
	h->listen[0].port_be = htons(PG_PORT);
	h->subnets = 1;
	addr4(&h->subnet[0].addr, TUNNEL_NET);
	h->subnet[0].prefix_len = 8;
	addr4(&h->subnet[0].server, TUNNEL_NET + 1);
	h->tun_mtu = 1500;
}

void pg_client_sids(uint32_t slot, uint8_t server[SHM_SID_LEN], uint8_t client[SHM_SID_LEN])
{
	fill(server, SHM_SID_LEN, mix(slot) ^ 0x5e);
	fill(client, SHM_SID_LEN, mix(slot) ^ 0xc1);
}

static uint16_t client_port(const struct pg_fleet *f, uint32_t slot)
{
	uint32_t moves = f->client[slot].moves;

	return (uint16_t)(1025 + (slot * 40503u + moves * 7919u) % 60000u);
}

uint32_t pg_client_addr(const struct pg_fleet *f, uint32_t slot)
{
	return htonl(CLIENT_NET + ((slot + 1 + f->client[slot].moves * MOVE_STEP) & CLIENT_MASK));
}

static void command(const struct pg_fleet *f, uint32_t slot, uint32_t kind, struct shm_cmd *cmd)
{
	memset(cmd, 0, sizeof(*cmd));
	cmd->kind = kind;
	cmd->slot = slot;
	cmd->seq = slot;
	cmd->generation = f->client[slot].generation;
}

void pg_fleet_install(const struct pg_fleet *f, uint32_t slot, struct shm_cmd *cmd)
{
	struct shm_cmd_install *in = &cmd->install;
	uint32_t remote = pg_client_addr(f, slot);

	command(f, slot, SHM_CMD_INSTALL, cmd);
	in->endpoint.remote.family = AF_INET;
	memcpy(in->endpoint.remote.bytes, &remote, sizeof(remote));
	addr4(&in->endpoint.local, SERVER_ADDR);
	in->endpoint.remote_port_be = htons(client_port(f, slot));
	in->endpoint.local_port_be = htons(PG_PORT);
	memcpy(in->endpoint.next_hop, f->client_mac, sizeof(in->endpoint.next_hop));
	pg_client_sids(slot, in->server_sid, in->client_sid);
	addr4(&in->tunnel4, TUNNEL_NET + 2 + slot);
	in->ping_interval_ms = PING_MS;
	in->timeout_ms = TIMEOUT_MS;
	in->mss4 = 1360;
	in->mss6 = 1340;
	in->tun_mtu = 1500;
	in->dir_flags = SHM_DIR_MOBILITY;
	(void)snprintf(in->name, sizeof(in->name), "client-%u", slot); // always fits
}

void pg_fleet_key(const struct pg_fleet *f, uint32_t slot, struct shm_cmd *cmd)
{
	command(f, slot, SHM_CMD_KEY, cmd);
	cmd->key.cipher = (uint8_t)f->cipher;
	cmd->key.age = 1;
	raw_key(slot % PG_KEYS, 0, &cmd->key.rx);
	raw_key(slot % PG_KEYS, 1, &cmd->key.tx);
}

void pg_fleet_remove(const struct pg_fleet *f, uint32_t slot, struct shm_cmd *cmd)
{
	command(f, slot, SHM_CMD_REMOVE, cmd);
}

// ---- Frames ------------------------------------------------------------------------------------

static void put16(uint8_t *p, uint32_t v)
{
	p[0] = (uint8_t)(v >> 8);
	p[1] = (uint8_t)v;
}

static void put_ethernet(uint8_t *p, const uint8_t dst[6], const uint8_t src[6])
{
	memcpy(p, dst, 6);
	memcpy(p + 6, src, 6);
	put16(p + 12, 0x0800);
}

// IPv4 header without options, UDP inside. Addresses in host byte order; len: of the packet. The
// sum of RFC 1071 doesn't care for byte order, so it is taken over words as they lie in memory.
static void put_ip(uint8_t *p, uint32_t src, uint32_t dst, uint32_t len)
{
	uint32_t word[5] = { htonl(0x45000000u | len), 0, htonl(64u << 24 | IPPROTO_UDP << 16),
		htonl(src), htonl(dst) };
	uint64_t sum = (uint64_t)word[0] + word[2] + word[3] + word[4];

	sum = (sum & 0xffffffff) + (sum >> 32);
	sum = (sum & 0xffff) + (sum >> 16 & 0xffff) + (sum >> 32);
	sum = (sum & 0xffff) + (sum >> 16);
	sum = (sum & 0xffff) + (sum >> 16);
	memcpy(p, word, sizeof(word));
	word[0] = ~(uint32_t)sum & 0xffff;
	memcpy(p + 10, word, 2);
}

// UDP checksum 0: none, as our own datagrams have.
static void put_udp(uint8_t *p, uint32_t src, uint32_t dst, uint32_t len)
{
	put16(p, src);
	put16(p + 2, dst);
	put16(p + 4, len);
	put16(p + 6, 0);
}

static void put_inner(uint8_t *p, uint32_t src, uint32_t dst, uint16_t len, uint32_t slot,
	uint32_t seq, uint64_t tsc, uint32_t flows)
{
	struct stamp_wire w = { .magic = STAMP_MAGIC, .slot = slot, .seq = seq };

	memcpy(w.tsc, &tsc, sizeof(tsc));
	put_ip(p, src, dst, len);
	put_udp(p + IP, FIRST_PORT + seq % flows, 9, len - IP); // 9: discard
	memcpy(p + PG_STAMP_OFF, &w, sizeof(w));
	if (len > PG_STAMP_OFF + sizeof(w)) // so that no byte of an earlier packet is sent
		memset(p + PG_STAMP_OFF + sizeof(w), 0x5a, len - PG_STAMP_OFF - sizeof(w));
}

// Everything in front of a plaintext of len bytes. Returns the frame's length.
static uint32_t put_outer(
	struct pg_fleet *f, uint32_t slot, uint32_t len, uint8_t *frame, struct dp_crypto_op *op)
{
	const struct ovpn_data_layout *l = &ovpn_data_layouts[OVPN_DATA_FORMAT_V2];
	uint8_t *head = frame + PG_OUTER_HEAD;
	uint32_t udp_len = UDP + l->overhead + len;

	put_ethernet(frame, f->server_mac, f->client_mac);
	put_ip(frame + ETH, ntohl(pg_client_addr(f, slot)), SERVER_ADDR, IP + udp_len);
	put_udp(frame + ETH + IP, client_port(f, slot), PG_PORT, udp_len);
	op->packet_id = f->client[slot].next_id++;
	(void)ovpn_data_put_head(head, OVPN_DATA_FORMAT_V2, 0, slot, op->packet_id);
	op->cell = f->up[slot % PG_KEYS];
	op->data = head + l->overhead;
	op->aad = head + l->aad_off;
	op->aad_len = l->aad_len;
	op->tag = head + l->tag_off;
	op->len = (uint16_t)len;
	op->cipher = (uint8_t)f->cipher;
	return ETH + IP + udp_len;
}

uint32_t pg_frame_up(struct pg_fleet *f, uint32_t slot, uint16_t inner_len, uint64_t tsc,
	uint8_t *frame, struct dp_crypto_op *op)
{
	uint32_t len = put_outer(f, slot, inner_len, frame, op);

	put_inner(op->data, TUNNEL_NET + 2 + slot, HOST_ADDR, inner_len, slot,
		++f->client[slot].up_seq, tsc, f->flows);
	return len;
}

uint32_t pg_frame_ping(struct pg_fleet *f, uint32_t slot, uint8_t *frame, struct dp_crypto_op *op)
{
	uint32_t len = put_outer(f, slot, OVPN_PING_LEN, frame, op);

	ovpn_ping_put(op->data);
	return len;
}

uint32_t pg_frame_reconf_end(uint32_t slot, uint8_t *frame, uint32_t len)
{
	uint8_t client[SHM_SID_LEN];
	uint8_t ip[IP];
	uint32_t src, dst;

	pg_client_sids(slot, frame + len, client);
	len += SHM_SID_LEN;
	memcpy(ip, frame + ETH, IP);
	src = ovpn_get_be32(ip + 12);
	dst = ovpn_get_be32(ip + 16);
	put_ip(frame + ETH, src, dst, len - ETH);
	put16(frame + ETH + IP + 4, len - ETH - IP);
	return len;
}

uint32_t pg_frame_down(
	struct pg_fleet *f, uint32_t slot, uint16_t inner_len, uint64_t tsc, uint8_t *frame)
{
	put_ethernet(frame, f->inner_mac, f->client_mac);
	put_inner(frame + ETH, HOST_ADDR, TUNNEL_NET + 2 + slot, inner_len, slot,
		++f->client[slot].down_seq, tsc, f->flows);
	return ETH + inner_len;
}

uint32_t pg_frame_hostile(struct pg_fleet *f, enum pg_hostile kind, uint32_t slot,
	uint16_t inner_len, uint64_t random, uint8_t *frame)
{
	struct pg_client saved = f->client[slot];
	struct dp_crypto_op op;
	uint32_t len;

	f->client[slot].moves = (uint16_t)random;
	f->client[slot].next_id += (uint32_t)(random >> 32) % 1000;
	if (kind == PG_HOSTILE_RECONF) {
		len = pg_frame_ping(f, slot, frame, &op);
		len = pg_frame_reconf_end(slot, frame, len);
	} else {
		len = pg_frame_up(f, slot, inner_len, random, frame, &op);
	}
	memcpy(op.tag, &random, sizeof(random));
	if (kind == PG_HOSTILE_GARBAGE)
		fill(frame + PG_OUTER_HEAD, 16, random & ~0xffull); // opcode 0 or so
	if (kind == PG_HOSTILE_GARBAGE)
		frame[PG_OUTER_HEAD] = 0xf8 | (uint8_t)(random & 7);
	f->client[slot] = saved;
	return len;
}

int pg_outer_read(
	const struct pg_fleet *f, uint8_t *frame, uint32_t len, struct pg_outer *ret_outer)
{
	struct ovpn_data_packet p;
	uint32_t udp_len;
	uint16_t port;
	uint32_t dst;

	if (len < PG_OUTER_HEAD || frame[ETH] != 0x45 || frame[ETH + 9] != IPPROTO_UDP)
		return -ENOENT;
	udp_len = (uint32_t)frame[ETH + IP + 4] << 8 | frame[ETH + IP + 5];
	if (udp_len < UDP || udp_len > len - ETH - IP ||
		ovpn_data_parse(OVPN_DATA_FORMAT_V2, frame + PG_OUTER_HEAD, udp_len - UDP, &p) <
			0 ||
		p.hdr.peer_id >= f->n)
		return -ENOENT;
	port = (uint16_t)(frame[ETH + IP + 2] << 8 | frame[ETH + IP + 3]);
	memcpy(&dst, frame + ETH + 16, sizeof(dst));
	*ret_outer = (struct pg_outer){
		.slot = p.hdr.peer_id,
		.packet_id = (uint32_t)p.packet_id,
		.plain_len = p.ct_len,
		.plain = p.ct,
		.current = dst == pg_client_addr(f, p.hdr.peer_id) &&
			port == client_port(f, p.hdr.peer_id),
	};
	return 0;
}

int pg_outer_open(struct pg_fleet *f, uint8_t *frame, struct pg_outer *outer)
{
	uint8_t *head = frame + PG_OUTER_HEAD;
	const struct ovpn_data_layout *l = &ovpn_data_layouts[OVPN_DATA_FORMAT_V2];
	struct dp_crypto_op op = {
		.cell = f->down[outer->slot % PG_KEYS],
		.data = outer->plain,
		.aad = head + l->aad_off,
		.aad_len = l->aad_len,
		.tag = head + l->tag_off,
		.len = outer->plain_len,
		.packet_id = outer->packet_id,
		.cipher = (uint8_t)f->cipher,
	};

	outer->opened = dp_crypto_open(f->crypto, &op, 1) == 1;
	return outer->opened ? 0 : -EBADMSG;
}

int pg_stamp_read(const uint8_t *inner, uint32_t len, struct pg_stamp *ret_stamp)
{
	struct stamp_wire w;

	if (len < PG_STAMP_OFF + sizeof(w) || inner[0] != 0x45)
		return -EBADMSG;
	memcpy(&w, inner + PG_STAMP_OFF, sizeof(w));
	if (w.magic != STAMP_MAGIC)
		return -EBADMSG;
	ret_stamp->slot = w.slot;
	ret_stamp->seq = w.seq;
	memcpy(&ret_stamp->tsc, w.tsc, sizeof(ret_stamp->tsc));
	return 0;
}
