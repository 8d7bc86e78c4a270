// SPDX-License-Identifier: BSD-3-Clause
#include "control/push_build.h"

#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "config/ccd.h"
#include "config/server.h"
#include "protocol/peer_info.h"

struct ctl_push {
	char **options; // each on the heap
	size_t n;
	size_t cap;
	int rc; // first error
};

unsigned ctl_push_agree(
	const struct cfg_server *cfg, const struct ovpn_peer_caps *caps, unsigned can)
{
	static const struct {
		uint32_t iv_proto;
		unsigned bit;
	} known[] = {
		{ OVPN_IV_PROTO_DATA_V2, CTL_PUSH_PEER_ID },
		{ OVPN_IV_PROTO_CC_EXIT, CTL_PUSH_CC_EXIT },
		{ OVPN_IV_PROTO_TLS_EKM, CTL_PUSH_TLS_EKM },
		{ OVPN_IV_PROTO_DYN_TLS_CRYPT, CTL_PUSH_DYN_TLS_CRYPT },
		{ OVPN_IV_PROTO_EPOCH, CTL_PUSH_EPOCH },
	};
	unsigned agreed = 0;

	for (size_t i = 0; i < sizeof(known) / sizeof(known[0]); i++) {
		if (caps->iv_proto & known[i].iv_proto)
			agreed |= known[i].bit;
	}
	if (caps->mobility >= 1 && cfg->mobility != CFG_MOBILITY_OFF)
		agreed |= CTL_PUSH_MOBILITY;
	if (caps->mtu > 0)
		agreed |= CTL_PUSH_TUN_MTU;
	agreed &= can;
	// The words of protocol-flags need protocol-flags; the epoch format needs more.
	if ((agreed & CTL_PUSH_CC_EXIT) == 0)
		agreed &= ~(unsigned)(CTL_PUSH_DYN_TLS_CRYPT | CTL_PUSH_EPOCH);
	if ((agreed & CTL_PUSH_TLS_EKM) == 0 || (agreed & CTL_PUSH_PEER_ID) == 0)
		agreed &= ~(unsigned)CTL_PUSH_EPOCH;
	return agreed;
}

__attribute__((format(printf, 2, 3))) static void add(struct ctl_push *push, const char *fmt, ...)
{
	char text[OVPN_PUSH_OPTION_MAX + 1];
	va_list ap;
	int len;

	if (push->rc < 0)
		return;
	va_start(ap, fmt);
	len = vsnprintf(text, sizeof(text), fmt, ap);
	va_end(ap);
	if (len < 0 || (size_t)len >= sizeof(text)) {
		push->rc = -EINVAL;
		return;
	}
	if (push->n == push->cap) {
		size_t cap = push->cap > 0 ? 2 * push->cap : 32;
		char **bigger = reallocarray(push->options, cap, sizeof(*bigger));

		if (bigger == NULL) {
			push->rc = -ENOMEM;
			return;
		}
		push->options = bigger;
		push->cap = cap;
	}
	push->options[push->n] = strdup(text);
	if (push->options[push->n] == NULL)
		push->rc = -ENOMEM;
	else
		push->n++;
}

// Does a list have an option of that name?
static bool has_name(const char *const *list, size_t n, const char *name)
{
	size_t len = strlen(name);

	for (size_t i = 0; i < n; i++) {
		if (strncmp(list[i], name, len) == 0 &&
			(list[i][len] == ' ' || list[i][len] == '\0'))
			return true;
	}
	return false;
}

// push-remove of the client's file: is an option that begins like this left out?
static bool removed(const struct cfg_ccd *ccd, const char *option)
{
	for (size_t i = 0; ccd != NULL && i < ccd->n_push_remove; i++) {
		if (strncmp(option, ccd->push_remove[i], strlen(ccd->push_remove[i])) == 0)
			return true;
	}
	return false;
}

// An option that the server adds, unless the operator pushes one of that name, or the client's file
// removes it.
static void add_own(struct ctl_push *push, const struct ctl_push_input *in, const char *option)
{
	char name[32];

	snprintf(name, sizeof(name), "%.*s", (int)strcspn(option, " "), option);
	if (has_name(in->cfg->push, in->cfg->n_push, name) &&
		(in->ccd == NULL || !in->ccd->push_reset))
		return;
	if (in->ccd != NULL && has_name(in->ccd->push, in->ccd->n_push, name))
		return;
	if (!removed(in->ccd, option))
		add(push, "%s", option);
}

// In a point-to-point tunnel only the other end is on the link: the way to the server's address, or
// to the other clients.
static void add_way(struct ctl_push *push, const struct ctl_push_input *in)
{
	const struct cfg_server *cfg = in->cfg;
	struct cfg_addr mask = cfg_addr_netmask(&cfg->network);
	char text[2 * CFG_ADDR_TEXT + 16] = "";
	char a[CFG_ADDR_TEXT], m[CFG_ADDR_TEXT];

	if (cfg->client_to_client)
		snprintf(text, sizeof(text), "route %s %s", cfg_addr_text(&cfg->network, false, a),
			cfg_addr_text(&mask, false, m));
	else if (cfg->topology == CFG_TOPOLOGY_NET30)
		snprintf(text, sizeof(text), "route %s", cfg_addr_text(&cfg->address, false, a));
	if (text[0] != '\0' && !removed(in->ccd, text))
		add(push, "%s", text);
}

// What all clients are told. push-reset leaves out what the operator wrote, not what the tunnel
// can't work without.
static void add_common(struct ctl_push *push, const struct ctl_push_input *in)
{
	const struct cfg_server *cfg = in->cfg;
	static const char *const topologies[] = { [CFG_TOPOLOGY_NET30] = "net30",
		[CFG_TOPOLOGY_P2P] = "p2p",
		[CFG_TOPOLOGY_SUBNET] = "subnet" };
	char text[CFG_ADDR_TEXT + 16];
	char addr[CFG_ADDR_TEXT];

	for (size_t i = 0; i < cfg->n_push && (in->ccd == NULL || !in->ccd->push_reset); i++) {
		if (!removed(in->ccd, cfg->push[i]))
			add(push, "%s", cfg->push[i]);
	}
	if (cfg->topology == CFG_TOPOLOGY_SUBNET) {
		snprintf(text, sizeof(text), "route-gateway %s",
			cfg_addr_text(&cfg->address, false, addr));
		add_own(push, in, text);
	} else {
		add_way(push, in);
	}
	snprintf(text, sizeof(text), "topology %s", topologies[cfg->topology]);
	add_own(push, in, text);
	if (in->address6.family != 0)
		add_own(push, in, "tun-ipv6"); // clients before 2.4 need to be told
	if (cfg->push_ping_s > 0) {
		snprintf(text, sizeof(text), "ping %u", cfg->push_ping_s);
		add_own(push, in, text);
	}
	if (cfg->push_ping_restart_s > 0) {
		snprintf(text, sizeof(text), "ping-restart %u", cfg->push_ping_restart_s);
		add_own(push, in, text);
	}
	for (size_t i = 0; in->ccd != NULL && i < in->ccd->n_push; i++)
		add(push, "%s", in->ccd->push[i]);
}

// What this session has been given.
static void add_session(struct ctl_push *push, const struct ctl_push_input *in)
{
	struct cfg_addr second = in->cfg->topology == CFG_TOPOLOGY_SUBNET
		? cfg_addr_netmask(&in->address)
		: in->peer;
	const struct cfg_addr *peer6 = &in->cfg->address6;
	char a[CFG_ADDR_TEXT], b[CFG_ADDR_TEXT];

	if (in->ccd != NULL && in->ccd->ifconfig6.family != 0 &&
		in->ccd->ifconfig6_peer.family != 0)
		peer6 = &in->ccd->ifconfig6_peer;
	if (in->address6.family != 0)
		add(push, "ifconfig-ipv6 %s %s", cfg_addr_text(&in->address6, true, a),
			cfg_addr_text(peer6, false, b));
	add(push, "ifconfig %s %s", cfg_addr_text(&in->address, false, a),
		cfg_addr_text(&second, false, b));
	if (in->agreed & CTL_PUSH_PEER_ID)
		add(push, "peer-id %u", in->peer_id);
	if (in->auth_token != NULL)
		add(push, "%s", in->auth_token);
	if (in->cipher != NULL)
		add(push, "cipher %s", in->cipher);
	if (in->agreed & CTL_PUSH_CC_EXIT)
		add(push, "protocol-flags cc-exit%s%s%s",
			in->agreed & CTL_PUSH_TLS_EKM ? " tls-ekm" : "",
			in->agreed & CTL_PUSH_DYN_TLS_CRYPT ? " dyn-tls-crypt" : "",
			in->agreed & CTL_PUSH_EPOCH ? " aead-epoch" : "");
	else if (in->agreed & CTL_PUSH_TLS_EKM)
		add(push, "key-derivation tls-ekm");
	if (in->agreed & CTL_PUSH_TUN_MTU)
		add(push, "tun-mtu %u", in->tun_mtu > 0 ? in->tun_mtu : in->cfg->tun_mtu);
	if (in->compress != NULL)
		add(push, "%s", in->compress);
	if (in->agreed & CTL_PUSH_MOBILITY)
		add(push, "mobility 1%s", in->agreed & CTL_PUSH_LAZY ? " lazy" : "");
}

int ctl_push_create(const struct ctl_push_input *input, struct ctl_push **ret_push)
{
	struct ctl_push *push = calloc(1, sizeof(*push));
	int rc;

	if (push == NULL)
		return -ENOMEM;
	add_common(push, input);
	add_session(push, input);
	rc = push->rc;
	if (rc < 0)
		ctl_push_free(push);
	else
		*ret_push = push;
	return rc;
}

struct ctl_push *ctl_push_free(struct ctl_push *push)
{
	if (push == NULL)
		return NULL;
	for (size_t i = 0; i < push->n; i++)
		free(push->options[i]);
	free(push->options);
	free(push);
	return NULL;
}

const char *ctl_push_option(const struct ctl_push *push, size_t i)
{
	return i < push->n ? push->options[i] : NULL;
}

void ctl_push_start(const struct ctl_push *push, struct ovpn_push_build *ret_build)
{
	ovpn_push_build_init(
		ret_build, OVPN_PUSH_REPLY, (const char *const *)push->options, push->n);
}
