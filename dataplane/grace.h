// SPDX-License-Identifier: BSD-3-Clause
// Things that main has unpublished and frees once no worker can still be reading them (D5).
// Workers have their own queue for what they unpublish. Main only.
#pragma once

#include <stdbool.h>
#include <stdint.h>

#include <rte_rcu_qsbr.h>

struct dp_grace_item;

struct dp_grace {
	struct rte_rcu_qsbr *qsbr;
	struct dp_grace_item *first; // oldest; tokens only grow
	struct dp_grace_item *last;
};

void dp_grace_init(struct dp_grace *grace, struct rte_rcu_qsbr *qsbr);

// Call fn(arg) from a later dp_grace_poll(), when every worker has passed a quiescent state after
// this call. Whatever arg was published as must have been replaced before. When memory is short it
// waits here instead.
void dp_grace_defer(struct dp_grace *grace, void (*fn)(void *arg), void *arg);

// Run what is due. Returns true when something still waits.
bool dp_grace_poll(struct dp_grace *grace);

// Wait for and run everything. Workers must be running or have left.
void dp_grace_drain(struct dp_grace *grace);
