// SPDX-License-Identifier: BSD-3-Clause
// From the device to the server: a large packet is read once, cut and sealed into slots, and
// datagrams of one length leave in one message (UDP_SEGMENT), several messages in one call.
#include <errno.h>
#include <linux/udp.h>
#include <netinet/in.h>
#include <stdalign.h>
#include <string.h>
#include <unistd.h>

#include "client/engine_priv.h"
#include "client/event.h"
#include "client/inner.h"

// Batches before the other direction gets its turn.
#define VC_UP_ROUNDS 4
// Datagrams of one message, and their bytes: the kernel's limits.
#define VC_SEGMENTS 64
#define VC_SEGMENT_BYTES 65000

static uint8_t *slot_plain(const struct vc_engine *e)
{
	return e->tx_mem + e->tx_n * e->slot + VC_DATA_HEADROOM;
}

static size_t slot_room(const struct vc_engine *e)
{
	return e->slot - VC_DATA_HEADROOM - VC_DATA_TAILROOM;
}

static void take_slot(struct vc_engine *e, uint8_t *dgram, size_t len)
{
	e->tx[e->tx_n].iov_base = dgram;
	e->tx[e->tx_n++].iov_len = len;
}

// Seal the packet in the next slot, and take the slot; or have it leave in pieces.
static void seal(struct vc_engine *e, uint64_t now_ms, size_t len)
{
	uint8_t *plain = slot_plain(e), *dgram;
	size_t out;
	int rc = -ENETUNREACH;

	(void)vc_mss_clamp(plain, len, e->mss);
	if (e->cur != NULL)
		rc = vc_data_cut(&e->data, now_ms, plain, len, &e->pieces);
	if (rc == 0) {
		rc = vc_data_seal(&e->data, now_ms, plain, len, &dgram, &out);
		if (rc == 0)
			take_slot(e, dgram, out);
	}
	if (rc < 0) {
		e->dropped++;
		return;
	}
	e->data.tx_packets++;
	e->data.tx_bytes += len;
	e->payload_bytes += len;
}

// Seal the next piece of a packet. A lost one makes the packet be lost, as on the network.
static void seal_piece(struct vc_engine *e, uint64_t now_ms)
{
	uint8_t *dgram;
	size_t out;

	if (vc_data_seal_piece(&e->data, now_ms, &e->pieces, slot_plain(e), &dgram, &out) == 0)
		take_slot(e, dgram, out);
}

// Read one packet of the device: into the next slot if it is a small one as it is, else it is
// ready to be cut. Returns its length in the slot, 0 for one that is cut or was dropped, -errno.
static ssize_t read_packet(struct vc_engine *e)
{
	struct virtio_net_hdr vnet = { 0 };
	uint8_t *plain = slot_plain(e);
	size_t room = slot_room(e), len;
	// A packet that is longer than the slot goes on in the large buffer, which has room for
	// its beginning in front.
	struct iovec iov[3] = { { &vnet, sizeof(vnet) }, { plain, room },
		{ e->large + room, 65536 } };
	ssize_t got;
	int rc;

	got = readv(e->tun.fd, iov, 3);
	if (got < 0)
		return -errno;
	if ((size_t)got <= sizeof(vnet))
		return 0;
	len = (size_t)got - sizeof(vnet);
	if (len > room || vnet.gso_type != VIRTIO_NET_HDR_GSO_NONE) {
		memcpy(e->large, plain, len < room ? len : room);
		plain = e->large;
	}
	rc = ovpn_cut_begin(&vnet, plain, len, &e->cut);
	e->cutting = rc == 1 && ovpn_cut_piece(&e->cut) <= room;
	if (e->cutting)
		return 0;
	if (rc != 0 || len > room) {
		e->dropped++;
		return 0;
	}
	return (ssize_t)len;
}

// Fill slots until they are full or the device is empty. Returns true when it may have more.
static bool fill(struct vc_engine *e, uint64_t now_ms)
{
	while (e->tx_n < VC_TX_SLOTS) {
		ssize_t len;

		if (vc_pieces_left(&e->pieces)) {
			seal_piece(e, now_ms);
			continue;
		}
		if (e->cutting) {
			len = (ssize_t)ovpn_cut_next(&e->cut, slot_plain(e));
			e->cutting = len > 0;
		} else {
			len = read_packet(e);
		}
		if (len == -EINTR)
			continue;
		if (len < 0)
			return false;
		if (len > 0)
			seal(e, now_ms, (size_t)len);
	}
	return true;
}

// How many datagrams from the given one on can leave in one message: equal lengths, the last may be
// shorter.
static unsigned run_length(const struct vc_engine *e, const struct vc_esock *sock, unsigned at)
{
	size_t len = e->tx[at].iov_len, bytes = len;
	unsigned n = 1;

	if (!sock->segment || len >= sock->segment_max)
		return 1;
	while (at + n < e->tx_n && n < VC_SEGMENTS) {
		size_t next = e->tx[at + n].iov_len;

		if (next > len || bytes + next > VC_SEGMENT_BYTES)
			break;
		bytes += next;
		n++;
		if (next < len)
			break;
	}
	return n;
}

struct batch {
	struct mmsghdr msg[VC_TX_SLOTS];
	uint8_t n[VC_TX_SLOTS]; // datagrams of each message
	alignas(struct cmsghdr) uint8_t control[VC_TX_SLOTS][CMSG_SPACE(sizeof(uint16_t))];
	unsigned n_msgs;
};

static void build(struct vc_engine *e, const struct vc_esock *sock, struct batch *b)
{
	b->n_msgs = 0;
	for (unsigned at = e->tx_done; at < e->tx_n; b->n_msgs++) {
		struct msghdr *hdr = &b->msg[b->n_msgs].msg_hdr;
		unsigned n = run_length(e, sock, at);

		memset(hdr, 0, sizeof(*hdr));
		hdr->msg_iov = &e->tx[at];
		hdr->msg_iovlen = n;
		b->n[b->n_msgs] = (uint8_t)n;
		if (n > 1) {
			uint16_t size = (uint16_t)e->tx[at].iov_len;
			struct cmsghdr *c;

			hdr->msg_control = b->control[b->n_msgs];
			hdr->msg_controllen = sizeof(b->control[0]);
			c = CMSG_FIRSTHDR(hdr);
			c->cmsg_level = IPPROTO_UDP;
			c->cmsg_type = UDP_SEGMENT;
			c->cmsg_len = CMSG_LEN(sizeof(size));
			memcpy(CMSG_DATA(c), &size, sizeof(size));
			e->bursts++;
		}
		at += n;
	}
}

static void note_error(struct vc_engine *e, const struct vc_esock *sock, int error)
{
	struct vc_note note = { .kind = VC_NOTE_ERROR, .sock = sock->id, .error = error };

	vc_engine_note(e, &note);
}

// The next message was refused. Returns false when it has to wait.
static bool refused(struct vc_engine *e, struct vc_esock *sock, unsigned n, int error)
{
	if (error == EAGAIN || error == ENOBUFS)
		return false;
	if (n > 1 && error == EIO) {
		sock->segment = false; // the link can't fill in checksums
		return true;
	}
	if (n > 1 && (error == EINVAL || error == EMSGSIZE)) {
		// Longer than the path takes in one piece: the kernel fragments such a datagram,
		// but not when it does the cutting.
		sock->segment_max = e->tx[e->tx_done].iov_len;
		return true;
	}
	// These datagrams can't be sent; the ones behind them may.
	e->tx_done += n;
	note_error(e, sock, -error);
	return true;
}

// Send what is in the slots. Returns false when the socket is full.
static bool flush(struct vc_engine *e, struct vc_esock *sock)
{
	struct batch b;

	while (e->tx_done < e->tx_n) {
		int n;

		build(e, sock, &b);
		n = sendmmsg(sock->fd, b.msg, b.n_msgs, MSG_DONTWAIT | MSG_NOSIGNAL);
		for (int i = 0; i < n; i++)
			e->tx_done += b.n[i];
		if (n > 0 || errno == EINTR)
			continue;
		if (!refused(e, sock, b.n[0], errno)) {
			e->blocked = sock;
			vc_engine_poll_device(e);
			return false;
		}
	}
	e->tx_n = 0;
	e->tx_done = 0;
	return true;
}

void vc_engine_up(struct vc_engine *e)
{
	bool more = true;

	for (unsigned round = 0; round < VC_UP_ROUNDS && more; round++) {
		uint64_t now = vc_now_ms();

		more = fill(e, now);
		if (e->tx_n == 0)
			continue;
		atomic_store_explicit(&e->stats.data_tx_ms, now, memory_order_relaxed);
		atomic_store_explicit(&e->stats.tx_ms, now, memory_order_relaxed);
		if (e->cur == NULL) {
			e->tx_n = 0;
			e->tx_done = 0;
		} else if (!flush(e, e->cur)) {
			return;
		}
	}
}

void vc_engine_unblock(struct vc_engine *e)
{
	e->blocked = NULL;
	if (e->cur != NULL && e->tx_n > 0 && !flush(e, e->cur))
		return;
	vc_engine_poll_device(e);
}

int vc_engine_send_one(struct vc_engine *e, struct vc_esock *sock, const uint8_t *dgram, size_t len)
{
	int rc;

	if (send(sock->fd, dgram, len, MSG_DONTWAIT | MSG_NOSIGNAL) < 0) {
		rc = -errno;
		if (rc != -EAGAIN)
			note_error(e, sock, rc);
		return rc;
	}
	atomic_store_explicit(&e->stats.tx_ms, vc_now_ms(), memory_order_relaxed);
	return 0;
}
