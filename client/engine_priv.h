// SPDX-License-Identifier: BSD-3-Clause
// What the files of the data thread share. Data thread only, but for the two mailboxes.
#pragma once

#include <sys/socket.h>
#include <sys/uio.h>

#include "client/engine.h"
#include "client/fragment.h"
#include "client/mailbox.h"
#include "protocol/cut.h"
#include "protocol/gro.h"

#define VC_TX_SLOTS 128 // datagrams of a send batch: two large packets of the device
#define VC_RX_SLOTS 32 // datagrams of a receive batch, each one perhaps many joined ones
#define VC_RX_SLOT (65536 + 2112) // bytes; the odd part spreads the slots over the cache
#define VC_NOTES_MAX 512 // that wait; the network can't make more

struct vc_esock {
	struct vc_esock *next;
	uint32_t id;
	int fd;
	bool watched;
	bool segment; // UDP_SEGMENT works on its path
	size_t segment_max; // for datagrams of less than so many bytes
};

struct vc_engine {
	struct vc_mailbox orders; // to the data thread, with order_fd
	struct vc_mailbox notes; // to the event loop, with wake
	vc_engine_wake_fn *wake;
	void *wake_arg;
	pthread_t thread;
	int order_fd;
	int epoll;
	bool stop;
	struct vc_engine_stats stats;
	// Everything below is the data thread's own.
	struct vc_data data;
	struct vc_esock *socks;
	struct vc_esock *cur; // data goes here
	struct vc_esock *blocked; // its buffer is full: the device isn't read meanwhile
	struct vc_tun tun; // fd -1: none
	bool read; // the event loop wants packets to be taken
	bool polling; // the device is in the epoll set
	bool deliver;
	unsigned mss;
	uint64_t payload_bytes, dropped, bursts, joined;
	// Up: packets of the device, sealed in their slots, and the one that is being cut.
	size_t slot; // bytes of a slot
	uint8_t *tx_mem;
	uint8_t *large; // one packet of the device
	struct ovpn_cut cut;
	bool cutting;
	struct vc_pieces pieces; // of a packet that is too long for a datagram
	unsigned tx_n, tx_done;
	struct iovec tx[VC_TX_SLOTS];
	// Down.
	uint8_t *rx_mem;
	uint8_t *scratch;
	struct ovpn_gro gro;
};

// A burst has ended: publish the counters.
void vc_engine_publish(struct vc_engine *e);

// Put a note in the event loop's mailbox. bytes are copied.
void vc_engine_note(struct vc_engine *e, const struct vc_note *note);

// Is there a packet that was cut and hasn't left as a whole, and room for the rest?
static inline bool vc_engine_unfinished(const struct vc_engine *e)
{
	return (e->cutting || vc_pieces_left(&e->pieces)) && e->polling;
}

// Read the device or not, after something that decides about it has changed.
void vc_engine_poll_device(struct vc_engine *e);

// engine_up.c: take packets from the device, seal and send them; go on after a full buffer.
void vc_engine_up(struct vc_engine *e);
void vc_engine_unblock(struct vc_engine *e);
// Send one datagram. Returns 0 or -errno, which was noted.
int vc_engine_send_one(
	struct vc_engine *e, struct vc_esock *sock, const uint8_t *dgram, size_t len);

// engine_down.c: take datagrams from a socket.
void vc_engine_down(struct vc_engine *e, struct vc_esock *sock);
// ovpn_gro_write_fn: write a packet to the device. arg: the engine.
void vc_engine_write(void *arg, const struct virtio_net_hdr *vnet, struct iovec *iov, unsigned n,
	unsigned packets);
