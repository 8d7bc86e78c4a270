// SPDX-License-Identifier: BSD-3-Clause
// What is read once before anything else happens: certificates and keys, user name and password.
#pragma once

struct vc_client;

// Load the TLS context of the profile. Returns 0, or -errno with the reason (file and line) logged.
int vc_setup_tls(struct vc_client *c);

// Read user name and password from their file, or ask on the terminal. Returns 0, or -errno with
// the reason logged.
int vc_setup_creds(struct vc_client *c);
