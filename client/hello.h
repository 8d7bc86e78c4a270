// SPDX-License-Identifier: BSD-3-Clause
// What the client says about itself in key method 2: options string, credentials, peer-info.
// Source: protocol.md 5.1, 6, 7.1, 13.10.
#pragma once

#include <stddef.h>
#include <stdint.h>

#include "config/client.h"
#include "protocol/tls/keys.h"

struct vc_client;

#define VC_PEER_INFO_MAX 1024

// Write the options string for a profile and remote. Returns 0 and the length, or -ENOBUFS.
int vc_hello_options(const struct cfg_client *cfg, const struct cfg_remote *remote, char *buf,
	size_t size, size_t *ret_len);

// Write the peer-info for a profile. Returns 0 and the length, or -ENOBUFS.
int vc_hello_peer_info(const struct cfg_client *cfg, char *buf, size_t size, size_t *ret_len);

// Write the whole message. Holds secrets: the caller wipes buf. Returns 0 and the length, or a
// -errno of ovpn_km2_build.
int vc_hello_build(struct vc_client *c, const struct ovpn_prf_input *prf, uint8_t *buf, size_t size,
	size_t *ret_len);
