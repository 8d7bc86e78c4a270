// SPDX-License-Identifier: BSD-3-Clause
// One session slot: a control channel to the server, the TLS connection of its current
// negotiation, and how far the key exchange has come. Event loop only.
// Source: protocol.md 2.7, 5.1, 11.1.
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "protocol/ssl/tls_conn.h"
#include "protocol/tls/channel.h"
#include "protocol/tls/keys.h"
#include "protocol/tls/negotiation.h"
#include "protocol/tls/static_key.h"
#include "protocol/tls/wrap.h"

struct vc_client;

enum vc_slot_state {
	VC_SLOT_TLS, // resets and TLS handshake
	VC_SLOT_SENT_KEY, // our key-method-2 message is written
	VC_SLOT_GOT_KEY, // the server's has come; waiting until everything is acknowledged
	VC_SLOT_ACTIVE, // negotiation finished
	VC_SLOT_FAILED,
};

struct vc_slot {
	struct ovpn_channel ch;
	struct ovpn_negotiation neg;
	struct ovpn_tls_conn *tls;
	struct ovpn_prf_input prf; // random material of the exchange under way; wiped with the keys
	struct ovpn_wrap_keys dynamic; // for renegotiations, if it was agreed
	char options[512]; // the server's options string
	size_t options_len;
	uint64_t started_ms; // of the current negotiation
	uint64_t established_ms; // when its data keys were made
	uint32_t serial; // counts the hard resets of this process
	enum vc_slot_state state;
	bool heard; // the server answered
	bool keyed; // the data keys of the current negotiation exist
	bool promoted; // it was moved to ACTIVE
};

// Wrapping of the control channel for one server, made from the profile.
struct vc_wrap {
	struct ovpn_wrap_keys keys; // mode none without wrapping
	struct ovpn_static_key base; // the key, for the dynamic one
	bool has_base;
	struct ovpn_v2_client_key v2;
	bool is_v2;
};

// A new slot with a fresh session id that sends a hard reset. Returns NULL with errno.
struct vc_slot *vc_slot_create(struct vc_client *c, uint64_t now_ms);

// Wipe and free. NULL is fine. Returns NULL.
struct vc_slot *vc_slot_free(struct vc_slot *slot);

// Forget the TLS connection and begin the next negotiation: the peer's soft reset came, or ours
// was queued. Returns 0 or -ENOMEM.
int vc_slot_renew(struct vc_client *c, struct vc_slot *slot, uint64_t now_ms);

// Move bytes between channel and TLS, write and read the key exchange, give messages to
// vc_session_message(). Sends nothing. Returns 0, or -EPROTO with state VC_SLOT_FAILED.
int vc_slot_step(struct vc_client *c, struct vc_slot *slot, uint64_t now_ms);

// Send what is due over the current socket. Returns when to call again, in ms of vc_now_ms().
uint64_t vc_slot_output(struct vc_client *c, struct vc_slot *slot, uint64_t now_ms);

// Derive the data keys of the finished exchange. ekm: by the TLS exporter, else by the PRF.
// Returns 0, -EKEYREJECTED, -EIO.
int vc_slot_derive(
	struct vc_slot *slot, bool ekm, enum ovpn_cipher cipher, struct ovpn_data_keys *ret_keys);

// Agree on dynamic tls-crypt for the renegotiations of this session. Returns 0 or -EIO.
int vc_slot_dynamic(struct vc_client *c, struct vc_slot *slot);

// Write one text message with its NUL. Returns 0 or -errno of the TLS connection.
int vc_slot_say(struct vc_slot *slot, const char *word, const char *text);
