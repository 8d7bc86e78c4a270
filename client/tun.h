// SPDX-License-Identifier: BSD-3-Clause
// The tunnel's network device. It lives as long as its descriptor, so that nothing of it is left
// when the process ends, however it ends.
#pragma once

#include <net/if.h>
#include <stdbool.h>

struct vc_tun {
	int fd; // -1: closed; every packet has a struct virtio_net_hdr in front
	int ifindex;
	bool tso, uso; // large packets of TCP and of UDP may be read and written
	char name[IF_NAMESIZE];
};

// Make a device. dev: "tun" lets the kernel choose a number, anything else is its name.
// Returns 0, -EBUSY when the name is in use, -EINVAL when it is no name for a device, -ENODEV or
// -EPERM when the system doesn't let us.
int vc_tun_open(struct vc_tun *tun, const char *dev);

// Remove it, with its addresses and routes.
void vc_tun_close(struct vc_tun *tun);
