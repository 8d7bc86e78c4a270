// SPDX-License-Identifier: BSD-3-Clause
// Threads that do TLS, so that one slow handshake delays nobody. A connection belongs to the event
// loop or to its thread, never to both: a job carries it over and back. Once a connection is up its
// messages take less time than that way, and are read and written in the event loop.
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <uv.h>

#include "protocol/ssl/tls_conn.h"

struct ctl_tls_pool;

#define CTL_TLS_THREADS_MAX 16
#define CTL_TLS_MESSAGES_MAX 8 // read in one job; more wait for the next
#define CTL_TLS_OWN_MAX 2048u // bytes each way of a job that needs no thread

// Bytes that grow. Zero is an empty one.
struct ctl_bytes {
	uint8_t *data;
	size_t len;
	size_t cap;
};

// Append. Returns 0 or -ENOMEM (nothing was appended).
int ctl_bytes_add(struct ctl_bytes *b, const void *data, size_t len);
// Drop the first len bytes.
void ctl_bytes_consume(struct ctl_bytes *b, size_t len);
// Wipe and free.
void ctl_bytes_done(struct ctl_bytes *b);

// One piece of work on one connection.
struct ctl_tls_job {
	// Set by the event loop.
	struct ovpn_tls_ctx *ctx; // for a connection that is to be made
	struct ovpn_tls_conn *conn; // NULL: make one
	bool want_keys; // export data keys and the dynamic key when the handshake is done
	struct ctl_bytes in; // of the peer
	struct ctl_bytes messages; // to write: u16 length, bytes, ...
	void (*done)(struct ctl_tls_job *job); // back in the event loop
	void *owner;
	unsigned shard;

	// Set by whoever did the work.
	enum ovpn_tls_state state;
	bool more; // as many messages were read as one job may: another finds the rest
	bool became_ready; // in this job: peer and exports are valid
	bool no_memory;
	struct ctl_bytes out; // for the peer
	struct ctl_bytes read; // messages of the peer: u16 length, bytes, ...
	struct ctl_bytes cert_env; // the peer's certificates as variables for programs
	struct ovpn_tls_peer peer; // also after a failed verification
	uint8_t data_keys[256];
	uint8_t dynamic_key[256];
	bool exported;
	char error[160];
	char version[16];
	char suite[48];

	struct ctl_tls_job *next; // of the pool
};

// Put a message behind those in b. Returns 0, or -ENOMEM with b as it was.
int ctl_tls_message_add(struct ctl_bytes *b, const void *message, size_t len);

// Take the first message off b. Returns its length and *ret_message (valid until b changes), 0 when
// there is none.
size_t ctl_tls_message_next(const struct ctl_bytes *b, size_t *pos, const uint8_t **ret_message);

// Free what a job holds, the connection too.
void ctl_tls_job_done(struct ctl_tls_job *job);

// Start `threads` threads. Returns NULL with errno when none could be made.
struct ctl_tls_pool *ctl_tls_pool_create(uv_loop_t *loop, unsigned threads);

// End the threads after the jobs they have, call done() for all of them, free. Returns NULL.
struct ctl_tls_pool *ctl_tls_pool_free(struct ctl_tls_pool *pool);

// Hand a job over; job->shard chooses the thread. done() is called in the event loop later. What is
// less work than handing it over is done at once, and waits for ctl_tls_pool_collect_own().
void ctl_tls_pool_submit(struct ctl_tls_pool *pool, struct ctl_tls_job *job);

// Call done() for the jobs that needed no thread, and for those that they bring about. Before the
// event loop sleeps. Takes NULL.
void ctl_tls_pool_collect_own(struct ctl_tls_pool *pool);
