// SPDX-License-Identifier: BSD-3-Clause
#include "client/apply.h"

#include <errno.h>
#include <linux/rtnetlink.h>
#include <string.h>
#include <sys/socket.h>

#include "client/log.h"

// Packets that may wait in the device: as many as a burst of ours takes, several times.
#define VC_TUN_QUEUE 1000
#define VC_GUARD_METRIC 0x7fffffffu // behind every route of the table

static int apply_addr(
	struct vc_nl *nl, int ifindex, const struct cfg_addr *local, const struct cfg_addr *peer)
{
	char text[CFG_ADDR_TEXT];
	int rc;

	if (local->family == AF_UNSPEC)
		return 0;
	rc = vc_nl_addr_add(nl, ifindex, local, peer);
	if (rc < 0)
		vc_log(VC_ERROR, "can't set address %s: %s", cfg_addr_text(local, true, text),
			strerror(-rc));
	return rc;
}

static int apply_rules(struct vc_nl *nl, const struct vc_plan *plan)
{
	for (size_t i = 0; i < plan->n_rules; i++) {
		int rc = vc_nl_rule_add(nl, &plan->rules[i]);

		if (rc == -EEXIST)
			rc = 0;
		if (rc < 0 && plan->rules[i].family == AF_INET6) {
			vc_log(VC_WARN, "can't add an IPv6 routing rule: %s", strerror(-rc));
			rc = 0;
		}
		if (rc < 0) {
			vc_log(VC_ERROR, "can't add routing rule %u: %s", plan->rules[i].priority,
				strerror(-rc));
			return rc;
		}
	}
	return 0;
}

int vc_apply(struct vc_nl *nl, int ifindex, const struct vc_plan *plan)
{
	char text[CFG_ADDR_TEXT];
	int rc = vc_nl_link_up(nl, ifindex, plan->mtu, VC_TUN_QUEUE);

	if (rc < 0) {
		vc_log(VC_ERROR, "can't set up the tunnel device: %s", strerror(-rc));
		return rc;
	}
	rc = apply_addr(nl, ifindex, &plan->local, &plan->peer);
	if (rc < 0)
		goto err;
	// A machine without IPv6 still gets its IPv4.
	if (apply_addr(nl, ifindex, &plan->local6, NULL) < 0)
		vc_log(VC_WARN, "going on without IPv6 inside the tunnel");
	for (size_t i = 0; i < plan->n_routes; i++) {
		int err = vc_nl_route_add(nl, &plan->routes[i]);

		if (err < 0)
			vc_log(VC_WARN, "route %s is left out: %s",
				cfg_addr_text(&plan->routes[i].dst, true, text), strerror(-err));
	}
	rc = apply_rules(nl, plan);
	if (rc < 0)
		goto err;
	return 0;

err:
	vc_apply_undo(nl, ifindex, plan);
	return rc;
}

// In the place of each route into the tunnel, behind it, one that leads nowhere. It needs neither
// device nor address, so it stays when those go.
static void guard(struct vc_nl *nl, const struct vc_plan *plan, bool up)
{
	for (size_t i = 0; i < plan->n_routes; i++) {
		struct vc_route r = {
			.dst = plan->routes[i].dst,
			.table = plan->routes[i].table,
			.metric = VC_GUARD_METRIC,
			.type = RTN_UNREACHABLE,
		};

		if (plan->routes[i].type == RTN_THROW)
			continue;
		if (up)
			(void)vc_nl_route_add(nl, &r); // without IPv6 there is nothing to guard
		else
			(void)vc_nl_route_del(nl, &r); // two routes may have had one guard
	}
}

static void undo_rules(struct vc_nl *nl, const struct vc_plan *plan, const struct vc_plan *keep)
{
	for (size_t i = plan->n_rules; i-- > 0;) {
		if (keep == NULL || !vc_plan_has_rule(keep, &plan->rules[i]))
			(void)vc_nl_rule_del(nl, &plan->rules[i]);
	}
}

static void undo_rest(struct vc_nl *nl, int ifindex, const struct vc_plan *plan)
{
	for (size_t i = plan->n_routes; i-- > 0;)
		(void)vc_nl_route_del(nl, &plan->routes[i]);
	if (plan->local.family != AF_UNSPEC)
		(void)vc_nl_addr_del(nl, ifindex, &plan->local, &plan->peer);
	if (plan->local6.family != AF_UNSPEC)
		(void)vc_nl_addr_del(nl, ifindex, &plan->local6, NULL);
}

int vc_apply_change(
	struct vc_nl *nl, int ifindex, const struct vc_plan *old, const struct vc_plan *next)
{
	int rc;

	if (vc_plan_same_inside(old, next)) {
		// The new ones first: no packet may find none.
		rc = apply_rules(nl, next);
		if (rc < 0)
			vc_apply_undo(nl, ifindex, next);
		undo_rules(nl, old, rc == 0 ? next : NULL);
		return rc;
	}
	guard(nl, old, true);
	undo_rest(nl, ifindex, old);
	rc = vc_apply(nl, ifindex, next);
	undo_rules(nl, old, rc == 0 ? next : NULL);
	guard(nl, old, false);
	return rc;
}

void vc_apply_undo(struct vc_nl *nl, int ifindex, const struct vc_plan *plan)
{
	// Rules first: without them the routes of our table mean nothing to anybody.
	undo_rules(nl, plan, NULL);
	undo_rest(nl, ifindex, plan);
}
