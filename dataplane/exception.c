// SPDX-License-Identifier: BSD-3-Clause
#include "dataplane/exception.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/if_tun.h>
#include <net/if_arp.h>
#include <stdio.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/ioctl.h>
#include <sys/socket.h>
#include <unistd.h>

#include <rte_mbuf.h>
#include <rte_ring.h>

#include "dataplane/iface.h"
#include "dataplane/log.h"
#include "dataplane/worker.h"

#define FRAMES_MAX 64 // of one TAP or worker at a time

static int set_address(int sock, const char *name, const struct dp_port *port)
{
	struct ifreq ifr = { 0 };

	memcpy(ifr.ifr_name, name, strlen(name) + 1);
	ifr.ifr_hwaddr.sa_family = ARPHRD_ETHER;
	memcpy(ifr.ifr_hwaddr.sa_data, port->mac.addr_bytes, RTE_ETHER_ADDR_LEN);
	if (ioctl(sock, SIOCSIFHWADDR, &ifr) < 0)
		return -errno;
	ifr.ifr_mtu = port->mtu;
	return ioctl(sock, SIOCSIFMTU, &ifr) < 0 ? -errno : 0;
}

// A TAP interface that ends with its descriptor. The kernel chooses the number in its name.
static int open_tap(const char *pattern, const struct dp_port *port, char name[IFNAMSIZ])
{
	struct ifreq ifr = { .ifr_flags = IFF_TAP | IFF_NO_PI };
	int fd = open("/dev/net/tun", O_RDWR | O_CLOEXEC | O_NONBLOCK);
	int sock, rc;

	if (fd < 0)
		return -errno;
	(void)snprintf(ifr.ifr_name, sizeof(ifr.ifr_name), "%s", pattern); // always fits
	if (ioctl(fd, TUNSETIFF, &ifr) < 0) {
		rc = -errno;
		goto close_fd;
	}
	memcpy(name, ifr.ifr_name, IFNAMSIZ);
	sock = socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0);
	if (sock < 0) {
		rc = -errno;
		goto close_fd;
	}
	rc = set_address(sock, name, port);
	(void)close(sock); // nothing to flush
	if (rc == 0)
		rc = dp_iface_up(name);
	if (rc == 0)
		return fd;

close_fd:
	(void)close(fd); // takes the interface with it
	return rc;
}

// Take one frame from the kernel to a worker that can send it. Returns 0, or -errno when there is
// no frame.
static int take_frame(struct dp_mirror *m)
{
	struct dp_exception *ex = m->owner;
	struct dp_worker *w = ex->core->worker[0]; // has queues on every port
	struct rte_mbuf *mbuf = rte_pktmbuf_alloc(ex->core->pool);
	char lost[2];
	ssize_t n;

	if (mbuf == NULL) {
		ex->lost++;
		n = read(m->watch.fd, lost, sizeof(lost)); // the rest of the frame goes too
		return n < 0 ? -errno : 0;
	}
	n = read(m->watch.fd, rte_pktmbuf_mtod(mbuf, void *), rte_pktmbuf_tailroom(mbuf));
	if (n <= 0) {
		rte_pktmbuf_free(mbuf);
		return n < 0 ? -errno : -EIO;
	}
	mbuf->data_len = (uint16_t)n;
	mbuf->pkt_len = (uint32_t)n;
	memset(dp_meta(mbuf), 0, sizeof(struct dp_meta));
	dp_meta(mbuf)->port_index = (uint8_t)m->port_index;
	if (rte_ring_sp_enqueue(w->from_kernel, mbuf) < 0) {
		ex->lost++;
		rte_pktmbuf_free(mbuf);
		return 0;
	}
	ex->from_kernel++;
	return 0;
}

static void tap_ready(void *arg, uint32_t events)
{
	struct dp_mirror *m = arg;
	int n = 0;

	(void)events;
	while (n < FRAMES_MAX && take_frame(m) == 0)
		n++;
	if (n > 0)
		dp_worker_wake(m->owner->core->worker[0]);
}

static void give_frame(struct dp_exception *ex, const struct rte_mbuf *mbuf)
{
	unsigned index =
		((const struct dp_meta *)rte_mbuf_to_priv((struct rte_mbuf *)(uintptr_t)mbuf))
			->port_index;
	uint8_t copy[DP_FRAME_MAX];
	const void *frame;

	if (index >= ex->core->ports || ex->mirror[index].watch.fd < 0)
		return;
	frame = rte_pktmbuf_read(mbuf, 0, mbuf->pkt_len, copy); // copies a chained one
	if (mbuf->pkt_len > sizeof(copy) || frame == NULL ||
		write(ex->mirror[index].watch.fd, frame, mbuf->pkt_len) < 0)
		ex->lost++;
	else
		ex->to_kernel++;
}

unsigned dp_exception_serve(struct dp_exception *ex, struct dp_worker *w)
{
	struct rte_mbuf *mbuf[FRAMES_MAX];
	unsigned n = rte_ring_sc_dequeue_burst(w->to_kernel, (void **)mbuf, FRAMES_MAX, NULL);

	for (unsigned i = 0; i < n; i++) {
		give_frame(ex, mbuf[i]);
		rte_pktmbuf_free(mbuf[i]);
	}
	return n;
}

int dp_exception_open(struct dp_exception *ex, struct dp_core *core, struct dp_loop *loop,
	struct dp_port_state *ports)
{
	*ex = (struct dp_exception){ .core = core, .loop = loop };
	for (unsigned i = 0; i < DP_PORTS_MAX; i++)
		ex->mirror[i].watch.fd = -1;
	for (uint16_t i = 0; i < core->ports; i++) {
		struct dp_mirror *m = &ex->mirror[i];
		const char *pattern = i == 0 ? "visp-outer%d" : "visp-inner%d";
		int rc;

		if ((core->port[i].flags & (DP_PORT_KERNEL_SEES | DP_PORT_KERNEL_PEER)) != 0 ||
			(ports[i].device.flags & DP_DRIVER_NO_KERNEL) != 0)
			continue;
		rc = open_tap(pattern, &core->port[i], m->name);
		if (rc < 0) {
			dp_log(DP_LOG_NOTICE,
				"%s: no TAP interface for the kernel (%s): ARP, ICMP and all that "
				"isn't ours is dropped",
				ports[i].device.role, strerror(-rc));
			continue;
		}
		m->owner = ex;
		m->port_index = i;
		m->watch = (struct dp_watch){ .fd = rc, .ready = tap_ready, .arg = m };
		ports[i].ifindex = if_nametoindex(m->name);
		rc = dp_loop_add(loop, &m->watch, EPOLLIN);
		if (rc < 0)
			return rc;
		dp_log(DP_LOG_NOTICE, "%s: the kernel's side of this port is interface %s",
			ports[i].device.role, m->name);
	}
	return 0;
}

void dp_exception_close(struct dp_exception *ex)
{
	if (ex->core == NULL)
		return;
	for (unsigned i = 0; i < DP_PORTS_MAX; i++) {
		struct dp_mirror *m = &ex->mirror[i];

		if (m->watch.fd < 0)
			continue;
		dp_loop_del(ex->loop, &m->watch);
		(void)close(m->watch.fd); // takes the interface with it
		m->watch.fd = -1;
	}
}
