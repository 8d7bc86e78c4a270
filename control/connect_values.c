// SPDX-License-Identifier: BSD-3-Clause
#include "control/connect.h"

#include <string.h>
#include <sys/socket.h>

#include "config/server.h"
#include "control/ctl.h"
#include "control/peer.h"
#include "control/policy.h"
#include "protocol/data_size.h"

#define MSS_MIN 256u
#define TCP4_HEADERS 40u // IPv4 and TCP without options
#define TCP6_HEADERS 60u

uint64_t ctl_key_activation_ms(const struct cfg_server *cfg)
{
	uint64_t window = (uint64_t)cfg->tls.hand_window_s * 1000;
	uint64_t half = (uint64_t)cfg->tls.reneg_sec * 500;

	return cfg->tls.reneg_sec != 0 && half < window ? half : window;
}

void ctl_connect_mss(const struct cfg_server *cfg, const struct ctl_peer *peer, uint16_t *ret_mss4,
	uint16_t *ret_mss6)
{
	const unsigned outer = peer->endpoint.remote.family == AF_INET6 ? 48 : 28;
	struct ovpn_data_shape shape;
	uint32_t mss = cfg->mssfix - (cfg->mssfix_fixed ? TCP4_HEADERS : 0);

	*ret_mss4 = 0;
	*ret_mss6 = 0;
	if (cfg->mssfix == 0 || (cfg->mssfix_fixed && cfg->mssfix <= TCP4_HEADERS))
		return;
	if (!cfg->mssfix_fixed) {
		ctl_format_shape(peer, &shape);
		mss = ovpn_data_mss(&shape, cfg->mssfix, cfg->mssfix_mtu ? outer : 0);
	}
	if (mss > cfg->tun_mtu - TCP4_HEADERS)
		mss = cfg->tun_mtu - TCP4_HEADERS;
	if (mss < MSS_MIN + TCP6_HEADERS - TCP4_HEADERS)
		return;
	*ret_mss4 = (uint16_t)mss;
	*ret_mss6 = (uint16_t)(mss - (TCP6_HEADERS - TCP4_HEADERS));
}

void ctl_connect_iroutes(struct ctl *ctl, struct ctl_peer *peer)
{
	const struct cfg_ccd *ccd = peer->grant != NULL ? peer->grant->ccd : NULL;
	struct shm_cmd cmd = {
		.kind = SHM_CMD_IROUTE_ADD, .slot = peer->slot, .generation = peer->generation
	};

	// The dataplane's direct index ends before this address.
	if (peer->grant != NULL && peer->grant->far6) {
		cmd.iroute.addr = peer->tunnel6;
		cmd.iroute.prefix_len = 128;
		if (ctl_command_send(ctl, &cmd, peer->worker, NULL, NULL) < 0)
			ctl_peer_log(CTL_ERROR, peer, "out of memory, its IPv6 address is missing");
	}
	for (size_t i = 0; ccd != NULL && i < ccd->n_iroutes; i++) {
		const struct cfg_addr net = cfg_addr_network(&ccd->iroutes[i]);

		cmd.iroute.addr.family = net.family;
		memcpy(cmd.iroute.addr.bytes, net.bytes, sizeof(cmd.iroute.addr.bytes));
		cmd.iroute.prefix_len = net.prefix;
		if (ctl_command_send(ctl, &cmd, peer->worker, NULL, NULL) < 0)
			ctl_peer_log(CTL_ERROR, peer, "out of memory, an iroute is missing");
	}
}
