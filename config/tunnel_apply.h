// SPDX-License-Identifier: BSD-3-Clause
// Options that a profile and a server's pushes have in common; private to config/.
#pragma once

#include "config/apply.h"
#include "config/client.h"

#define CFG_ROUTES_MAX 16384
#define CFG_DHCP_MAX 256
#define CFG_MTU_MIN 576
#define CFG_MTU_MAX 65535
#define CFG_MSSFIX_DEFAULT 1492
#define CFG_FRAGMENT_MIN 300 // shorter datagrams would be all header
#define CFG_FRAGMENT_MAX 9000

extern const struct cfg_option cfg_tunnel_options[]; // base: struct cfg_tunnel

// mssfix [BYTES [mtu|fixed]] into the three fields of struct cfg_server or cfg_remote.
int cfg_mssfix_parse(
	struct cfg_apply *a, const struct cfg_line *l, uint32_t *bytes, bool *mtu, bool *fixed);

// NETWORK [NETMASK [GATEWAY [METRIC]]] behind the directive's name.
int cfg_route_parse(struct cfg_apply *a, const struct cfg_line *l, struct cfg_route *ret_route);

// `topology` into an enum cfg_topology.
int cfg_topology_parse(struct cfg_apply *a, const struct cfg_line *l, void *at);
int cfg_data_format_parse(struct cfg_apply *a, const struct cfg_line *l, void *at);

// `comp-lzo` and `compress` into an enum cfg_comp.
int cfg_comp_lzo_parse(struct cfg_apply *a, const struct cfg_line *l, void *at);
int cfg_compress_parse(struct cfg_apply *a, const struct cfg_line *l, void *at);

// fragment BYTES [mtu] into bytes and whether they count outer IP and UDP headers, too.
int cfg_fragment_parse(struct cfg_apply *a, const struct cfg_line *l, uint32_t *bytes, bool *mtu);

// Values of what isn't said.
void cfg_tunnel_defaults(struct cfg_tunnel *t);
