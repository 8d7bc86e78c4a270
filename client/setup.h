// SPDX-License-Identifier: BSD-3-Clause
// What is read once before anything else happens: certificates and keys.
#pragma once

struct vc_client;

// Load the TLS context of the profile. Returns 0, or -errno with the reason (file and line) logged.
int vc_setup_tls(struct vc_client *c);
