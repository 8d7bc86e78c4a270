// SPDX-License-Identifier: BSD-3-Clause
// From the server to the device: datagrams are received several in a call, and several in one
// buffer where the kernel has joined them (UDP_GRO), opened in place, and packets of one flow are
// written to the device as one.
#include <errno.h>
#include <linux/udp.h>
#include <netinet/in.h>
#include <stdalign.h>
#include <string.h>
#include <unistd.h>

#include "client/engine_priv.h"
#include "client/event.h"
#include "client/inner.h"
#include "protocol/ping.h"

// Batches before the other direction gets its turn.
#define VC_DOWN_ROUNDS 4

void vc_engine_write(void *arg, const struct virtio_net_hdr *vnet, struct iovec *iov, unsigned n,
	unsigned packets)
{
	struct vc_engine *e = arg;
	struct virtio_net_hdr head = *vnet;
	ssize_t rc;

	if (e->tun.fd < 0 || !e->deliver) {
		e->dropped += packets;
		return;
	}
	iov[0].iov_base = &head;
	iov[0].iov_len = sizeof(head);
	rc = writev(e->tun.fd, iov, (int)n + 1);
	if (rc < 0)
		e->dropped += packets; // a full queue or a malformed packet: IP copes with both
	if (packets > 1)
		e->joined++;
}

// A message of the server to us: a Ping or OCC.
static void message(struct vc_engine *e, const struct vc_esock *sock, enum ovpn_payload_kind kind,
	uint8_t *plain, size_t len)
{
	struct vc_note note = { .sock = sock->id };

	if (kind == OVPN_PAYLOAD_PING) {
		note.kind = VC_NOTE_HEARD;
		note.answer = true;
	} else {
		note.kind = VC_NOTE_OCC;
		note.bytes = plain;
		note.len = len;
	}
	vc_engine_note(e, &note);
}

static void data_packet(struct vc_engine *e, struct vc_esock *sock, uint8_t *dgram, size_t len)
{
	enum ovpn_payload_kind kind;
	uint8_t *plain;
	int rc = vc_data_open(&e->data, dgram, len, e->scratch, &plain, &len);

	if (rc < 0)
		return;
	// A piece proves as much as a packet.
	kind = rc == 0 ? ovpn_payload_classify(plain, len) : OVPN_PAYLOAD_OTHER;
	if (sock->watched && kind != OVPN_PAYLOAD_PING) {
		struct vc_note note = { .kind = VC_NOTE_HEARD, .sock = sock->id };

		vc_engine_note(e, &note);
	}
	sock->watched = false;
	if (kind == OVPN_PAYLOAD_PING || kind == OVPN_PAYLOAD_OCC)
		message(e, sock, kind, plain, len);
	if (kind != OVPN_PAYLOAD_IP4 && kind != OVPN_PAYLOAD_IP6)
		return;
	(void)vc_mss_clamp(plain, len, e->mss);
	e->payload_bytes += len;
	ovpn_gro_add(&e->gro, plain, len);
	if (e->data.joined)
		ovpn_gro_flush(&e->gro); // its pieces' place is used again
}

static void datagram(struct vc_engine *e, struct vc_esock *sock, uint8_t *dgram, size_t len)
{
	struct vc_note note = {
		.kind = VC_NOTE_CONTROL, .sock = sock->id, .bytes = dgram, .len = len
	};
	uint8_t opcode;

	if (len == 0)
		return;
	if (e->data.static_key) {
		data_packet(e, sock, dgram, len);
		return;
	}
	opcode = ovpn_opcode_of(dgram[0]);
	if (ovpn_opcode_is_data(opcode))
		data_packet(e, sock, dgram, len);
	else if (ovpn_opcode_is_control(opcode))
		vc_engine_note(e, &note);
}

// Bytes of each datagram but the last in a buffer, or 0 when it holds one.
static size_t joined_size(struct msghdr *hdr)
{
	for (struct cmsghdr *c = CMSG_FIRSTHDR(hdr); c != NULL; c = CMSG_NXTHDR(hdr, c)) {
		int size;

		if (c->cmsg_level != IPPROTO_UDP || c->cmsg_type != UDP_GRO)
			continue;
		memcpy(&size, CMSG_DATA(c), sizeof(size));
		return size > 0 ? (size_t)size : 0;
	}
	return 0;
}

static void buffer(struct vc_engine *e, struct vc_esock *sock, struct msghdr *hdr, size_t len)
{
	uint8_t *p = hdr->msg_iov->iov_base;
	size_t step = joined_size(hdr);

	if ((hdr->msg_flags & MSG_TRUNC) != 0)
		return;
	if (step == 0 || step > len)
		step = len;
	for (size_t at = 0; at < len; at += step)
		datagram(e, sock, p + at, len - at < step ? len - at : step);
}

struct batch {
	struct mmsghdr msg[VC_RX_SLOTS];
	struct iovec iov[VC_RX_SLOTS];
	alignas(struct cmsghdr) uint8_t control[VC_RX_SLOTS][CMSG_SPACE(sizeof(int))];
};

static void prepare(struct vc_engine *e, struct batch *b)
{
	memset(b->msg, 0, sizeof(b->msg));
	for (unsigned i = 0; i < VC_RX_SLOTS; i++) {
		b->iov[i].iov_base = e->rx_mem + (size_t)i * VC_RX_SLOT;
		b->iov[i].iov_len = 65536;
		b->msg[i].msg_hdr.msg_iov = &b->iov[i];
		b->msg[i].msg_hdr.msg_iovlen = 1;
		b->msg[i].msg_hdr.msg_control = b->control[i];
		b->msg[i].msg_hdr.msg_controllen = sizeof(b->control[i]);
	}
}

void vc_engine_down(struct vc_engine *e, struct vc_esock *sock)
{
	uint64_t before = e->data.rx_packets;
	struct batch b;

	for (unsigned round = 0; round < VC_DOWN_ROUNDS; round++) {
		int n;

		prepare(e, &b);
		e->data.now_ms = vc_now_ms();
		n = recvmmsg(sock->fd, b.msg, VC_RX_SLOTS, MSG_DONTWAIT, NULL);
		if (n < 0 && errno != EAGAIN && errno != EINTR) {
			struct vc_note note = {
				.kind = VC_NOTE_ERROR, .sock = sock->id, .error = -errno
			};

			// ICMP errors of earlier datagrams come out here; the socket goes on.
			vc_engine_note(e, &note);
			continue;
		}
		for (int i = 0; i < n; i++)
			buffer(e, sock, &b.msg[i].msg_hdr, b.msg[i].msg_len);
		ovpn_gro_flush(&e->gro);
		if (n < VC_RX_SLOTS)
			break;
	}
	if (e->data.rx_packets != before)
		atomic_store_explicit(&e->stats.rx_ms, vc_now_ms(), memory_order_relaxed);
}
