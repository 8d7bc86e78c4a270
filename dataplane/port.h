// SPDX-License-Identifier: BSD-3-Clause
// DPDK ports: opened from devargs, configured, read back, closed. Main and start-up.
#pragma once

#include <stdbool.h>
#include <stdint.h>

#include "dataplane/device.h"
#include "dataplane/dp.h"
#include "dataplane/iface.h"
#include "dataplane/tap.h"

// What a port's distribution of packets to queues really is, read back from the driver (D18).
enum dp_rss_class {
	DP_RSS_NONE, // one queue, or the driver says nothing about several
	DP_RSS_OTHER, // several queues by a hash that isn't the UDP 4-tuple's, or unknown
	DP_RSS_EXACT, // by the UDP 4-tuple
};

// A port and what belongs to it. Main only; workers get the struct dp_port inside dp_core.
struct dp_port_state {
	struct dp_device device;
	struct dp_port port;
	bool probed; // EAL has the device
	bool started;
	uint16_t queues; // receive queues; as many transmit queues
	uint16_t descriptors; // of each queue
	enum dp_rss_class rss;
	uint64_t rss_types; // RTE_ETH_RSS_* that are active
	uint32_t reta_size; // entries of the redirection table, 0: none
	unsigned ifindex; // kernel interface that stands for this port, 0: none
	struct dp_iface_saved saved;
	struct dp_tap *tap; // DP_DRIVER_TAP
	int rx_fd[SHM_WORKERS_MAX]; // by queue, -1: none
	bool link_up;
};

// Make the device known to EAL and learn how many queues it will have, so that the pool can be
// made. wanted: receive queues, at least 1. Returns 0 or -errno, after logging why.
int dp_port_probe(struct dp_port_state *p, uint16_t wanted, bool exact);

// Configure and start it with buffers from pool. Returns 0 or -errno, after logging why.
int dp_port_start(struct dp_port_state *p, struct rte_mempool *pool);

// Stop and remove it; the kernel interface gets its offloads back. What wasn't opened is skipped.
void dp_port_close(struct dp_port_state *p);

// Words for people.
const char *dp_rss_class_name(enum dp_rss_class rss);

// Log one line about what the port is and really does.
void dp_port_describe(const struct dp_port_state *p);

// Read the link state; logs a change. Returns true when it changed.
bool dp_port_link_poll(struct dp_port_state *p);
