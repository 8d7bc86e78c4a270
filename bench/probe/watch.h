// SPDX-License-Identifier: BSD-3-Clause
// Looks at what passes between client and server outside the tunnel, without keys: which
// datagrams came back, which were Pings, and whether there was a handshake.
#pragma once

#include <netinet/in.h>
#include <stdint.h>

struct pg_watch {
	int fd;
	struct sockaddr_in server; // outer address and port
	unsigned handshakes; // initial ones and renegotiations, each counted once
	uint8_t last_sid[8]; // of the newest initial handshake
	int last_soft_key; // key-id of the newest renegotiation, -1 = none
};

// What one datagram was.
enum pg_seen {
	PG_SEEN_NOTHING, // not between us and the server, or not of interest
	PG_SEEN_DATA, // data from the server
	PG_SEEN_PING, // data from the server with the length of a Ping
	PG_SEEN_ASK, // data from us with the length of a reconfiguration Ping
	PG_SEEN_SENT, // anything else from us
};

// Watch an interface for datagrams to and from server. Needs CAP_NET_RAW. Returns 0 or -errno.
int pg_watch_open(struct pg_watch *w, const char *iface, const struct sockaddr_in *server);

// Take the next datagram: what it was, and by the monotonic clock when the kernel saw it.
// Returns 1, or 0 when there is none.
int pg_watch_next(struct pg_watch *w, enum pg_seen *ret_what, uint64_t *ret_ns);
