// SPDX-License-Identifier: BSD-3-Clause
// One client that connects, waits for its PUSH_REPLY, and leaves: all of OpenVPN's exchange over a
// UDP socket of its own, as a client of 2.6 does it. No tunnel device and no data.
#pragma once

#include <netinet/in.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "protocol/ssl/tls_conn.h"
#include "protocol/tls/channel.h"
#include "protocol/tls/negotiation.h"

enum pg_hs_state {
	PG_HS_TLS, // up to our key-method-2
	PG_HS_KEY, // waits for the server's
	PG_HS_PUSH, // waits for PUSH_REPLY
	PG_HS_CHANGING, // waits until it may renegotiate under another name
	PG_HS_LEAVING, // has all it wants; EXIT waits for its acknowledgement
	PG_HS_FAILED,
	PG_HS_GONE, // the EXIT was acknowledged
};

// What all clients have in common; read only.
struct pg_hs_setup {
	struct sockaddr_in server;
	struct ovpn_channel_config channel;
	const struct ovpn_wrap_keys *wrap; // NULL: none
	struct ovpn_tls_ctx *impostor; // renegotiate with this certificate; NULL: leave instead
	bool chatty; // says more before it leaves than the server reads in one go
	bool broken; // impostor's key-method-2 message is malformed
	char options[512];
	size_t options_len;
	char peer_info[512];
	size_t peer_info_len;
};

struct pg_hs_client {
	const struct pg_hs_setup *setup;
	int fd;
	enum pg_hs_state state;
	uint64_t started_ns;
	uint64_t took_ns; // until PUSH_REPLY was complete
	bool again; // this is the renegotiation
	struct ovpn_tls_conn *tls;
	struct ovpn_channel ch;
	struct ovpn_negotiation neg;
	char why[96]; // of state FAILED
};

// Fill the texts of a setup whose other members are set. Returns 0 or -ENOBUFS.
int pg_hs_setup_texts(struct pg_hs_setup *setup);

// Begin: a socket bound to `from`, the hard reset goes out. Returns 0 or a negative errno.
int pg_hs_begin(struct pg_hs_client *c, const struct pg_hs_setup *setup, struct ovpn_tls_ctx *tls,
	struct in_addr from, uint64_t now_ns);

// Datagrams have come: take them all, answer, go on as far as they allow.
void pg_hs_receive(struct pg_hs_client *c, uint64_t now_ns);

// Send what is due again.
void pg_hs_tick(struct pg_hs_client *c, uint64_t now_ns);

// Close the socket and free what TLS holds; the struct may be used again.
void pg_hs_end(struct pg_hs_client *c);
