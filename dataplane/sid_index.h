// SPDX-License-Identifier: BSD-3-Clause
// Session ids to slots (D20): server ids find sessions that moved, client ids tell datagrams of
// known sessions from those that may open one. Main is the only writer; workers ask main through
// w->to_main and look up without locks. Lookups and changes are declared in dp.h.
#pragma once

#include <stdint.h>

struct dp_core;
struct dp_grace;
struct dp_sid_index;
struct dp_worker;

// Make the index of core->sessions slots. grace frees the places of deleted ids. EAL must be up.
// Main only. Returns NULL with errno.
struct dp_sid_index *dp_sid_index_create(const struct dp_core *core, struct dp_grace *grace);

// Free it, when no worker runs any more. Returns NULL.
struct dp_sid_index *dp_sid_index_free(struct dp_sid_index *ix);

// Do what one worker asks for in w->to_main. Main only. Returns the number of messages.
unsigned dp_sid_index_serve(struct dp_core *core, struct dp_worker *w);

// Entries of the index, and ids that were refused because a live session has them.
uint32_t dp_sid_index_count(const struct dp_sid_index *ix);
uint64_t dp_sid_index_refused(const struct dp_sid_index *ix);
