// SPDX-License-Identifier: BSD-3-Clause
// Which server to try next and when: remotes in order (or at random), all addresses of a name,
// back-off with jitter. Event loop only.
#pragma once

#include <stdbool.h>
#include <stdint.h>
#include <sys/socket.h>
#include <uv.h>

#include "client/path.h"
#include "config/client.h"

#define VC_CONNECT_ADDRS 16
#define VC_CONNECT_KNOWN 4 // addresses kept of each remote

struct vc_client;

// What a remote's name was last resolved to: while the tunnel is down and every name is asked
// inside it, there is no other way to know.
struct vc_known {
	struct sockaddr_storage addr[VC_CONNECT_KNOWN];
	unsigned n;
};

struct vc_connect {
	struct vc_known known[CFG_REMOTES_MAX];
	unsigned remote; // index of the remote in use
	unsigned order[CFG_REMOTES_MAX]; // order in which remotes are tried
	unsigned at; // index into order
	unsigned tried; // remotes tried since the last success
	unsigned failed; // rounds over all remotes since the last success
	unsigned attempts;
	struct sockaddr_storage addr[VC_CONNECT_ADDRS];
	unsigned n_addrs;
	unsigned addr_at;
	uv_getaddrinfo_t resolve;
	bool resolving;
	bool waiting_path; // nothing to send over: the next event goes on
	unsigned pathless; // remotes in a row that no path leads to
	// The server's address in the other family is a guess: another remote's (sibling.c).
	bool guess;
	uv_getaddrinfo_t aside; // for such a remote's name
	bool aside_busy;
	unsigned aside_at; // which one
	uv_timer_t timer;
};

int vc_connect_init(struct vc_client *c);

// Try the first server now.
void vc_connect_start(struct vc_client *c);

// The attempt or session failed: try the next address or remote, after a pause when all have been
// tried. was_up: it had worked, so the same remote is tried first.
void vc_connect_again(struct vc_client *c, bool was_up, uint32_t delay_s);

// The server asks for the next remote at the next attempt.
void vc_connect_advance(struct vc_client *c);

// It works: forget the failures.
void vc_connect_succeeded(struct vc_client *c);

// Are there servers that haven't been tried since the last success?
bool vc_connect_more(const struct vc_client *c);

// Has the name of the server in use addresses that haven't been tried in this round?
bool vc_connect_more_addresses(const struct vc_client *c);

// Say where the server may also be: at its name's first address of the other family, else at
// another remote's.
void vc_connect_other(struct vc_client *c);

// Copy the addresses of both families from a resolver's list. Returns their number, at most max.
unsigned vc_connect_take(
	const struct addrinfo *list, uint16_t port, struct sockaddr_storage *addr, unsigned max);

// Try the same address again at once.
void vc_connect_now(struct vc_client *c);

// A path appeared: go on at once if that is what was missing, or cut a pause short.
void vc_connect_path(struct vc_client *c);
