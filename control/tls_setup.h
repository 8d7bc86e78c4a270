// SPDX-License-Identifier: BSD-3-Clause
// TLS context and wrapping keys from the configuration; at start, while files may still be read.
#pragma once

struct ctl;

// Load certificates, keys, CRL and the keys of the control channel's wrapping into ctl.
// Returns 0 or a negative errno after logging why, naming file and line.
int ctl_tls_setup(struct ctl *ctl);

// Wipe and free all of it.
void ctl_tls_teardown(struct ctl *ctl);
