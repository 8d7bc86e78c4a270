// SPDX-License-Identifier: BSD-3-Clause
// From what the server pushed to what the kernel is told: addresses, routes and rules. Pure;
// apply.c carries it out.
//
// Routes lie in a table of the instance's own, behind rules that exempt the tunnel's own datagrams
// by their mark, so that the underlay's routes are never touched (decisions.md C20):
//
//   lookup main suppress_prefixlength 0       what is nearer than a default route goes past us
//   not fwmark M lookup T                     everything else, but our datagrams, into the tunnel
//
// The longest prefix must win among both tables as if they were one, so this pair is there once for
// each length of prefix in T: "main, but only longer than L", then "T, but only L or longer".
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "client/nl.h"
#include "config/pushed.h"

#define VC_PLAN_ROUTES 1024 // pushed routes that are carried out; more are refused with a warning
#define VC_PLAN_RULES 100 // of one family; also the distance between two instances' priorities

struct vc_plan {
	struct cfg_addr local; // AF_UNSPEC: none of that family
	struct cfg_addr peer;
	struct cfg_addr local6;
	struct cfg_addr peer6;
	uint32_t mtu; // bytes
	size_t n_routes;
	size_t n_rules;
	size_t n_left_out; // routes that could not be understood
	struct vc_route routes[VC_PLAN_ROUTES];
	struct vc_rule rules[2 * VC_PLAN_RULES];
};

// What the plan depends on besides the push.
struct vc_plan_env {
	int ifindex; // of the tunnel
	uint32_t table;
	uint32_t priority; // of the first rule
	uint32_t mark;
	uint32_t mask;
	struct cfg_addr server; // the server's address outside
	struct cfg_addr other; // in the other family, where the session may move to; or AF_UNSPEC
	struct cfg_addr gateway; // on the way there; AF_UNSPEC: the server is on the link
	struct cfg_addr lan; // IPv4 network that the gateway lies in; or AF_UNSPEC
	bool strict; // the kernel checks reverse paths strictly (rp_filter 1)
	bool no_routes; // route-noexec
	bool no_address; // ifconfig-noexec
};

// Make the plan. Routes to host names are left out unless they are one of OpenVPN's own
// (vpn_gateway, net_gateway, remote_host). Returns 0, or -EINVAL when there is no address to use.
int vc_plan_build(
	const struct cfg_pushed *pushed, const struct vc_plan_env *env, struct vc_plan *ret_plan);

// Have both the same addresses, routes and MTU? Rules may differ.
bool vc_plan_same_inside(const struct vc_plan *a, const struct vc_plan *b);

// Would both have the same effect?
bool vc_plan_equal(const struct vc_plan *a, const struct vc_plan *b);

// Is this one of the plan's rules?
bool vc_plan_has_rule(const struct vc_plan *plan, const struct vc_rule *rule);
