// SPDX-License-Identifier: BSD-3-Clause
// struct virtio_net_hdr, in front of every packet of a TUN or TAP device, and what the headers of
// kernels before 6.2 lack of it.
#pragma once

#include <linux/virtio_net.h>

#ifndef VIRTIO_NET_HDR_GSO_UDP_L4
#define VIRTIO_NET_HDR_GSO_UDP_L4 5
#endif
