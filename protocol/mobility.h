// SPDX-License-Identifier: BSD-3-Clause
// The mobility extension: reconfiguration Pings (an ordinary Ping data packet with the server's
// session id in clear at its end), the order that decides which packet may move a session, the
// session id inside the IV (lazy mode), and the words by which two peers find out about each
// other. Source: Zuquete and Frade, "Fast VPN Mobility Across Wi-Fi Hotspots"; protocol.md 13.
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "protocol/cipher.h"
#include "protocol/data_packet.h"
#include "protocol/opcode.h"
#include "protocol/ping.h"

// Framing bytes inside the encryption: compression byte 1, fragment header 4, both 5.
#define OVPN_FRAMING_MAX 5u
// Longest reconfiguration Ping of all formats; no longer datagram needs its tail looked at.
#define OVPN_RECONF_MAX 160u

// Everything on which the length of a session's Ping depends.
struct ovpn_ping_shape {
	enum ovpn_data_format format;
	enum ovpn_cipher cipher;
	enum ovpn_digest digest; // ignored with AEAD
	uint8_t framing; // bytes, 0 to OVPN_FRAMING_MAX
};

// Bytes of UDP payload of a keep-alive Ping, or 0 for a combination that doesn't exist (epoch
// without AEAD, framing out of range).
size_t ovpn_ping_packet_len(const struct ovpn_ping_shape *shape);

// Bytes of UDP payload of a reconfiguration Ping: eight more; 0 as above.
size_t ovpn_reconf_packet_len(const struct ovpn_ping_shape *shape);

// The same for AEAD on the hot path. framing: bytes.
static inline size_t ovpn_reconf_len_aead(enum ovpn_data_format format, unsigned framing)
{
	return ovpn_data_layouts[format].overhead + OVPN_PING_LEN + framing + OVPN_SID_LEN;
}

// The eight bytes at the end of a datagram, or NULL when it has no room for them behind a
// header.
static inline const uint8_t *ovpn_reconf_tail(const uint8_t *buf, size_t len)
{
	return len > OVPN_SID_LEN ? buf + len - OVPN_SID_LEN : NULL;
}

// Append the server's session id to a finished Ping packet of len bytes in a buffer of size
// bytes. Returns the new length, or 0 when there is no room.
static inline size_t ovpn_reconf_append(
	uint8_t *buf, size_t len, size_t size, const uint8_t sid[OVPN_SID_LEN])
{
	if (len > size || size - len < OVPN_SID_LEN)
		return 0;
	memcpy(buf + len, sid, OVPN_SID_LEN);
	return len + OVPN_SID_LEN;
}

// Place of a packet in the order of sending: younger keys come after older ones, packet-ids count
// within a key. key_age numbers the keys of a session as they were installed, so that a withheld
// packet of a retired key can't pass for the newest (protocol.md 13.8).
struct ovpn_order {
	uint64_t key_age; // 0 for the first key of the session, +1 for each later one
	uint64_t packet_id;
};

// True when a was sent after b: only then may it move the session.
static inline bool ovpn_order_newer(struct ovpn_order a, struct ovpn_order b)
{
	return a.key_age != b.key_age ? a.key_age > b.key_age : a.packet_id > b.packet_id;
}

// Offset from the start of the datagram of the session id in lazy mode, or -ENOTSUP when the
// format leaves no place for it (AEAD, none, stream modes with 64-bit blocks).
int ovpn_lazy_sid_offset(
	enum ovpn_data_format format, enum ovpn_cipher cipher, enum ovpn_digest digest);

// --- Finding out (protocol.md 13.10) ---

#define OVPN_MOBILITY_VAR "IV_MOBILITY" // in the client's peer-info
#define OVPN_MOBILITY_OPTION "mobility" // pushed to clients that announced it
#define OVPN_MOBILITY_VERSION 1u

// What "mobility 1 lazy" says. Unknown further words are ignored: they belong to the future.
struct ovpn_mobility {
	uint32_t version; // >= 1
	bool lazy; // the server also follows session ids in the IV
};

// Parse the value of IV_MOBILITY, or the words after "mobility" of the pushed option.
// Returns 0, or -EINVAL when it doesn't start with a number >= 1. A higher version than ours is
// no error: what version 1 promises holds.
int ovpn_mobility_parse(const char *s, size_t len, struct ovpn_mobility *ret_mobility);

// Write the option as pushed ("mobility 1"). Returns 0 and the length, or -ENOBUFS.
int ovpn_mobility_build(const struct ovpn_mobility *m, char *buf, size_t size, size_t *ret_len);
