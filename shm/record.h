// SPDX-License-Identifier: BSD-3-Clause
// What lies in the `control` memfd: everything that a restarted visp-control needs to go on with
// each session (decisions.md C1 to C8). Control alone maps it; the dataplane only keeps the
// descriptor. A single writer, which may be killed between any two stores: a record is first
// written to the journal of the header, then to its place (see control/record.h).
#pragma once

#include "shm/layout.h"

#define SHM_RECORD_MAGIC 0x52504956u // "VIPR" in memory on a little-endian machine
#define SHM_RECORD_VERSION 2u
#define SHM_RECORD_CHANNEL 96u // struct ovpn_channel_state
#define SHM_RECORD_KEY 128u // struct ovpn_wrap_saved
#define SHM_RECORD_CN 68u // common name and NUL
#define SHM_RECORD_SERIAL 64u // serial number of the certificate, hex, and NUL
#define SHM_PARKED_MAX 1024u // sessions whose last packets are kept at a time
#define SHM_PARKED_BYTES 2008u
#define SHM_SHAKING_MAX 1024u // first handshakes that are remembered at a time

enum shm_record_flag {
	SHM_RECORD_LIVE = 1u << 0, // the slot has a session; without it nothing else counts
	SHM_RECORD_HAS_CERT = 1u << 1,
	SHM_RECORD_DYNAMIC = 1u << 2, // dynamic_key is valid
	SHM_RECORD_BASE_KEY = 1u << 3, // base_key is valid (tls-crypt-v2)
	SHM_RECORD_NCP = 1u << 4, // the cipher was pushed
	SHM_RECORD_PUSHED = 1u << 5, // a PUSH_REPLY was sent
	SHM_RECORD_PARKED = 1u << 6, // parked names an entry with packets not yet acknowledged
	SHM_RECORD_USER = 1u << 7, // user_hash is valid
	SHM_RECORD_TOKEN = 1u << 8, // token_session and token_initial_s are valid
	SHM_RECORD_TOKEN_NOBODY = 1u << 9, // that token was made for an empty user name
	SHM_RECORD_NOTE = 1u << 10, // programs know of the session: it has a note
};

enum shm_record_wrap {
	SHM_RECORD_WRAP_NONE = 0,
	SHM_RECORD_WRAP_TLS_AUTH = 1,
	SHM_RECORD_WRAP_TLS_CRYPT = 2,
	SHM_RECORD_WRAP_V2 = 3,
};

// One of the two data keys.
struct shm_record_key {
	uint8_t valid;
	uint8_t key_id;
	uint8_t reserved[2];
	uint32_t age; // as in SHM_CMD_KEY
	uint64_t made_ms; // CLOCK_MONOTONIC: when its negotiation began
	uint64_t retire_ms; // CLOCK_MONOTONIC: when it is wiped; 0: not planned
};

struct shm_control_record {
	uint32_t checksum; // of everything behind it
	uint32_t sequence; // +1 each time that the record is written
	uint32_t slot; // its own place
	uint16_t generation; // of shm_dir
	uint16_t flags; // enum shm_record_flag
	uint8_t wrap; // enum shm_record_wrap
	uint8_t cipher; // enum ovpn_cipher
	uint8_t primary; // key slot of the newest key
	uint8_t negotiating; // 1: a renegotiation was under way
	uint32_t iv_proto; // what the client announced
	uint32_t agreed; // of that, what is in use (enum ctl_push_agreed)
	uint32_t age; // newest age used
	uint32_t parked; // index of the parked entry
	uint8_t channel[SHM_RECORD_CHANNEL];
	uint8_t base_key[SHM_RECORD_KEY];
	uint8_t dynamic_key[SHM_RECORD_KEY];
	uint8_t chain_hash[32];
	char cn[SHM_RECORD_CN];
	struct shm_addr tunnel4;
	struct shm_addr tunnel6;
	struct shm_record_key key[SHM_KEY_SLOTS];
	uint64_t connected_ms; // CLOCK_MONOTONIC
	uint64_t connected_wall_s; // unix time
	uint64_t reneg_ms; // CLOCK_MONOTONIC: next renegotiation, jitter included; 0: never
	uint64_t pushed_ms; // CLOCK_MONOTONIC
	char serial[SHM_RECORD_SERIAL];
	uint64_t token_initial_s; // unix time: when the password behind the token was proven
	uint8_t token_session[12];
	uint8_t user_hash[32]; // SHA-256 of the user name
	uint8_t digest; // enum ovpn_digest; none with AEAD
	uint8_t compress; // enum ovpn_compress
	uint16_t fragment; // longest UDP payload to send; 0: no fragment headers
	uint8_t reserved[4];
};
static_assert(sizeof(struct shm_control_record) <= SHM_CONTROL_RECORD_MAX, "6.5 KiB a session");

// Control packets of a session that were sent but not acknowledged, when its TLS state isn't needed
// any more to send them again (decisions.md C8).
struct shm_parked {
	uint32_t checksum; // of everything behind it
	uint32_t slot;
	uint16_t generation;
	uint16_t count; // packets
	uint32_t first_id; // message id of the first one; the others follow
	uint8_t key_id;
	uint8_t reserved[7];
	uint16_t len[8]; // bytes of each
	uint8_t bytes[SHM_PARKED_BYTES];
};
static_assert(sizeof(struct shm_parked) == 2048, "an element of the parking place");

// A first handshake under way: enough to end it by an alert when its TLS state is lost
// (decisions.md C5), so that the client starts again at once.
struct shm_shaking {
	uint32_t checksum; // of everything behind it
	uint8_t used;
	uint8_t wrap; // enum shm_record_wrap
	uint8_t reserved[2];
	struct shm_endpoint endpoint;
	uint8_t channel[SHM_RECORD_CHANNEL];
	uint8_t base_key[SHM_RECORD_KEY]; // tls-crypt-v2 only
};
static_assert(sizeof(struct shm_shaking) == 280, "an element of the list of handshakes");

// What programs of the operator are to be told of a session at its end, and what client-connect has
// said about it; where there are such programs. Written once, before the record that counts on it.
// Pages that nobody writes to take no memory.
#define SHM_NOTE_BYTES 32736u
struct shm_note {
	uint32_t checksum; // of what follows, as far as it is used
	uint32_t slot; // its own place
	uint16_t generation; // of shm_dir
	uint16_t reserved;
	uint32_t env_len; // bytes of "NAME=VALUE" strings, each with its NUL
	uint32_t config_len; // behind them: directives, with a NUL
	uint32_t pad;
	uint64_t since_s; // unix time of its arrival
	char bytes[SHM_NOTE_BYTES];
};
static_assert(sizeof(struct shm_note) == 32768, "whole pages");

// First page of the memfd.
struct shm_control_header {
	uint32_t checksum; // of what follows, up to the end of tls_hash
	uint32_t magic; // SHM_RECORD_MAGIC
	uint32_t version; // SHM_RECORD_VERSION
	uint32_t record_size; // sizeof(struct shm_control_record)
	uint32_t sessions; // records behind the header
	uint32_t parked; // entries behind the records
	uint32_t shaking; // entries behind those
	uint8_t instance[16]; // of the session table
	uint8_t tls_hash[32]; // settings that answered the handshakes
	// Keys of the cookies, newest first: two copies, `cookie_index & 1` is the valid one.
	uint32_t cookie_index;
	uint32_t cookie_count[2];
	uint8_t cookie_key[2][2][32];
	uint8_t token_key[32]; // of tokens for passwords, unless a file has it
	// The last record on its way to its place: valid if its checksum is.
	struct shm_control_record journal;
	uint8_t pad[4096 - 80 - 12 - 128 - 32 - sizeof(struct shm_control_record)];
};
static_assert(sizeof(struct shm_control_header) == 4096, "the header has a page of its own");
