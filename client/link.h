// SPDX-License-Identifier: BSD-3-Clause
// UDP sockets to the server, one for each path, and the batches in which datagrams are sent and
// received. Event loop only. Source: decisions.md C20, C22.
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/socket.h>
#include <uv.h>

#include "client/path.h"
#include "config/client.h"

#define VC_LINK_BATCH 64

struct vc_link;

// One connected socket on one path.
struct vc_sock {
	struct vc_link *link;
	struct vc_sock *next;
	int fd; // -1: closed, the memory goes when libuv lets go
	uv_poll_t poll;
	struct vc_path path;
	uint64_t close_ms; // kept for reading until then; 0: in use
	bool blocked; // its send buffer is full
};

// Called for every datagram; buf may be changed, room has bytes that may be written.
typedef void vc_link_recv_fn(void *arg, struct vc_sock *sock, uint8_t *buf, size_t len);
// Called when a full send buffer has room again, and when sending failed for want of a path.
typedef void vc_link_note_fn(void *arg, struct vc_sock *sock, int error);

struct vc_link {
	uv_loop_t *loop;
	struct vc_sock *socks;
	struct vc_sock *cur; // data and control go here; NULL: none
	struct sockaddr_storage remote;
	socklen_t remote_len;
	uint32_t mark;
	uint32_t sndbuf, rcvbuf; // bytes; 0: ours
	const char *bind_dev; // `bind-dev`, or NULL
	struct cfg_addr local; // to bind to, or AF_UNSPEC
	uint16_t lport; // to bind the first socket to; 0: any
	size_t buf_size; // of one datagram
	uint8_t *rx_mem; // VC_LINK_BATCH datagrams
	uint8_t *tx_mem;
	unsigned tx_n; // datagrams in the send batch
	unsigned tx_done; // of these sent already (the socket was full)
	struct iovec tx_iov[VC_LINK_BATCH];
	vc_link_recv_fn *on_recv;
	vc_link_note_fn *on_writable;
	vc_link_note_fn *on_error;
	void *arg;
	uint64_t tx_datagrams, tx_errors, tx_full, rx_datagrams; // counters
	uint64_t tx_ms; // when a datagram was last sent
};

// Memory for batches. buf_size: bytes of the longest datagram with head and tail room.
// Returns 0 or -ENOMEM.
int vc_link_init(struct vc_link *link, uv_loop_t *loop, size_t buf_size);

// Close all sockets and free the memory; the loop must run once more for the handles.
void vc_link_done(struct vc_link *link);

// Open a socket to link->remote on a path and listen to it.
// first: bind to the profile's port. Returns 0 or -errno.
int vc_link_open(
	struct vc_link *link, const struct vc_path *path, bool first, struct vc_sock **ret_sock);

// Close one, or all. The current one is forgotten if it is closed.
void vc_link_close(struct vc_link *link, struct vc_sock *sock);
void vc_link_close_all(struct vc_link *link);

// Close the sockets whose time is over.
void vc_link_expire(struct vc_link *link, uint64_t now_ms);

// Send one datagram now. Returns 0 or -errno.
int vc_link_send(struct vc_link *link, struct vc_sock *sock, const uint8_t *buf, size_t len);

// The send batch: room for the next datagram (NULL when the batch is full), add what was made
// there, send all. tx buffers start VC_DATA_HEADROOM bytes before a plaintext.
uint8_t *vc_link_tx_room(struct vc_link *link);
void vc_link_tx_add(struct vc_link *link, uint8_t *dgram, size_t len);

// Send the batch over a socket. Returns true when it is empty then, false when the socket is full
// (on_writable will be called) .
bool vc_link_tx_flush(struct vc_link *link, struct vc_sock *sock);
