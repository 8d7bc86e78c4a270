// SPDX-License-Identifier: BSD-3-Clause
// UDP sockets to the server, one for each path: the event loop opens them, chooses among them and
// sends control packets; the data thread reads them and sends data. Event loop only.
// Source: decisions.md C20, C22.
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/socket.h>

#include "client/path.h"
#include "config/client.h"

struct vc_engine;
struct vc_link;

// One connected socket on one path.
struct vc_sock {
	struct vc_link *link;
	struct vc_sock *next;
	int fd; // the data thread closes it
	uint32_t id; // never used twice
	struct vc_path path;
	uint64_t close_ms; // kept for reading until then; 0: in use
};

// Called when sending failed.
typedef void vc_link_error_fn(void *arg, struct vc_sock *sock, int error);

struct vc_link {
	struct vc_engine *engine;
	struct vc_sock *socks;
	struct vc_sock *cur; // data and control go here; NULL: none
	uint32_t last_id;
	struct sockaddr_storage remote;
	struct sockaddr_storage other; // the same server in the other family; AF_UNSPEC: not known
	uint32_t mark;
	uint32_t sndbuf, rcvbuf; // bytes; 0: ours
	const char *bind_dev; // `bind-dev`, or NULL
	struct cfg_addr local; // to bind to, or AF_UNSPEC
	uint16_t lport; // to bind the first socket to; 0: any
	vc_link_error_fn *on_error;
	void *arg;
};

// Open a socket to the server, in the family of a path, on that path and have it read.
// first: bind to the profile's port. Returns 0 or -errno.
int vc_link_open(
	struct vc_link *link, const struct vc_path *path, bool first, struct vc_sock **ret_sock);

// Send data over a socket of ours from now on; NULL: there is none.
void vc_link_use(struct vc_link *link, struct vc_sock *sock);

// Close one, or all. The current one is forgotten if it is closed. When vc_link_close_all returns,
// their ports are free.
void vc_link_close(struct vc_link *link, struct vc_sock *sock);
void vc_link_close_all(struct vc_link *link);

// Close the sockets whose time is over.
void vc_link_expire(struct vc_link *link, uint64_t now_ms);

// The socket of that number, NULL when it is closed.
struct vc_sock *vc_link_sock(struct vc_link *link, uint32_t id);

// Send one datagram now. Returns 0 or -errno.
int vc_link_send(struct vc_link *link, struct vc_sock *sock, const uint8_t *buf, size_t len);
