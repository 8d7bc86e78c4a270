// SPDX-License-Identifier: BSD-3-Clause
// Names and values as OpenVPN 2.6 has them: openvpn(8), "Environmental Variables".
#include <stdio.h>
#include <time.h>

#include "config/server.h"
#include "control/auth_env.h"
#include "control/ctl.h"
#include "control/peer.h"
#include "control/policy.h"
#include "control/visit.h"
#include "shm/session.h"

static int add_number(struct ctl_bytes *env, const char *name, uint64_t value)
{
	char text[24];

	(void)snprintf(text, sizeof(text), "%llu", (unsigned long long)value); // fits
	return ctl_env_add(env, name, text);
}

static int add_addr(struct ctl_bytes *env, const char *name, const struct cfg_addr *addr)
{
	char text[CFG_ADDR_TEXT];

	return ctl_env_add(env, name, cfg_addr_text(addr, false, text));
}

// "2026-11-29 17:00:00", local time.
static int add_time(struct ctl_bytes *env, uint64_t unix_s)
{
	time_t t = (time_t)unix_s;
	char text[32] = "";
	struct tm tm;

	if (localtime_r(&t, &tm) != NULL)
		(void)strftime(text, sizeof(text), "%Y-%m-%d %H:%M:%S", &tm); // fits
	return ctl_env_add(env, "time_ascii", text);
}

static int add_tunnel4(struct ctl *ctl, const struct ctl_grant *g, struct ctl_bytes *env)
{
	struct cfg_addr other;
	int rc;

	if (g->address.family == 0)
		return 0;
	rc = add_addr(env, "ifconfig_pool_remote_ip", &g->address);
	if (rc < 0)
		return rc;
	if (ctl->cfg->topology == CFG_TOPOLOGY_SUBNET) {
		other = cfg_addr_netmask(&g->address);
		return add_addr(env, "ifconfig_pool_netmask", &other);
	}
	other = ctl_policy_other_end(ctl->policy, g);
	return add_addr(env, "ifconfig_pool_local_ip", &other);
}

static int add_tunnel6(struct ctl *ctl, const struct ctl_grant *g, struct ctl_bytes *env)
{
	const struct cfg_addr *local = &ctl->cfg->address6;
	int rc;

	if (g->address6.family == 0)
		return 0;
	if (g->ccd != NULL && g->ccd->ifconfig6_peer.family != 0)
		local = &g->ccd->ifconfig6_peer;
	rc = add_addr(env, "ifconfig_pool_remote_ip6", &g->address6);
	if (rc == 0)
		rc = add_addr(env, "ifconfig_pool_local_ip6", local);
	if (rc == 0)
		rc = add_number(env, "ifconfig_pool_ip6_netbits", g->address6.prefix);
	return rc;
}

int ctl_visit_env(struct ctl *ctl, const struct ctl_visit *visit, struct ctl_bytes *env)
{
	const struct ctl_peer *peer = visit->peer;
	int rc = ctl_bytes_add(env, visit->env.data, visit->env.len);

	if (rc == 0)
		rc = ctl_env_add(
			env, "common_name", peer->id.cn[0] != '\0' ? peer->id.cn : "UNDEF");
	if (rc == 0)
		rc = ctl_env_add_endpoint(env, "trusted", peer);
	if (rc == 0)
		rc = add_number(env, "time_unix", visit->since_s);
	if (rc == 0)
		rc = add_time(env, visit->since_s);
	if (rc == 0 && peer->grant != NULL)
		rc = add_tunnel4(ctl, peer->grant, env);
	if (rc == 0 && peer->grant != NULL)
		rc = add_tunnel6(ctl, peer->grant, env);
	return rc;
}

int ctl_visit_env_end(const struct ctl_visit *visit, const struct shm_session_info *info,
	uint64_t now_ms, struct ctl_bytes *env)
{
	int rc = add_number(env, "bytes_received", info->rx_bytes);

	if (rc == 0)
		rc = add_number(env, "bytes_sent", info->tx_bytes);
	if (rc == 0)
		rc = add_number(env, "time_duration",
			now_ms > visit->since_ms ? (now_ms - visit->since_ms) / 1000 : 0);
	return rc;
}
