// SPDX-License-Identifier: BSD-3-Clause
// Another `remote` of the profile that may be the same server in the other family. Nothing says so
// but the server itself: a session that has lost its family asks there, and only an answer under
// its own keys makes it go on there. Event loop only.
#pragma once

#include <stdbool.h>
#include <stdint.h>
#include <sys/socket.h>

#include "client/connect.h"

struct vc_client;

// An address of a family among the remotes other than the one in use: numeric ones, and names that
// have been resolved; in the order in which they are tried. Returns false when there is none. Pure.
bool vc_sibling_find(const struct cfg_client *cfg, const struct vc_connect *n, uint16_t family,
	struct sockaddr_storage *ret_addr);

// May the session ask there? Not where it couldn't tell an answer: static keys, `mobility` off or
// lazy.
bool vc_sibling_allowed(const struct vc_client *c);

// A session is up: resolve the names of the other remotes while there is a network to do it over,
// until one has an address in the family that the server in use lacks.
void vc_sibling_resolve(struct vc_client *c);
