// SPDX-License-Identifier: BSD-3-Clause
// What the data thread tells, and messages of our own to the server. Event loop only.
#pragma once

#include "client/engine.h"

struct vc_client;

// vc_engine_note_fn: a note of the data thread. arg: the client.
void vc_forward_note(void *arg, const struct vc_note *note);

// Take over what the data thread has counted: times of the last packets, counters.
void vc_forward_sync(struct vc_client *c);
