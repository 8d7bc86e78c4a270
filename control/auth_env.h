// SPDX-License-Identifier: BSD-3-Clause
// The variables that programs see of a client. Event loop only.
#pragma once

#include <stddef.h>

#include "control/hook_msg.h"
#include "control/tls_pool.h"

struct ctl_peer;

// Append "NAME=VALUE" and a NUL; control characters become '_'. Returns 0 or -ENOMEM.
int ctl_env_add(struct ctl_bytes *env, const char *name, const char *value);

// Append what the client said about itself.
int ctl_env_add_peer_info(struct ctl_bytes *env, const char *info, size_t len);

// Append name_ip and name_port of where it is ("untrusted", "trusted").
int ctl_env_add_endpoint(struct ctl_bytes *env, const char *name, const struct ctl_peer *peer);

// Point m->env at the strings; those beyond CTL_HOOK_ENV_MAX are left out.
void ctl_env_point(const struct ctl_bytes *env, struct ctl_hook_message *m);

// Value of a variable, or NULL.
const char *ctl_env_find(const struct ctl_bytes *env, const char *name);

// Leave a variable out.
void ctl_env_del(struct ctl_bytes *env, const char *name);

// Control characters of a text become '_', in place.
void ctl_env_remap(char *text);
