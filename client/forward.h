// SPDX-License-Identifier: BSD-3-Clause
// Packets between the device and the server, a batch at a time. Event loop only.
#pragma once

#include <uv.h>

struct vc_client;
struct vc_sock;

// libuv callback of the device: seal what it has and send it.
void vc_forward_up(uv_poll_t *poll, int status, int events);

// The socket has room again: send what waited and go on reading the device.
void vc_forward_unblocked(struct vc_client *c, struct vc_sock *sock);
