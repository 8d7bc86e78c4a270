// SPDX-License-Identifier: BSD-3-Clause
// The connection to visp-dataplane: Unix socket, greeting, descriptors, rings, and sleeping. It is
// made again, by itself, whenever it breaks. Everything here runs in the event loop.
#pragma once

#include <stdbool.h>
#include <stdint.h>
#include <uv.h>

#include "shm/message.h"
#include "shm/ring.h"
#include "shm/table.h"

struct ctl;

enum ctl_link_state {
	CTL_LINK_DOWN, // waits to try again
	CTL_LINK_GREETED, // HELLO sent, WELCOME awaited
	CTL_LINK_UP,
};

struct ctl_worker {
	struct shm_ring ring[SHM_RING_KINDS];
	int event_fd; // wakes this worker
	bool dirty; // something was put since the last flush
};

struct ctl_link {
	struct ctl *ctl;
	const char *path;
	enum ctl_link_state state;
	int sock;
	uv_poll_t poll; // the socket, from GREETED on
	uv_poll_t wake; // eventfd towards control, while UP
	uv_timer_t retry;
	uv_prepare_t prepare; // before the loop sleeps
	uv_check_t check; // after it slept
	uv_idle_t idle; // active while the rings aren't empty: no sleep
	bool polling; // poll is initialised and active
	bool waking; // the same of wake
	bool said_waiting; // "waiting for the dataplane" was logged
	char refusal[sizeof(((struct shm_refused *)NULL)->text)]; // the last, said once; "": none
	unsigned closing; // handles that are being closed before the next attempt

	struct shm_greeting said; // what we say, made once from the configuration
	struct shm_welcome welcome; // the last answer
	int sessions_fd; // kept for a dataplane that is started anew
	int keys_fd;
	int control_fd;
	int rings_fd;
	int wake_fd;
	struct shm_view view; // mapped while sessions_fd is
	struct shm_rings_header *rings;
	size_t rings_bytes;
	uint16_t workers;
	struct ctl_worker worker[SHM_WORKERS_MAX];
};

// Prepare the handles; ctl->cfg is read for addresses, subnets and the path. Returns 0 or a
// negative errno.
int ctl_link_init(struct ctl_link *link, struct ctl *ctl);

// Try to connect now, and again until it works.
void ctl_link_start(struct ctl_link *link);

// Greet again over the living connection: the dataplane takes the new `control` memfd from it.
// Returns 0 or a negative errno.
int ctl_link_greet_again(struct ctl_link *link);

// Close everything; the loop then runs until the handles are gone.
void ctl_link_stop(struct ctl_link *link);

static inline bool ctl_link_is_up(const struct ctl_link *link)
{
	return link->state == CTL_LINK_UP;
}

// Replace the `control` memfd that is handed to the dataplane. Takes the descriptor over.
void ctl_link_set_control(struct ctl_link *link, int fd);

// Put a command into a worker's ring. Returns 0, -ENOTCONN, -ENOSPC, -ERANGE.
int ctl_link_command(struct ctl_link *link, uint16_t worker, const struct shm_cmd *cmd);

// Put a datagram into a worker's inject ring; len bytes of m->data count. Errors as above.
int ctl_link_inject(struct ctl_link *link, uint16_t worker, const struct shm_inject *m);

// Wake the workers for what was put; called at the end of each round of the loop by itself, and by
// hand only before the process ends.
void ctl_link_flush(struct ctl_link *link);

// Read-only look at a slot; NULL when the link never was up or the slot is out of range.
const struct shm_dir *ctl_link_dir(const struct ctl_link *link, uint32_t slot);
const struct shm_session *ctl_link_session(const struct ctl_link *link, uint32_t slot);

// What control does when something arrives; in peer_rx.c, command.c and adopt.c.
// welcome: already mapped. control_fd: that of an earlier control, or -1; taken over.
void ctl_on_link_up(struct ctl *ctl, int control_fd);
void ctl_on_link_down(struct ctl *ctl);
void ctl_on_punt(struct ctl *ctl, const struct shm_punt *punt, uint16_t worker, bool known);
void ctl_on_event(struct ctl *ctl, const struct shm_event *event, uint16_t worker);
// After everything that arrived was taken, and before sleeping.
void ctl_on_round(struct ctl *ctl);
