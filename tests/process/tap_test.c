// SPDX-License-Identifier: BSD-3-Clause
// visp_tap as a DPDK port over a socket that plays the kernel's device: large packets come out cut,
// packets of a flow go in joined, what is unfit is counted and stops nothing; and the real device.
#include "dataplane/tap.h"

#include <errno.h>
#include <net/if.h>
#include <sched.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/socket.h>
#include <sys/uio.h>
#include <unistd.h>

#include <rte_dev.h>
#include <rte_eal.h>
#include <rte_ethdev.h>

#include "dataplane/dp.h"
#include "protocol/cut.h"
#include "tests/gtc.h"
#include "tests/protocol/flow.h"

#define ETH ((size_t)RTE_ETHER_HDR_LEN)
#define TURNS 8 // a device that was empty is read again by then

static const uint8_t eth4[ETH] = { 2, 1, 1, 1, 1, 1, 2, 2, 2, 2, 2, 2, 8, 0 };
static struct rte_mempool *pool;
static struct dp_tap *tap;
static uint16_t port;
static int kernel; // the other end of the device
static unsigned before; // buffers in use

static void eal(void)
{
	char prefix[32];
	char *argv[] = { "test", "--no-huge", "--no-pci", "--no-telemetry", "--no-shconf", "-m",
		"64", "--lcores", "0@0", "--log-level", "4", "--file-prefix", prefix, NULL };

	if (pool != NULL)
		return;
	(void)snprintf(prefix, sizeof(prefix), "dptap%d", getpid());
	if (rte_eal_init(13, argv) < 0)
		abort();
	pool = rte_pktmbuf_pool_create("frames", 1023, 0, sizeof(struct dp_meta),
		RTE_PKTMBUF_HEADROOM + DP_FRAME_MAX, SOCKET_ID_ANY);
	if (pool == NULL)
		abort();
}

static void begin(void)
{
	struct rte_eth_conf conf = { 0 };
	static unsigned made; // a closed device keeps its name
	char args[64];
	int pair[2];

	eal();
	(void)snprintf(args, sizeof(args), "net_null_visp_tap%u,no-rx=1", made++);
	before = rte_mempool_in_use_count(pool);
	GTC_ASSERT_INT(socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_NONBLOCK, 0, pair), 0);
	kernel = pair[0];
	tap = dp_tap_create(pair[1], true, true);
	GTC_ASSERT(tap != NULL);
	GTC_ASSERT_INT(rte_dev_probe(args), 0);
	*strchr(args, ',') = '\0';
	GTC_ASSERT_INT(rte_eth_dev_get_port_by_name(args, &port), 0);
	GTC_ASSERT_INT(rte_eth_dev_configure(port, 1, 1, &conf), 0);
	GTC_ASSERT_INT(rte_eth_rx_queue_setup(port, 0, 64, 0, NULL, pool), 0);
	GTC_ASSERT_INT(rte_eth_tx_queue_setup(port, 0, 64, 0, NULL), 0);
	GTC_ASSERT_INT(dp_tap_attach(tap, port, pool), 0);
	GTC_ASSERT_INT(rte_eth_dev_start(port), 0);
}

static void end(void)
{
	GTC_EXPECT_INT(rte_eth_dev_stop(port), 0);
	tap = dp_tap_free(tap);
	GTC_EXPECT_INT(rte_eth_dev_close(port), 0);
	(void)close(kernel);
	GTC_EXPECT_INT(rte_mempool_in_use_count(pool), before);
}

// The kernel gives a packet, Ethernet header in front.
static void give(
	const struct virtio_net_hdr *vnet, const uint8_t *eth, const uint8_t *p, size_t len)
{
	struct iovec iov[3] = { { (void *)(uintptr_t)vnet, sizeof(*vnet) },
		{ (void *)(uintptr_t)eth, ETH }, { (void *)(uintptr_t)p, len } };

	GTC_ASSERT_INT(writev(kernel, iov, 3), (int)(sizeof(*vnet) + ETH + len));
}

static struct virtio_net_hdr partial(bool tcp, uint8_t gso, uint16_t step)
{
	return (struct virtio_net_hdr){ .flags = VIRTIO_NET_HDR_F_NEEDS_CSUM,
		.gso_type = gso,
		.gso_size = step,
		.csum_start = (uint16_t)(ETH + 20),
		.csum_offset = tcp ? 16 : 6 };
}

static uint16_t receive(struct rte_mbuf **m, uint16_t n)
{
	uint16_t got = 0;

	for (unsigned i = 0; i < TURNS && got == 0; i++)
		got = rte_eth_rx_burst(port, 0, m, n);
	return got;
}

GTC_TEST(tap, large_packets_come_cut)
{
	static uint8_t large[65536], bytes[65536];
	struct virtio_net_hdr vnet = partial(true, VIRTIO_NET_HDR_GSO_TCPV4, 1400);
	struct flow_packet f = {
		.tcp = true, .host = 2, .port = 1, .df = true, .flags = 0x18, .payload = 60000
	};
	size_t len = flow_make(large, &f, true), at = 0;
	struct rte_mbuf *m[8];
	uint16_t n;

	begin();
	GTC_EXPECT_INT(receive(m, 8), 0);
	give(&vnet, eth4, large, len);
	while ((n = receive(m, 8)) > 0) {
		for (uint16_t i = 0; i < n; i++) {
			uint8_t *p = rte_pktmbuf_mtod(m[i], uint8_t *);
			size_t payload = m[i]->pkt_len - ETH - 40;

			GTC_EXPECT_INT(m[i]->port, port);
			GTC_EXPECT_MEM(p, eth4, ETH);
			GTC_EXPECT(flow_right(p + ETH, m[i]->pkt_len - ETH));
			GTC_EXPECT_INT(payload, at + 1400 <= 60000 ? 1400 : 60000 % 1400);
			memcpy(bytes + at, p + ETH + 40, payload);
			at += payload;
			rte_pktmbuf_free(m[i]);
		}
	}
	GTC_EXPECT_INT(at, 60000);
	GTC_EXPECT_MEM(bytes, large + 40, 60000);
	GTC_EXPECT_INT(dp_tap_stats(tap)->rx_packets, 43);
	GTC_EXPECT_INT(dp_tap_stats(tap)->rx_bytes, 43 * (ETH + 40) + 60000);
	GTC_EXPECT_INT(dp_tap_stats(tap)->reads, 1);
	end();
}

GTC_TEST(tap, checksums_are_filled_in)
{
	struct virtio_net_hdr vnet = partial(false, VIRTIO_NET_HDR_GSO_NONE, 0);
	struct flow_packet f = { .host = 2, .port = 53, .payload = 100 };
	uint8_t p[200];
	size_t len = flow_make(p, &f, true);
	struct rte_mbuf *m[2];

	begin();
	give(&vnet, eth4, p, len);
	GTC_ASSERT_INT(receive(m, 2), 1);
	GTC_EXPECT_INT(m[0]->pkt_len, len + ETH);
	GTC_EXPECT(flow_right(rte_pktmbuf_mtod_offset(m[0], uint8_t *, ETH), len));
	rte_pktmbuf_free(m[0]);
	end();
}

GTC_TEST(tap, unfit_packets_are_counted)
{
	static uint8_t p[65000];
	struct virtio_net_hdr none = { 0 };
	struct virtio_net_hdr inside_ethernet = partial(false, VIRTIO_NET_HDR_GSO_NONE, 0);
	struct virtio_net_hdr too_long_pieces = partial(false, VIRTIO_NET_HDR_GSO_UDP_L4, 4000);
	struct flow_packet f = { .host = 2, .port = 53, .payload = 9000 };
	size_t len = flow_make(p, &f, true);
	struct rte_mbuf *m[8];

	begin();
	inside_ethernet.csum_start = (uint16_t)(ETH - 1);
	GTC_ASSERT_INT(send(kernel, p, 3, 0), 3); // less than what is always in front
	give(&none, eth4, p, 0);
	give(&inside_ethernet, eth4, p, 100);
	give(&too_long_pieces, eth4, p, len);
	give(&none, eth4, p, len);
	give(&none, eth4, p, 60);
	GTC_ASSERT_INT(receive(m, 8), 1);
	GTC_EXPECT_INT(m[0]->pkt_len, 60 + ETH);
	GTC_EXPECT_INT(dp_tap_stats(tap)->rx_missed, 5);
	rte_pktmbuf_free(m[0]);
	end();
}

static struct rte_mbuf *frame(const uint8_t *eth, const uint8_t *p, size_t len)
{
	struct rte_mbuf *m = rte_pktmbuf_alloc(pool);
	uint8_t *at = (uint8_t *)rte_pktmbuf_append(m, (uint16_t)(ETH + len));

	memcpy(at, eth, ETH);
	memcpy(at + ETH, p, len);
	return m;
}

// Take what was written next, Ethernet header and packet. Returns its length without the first.
static size_t taken(struct virtio_net_hdr *vnet, uint8_t *eth, uint8_t *p, size_t size)
{
	struct iovec iov[3] = { { vnet, sizeof(*vnet) }, { eth, ETH }, { p, size } };
	ssize_t n = readv(kernel, iov, 3);

	return n < (ssize_t)(sizeof(*vnet) + ETH) ? 0 : (size_t)n - sizeof(*vnet) - ETH;
}

GTC_TEST(tap, flows_go_joined)
{
	static uint8_t want[10][1600], p[65536];
	const uint8_t other[ETH] = { 2, 1, 1, 1, 1, 1, 2, 2, 2, 2, 2, 3, 8, 0 };
	const uint8_t arp[ETH] = { 2, 1, 1, 1, 1, 1, 2, 2, 2, 2, 2, 2, 8, 6 };
	struct flow_packet f = { .tcp = true,
		.host = 2,
		.port = 1,
		.df = true,
		.seq = 1,
		.flags = 0x10,
		.payload = 1300 };
	uint8_t eth[ETH], piece[1600];
	struct virtio_net_hdr vnet;
	struct rte_mbuf *m[12];
	struct ovpn_cut cut;
	size_t len = 0;

	begin();
	for (unsigned i = 0; i < 10; i++) {
		len = flow_make(want[i], &f, false);
		f.seq += 1300;
		f.id++;
		m[i] = frame(i < 8 ? eth4 : other, want[i], len);
	}
	m[10] = frame(arp, want[0], 28);
	m[11] = frame(eth4, want[0], 0); // no packet in it
	GTC_EXPECT_INT(rte_eth_tx_burst(port, 0, m, 12), 12);
	// Eight and two, as their Ethernet headers differ.
	for (unsigned i = 0; i < 10; i += i == 0 ? 8 : 2) {
		unsigned n = i == 0 ? 8 : 2;
		size_t got = taken(&vnet, eth, p, sizeof(p));

		GTC_ASSERT_INT(got, 40 + n * 1300);
		GTC_EXPECT_MEM(eth, i == 0 ? eth4 : other, ETH);
		GTC_EXPECT_INT(vnet.csum_start, ETH + 20);
		GTC_EXPECT_INT(vnet.hdr_len, ETH + 40);
		vnet.csum_start = 20;
		GTC_ASSERT_INT(ovpn_cut_begin(&vnet, p, got, &cut), 1);
		for (unsigned k = 0; k < n; k++) {
			GTC_ASSERT_INT(ovpn_cut_next(&cut, piece), len);
			GTC_EXPECT_MEM(piece, want[i + k], len);
		}
	}
	GTC_EXPECT_INT(taken(&vnet, eth, p, sizeof(p)), 28);
	GTC_EXPECT_INT(vnet.flags, 0);
	GTC_EXPECT_MEM(eth, arp, ETH);
	GTC_EXPECT_INT(taken(&vnet, eth, p, sizeof(p)), 0);
	GTC_EXPECT_INT(dp_tap_stats(tap)->writes, 3);
	GTC_EXPECT_INT(dp_tap_stats(tap)->tx_errors, 1);
	// A device that takes nothing more loses packets, which is counted.
	(void)close(kernel);
	m[0] = frame(arp, want[0], 28);
	GTC_EXPECT_INT(rte_eth_tx_burst(port, 0, m, 1), 1);
	GTC_EXPECT_INT(dp_tap_stats(tap)->tx_errors, 2);
	kernel = -1;
	end();
}

GTC_TEST(tap, real_device)
{
	struct rte_ether_addr mac = { 0 };
	struct ifreq ifr = { .ifr_name = "dpt-tap0" };
	struct dp_tap *real;
	int sock;

	errno = 0;
	GTC_EXPECT(dp_tap_open("") == NULL && errno == EINVAL);
	GTC_EXPECT(dp_tap_open("longer-than-an-interface") == NULL && errno == EINVAL);
	GTC_EXPECT(dp_tap_open("any%d") == NULL && errno == EINVAL);
	if (unshare(CLONE_NEWNET) < 0)
		GTC_SKIP("needs root");
	real = dp_tap_open("dpt-tap0");
	if (real == NULL && (errno == ENOENT || errno == ENODEV || errno == EPERM))
		GTC_SKIP("no TUN driver here");
	GTC_ASSERT(real != NULL);
	GTC_EXPECT_INT(dp_tap_mac(real, &mac), 0);
	GTC_EXPECT(!rte_is_zero_ether_addr(&mac));
	sock = socket(AF_INET, SOCK_DGRAM, 0);
	GTC_EXPECT_INT(ioctl(sock, SIOCGIFFLAGS, &ifr), 0);
	GTC_EXPECT((ifr.ifr_flags & IFF_UP) != 0);
	(void)close(sock);
	GTC_EXPECT(dp_tap_open("dpt-tap0") == NULL && errno == EBUSY);
	real = dp_tap_free(real);
	GTC_EXPECT_INT(if_nametoindex("dpt-tap0"), 0);
	(void)dp_tap_free(NULL);
}
