// SPDX-License-Identifier: BSD-3-Clause
// Static keys in profiles and in server.conf; private to config/.
#pragma once

#include "config/client_apply.h"
#include "config/server_apply.h"

// Checks of a profile with `secret`, after its last line. Errors are recorded.
void cfg_static_finish(struct cfg_client_parse *p, const struct cfg_lines *lines);

// Read the files that `tunnel` names into p->cfg->tunnels. Errors are recorded.
void cfg_tunnels_load(struct cfg_server_parse *p);

// Checks between tunnels and the rest. Errors are recorded.
void cfg_tunnels_finish(struct cfg_server_parse *p);
