// SPDX-License-Identifier: BSD-3-Clause
// visp-control's part towards a running dataplane, without TLS: greets on its socket, and installs
// sessions whose keys are known through the rings.
#pragma once

#include <stdbool.h>
#include <stdint.h>

#include "bench/fleet.h"

struct pg_control;

// Connect and greet. Returns NULL with errno, after telling stderr why.
struct pg_control *pg_control_connect(const char *path, bool mobility);
// Disconnect; the dataplane keeps the sessions.
struct pg_control *pg_control_free(struct pg_control *c);

// Has the dataplane gone?
bool pg_control_alone(const struct pg_control *c);

// Greet the dataplane that took its place, and give it the tables of the one before: all sessions
// go on. Returns 0, or -errno while there is none: try again.
int pg_control_again(struct pg_control *c);

// Install all clients, spread over the workers, and wait for the acknowledgements. Returns 0 and
// how many seconds it took; -EIO when one was refused, -ETIMEDOUT; tells stderr why.
int pg_control_install(struct pg_control *c, struct pg_fleet *f, double *ret_seconds);

// Remove them again and wait.
int pg_control_remove(struct pg_control *c, struct pg_fleet *f);

// Take what the workers had to say, so that their rings don't fill up. Returns the handovers among
// it.
unsigned pg_control_poll(struct pg_control *c);
