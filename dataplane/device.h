// SPDX-License-Identifier: BSD-3-Clause
// Devargs as the configuration has them: which driver, which kernel interface, what we must add.
// Text only: nothing of EAL is needed, so that mistakes show before it starts.
#pragma once

#include <net/if.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum dp_driver_flag {
	DP_DRIVER_PCI = 1u << 0, // a PCI address, no vdev
	DP_DRIVER_OWN_IFACE = 1u << 1, // iface= names an interface that must exist
	DP_DRIVER_MAKES_IFACE = 1u << 2, // iface= names an interface that the driver makes
	DP_DRIVER_RX_FD = 1u << 3, // a socket a queue, which becomes readable with frames
	DP_DRIVER_RX_INTR = 1u << 4, // a descriptor a queue by the driver's interrupts
	DP_DRIVER_XDP = 1u << 5,
	DP_DRIVER_NO_KERNEL = 1u << 6, // for measurements: no kernel behind it
	DP_DRIVER_SHARES_MEMORY = 1u
		<< 7, // its far end maps our packet buffers, a few files at most
	DP_DRIVER_TAP = 1u << 8, // our own, on top of a net_null: dataplane/tap.h
};

struct dp_device {
	const char *role; // "outer", "inner", "outer and inner": for messages
	char name[64]; // as the configuration has it, "net_tap0"; a PCI address with its domain
	char eal_name[80]; // EAL's name of the device: the same but for visp_tap
	char args[512]; // the whole devargs with what we added, for EAL
	char iface[IFNAMSIZ]; // value of iface=, "" without one
	uint32_t flags; // enum dp_driver_flag
	uint16_t port_flags; // enum dp_port_flag that this driver implies
	int socket_domain; // DP_DRIVER_RX_FD: AF_PACKET or AF_XDP
};

// Read devargs. queues: receive queues wanted, 0 for the driver's default. err gets a text for
// people. Returns 0 or -EINVAL, -ENODEV (no such interface or PCI device), -ENAMETOOLONG.
int dp_device_parse(const char *devargs, const char *role, uint16_t queues,
	struct dp_device *ret_device, char *err, size_t err_size);

// The interface that the driver would make must not exist; asked once no other dataplane can be
// ending. err gets a text for people. Returns 0 or -EEXIST.
int dp_device_check_free(const struct dp_device *device, char *err, size_t err_size);

// Remove the Unix socket of a driver that serves one (net_memif, net_vhost) if its process was
// killed and nobody listens there any more: the driver would refuse to start.
void dp_device_remove_stale(const struct dp_device *device);

// Append ",key=value" unless the devargs have that key. Returns 0 or -ENAMETOOLONG.
int dp_device_add_arg(struct dp_device *device, const char *key, const char *value);
