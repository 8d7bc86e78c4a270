// SPDX-License-Identifier: BSD-3-Clause
// A port towards this machine's kernel, visp_tap: a TAP interface whose large packets (TSO, USO)
// come whole and are cut here, and that gets the packets of one flow joined to one. DPDK's net_tap
// makes a system call and the kernel a way through its stack for each packet. To workers it is a
// DPDK port as any other: drivers can't be made outside of DPDK (Debian ships no ethdev_driver.h),
// so it is net_null's, with functions of ours on its receive and transmit side.
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include <rte_ether.h>
#include <rte_mbuf.h>

struct dp_tap;

// Packets since the start. The worker writes, main and telemetry read.
struct dp_tap_stats {
	uint64_t rx_packets, rx_bytes; // after cutting
	uint64_t rx_missed; // unfit or without a buffer
	uint64_t tx_packets, tx_bytes;
	uint64_t tx_errors; // refused by the kernel
	uint64_t reads, writes; // of the device, each one packet or a large one
};

// Make the interface, up and not persistent. Main, with root's rights.
// Returns NULL with errno: EBUSY when a device of the kind has the name, EINVAL when it is no name.
struct dp_tap *dp_tap_open(const char *iface);

// The same around a descriptor that speaks as such a device: a packet a read or write, struct
// virtio_net_hdr in front. tso, uso: it takes large packets of TCP and UDP. The descriptor is the
// tap's from then on. Returns NULL with errno, the descriptor stays the caller's then.
struct dp_tap *dp_tap_create(int fd, bool tso, bool uso);

// Remove it, with the interface. Its port has been stopped and not yet closed. NULL is fine.
// Returns NULL.
struct dp_tap *dp_tap_free(struct dp_tap *tap);

// Put it behind queue 0 of a net_null port that is configured and not yet started, with buffers
// from pool. Main. Returns 0 or -errno.
int dp_tap_attach(struct dp_tap *tap, uint16_t port_id, struct rte_mempool *pool);

// Becomes readable with packets.
int dp_tap_fd(const struct dp_tap *tap);

// The interface's MAC address. Returns 0 or -errno.
int dp_tap_mac(const struct dp_tap *tap, struct rte_ether_addr *ret_mac);

const struct dp_tap_stats *dp_tap_stats(const struct dp_tap *tap);

// Take at most n frames from the device into buffers of pool. Returns how many. The worker that
// polls the queue.
uint16_t dp_tap_read(
	struct dp_tap *tap, struct rte_mempool *pool, struct rte_mbuf **pkt, uint16_t n);

// Write frames to the device; they stay the caller's, but their headers may have changed.
// The worker that has the queue.
void dp_tap_write(struct dp_tap *tap, struct rte_mbuf *const *pkt, uint16_t n);
