// SPDX-License-Identifier: BSD-3-Clause
#include "dataplane/tap.h"

#include <errno.h>
#include <fcntl.h>
#include <net/if.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/socket.h>
#include <sys/uio.h>
#include <unistd.h>

// Not from <linux/if.h>, which clashes with <net/if.h>.
#include <linux/if_tun.h>

#include <rte_cycles.h>
#include <rte_ethdev.h>
#include <rte_malloc.h>

#include "dataplane/dp.h"
#include "dataplane/iface.h"
#include "protocol/cut.h"
#include "protocol/gro.h"

// Missing in the headers of kernels before 6.2.
#ifndef TUN_F_USO4
#define TUN_F_USO4 0x20
#define TUN_F_USO6 0x40
#endif

#define LARGE_MAX 65536u
// The kernel's default of 500 packets is 2 ms of a fast sender; a worker that shares its CPU sleeps
// longer than that.
#define QUEUE_PACKETS 4096
// Microseconds for which an empty device isn't read again, doubled with each read in vain: one
// costs as much as two packets' encryption. A worker that is about to sleep has a turn each tenth
// of a microsecond, one under load takes a few dozen for it.
#define QUIET_FIRST_US 1
#define QUIET_MAX_US 16

struct dp_tap {
	int fd;
	struct rte_mempool *pool; // of dp_tap_attach(), as these
	uint16_t port_id;
	const struct rte_eth_rxtx_callback *on_rx, *on_tx;
	struct dp_tap_stats stats;
	// Receiving: the packet that is being cut, and the buffer that the next read is for.
	struct rte_mbuf *spare;
	struct ovpn_cut cut;
	bool cutting;
	struct rte_ether_hdr cut_eth; // of every piece
	uint64_t quiet_until; // TSC: no read before
	uint64_t quiet; // cycles without a read after the next one in vain
	uint64_t quiet_first, quiet_max;
	uint8_t *large; // one packet of the device, with the start that went to spare in front
	// Sending.
	struct ovpn_gro gro;
};

// Read one frame of the device: into a buffer if it is one as it is, else it is ready to be cut.
// Returns 1 when *ret_frame is a frame, 0 when it isn't (see tap->cutting), -errno.
static int read_frame(struct dp_tap *tap, struct rte_mempool *pool, struct rte_mbuf **ret_frame)
{
	struct virtio_net_hdr vnet = { 0 };
	struct rte_mbuf *m = tap->spare;
	struct iovec iov[3] = { { &vnet, sizeof(vnet) } };
	size_t len, room;
	uint8_t *frame;
	ssize_t got;
	int rc;

	if (m == NULL)
		m = tap->spare = rte_pktmbuf_alloc(pool);
	if (m == NULL)
		return -ENOBUFS; // the kernel keeps it for us
	frame = rte_pktmbuf_mtod(m, uint8_t *);
	room = rte_pktmbuf_tailroom(m);
	iov[1] = (struct iovec){ frame, room };
	iov[2] = (struct iovec){ tap->large + room, LARGE_MAX };
	got = readv(tap->fd, iov, 3);
	if (got < 0)
		return -errno;
	tap->stats.reads++;
	len = (size_t)got < sizeof(vnet) ? 0 : (size_t)got - sizeof(vnet);
	if (len <= sizeof(tap->cut_eth) || len > UINT16_MAX + sizeof(tap->cut_eth)) {
		tap->stats.rx_missed++;
		return 0;
	}
	if (len > room || vnet.gso_type != VIRTIO_NET_HDR_GSO_NONE) {
		memcpy(tap->large, frame, RTE_MIN(len, room));
		frame = tap->large;
	}
	memcpy(&tap->cut_eth, frame, sizeof(tap->cut_eth));
	if ((vnet.flags & VIRTIO_NET_HDR_F_NEEDS_CSUM) != 0)
		vnet.csum_start = vnet.csum_start < sizeof(tap->cut_eth)
			? UINT16_MAX // lies behind every packet: refused
			: (uint16_t)(vnet.csum_start - sizeof(tap->cut_eth));
	rc = ovpn_cut_begin(
		&vnet, frame + sizeof(tap->cut_eth), len - sizeof(tap->cut_eth), &tap->cut);
	tap->cutting = rc == 1 && ovpn_cut_piece(&tap->cut) <= room - sizeof(tap->cut_eth);
	if (tap->cutting)
		return 0;
	if (rc != 0 || len > room) {
		tap->stats.rx_missed++;
		return 0;
	}
	m->data_len = (uint16_t)len;
	m->pkt_len = (uint32_t)len;
	tap->spare = NULL;
	*ret_frame = m;
	return 1;
}

// The next piece of the packet that is being cut. Returns as read_frame().
static int next_piece(struct dp_tap *tap, struct rte_mempool *pool, struct rte_mbuf **ret_frame)
{
	struct rte_mbuf *m = tap->spare;
	uint8_t *frame;
	size_t len;

	if (m == NULL)
		m = tap->spare = rte_pktmbuf_alloc(pool);
	if (m == NULL)
		return -ENOBUFS; // the rest waits for a buffer
	frame = rte_pktmbuf_mtod(m, uint8_t *);
	len = ovpn_cut_next(&tap->cut, frame + sizeof(tap->cut_eth));
	tap->cutting = len > 0;
	if (len == 0)
		return 0;
	memcpy(frame, &tap->cut_eth, sizeof(tap->cut_eth));
	m->data_len = (uint16_t)(len + sizeof(tap->cut_eth));
	m->pkt_len = m->data_len;
	tap->spare = NULL;
	*ret_frame = m;
	return 1;
}

uint16_t dp_tap_read(
	struct dp_tap *tap, struct rte_mempool *pool, struct rte_mbuf **pkt, uint16_t n)
{
	uint16_t got = 0;
	uint64_t bytes = 0;

	while (got < n) {
		int rc = tap->cutting ? next_piece(tap, pool, &pkt[got])
				      : read_frame(tap, pool, &pkt[got]);

		if (rc < 0)
			break; // EAGAIN: empty
		if (rc == 1)
			bytes += pkt[got++]->pkt_len;
	}
	tap->stats.rx_packets += got;
	tap->stats.rx_bytes += bytes;
	return got;
}

// ovpn_gro_write_fn: the Ethernet header lies in front of the packet.
static void write_packet(void *arg, const struct virtio_net_hdr *vnet, struct iovec *iov,
	unsigned n, unsigned packets)
{
	const uint16_t eth = sizeof(struct rte_ether_hdr);
	struct dp_tap *tap = arg;
	struct virtio_net_hdr head = *vnet;

	iov[1].iov_base = (uint8_t *)iov[1].iov_base - eth;
	iov[1].iov_len += eth;
	if ((head.flags & VIRTIO_NET_HDR_F_NEEDS_CSUM) != 0) {
		head.csum_start = (uint16_t)(head.csum_start + eth);
		head.hdr_len = (uint16_t)(head.hdr_len + eth);
	}
	iov[0].iov_base = &head;
	iov[0].iov_len = sizeof(head);
	tap->stats.writes++;
	if (writev(tap->fd, iov, (int)n + 1) < 0)
		tap->stats.tx_errors += packets; // the interface is down, or its queue full
}

void dp_tap_write(struct dp_tap *tap, struct rte_mbuf *const *pkt, uint16_t n)
{
	const struct rte_ether_hdr *before = NULL;
	uint64_t bytes = 0;

	for (uint16_t i = 0; i < n; i++) {
		struct rte_ether_hdr *eth = rte_pktmbuf_mtod(pkt[i], struct rte_ether_hdr *);

		if (pkt[i]->nb_segs != 1 || pkt[i]->data_len <= sizeof(*eth)) {
			tap->stats.tx_errors++; // stages make none of these
			continue;
		}
		// A joined packet has one Ethernet header for all.
		if (before != NULL && memcmp(before, eth, sizeof(*eth)) != 0)
			ovpn_gro_flush(&tap->gro);
		before = eth;
		bytes += pkt[i]->data_len;
		ovpn_gro_add(&tap->gro, (uint8_t *)(eth + 1), pkt[i]->data_len - sizeof(*eth));
	}
	ovpn_gro_flush(&tap->gro);
	tap->stats.tx_packets += n;
	tap->stats.tx_bytes += bytes;
}

static uint16_t receive(uint16_t port_id, uint16_t queue, struct rte_mbuf *pkt[], uint16_t n,
	uint16_t max, void *arg)
{
	struct dp_tap *tap = arg;

	(void)queue;
	(void)n; // net_null receives nothing
	if (rte_rdtsc() < tap->quiet_until)
		return 0;
	n = dp_tap_read(tap, tap->pool, pkt, max);
	if (n == 0) {
		tap->quiet_until = rte_rdtsc() + tap->quiet;
		tap->quiet = RTE_MIN(2 * tap->quiet, tap->quiet_max);
	} else {
		tap->quiet = tap->quiet_first;
	}
	for (uint16_t i = 0; i < n; i++)
		pkt[i]->port = port_id;
	return n;
}

static uint16_t transmit(
	uint16_t port_id, uint16_t queue, struct rte_mbuf *pkt[], uint16_t n, void *arg)
{
	(void)port_id;
	(void)queue;
	dp_tap_write(arg, pkt, n);
	return n; // which net_null frees
}

int dp_tap_attach(struct dp_tap *tap, uint16_t port_id, struct rte_mempool *pool)
{
	tap->pool = pool;
	tap->port_id = port_id;
	tap->quiet_first = QUIET_FIRST_US * rte_get_tsc_hz() / US_PER_S;
	tap->quiet_max = QUIET_MAX_US * rte_get_tsc_hz() / US_PER_S;
	tap->quiet = tap->quiet_first;
	tap->on_rx = rte_eth_add_rx_callback(port_id, 0, receive, tap);
	tap->on_tx = rte_eth_add_tx_callback(port_id, 0, transmit, tap);
	return tap->on_rx == NULL || tap->on_tx == NULL ? -ENOTSUP : 0;
}

int dp_tap_fd(const struct dp_tap *tap)
{
	return tap->fd;
}

int dp_tap_mac(const struct dp_tap *tap, struct rte_ether_addr *ret_mac)
{
	struct ifreq ifr = { 0 };

	if (ioctl(tap->fd, SIOCGIFHWADDR, &ifr) < 0)
		return -errno;
	memcpy(ret_mac->addr_bytes, ifr.ifr_hwaddr.sa_data, sizeof(ret_mac->addr_bytes));
	return 0;
}

const struct dp_tap_stats *dp_tap_stats(const struct dp_tap *tap)
{
	return &tap->stats;
}

struct dp_tap *dp_tap_create(int fd, bool tso, bool uso)
{
	struct dp_tap *tap = calloc(1, sizeof(*tap));

	if (tap == NULL)
		return NULL;
	// The start of a packet, at most a buffer long, and what follows it.
	tap->large = malloc(RTE_PKTMBUF_HEADROOM + DP_FRAME_MAX + LARGE_MAX);
	if (tap->large == NULL) {
		free(tap);
		errno = ENOMEM;
		return NULL;
	}
	tap->fd = fd;
	tap->gro.tcp = tso;
	tap->gro.udp = uso;
	tap->gro.write = write_packet;
	tap->gro.arg = tap;
	return tap;
}

static int set_queue_length(const char *iface)
{
	struct ifreq ifr = { .ifr_qlen = QUEUE_PACKETS };
	int sock = socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0);
	int rc;

	if (sock < 0)
		return -errno;
	(void)strncpy(ifr.ifr_name, iface, sizeof(ifr.ifr_name) - 1); // it was checked
	rc = ioctl(sock, SIOCSIFTXQLEN, &ifr) < 0 ? -errno : 0;
	(void)close(sock); // nothing to flush
	return rc;
}

struct dp_tap *dp_tap_open(const char *iface)
{
	const unsigned long tcp = TUN_F_CSUM | TUN_F_TSO4 | TUN_F_TSO6 | TUN_F_TSO_ECN;
	struct ifreq ifr = { .ifr_flags = IFF_TAP | IFF_NO_PI | IFF_VNET_HDR };
	struct dp_tap *tap;
	bool tso, uso;
	int fd, rc;

	if (iface[0] == '\0' || strlen(iface) >= IFNAMSIZ || strchr(iface, '%') != NULL) {
		errno = EINVAL;
		return NULL;
	}
	memcpy(ifr.ifr_name, iface, strlen(iface) + 1);
	fd = open("/dev/net/tun", O_RDWR | O_NONBLOCK | O_CLOEXEC);
	if (fd < 0)
		return NULL;
	if (ioctl(fd, TUNSETIFF, &ifr) < 0)
		goto err;
	// UDP since Linux 6.2.
	uso = ioctl(fd, TUNSETOFFLOAD, tcp | TUN_F_USO4 | TUN_F_USO6) == 0;
	tso = uso || ioctl(fd, TUNSETOFFLOAD, tcp) == 0;
	(void)set_queue_length(iface); // the default works, too
	rc = dp_iface_up(iface);
	if (rc < 0) {
		errno = -rc;
		goto err;
	}
	tap = dp_tap_create(fd, tso, uso);
	if (tap != NULL)
		return tap;

err:
	rc = errno;
	(void)close(fd); // takes the interface with it
	errno = rc;
	return NULL;
}

struct dp_tap *dp_tap_free(struct dp_tap *tap)
{
	if (tap == NULL)
		return NULL;
	// A closed port would keep them for the next one with its number; their memory is ours.
	if (tap->on_rx != NULL && rte_eth_remove_rx_callback(tap->port_id, 0, tap->on_rx) == 0)
		rte_free((void *)(uintptr_t)tap->on_rx);
	if (tap->on_tx != NULL && rte_eth_remove_tx_callback(tap->port_id, 0, tap->on_tx) == 0)
		rte_free((void *)(uintptr_t)tap->on_tx);
	rte_pktmbuf_free(tap->spare); // NULL is fine
	(void)close(tap->fd); // takes the interface with it
	free(tap->large);
	free(tap);
	return NULL;
}
