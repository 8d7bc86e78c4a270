// SPDX-License-Identifier: BSD-3-Clause
// Name servers of the tunnel: systemd-resolved's settings of our link where it runs, else
// resolv.conf, which is put back at the end, also by the next start after a crash.
// Source: decisions.md C25.
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <uv.h>

#include "config/client.h"

#define VC_DNS_SERVERS 6
#define VC_DNS_DOMAINS 8
#define VC_DNS_FILE_MAX 65536 // bytes of a resolv.conf that we are willing to keep
#define VC_DNS_RESOLV_CONF "/etc/resolv.conf"

// What was pushed, in the form that both ways need.
struct vc_dns_set {
	struct cfg_addr server[VC_DNS_SERVERS];
	size_t n_servers;
	const char *domain[VC_DNS_DOMAINS]; // borrowed
	bool route_only[VC_DNS_DOMAINS]; // asked for there, but not a search domain
	size_t n_domains;
};

struct vc_dns {
	bool resolved; // our settings are with systemd-resolved
	bool file; // our text is in resolv.conf
	int ifindex;
	const char *backup; // path of the copy of the original
	char *ours; // text that we wrote
	size_t ours_len;
	uv_fs_event_t watch;
	uv_timer_t again;
	bool watching;
};

// Collect dhcp-option lines (DNS, DNS6, DOMAIN, DOMAIN-SEARCH, ADAPTER_DOMAIN_SUFFIX, and
// DOMAIN-ROUTE for `dns server N resolve-domains`); others are passed over.
void vc_dns_collect(const struct cfg_tunnel *tunnel, struct vc_dns_set *ret_set);

// Write the text of a resolv.conf: our servers and domains, and the options of the old one.
// Returns the length, 0 when it doesn't fit. Pure.
size_t vc_dns_text(
	const struct vc_dns_set *set, const char *old, size_t old_len, char *buf, size_t size);

// Put the servers to use, in the place of those before. route_all: every name is asked there, not
// only those in the domains. backup: where the original resolv.conf may be kept. Returns 0, or
// -errno; nothing is changed then.
int vc_dns_apply(struct vc_dns *dns, uv_loop_t *loop, const struct vc_dns_set *set, int ifindex,
	bool route_all, const char *backup);

// Put everything back.
void vc_dns_undo(struct vc_dns *dns);

// After a crash: put the copy at `backup` back into resolv.conf if ours is still in there.
// Returns 0 when something was restored, -ENOENT when there is nothing to do.
int vc_dns_repair(const char *backup);
