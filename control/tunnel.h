// SPDX-License-Identifier: BSD-3-Clause
// Point-to-point tunnels with static keys (`tunnel` in server.conf): sessions without a control
// channel, found by the UDP port that each has for itself. Event loop only.
// Source: protocol.md 9.3.
#pragma once

#include <stdbool.h>
#include <stdint.h>

struct ctl;
struct ctl_tunnel;
struct shm_greeting;

// Read the keys, while files can be read. Returns 0, or -errno with the reason logged.
int ctl_tunnels_load(struct ctl *ctl);

// Wipe and free.
void ctl_tunnels_done(struct ctl *ctl);

// Add the tunnels' ports to what the dataplane is told to listen on.
void ctl_tunnels_listen(const struct ctl *ctl, struct shm_greeting *said);

// The dataplane has a new table, or lost sessions: find out which tunnels have to be made again.
void ctl_tunnels_check(struct ctl *ctl);

// Make the tunnels that aren't there; from the timer.
void ctl_tunnels_tick(struct ctl *ctl, uint64_t now_ms);

// Remove all sessions of tunnels.
void ctl_tunnels_down(struct ctl *ctl);
