// SPDX-License-Identifier: BSD-3-Clause
#include "dataplane/port.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include <rte_bus_pci.h>
#include <rte_dev.h>
#include <rte_ethdev.h>

#include "dataplane/log.h"

#define DESCRIPTORS_VDEV 512u
#define DESCRIPTORS_PCI 1024u
#define RSS_UDP (RTE_ETH_RSS_NONFRAG_IPV4_UDP | RTE_ETH_RSS_NONFRAG_IPV6_UDP)
#define RSS_WANTED (RSS_UDP | RTE_ETH_RSS_IPV4 | RTE_ETH_RSS_IPV6)

// Sockets of one domain that this process has open, lowest first. DPDK doesn't tell the
// descriptors of its af_packet and af_xdp queues, but workers want to sleep on them.
static unsigned list_sockets(int domain, int *fds, unsigned max)
{
	DIR *dir = opendir("/proc/self/fd");
	struct dirent *entry;
	unsigned n = 0;

	if (dir == NULL)
		return 0;
	while ((entry = readdir(dir)) != NULL && n < max) {
		int fd = atoi(entry->d_name); // "." and ".." give 0, which is no socket of ours
		int is = 0;
		socklen_t len = sizeof(is);

		if (getsockopt(fd, SOL_SOCKET, SO_DOMAIN, &is, &len) == 0 && is == domain)
			fds[n++] = fd;
	}
	(void)closedir(dir); // read only
	return n;
}

static bool contains(const int *fds, unsigned n, int fd)
{
	for (unsigned i = 0; i < n; i++) {
		if (fds[i] == fd)
			return true;
	}
	return false;
}

// Socket i of those that weren't there before belongs to queue i: drivers open them in order.
static void find_rx_sockets(struct dp_port_state *p, const int *before, unsigned n_before)
{
	int now[4 * SHM_WORKERS_MAX];
	unsigned n = list_sockets(p->device.socket_domain, now, RTE_DIM(now));
	uint16_t q = 0;

	for (int fd = 0; q < p->queues && fd < 4096; fd++) {
		if (contains(now, n, fd) && !contains(before, n_before, fd))
			p->rx_fd[q++] = fd;
	}
}

static int known_sockets[2 * SHM_WORKERS_MAX];
static unsigned known_sockets_n;

int dp_port_probe(struct dp_port_state *p, uint16_t wanted, bool exact)
{
	struct dp_device *d = &p->device;
	struct rte_eth_dev_info info;
	uint16_t most;
	int rc;

	for (unsigned i = 0; i < SHM_WORKERS_MAX; i++)
		p->rx_fd[i] = -1;
	if (d->socket_domain != 0)
		known_sockets_n =
			list_sockets(d->socket_domain, known_sockets, RTE_DIM(known_sockets));
	dp_device_remove_stale(d);
	// PCI devices were named in EAL's arguments and are there already.
	rc = (d->flags & DP_DRIVER_PCI) != 0 ? 0 : rte_dev_probe(d->args);
	if (rc < 0 || rte_eth_dev_get_port_by_name(d->eal_name, &p->port.id) < 0) {
		rc = rc < 0 ? rc : -ENODEV;
		dp_log(DP_LOG_ERROR, "%s: port \"%s\" can't be opened: %s", d->role, d->args,
			strerror(-rc));
		return rc;
	}
	p->probed = true;
	rc = rte_eth_dev_info_get(p->port.id, &info);
	if (rc < 0)
		return rc;
	most = RTE_MIN(info.max_rx_queues, info.max_tx_queues);
	if ((d->flags & DP_DRIVER_TAP) != 0)
		most = 1;
	if (exact && wanted > most) {
		dp_log(DP_LOG_ERROR, "%s: port %s has %u queues at most, outer-queues wants %u",
			d->role, d->name, most, wanted);
		return -EINVAL;
	}
	p->queues = RTE_MIN(wanted, most);
	p->descriptors = (d->flags & DP_DRIVER_PCI) != 0 ? DESCRIPTORS_PCI : DESCRIPTORS_VDEV;
	return 0;
}

// net_tap asks the kernel for a signal a packet, on a real-time signal, which queues: under load
// the process spends half its time on them, and threads that sleep are woken for nothing. As long
// as none was ever served its receive function simply reads, and our workers sleep on the
// descriptor. So they are blocked from the start (main.c), as somebody may use the interface the
// moment that it is there, and here the kernel is told to send none.
static void signals_off(const struct dp_port_state *p)
{
	DIR *dir = opendir("/proc/self/fd");
	struct dirent *entry;

	if (dir == NULL)
		return;
	while ((entry = readdir(dir)) != NULL) {
		char target[32];
		ssize_t n = readlinkat(dirfd(dir), entry->d_name, target, sizeof(target) - 1);
		int fd = atoi(entry->d_name), flags;

		if (n <= 0)
			continue;
		target[n] = '\0';
		if (strcmp(target, "/dev/net/tun") != 0)
			continue;
		flags = fcntl(fd, F_GETFL);
		if (flags < 0 || (flags & O_ASYNC) == 0)
			continue;
		if (fcntl(fd, F_SETFL, flags & ~O_ASYNC) < 0)
			dp_log(DP_LOG_NOTICE, "%s: %s keeps its signals: %s", p->device.role,
				p->device.name, strerror(errno));
	}
	(void)closedir(dir); // read only
}

static int setup_queues(struct dp_port_state *p, struct rte_mempool *pool)
{
	uint16_t rxd = p->descriptors, txd = p->descriptors;
	int rc = rte_eth_dev_adjust_nb_rx_tx_desc(p->port.id, &rxd, &txd);

	if (rc < 0 && rc != -ENOTSUP)
		return rc;
	for (uint16_t q = 0; q < p->queues; q++) {
		rc = rte_eth_rx_queue_setup(p->port.id, q, rxd,
			(unsigned)rte_eth_dev_socket_id(p->port.id), NULL, pool);
		if (rc < 0)
			return rc;
		rc = rte_eth_tx_queue_setup(
			p->port.id, q, txd, (unsigned)rte_eth_dev_socket_id(p->port.id), NULL);
		if (rc < 0)
			return rc;
	}
	return 0;
}

static int configure(struct dp_port_state *p)
{
	struct rte_eth_dev_info info;
	struct rte_eth_conf conf = { 0 };
	int rc = rte_eth_dev_info_get(p->port.id, &info);

	if (rc < 0)
		return rc;
	// One pool and no clones, so the fast way of freeing is right.
	conf.txmode.offloads = info.tx_offload_capa & RTE_ETH_TX_OFFLOAD_MBUF_FAST_FREE;
	if (p->queues > 1 && (info.flow_type_rss_offloads & RSS_WANTED) != 0) {
		conf.rxmode.mq_mode = RTE_ETH_MQ_RX_RSS;
		conf.rx_adv_conf.rss_conf.rss_hf = info.flow_type_rss_offloads & RSS_WANTED;
	}
	conf.intr_conf.rxq = (p->device.flags & DP_DRIVER_RX_INTR) != 0;
	return rte_eth_dev_configure(p->port.id, p->queues, p->queues, &conf);
}

// What the driver says about its distribution, after everything was set.
static void read_rss(struct dp_port_state *p)
{
	struct rte_eth_rss_conf rss = { 0 };
	struct rte_eth_dev_info info;

	p->rss = p->queues > 1 ? DP_RSS_OTHER : DP_RSS_NONE;
	if (p->queues < 2 || rte_eth_dev_info_get(p->port.id, &info) < 0)
		return;
	p->reta_size = info.reta_size;
	if (rte_eth_dev_rss_hash_conf_get(p->port.id, &rss) < 0)
		return;
	p->rss_types = rss.rss_hf;
	// net_tap and others name UDP as well, but spread by a hash of the kernel's; only hardware
	// is believed, and nothing that must be right depends on it.
	if ((rss.rss_hf & RTE_ETH_RSS_NONFRAG_IPV4_UDP) != 0 &&
		(p->device.flags & DP_DRIVER_PCI) != 0)
		p->rss = DP_RSS_EXACT;
}

static int attach_tap(struct dp_port_state *p, struct rte_mempool *pool)
{
	p->tap = dp_tap_open(p->device.iface);
	return p->tap == NULL ? -errno : dp_tap_attach(p->tap, p->port.id, pool);
}

static int start(struct dp_port_state *p, struct rte_mempool *pool)
{
	uint16_t mtu = 0;
	int rc = configure(p);

	if (rc == 0)
		rc = setup_queues(p, pool);
	if (rc == 0 && (p->device.flags & DP_DRIVER_TAP) != 0)
		rc = attach_tap(p, pool);
	else if (rc == 0 && (p->device.port_flags & DP_PORT_KERNEL_PEER) != 0)
		signals_off(p);
	if (rc == 0)
		rc = rte_eth_dev_start(p->port.id);
	if (rc < 0)
		return rc;
	p->started = true;
	rc = p->tap != NULL ? dp_tap_mac(p->tap, &p->port.mac)
			    : rte_eth_macaddr_get(p->port.id, &p->port.mac);
	if (rc < 0)
		return rc;
	if (rte_is_zero_ether_addr(&p->port.mac))
		rte_eth_random_addr(p->port.mac.addr_bytes); // net_ring has none of its own
	if (rte_eth_dev_get_mtu(p->port.id, &mtu) < 0 || mtu == 0)
		mtu = RTE_ETHER_MTU;
	if ((p->device.flags & DP_DRIVER_OWN_IFACE) != 0)
		(void)dp_iface_mtu(p->device.iface, &mtu); // else the port's own answer stays
	p->port.mtu = RTE_MIN(mtu, (uint16_t)(DP_FRAME_MAX - RTE_ETHER_HDR_LEN - 4));
	return 0;
}

static void find_descriptors(struct dp_port_state *p)
{
	if ((p->device.flags & DP_DRIVER_RX_FD) != 0)
		find_rx_sockets(p, known_sockets, known_sockets_n);
	if (p->tap != NULL)
		p->rx_fd[0] = dp_tap_fd(p->tap);
	if ((p->device.flags & DP_DRIVER_RX_INTR) == 0)
		return;
	for (uint16_t q = 0; q < p->queues; q++)
		p->rx_fd[q] = rte_eth_dev_rx_intr_ctl_q_get_fd(p->port.id, q);
}

int dp_port_start(struct dp_port_state *p, struct rte_mempool *pool)
{
	struct dp_device *d = &p->device;
	int rc;

	if ((d->flags & DP_DRIVER_OWN_IFACE) != 0) {
		rc = dp_iface_up(d->iface);
		if (rc == 0)
			rc = dp_iface_offloads_off(d->iface, &p->saved);
		if (rc < 0)
			dp_log(DP_LOG_NOTICE, "%s: offloads of %s stay on: %s", d->role, d->iface,
				strerror(-rc));
	}
	rc = start(p, pool);
	if (rc < 0) {
		dp_log(DP_LOG_ERROR, "%s: port %s can't be started: %s", d->role, d->name,
			strerror(-rc));
		return rc;
	}
	p->port.flags |= d->port_flags;
	p->port.tx_workers = p->queues;
	if (d->iface[0] != '\0' && (d->flags & (DP_DRIVER_OWN_IFACE | DP_DRIVER_MAKES_IFACE)) != 0)
		p->ifindex = if_nametoindex(d->iface);
	if ((p->port.flags & DP_PORT_KERNEL_PEER) != 0)
		p->port.peer_mac = p->port.mac; // the kernel's interface has the port's address
	if (rte_eth_promiscuous_get(p->port.id) == 1)
		p->port.flags |= DP_PORT_CHECK_MAC;
	read_rss(p);
	find_descriptors(p);
	(void)dp_port_link_poll(p); // the first state is part of the description
	return 0;
}

void dp_port_close(struct dp_port_state *p)
{
	if (!p->probed)
		return;
	if (p->started)
		(void)rte_eth_dev_stop(p->port.id); // closed next, whatever it says
	p->tap = dp_tap_free(p->tap);
	(void)rte_eth_dev_close(p->port.id); // EAL's end forgets the device
	p->probed = p->started = false;
	dp_iface_restore(&p->saved);
	p->saved = (struct dp_iface_saved){ 0 };
}

const char *dp_rss_class_name(enum dp_rss_class rss)
{
	switch (rss) {
	case DP_RSS_EXACT: return "exact";
	case DP_RSS_OTHER: return "other";
	default: return "none";
	}
}

void dp_port_describe(const struct dp_port_state *p)
{
	char mac[RTE_ETHER_ADDR_FMT_SIZE];

	rte_ether_format_addr(mac, sizeof(mac), &p->port.mac);
	dp_log(DP_LOG_NOTICE, "%s: %s%s%s mac=%s mtu=%u queues=%u rss=%s link=%s", p->device.role,
		p->device.name, p->device.iface[0] != '\0' ? " iface=" : "", p->device.iface, mac,
		p->port.mtu, p->queues, dp_rss_class_name(p->rss), p->link_up ? "up" : "down");
}

bool dp_port_link_poll(struct dp_port_state *p)
{
	struct rte_eth_link link = { 0 };
	bool was = p->link_up;

	if (rte_eth_link_get_nowait(p->port.id, &link) < 0)
		return false;
	p->link_up = link.link_status == RTE_ETH_LINK_UP;
	return p->link_up != was;
}
