// SPDX-License-Identifier: BSD-3-Clause
// What people are shown of sessions and counters, as JSON. Event loop only.
#pragma once

#include <jansson.h>
#include <stdbool.h>

struct ctl;
struct ctl_peer;

// One session; detail: everything that is known. Returns NULL when memory is out.
json_t *ctl_status_session(struct ctl *ctl, const struct ctl_peer *peer, bool detail);

// Totals and counters. Returns NULL when memory is out.
json_t *ctl_status_totals(struct ctl *ctl);

// Does the text name this session: peer-id, session id (16 hex digits), common name, real address
// (with or without port) or tunnel address?
bool ctl_status_matches(const struct ctl_peer *peer, const char *text);
