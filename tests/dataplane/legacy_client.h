// SPDX-License-Identifier: BSD-3-Clause
// A client of the formats that aren't AEAD in the classic one: its packets are those of
// protocol/tls, which shares no code with the dataplane.
#pragma once

#include <stddef.h>
#include <stdint.h>

#include "harness.h"
#include "protocol/framing.h"
#include "protocol/tls/data_legacy.h"

#define LC_PING_MS 60000u // longer than any pause of the machine: a Ping comes when it is asked for
#define LC_OUTSIDE 0xcb007107u // 203.0.113.7
#define LC_NEW_PLACE 0xc6336501u // 198.51.101.1
#define LC_NET_TIME 1795350563u

// A client of one of these formats.
struct lc {
	struct h_client c;
	struct ovpn_legacy seal, open;
	struct ovpn_legacy_format format;
	enum ovpn_compress compress;
	uint64_t id;
};

struct lc_family {
	enum ovpn_cipher cipher;
	enum ovpn_digest digest;
};

// Every cipher, and every digest with one of each family.
#define LC_FAMILIES 22u
extern const struct lc_family lc_families[LC_FAMILIES];

// Take over the keys that lie in l->c.
void lc_rekey(struct lc *l);
// Install a session of this family at slot.
void lc_install(struct h *h, uint32_t slot, const struct lc_family *f, struct h_client_opt opt,
	struct lc *l);
// Free what the client holds.
void lc_done(struct lc *l);
// Opcode and peer-id of its packets. Returns the length.
size_t lc_header_of(const struct lc *l, uint8_t *header);
// A datagram with this payload as it is. Returns the length.
size_t lc_seal_raw(struct lc *l, const uint8_t *plain, size_t len, uint8_t *out);
// The same with the framing of compression.
size_t lc_seal(struct lc *l, const uint8_t *plain, size_t len, uint8_t *out);
// A Ping, and a reconfiguration Ping.
size_t lc_ping(struct lc *l, uint8_t *out);
size_t lc_reconf(struct lc *l, uint8_t *out);
// Open a datagram of the server. Returns the length of the payload, -1: not authentic.
int lc_open_dgram(struct lc *l, struct h_datagram *d, uint8_t *plain, uint64_t *ret_id);
// Packets up and down, of every length that a block cares about.
void lc_up_and_down(struct h *h, struct lc *l);
