// SPDX-License-Identifier: BSD-3-Clause
// Messages between visp-control and visp-dataplane: the greeting on the Unix socket and the
// elements of the rings. All integers in host byte order unless a name ends in _be; both ends run
// on one machine. Everything here is hostile to its receiver until the check function of its kind
// (shm_*_check below) has accepted a private copy.
#pragma once

#include <stddef.h>
#include <stdint.h>

#include "shm/layout.h"

#define SHM_LISTEN_MAX 16
#define SHM_TUNNELS_MAX 4096
#define SHM_SUBNETS_MAX 8
#define SHM_OCC_MAX 512

// ---- Unix socket, SOCK_SEQPACKET -------------------------------------------------------------

enum shm_greeting_kind {
	SHM_HELLO = 1, // control → dataplane, first message; may carry descriptors (below)
	SHM_WELCOME = 2, // dataplane → control, the answer, carries descriptors
	SHM_REFUSED = 3, // dataplane → control: text says why; the socket is closed after it
};

// One UDP address and port that is ours. remote ports and next_hop are unused.
struct shm_listen {
	struct shm_addr addr; // all zero bytes of a family: any address of the outer port
	uint16_t port_be;
	uint16_t reserved[2];
};

// One subnet of tunnel addresses behind this server.
struct shm_subnet {
	struct shm_addr addr; // network address
	uint8_t prefix_len;
	uint8_t reserved;
	struct shm_addr server; // the server's own address in it: belongs to the kernel
};

enum shm_hello_flag {
	SHM_HELLO_CLIENT_TO_CLIENT = 1u << 0,
	SHM_HELLO_MOBILITY = 1u << 1, // accept reconfiguration Pings at all
	SHM_HELLO_HAS_CONTROL = 1u << 2, // descriptor: `control` memfd
	SHM_HELLO_HAS_TABLES = 1u << 3, // descriptors: `sessions` read-only and `keys` O_PATH
	SHM_HELLO_BLOCK_IPV6 = 1u << 4, // IPv6 of clients is answered with "no route"
};

// Descriptors in this order, those whose flag is set: control, sessions, keys. A control that was
// started anew sends none; one whose dataplane was restarted sends all it holds.
struct shm_hello {
	uint32_t kind; // SHM_HELLO
	uint32_t version; // SHM_LAYOUT_VERSION
	uint64_t layout_hash;
	uint32_t flags; // enum shm_hello_flag
	uint16_t listens;
	uint16_t subnets;
	uint16_t tunnels; // addresses of static-key tunnels behind this struct; 0 in a saved one
	uint16_t reserved;
	struct shm_listen listen[SHM_LISTEN_MAX]; // where clients are served
	struct shm_subnet subnet[SHM_SUBNETS_MAX];
	uint16_t tun_mtu; // bytes
	uint16_t occ_len;
	char occ[SHM_OCC_MAX]; // answer to OCC REQUEST, NUL included in occ_len
};

// A greeting as it travels: shm_hello, and as many elements of `tunnel` as it says. No two have the
// same port.
struct shm_greeting {
	struct shm_hello hello;
	struct shm_listen tunnel[SHM_TUNNELS_MAX];
};
static_assert(sizeof(struct shm_greeting) < 128 * 1024, "one message of a Unix socket");

// A page of `sessions` behind its header: what control said last, for the dataplane's own restart.
// Addresses of static-key tunnels aren't in it: their sessions have them.
// Main writes it: fill copy[(index + 1) & 1], then release-store index + 1. 0: nothing was saved.
struct shm_saved {
	_Atomic uint32_t index;
	uint32_t reserved;
	struct shm_hello copy[2];
};
static_assert(sizeof(struct shm_saved) <= 4096, "the saved greeting has one page");

enum shm_ring_kind {
	SHM_RING_COMMAND, // control → worker, struct shm_cmd
	SHM_RING_EVENT, // worker → control, struct shm_event
	SHM_RING_PUNT_NEW, // worker → control, struct shm_punt: opens a session, rate limited
	SHM_RING_PUNT_KNOWN, // worker → control, struct shm_punt: of sessions that exist
	SHM_RING_INJECT, // control → worker, struct shm_inject
	SHM_RING_KINDS,
};

// First page of `rings`; sleeping flags. Then, for each worker in turn, the rings in the order of
// enum shm_ring_kind, each shm_ring_bytes(entries[kind], size of its element) long.
struct shm_rings_header {
	_Atomic uint32_t control_sleeps; // control sets, dataplane's main core clears
	uint32_t pad0[15];
	_Atomic uint32_t worker_sleeps[SHM_WORKERS_MAX * 16]; // element 16 * worker: a line each
	uint8_t pad[8192 - 64 - SHM_WORKERS_MAX * 64];
};
static_assert(sizeof(struct shm_rings_header) == 8192, "rings start page aligned");

// Descriptors in this order: sessions (O_RDONLY), keys (O_PATH), rings, eventfd towards control,
// one eventfd a worker, and last, if has_control is 1, the `control` memfd that an earlier control
// left here (size control_size).
struct shm_welcome {
	uint32_t kind; // SHM_WELCOME
	uint32_t version;
	uint64_t layout_hash;
	uint8_t instance[16];
	uint32_t sessions; // slots
	uint16_t workers;
	uint16_t adopted; // 1: the table has sessions of an earlier dataplane or control
	uint32_t entries[SHM_RING_KINDS];
	uint64_t rings_size;
	uint64_t control_size;
	uint32_t has_control;
	uint32_t reserved;
};

struct shm_refused {
	uint32_t kind; // SHM_REFUSED
	char text[252];
};

// ---- Command ring ----------------------------------------------------------------------------

enum shm_cmd_kind {
	SHM_CMD_INSTALL = 1, // make a session, or (same generation, slot live) replace its SIDs,
			     // limits and addresses after an in-place reset (C6)
	SHM_CMD_KEY = 2, // fill a key slot and accept it for receive
	SHM_CMD_KEY_DROP = 3, // wipe a key slot after a grace period
	SHM_CMD_REMOVE = 4, // end a session: keys wiped after a grace period
	SHM_CMD_IROUTE_ADD = 5, // a network behind a client
	SHM_CMD_IROUTE_DEL = 6,
};

struct shm_cmd_install {
	struct shm_endpoint endpoint; // ignored on replacement: the session's own goes on
	uint8_t server_sid[SHM_SID_LEN];
	uint8_t client_sid[SHM_SID_LEN];
	struct shm_addr tunnel4;
	struct shm_addr tunnel6;
	uint32_t ping_interval_ms;
	uint32_t timeout_ms;
	uint16_t mss4;
	uint16_t mss6;
	uint16_t tun_mtu;
	// SHM_DIR_DATA_V1, MOBILITY, LEGACY, EPOCH, STATIC, LAZY. LEGACY must be set for every
	// session whose cipher isn't AEAD or which has EPOCH, STATIC, LAZY, compress or
	// fragment_max.
	uint8_t dir_flags;
	uint8_t compress; // enum ovpn_compress
	uint16_t fragment_max; // `fragment N`: longest UDP payload to send; 0: no fragment headers
	uint16_t reserved;
	char name[SHM_NAME_LEN];
};

struct shm_cmd_key {
	uint8_t which; // key slot, 0 or 1
	uint8_t key_id; // 0 to 7
	uint8_t cipher; // enum ovpn_cipher; one that isn't AEAD only in sessions with
			// SHM_DIR_LEGACY
	uint8_t digest; // enum ovpn_digest of the HMAC; none with AEAD
	uint32_t age; // higher than every age used in this session before
	// Transmission switches to this key after so many milliseconds (protocol.md 11.3: 60 s
	// after the negotiation began); 0: at once, as for a session's first key. The dataplane
	// switches by itself, so that a killed control delays nothing.
	uint32_t tx_delay_ms;
	// Static-key mode and CFB/OFB: the time half of the ids that are sent (wall clock,
	// seconds); larger than that of every earlier key. The dataplane has no wall clock in its
	// packet path.
	uint32_t net_time;
	// Cipher key and HMAC key as they lie in the 256 bytes of the negotiation or of the static
	// key file; AEAD: the implicit IV in place of the HMAC key; epoch: the first 32 bytes of
	// cipher_key are E_1 and hmac_key isn't used.
	struct shm_raw_key rx; // client to server
	struct shm_raw_key tx; // server to client
};

struct shm_cmd_iroute {
	struct shm_addr addr;
	uint8_t prefix_len;
	uint8_t reserved[5];
};

struct shm_cmd {
	uint32_t kind; // enum shm_cmd_kind
	uint32_t seq; // echoed in SHM_EVENT_ACK
	uint32_t slot;
	uint16_t generation; // INSTALL of a free slot: the directory's plus 1; else the current one
	uint16_t which; // KEY_DROP: key slot
	union {
		struct shm_cmd_install install;
		struct shm_cmd_key key;
		struct shm_cmd_iroute iroute;
		uint8_t bytes[368];
	};
};
static_assert(sizeof(struct shm_cmd) == 384, "an element of the command ring");

// ---- Event ring ------------------------------------------------------------------------------

enum shm_event_kind {
	// status: 0, or -EAGAIN (this worker isn't the owner: read shm_dir.owner, send again
	// there),
	// -ESTALE (generation), -EEXIST, -ENOSPC (address table), -EINVAL. For REMOVE and KEY_DROP
	// it comes after the wipe; a peer-id may be reused 10 s later.
	SHM_EVENT_ACK = 1,
	SHM_EVENT_HANDOVER = 2, // endpoint: the new one; old: where it was
	SHM_EVENT_TIMEOUT = 3, // nothing authentic for timeout_ms; repeated every timeout_ms
	SHM_EVENT_EXIT = 4, // OCC EXIT came: remove the session at once
	SHM_EVENT_REKEY = 5, // a packet-id passed 0xFF000000
	SHM_EVENT_TX_SWITCHED = 6, // transmission now uses key slot `which`
};

struct shm_event {
	uint32_t kind; // enum shm_event_kind
	uint32_t seq; // ACK: of the command
	int32_t status; // ACK
	uint32_t slot;
	uint16_t generation;
	uint16_t which;
	uint32_t reserved;
	struct shm_endpoint endpoint;
	struct shm_endpoint old;
	uint64_t at_ms; // CLOCK_MONOTONIC
};
static_assert(sizeof(struct shm_event) == 128, "an element of the event ring");

// ---- Punt and inject rings -------------------------------------------------------------------

#define SHM_DATAGRAM_MAX 1968

// A control-channel datagram on its way to control: the UDP payload.
struct shm_punt {
	uint32_t slot; // punt_known: the session of that client session id and endpoint
	uint16_t generation;
	uint16_t len; // bytes of data
	struct shm_endpoint from; // remote: sender; local: our address it was sent to
	uint64_t at_ms; // CLOCK_MONOTONIC
	uint8_t reserved[16];
	uint8_t data[SHM_DATAGRAM_MAX];
};
static_assert(sizeof(struct shm_punt) == 2048, "an element of a punt ring");

// A datagram to send. slot != SHM_SLOT_NONE: to that session's current endpoint, whatever `to`
// says. Else to `to`, whose local address and port must be one of ours.
struct shm_inject {
	uint32_t slot;
	uint16_t generation;
	uint16_t len;
	struct shm_endpoint to;
	uint64_t reserved8;
	uint8_t reserved[16];
	uint8_t data[SHM_DATAGRAM_MAX];
};
static_assert(sizeof(struct shm_inject) == 2048, "an element of the inject ring");

// ---- Checks: 0 or -EINVAL (-ERANGE for an index) on a private copy ---------------------------
// Pure functions, any thread. Once they have accepted a message every enum in it is in range, every
// address is of a known family with zero bytes behind it, and every text is terminated.

// These also return -EPROTO when the other end was built with another layout.
int shm_hello_check(const struct shm_hello *m, size_t len);
int shm_greeting_check(const struct shm_greeting *m, size_t len);
int shm_welcome_check(const struct shm_welcome *m, size_t len);
// sessions: number of slots of the table.
int shm_cmd_check(const struct shm_cmd *m, uint32_t sessions);
int shm_event_check(const struct shm_event *m, uint32_t sessions);
int shm_punt_check(const struct shm_punt *m, uint32_t sessions);
int shm_inject_check(const struct shm_inject *m, uint32_t sessions);

// A remote endpoint that may be sent to: a family, non-zero port, no multicast, broadcast,
// loopback or unspecified address (C16). Returns 0 or -EINVAL.
int shm_endpoint_check(const struct shm_endpoint *e);

// Bytes of a greeting with that many tunnels.
static inline size_t shm_greeting_len(unsigned tunnels)
{
	return offsetof(struct shm_greeting, tunnel) + tunnels * sizeof(struct shm_listen);
}

// Number of bytes that `rings` has for so many workers, and where one ring lies.
size_t shm_rings_bytes(uint16_t workers, const uint32_t entries[SHM_RING_KINDS]);
size_t shm_rings_offset(
	uint16_t worker, enum shm_ring_kind kind, const uint32_t entries[SHM_RING_KINDS]);
uint32_t shm_ring_elem_size(enum shm_ring_kind kind);
