// SPDX-License-Identifier: BSD-3-Clause
// Listens to NETLINK_ROUTE and asks for the path to the server whenever something may have
// changed. Event loop only. Source: decisions.md C21.
#pragma once

#include <stdbool.h>
#include <stdint.h>
#include <uv.h>

#include "client/nl.h"
#include "client/path.h"

struct mnl_socket;
struct vc_watch;

// Called with what the path is judged to be now; path has family AF_UNSPEC when there is none.
// Only for VC_PATH_MOVED and VC_PATH_LOST, the latter once for each loss.
typedef void vc_watch_fn(void *arg, enum vc_path_verdict verdict, const struct vc_path *path);

struct vc_watch {
	struct mnl_socket *sock; // NULL: not started
	uv_poll_t poll;
	uv_timer_t merge; // events within 20 ms of a change are judged together
	bool dirty; // something came while merging
	bool lost; // the loss was reported
	struct vc_path_state state;
	struct vc_nl *nl;
	struct cfg_addr server;
	struct cfg_addr other; // the same server in the other family; AF_UNSPEC: not known
	uint32_t mark;
	vc_watch_fn *fn;
	void *arg;
	uint64_t lookups; // for the status
};

// Start listening. nl, fn and arg belong to the caller and live longer.
// Returns 0 or -errno.
int vc_watch_start(struct vc_watch *w, uv_loop_t *loop, struct vc_nl *nl, uint32_t mark,
	vc_watch_fn *fn, void *arg);

// Close the handles; the loop must run once more before the memory goes.
void vc_watch_stop(struct vc_watch *w);

// The server to ask about, and our tunnel's index (0: none). No judgement follows from it. other:
// its address in the other family, to which there may be a path when there is none to the first;
// NULL: not known.
void vc_watch_server(
	struct vc_watch *w, const struct cfg_addr *server, const struct cfg_addr *other);
void vc_watch_tun(struct vc_watch *w, int ifindex);

// The path now, with the gateway's link-layer address when it is known. Returns 0 or -errno
// (-ENETUNREACH: none).
int vc_watch_look(struct vc_watch *w, const struct cfg_addr *server, struct vc_path *ret_path);

// The path in use from now on; the server's address in its family becomes the first one.
void vc_watch_use(struct vc_watch *w, const struct vc_path *path);

// Judge the path at once: after send errors, on resume, as a net.
void vc_watch_poke(struct vc_watch *w);

// Does a path still work for sending: its address is ours and its link is up?
bool vc_watch_alive(struct vc_watch *w, const struct vc_path *path);
