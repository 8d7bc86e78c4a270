// SPDX-License-Identifier: BSD-3-Clause
#include "protocol/cut.h"

#include <errno.h>
#include <string.h>

#include "protocol/bytes.h"
#include "protocol/checksum.h"

#define PROTO_TCP 6
#define PROTO_UDP 17
#define TCP_FIN 0x01
#define TCP_PSH 0x08
#define TCP_CWR 0x80
#define TCP_CHECKSUM 16 // offsets in the headers
#define UDP_CHECKSUM 6

// The sum in a header that the kernel left unfinished covers the pseudo header already.
static int fill_checksum(const struct virtio_net_hdr *vnet, uint8_t *packet, size_t len)
{
	size_t start = vnet->csum_start, at = start + vnet->csum_offset;
	uint16_t sum;

	if (start > len || at + 2 > len)
		return -EBADMSG;
	sum = (uint16_t)~ovpn_sum_fold(ovpn_sum_add(0, packet + start, len - start));
	// UDP sends 0 as its other form; TCP's receivers take both.
	if (sum == 0 && vnet->csum_offset == UDP_CHECKSUM)
		sum = UINT16_MAX;
	memcpy(packet + at, &sum, 2);
	return 0;
}

static bool version_fits(unsigned type, const uint8_t *packet, size_t len)
{
	unsigned version = packet[0] >> 4;

	if (type == VIRTIO_NET_HDR_GSO_TCPV4 && version != 4)
		return false;
	if (type == VIRTIO_NET_HDR_GSO_TCPV6 && version != 6)
		return false;
	return (version == 4 && len >= 20) || (version == 6 && len >= 40);
}

int ovpn_cut_begin(
	const struct virtio_net_hdr *vnet, uint8_t *packet, size_t len, struct ovpn_cut *ret_cut)
{
	unsigned type = vnet->gso_type & (uint8_t)~VIRTIO_NET_HDR_GSO_ECN;
	struct ovpn_cut cut = { .packet = packet, .len = len, .step = vnet->gso_size };

	if (type == VIRTIO_NET_HDR_GSO_NONE) {
		if ((vnet->flags & VIRTIO_NET_HDR_F_NEEDS_CSUM) == 0)
			return 0;
		return fill_checksum(vnet, packet, len);
	}
	if (type != VIRTIO_NET_HDR_GSO_TCPV4 && type != VIRTIO_NET_HDR_GSO_TCPV6 &&
		type != VIRTIO_NET_HDR_GSO_UDP_L4)
		return -EPROTO;
	// The headers' lengths are read from the packet: the kernel gives hdr_len as a hint only.
	cut.tcp = type != VIRTIO_NET_HDR_GSO_UDP_L4;
	cut.transport = vnet->csum_start;
	if (cut.step == 0 || len == 0 || !version_fits(type, packet, len) ||
		(vnet->flags & VIRTIO_NET_HDR_F_NEEDS_CSUM) == 0 ||
		cut.transport < (packet[0] >> 4 == 4 ? 20u : 40u) ||
		cut.transport + (cut.tcp ? 20 : 8) > len)
		return -EBADMSG;
	cut.header = cut.transport + 8;
	if (cut.tcp)
		cut.header = cut.transport + (size_t)(packet[cut.transport + 12] >> 4) * 4;
	if (cut.header >= len || (cut.tcp && cut.header < cut.transport + 20))
		return -EBADMSG;
	if (packet[0] >> 4 == 4) {
		if ((size_t)(packet[0] & 15) * 4 != cut.transport)
			return -EBADMSG;
		cut.id = ovpn_get_be16(packet + 4);
	}
	if (cut.tcp)
		cut.seq = ovpn_get_be32(packet + cut.transport + 4);
	*ret_cut = cut;
	return 1;
}

static void finish_ip(const struct ovpn_cut *cut, uint8_t *out, size_t len, unsigned n)
{
	uint16_t sum;

	if (out[0] >> 4 == 6) {
		ovpn_put_be16(out + 4, (uint16_t)(len - 40));
		return;
	}
	ovpn_put_be16(out + 2, (uint16_t)len);
	ovpn_put_be16(out + 4, (uint16_t)(cut->id + n));
	memset(out + 10, 0, 2);
	sum = (uint16_t)~ovpn_sum_fold(ovpn_sum_add(0, out, cut->transport));
	memcpy(out + 10, &sum, 2);
}

static void finish_transport(const struct ovpn_cut *cut, uint8_t *out, size_t len, bool last)
{
	uint8_t *head = out + cut->transport;
	size_t part = len - cut->transport;
	size_t at = cut->tcp ? TCP_CHECKSUM : UDP_CHECKSUM;
	uint64_t sum = ovpn_sum_pseudo(out, cut->tcp ? PROTO_TCP : PROTO_UDP, part);
	uint16_t folded;

	if (cut->tcp) {
		ovpn_put_be32(head + 4, cut->seq + (uint32_t)cut->at);
		if (!last)
			head[13] &= (uint8_t) ~(TCP_FIN | TCP_PSH);
		if (cut->at > 0)
			head[13] &= (uint8_t)~TCP_CWR;
	} else {
		ovpn_put_be16(head + 4, (uint16_t)part);
	}
	memset(head + at, 0, 2);
	folded = (uint16_t)~ovpn_sum_fold(ovpn_sum_add(sum, head, part));
	if (folded == 0 && !cut->tcp)
		folded = UINT16_MAX;
	memcpy(head + at, &folded, 2);
}

size_t ovpn_cut_next(struct ovpn_cut *cut, uint8_t *out)
{
	size_t left = cut->len - cut->header - cut->at;
	size_t payload = left < cut->step ? left : cut->step;
	size_t len = cut->header + payload;

	if (left == 0)
		return 0;
	memcpy(out, cut->packet, cut->header);
	memcpy(out + cut->header, cut->packet + cut->header + cut->at, payload);
	finish_ip(cut, out, len, (unsigned)(cut->at / cut->step));
	finish_transport(cut, out, len, payload == left);
	cut->at += payload;
	return len;
}
