// SPDX-License-Identifier: BSD-3-Clause
// Carries out a plan: tells the kernel about addresses, routes and rules, and takes it back.
#pragma once

#include "client/nl.h"
#include "client/plan.h"

// Configure the device and install routes and rules. What fails for a single pushed route is
// logged and left out; what the tunnel can't work without is undone and returned.
// Returns 0 or -errno.
int vc_apply(struct vc_nl *nl, int ifindex, const struct vc_plan *plan);

// Put a plan in the place of another one. Meanwhile what went into the tunnel finds no way at all,
// rather than one past it; where only rules differ, routes stay. Returns 0, or -errno: neither of
// the two is there then.
int vc_apply_change(
	struct vc_nl *nl, int ifindex, const struct vc_plan *old, const struct vc_plan *next);

// Take everything back; what is gone already doesn't matter.
void vc_apply_undo(struct vc_nl *nl, int ifindex, const struct vc_plan *plan);
