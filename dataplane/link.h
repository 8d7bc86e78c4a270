// SPDX-License-Identifier: BSD-3-Clause
// The connection with visp-control: Unix socket, who may connect, greeting, descriptors, rings.
// At most one control at a time. Main only.
#pragma once

#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>

#include "dataplane/dp.h"
#include "dataplane/grace.h"
#include "dataplane/loop.h"
#include "shm/fdpass.h"
#include "shm/message.h"
#include "shm/table.h"

struct dp_serve;
struct dp_state_file;
struct dp_link;

// A connection: first a stranger, who has a moment to greet, then perhaps the control.
struct dp_peer {
	struct dp_link *link;
	struct dp_watch watch; // fd -1: not in use
	struct shm_cred cred;
	uint64_t deadline_ms; // CLOCK_MONOTONIC; until then a stranger must have greeted
};

struct dp_link {
	// Set by dp_link_open().
	const char *path;
	uid_t own_uid; // of this process at its start: it and root may connect
	uid_t control_uid; // may connect, too
	struct dp_watch listener;
	struct dp_peer stranger;
	struct dp_peer control;
	struct shm_greeting said; // received last, checked
	bool have_early; // it came before there was a core (dp_link_wait)
	int control_fd; // control's own memfd, kept for the next control; -1: none
	uint64_t control_size; // bytes

	// Set by dp_link_start().
	struct dp_core *core;
	struct shm_table *table;
	struct dp_loop *loop;
	struct dp_grace *grace;
	struct dp_serve *serve;
	bool adopted; // the table has sessions of an earlier dataplane
	int sessions_ro_fd; // what control gets
	int keys_path_fd;

	// While control is connected.
	struct dp_link_rings *rings;
	uint64_t woken_ns; // when it was last woken from here
	bool wake_wanted;

	uint64_t epoch; // connections so far
	uint64_t refused; // connections that were refused
	pid_t refused_pid; // whom last, and why
	char refused_text[sizeof(((struct shm_refused *)NULL)->text)];
	uint64_t broken; // controls that were disconnected for impossible ring indices
};

// Make the socket. control_user may be NULL. Returns 0 or -errno, after logging why.
int dp_link_open(struct dp_link *link, const char *path, const char *control_user);

// Wait up to timeout_ms for a control that brings the descriptors of a table. Its greeting is
// answered by dp_link_start(). Returns true with fds[0] `sessions` and fds[1] `keys`, which are
// the caller's to close.
bool dp_link_wait(struct dp_link *link, unsigned timeout_ms, int fds[2]);

// Serve from now on. Needs the rights to reopen memfds (before privileges are dropped).
// Returns 0 or -errno, after logging why.
int dp_link_start(struct dp_link *link, struct dp_core *core, struct shm_table *table,
	struct dp_loop *loop, struct dp_grace *grace, struct dp_serve *serve);

// A control is connected.
bool dp_link_up(const struct dp_link *link);

// A worker that polls has put something into a ring towards control.
void dp_link_want_wake(struct dp_link *link);

// Once a turn of main: disconnect a control whose rings are broken, wake one that sleeps, drop
// strangers that don't greet. Returns nanoseconds until it wants to be called again, UINT64_MAX for
// "no need".
uint64_t dp_link_turn(struct dp_link *link, uint64_t now_ns);

// Disconnect everybody and remove the socket.
void dp_link_close(struct dp_link *link);
