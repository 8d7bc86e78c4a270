// SPDX-License-Identifier: BSD-3-Clause
#include "protocol/gro.h"

#include <string.h>

#include "protocol/bytes.h"
#include "protocol/checksum.h"

#define PROTO_TCP 6
#define PROTO_UDP 17
#define TCP_PSH 0x08
#define TCP_ACK 0x10
#define TCP_CHECKSUM 16 // offsets in the headers
#define UDP_CHECKSUM 6
#define IP4_DF 0x4000
#define IP4_FRAGMENT 0x3FFF // more fragments, or an offset

// A whole TCP or UDP packet.
struct parsed {
	uint8_t *p;
	size_t len;
	size_t transport;
	size_t header;
	bool tcp;
	bool ip6;
};

// Find the headers of a packet that isn't a fragment and whose lengths agree.
static bool parse(uint8_t *p, size_t len, struct parsed *ret)
{
	struct parsed out = { .p = p, .len = len };
	uint8_t proto;

	if (len < 28)
		return false;
	if (p[0] == 0x45) { // without options
		if (ovpn_get_be16(p + 2) != len || (ovpn_get_be16(p + 6) & IP4_FRAGMENT) != 0)
			return false;
		out.transport = 20;
		proto = p[9];
	} else if (p[0] >> 4 == 6 && len >= 48) {
		if (ovpn_get_be16(p + 4) != len - 40)
			return false;
		out.ip6 = true;
		out.transport = 40;
		proto = p[6]; // an extension header is neither
	} else {
		return false;
	}
	if (proto == PROTO_UDP) {
		out.header = out.transport + 8;
		if (ovpn_get_be16(p + out.transport + 4) != len - out.transport)
			return false;
	} else if (proto == PROTO_TCP && len >= out.transport + 20) {
		out.tcp = true;
		out.header = out.transport + (size_t)(p[out.transport + 12] >> 4) * 4;
		if (out.header < out.transport + 20 || out.header > len)
			return false;
	} else {
		return false;
	}
	*ret = out;
	return true;
}

// Addresses, protocol and ports.
static bool same_flow(const struct ovpn_gro_flow *f, const struct parsed *in)
{
	const uint8_t *a = f->iov[1].iov_base, *b = in->p;

	if (a[0] >> 4 != b[0] >> 4 || f->tcp != in->tcp)
		return false;
	if (memcmp(a + f->transport, b + in->transport, 4) != 0)
		return false;
	return in->ip6 ? memcmp(a + 8, b + 8, 32) == 0 : memcmp(a + 12, b + 12, 8) == 0;
}

// May other packets be joined to this one at all?
static bool joinable(const struct ovpn_gro *gro, const struct parsed *in)
{
	const uint8_t *head = in->p + in->transport;

	if (in->header == in->len)
		return false;
	if (!in->tcp)
		return gro->udp && ovpn_get_be16(head + UDP_CHECKSUM) != 0;
	return gro->tcp && (head[13] & (uint8_t)~TCP_PSH) == TCP_ACK && (head[12] & 15) == 0;
}

static bool checksums_right(const uint8_t *p, size_t len, size_t transport, bool tcp)
{
	uint64_t sum = ovpn_sum_pseudo(p, tcp ? PROTO_TCP : PROTO_UDP, len - transport);

	if (p[0] >> 4 == 4 && ovpn_sum_fold(ovpn_sum_add(0, p, transport)) != UINT16_MAX)
		return false;
	return ovpn_sum_fold(ovpn_sum_add(sum, p + transport, len - transport)) == UINT16_MAX;
}

// Do the parts of both IP headers agree that cutting would copy?
static bool ip_agrees(const struct ovpn_gro_flow *f, const struct parsed *in)
{
	const uint8_t *a = f->iov[1].iov_base, *b = in->p;

	if (in->ip6) // class and flow label; next header and hop limit
		return memcmp(a, b, 4) == 0 && memcmp(a + 6, b + 6, 2) == 0;
	if (a[1] != b[1] || a[8] != b[8] || memcmp(a + 6, b + 6, 2) != 0)
		return false;
	// Where fragmenting is forbidden an id means nothing.
	return (ovpn_get_be16(b + 6) & IP4_DF) != 0 || ovpn_get_be16(b + 4) == f->next_id;
}

static bool tcp_agrees(const struct ovpn_gro_flow *f, const struct parsed *in)
{
	const uint8_t *a = (const uint8_t *)f->iov[1].iov_base + f->transport;
	const uint8_t *b = in->p + in->transport;

	// Acknowledgement, length of the header, window; options byte for byte.
	return f->header == in->header && ovpn_get_be32(b + 4) == f->next_seq &&
		memcmp(a + 8, b + 8, 4) == 0 && a[12] == b[12] && memcmp(a + 14, b + 14, 2) == 0 &&
		memcmp(a + 18, b + 18, f->header - f->transport - 18) == 0;
}

static bool join(struct ovpn_gro_flow *f, const struct parsed *in)
{
	size_t payload = in->len - in->header;

	if (f->closed || f->n == OVPN_GRO_PACKETS || payload > f->step ||
		f->len + payload > UINT16_MAX || !ip_agrees(f, in))
		return false;
	if (in->tcp && !tcp_agrees(f, in))
		return false;
	if (!f->checked &&
		!checksums_right(f->iov[1].iov_base, f->iov[1].iov_len, f->transport, f->tcp))
		return false;
	f->checked = true;
	if (!checksums_right(in->p, in->len, in->transport, in->tcp))
		return false;
	f->n++;
	f->iov[f->n].iov_base = in->p + in->header;
	f->iov[f->n].iov_len = payload;
	f->len += payload;
	f->next_seq += (uint32_t)payload;
	f->next_id++;
	if (payload < f->step)
		f->closed = true;
	if (in->tcp && (in->p[in->transport + 13] & TCP_PSH) != 0) {
		f->closed = true;
		((uint8_t *)f->iov[1].iov_base)[f->transport + 13] |= TCP_PSH;
	}
	return true;
}

// Make the first packet's headers those of the joined packet.
static void finish(struct ovpn_gro_flow *f, struct virtio_net_hdr *vnet)
{
	uint8_t *p = f->iov[1].iov_base, *head = p + f->transport;
	size_t part = f->len - f->transport;
	bool ip6 = p[0] >> 4 == 6;
	uint16_t sum;

	if (ip6) {
		ovpn_put_be16(p + 4, (uint16_t)(f->len - 40));
	} else {
		ovpn_put_be16(p + 2, (uint16_t)f->len);
		memset(p + 10, 0, 2);
		sum = (uint16_t)~ovpn_sum_fold(ovpn_sum_add(0, p, f->transport));
		memcpy(p + 10, &sum, 2);
	}
	if (!f->tcp)
		ovpn_put_be16(head + 4, (uint16_t)part);
	sum = ovpn_sum_fold(ovpn_sum_pseudo(p, f->tcp ? PROTO_TCP : PROTO_UDP, part));
	memcpy(head + (f->tcp ? TCP_CHECKSUM : UDP_CHECKSUM), &sum, 2);
	vnet->flags = VIRTIO_NET_HDR_F_NEEDS_CSUM;
	vnet->gso_type = VIRTIO_NET_HDR_GSO_UDP_L4;
	if (f->tcp)
		vnet->gso_type = ip6 ? VIRTIO_NET_HDR_GSO_TCPV6 : VIRTIO_NET_HDR_GSO_TCPV4;
	vnet->hdr_len = (uint16_t)f->header;
	vnet->gso_size = (uint16_t)f->step;
	vnet->csum_start = (uint16_t)f->transport;
	vnet->csum_offset = f->tcp ? TCP_CHECKSUM : UDP_CHECKSUM;
}

static void write_flow(struct ovpn_gro *gro, struct ovpn_gro_flow *f)
{
	struct virtio_net_hdr vnet = { 0 };

	if (f->n > 1)
		finish(f, &vnet);
	gro->write(gro->arg, &vnet, f->iov, f->n, f->n);
}

static void write_one(struct ovpn_gro *gro, uint8_t *packet, size_t len)
{
	struct virtio_net_hdr vnet = { 0 };
	struct iovec iov[2] = { [1] = { .iov_base = packet, .iov_len = len } };

	gro->write(gro->arg, &vnet, iov, 1, 1);
}

void ovpn_gro_flush(struct ovpn_gro *gro)
{
	for (unsigned i = 0; i < gro->n; i++)
		write_flow(gro, &gro->flow[i]);
	gro->n = 0;
}

static void begin(struct ovpn_gro_flow *f, const struct parsed *in)
{
	f->iov[1].iov_base = in->p;
	f->iov[1].iov_len = in->len;
	f->n = 1;
	f->transport = in->transport;
	f->header = in->header;
	f->step = in->len - in->header;
	f->len = in->len;
	f->tcp = in->tcp;
	f->checked = false;
	f->closed = in->tcp && (in->p[in->transport + 13] & TCP_PSH) != 0;
	f->next_id = (uint16_t)(ovpn_get_be16(in->p + 4) + 1); // means nothing in IPv6
	f->next_seq = in->tcp ? ovpn_get_be32(in->p + in->transport + 4) + (uint32_t)f->step : 0;
}

void ovpn_gro_add(struct ovpn_gro *gro, uint8_t *packet, size_t len)
{
	struct ovpn_gro_flow *f = NULL;
	struct parsed in;

	if (!parse(packet, len, &in)) {
		ovpn_gro_flush(gro); // it may belong to any of them: a fragment, say
		write_one(gro, packet, len);
		return;
	}
	for (unsigned i = 0; i < gro->n && f == NULL; i++) {
		if (same_flow(&gro->flow[i], &in))
			f = &gro->flow[i];
	}
	if (f != NULL && joinable(gro, &in) && join(f, &in))
		return;
	if (f != NULL)
		write_flow(gro, f); // its place is taken, or given up
	if (!joinable(gro, &in)) {
		write_one(gro, packet, len);
		if (f != NULL) {
			size_t i = (size_t)(f - gro->flow);

			memmove(f, f + 1, (--gro->n - i) * sizeof(*f));
		}
		return;
	}
	if (f == NULL && gro->n == OVPN_GRO_FLOWS)
		ovpn_gro_flush(gro);
	if (f == NULL)
		f = &gro->flow[gro->n++];
	begin(f, &in);
}
