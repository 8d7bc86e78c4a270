// SPDX-License-Identifier: BSD-3-Clause
// The rings of one connection with control: a sealed memfd and what each worker needs of it. Main.
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "dataplane/dp.h"

struct dp_link_rings;

// Make the memfd and map it. epoch: number of the connection. Returns NULL with errno.
struct dp_link_rings *dp_link_rings_create(const struct dp_core *core, uint64_t epoch);

// Unmap and close, once no worker can be using it any more. For dp_grace_defer().
void dp_link_rings_free(void *rings);

// Give each worker its rings, and take them back.
void dp_link_rings_publish(struct dp_link_rings *rings, struct dp_core *core);
void dp_link_rings_withdraw(struct dp_link_rings *rings, struct dp_core *core);

// For the greeting.
int dp_link_rings_fd(const struct dp_link_rings *rings);
int dp_link_rings_wake_fd(const struct dp_link_rings *rings); // eventfd towards control
size_t dp_link_rings_bytes(const struct dp_link_rings *rings);
void dp_link_rings_entries(uint32_t entries[SHM_RING_KINDS]);

// Wake control if it sleeps; true when it was woken.
bool dp_link_rings_wake(struct dp_link_rings *rings);
