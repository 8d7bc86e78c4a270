// SPDX-License-Identifier: BSD-3-Clause
#include "bench/probe/watch.h"

#include <arpa/inet.h>
#include <errno.h>
#include <linux/if_packet.h>
#include <net/ethernet.h>
#include <net/if.h>
#include <netinet/ip.h>
#include <netinet/udp.h>
#include <stdbool.h>
#include <string.h>
#include <sys/socket.h>
#include <time.h>

#include "bench/probe/stream.h"
#include "protocol/opcode.h"

// UDP payload of a Ping in the AEAD formats: opcode (1, or 4 with peer-id), packet-id 4, tag 16,
// text 16. A reconfiguration Ping has the session id, 8 bytes, behind it. No IP packet in the
// tunnel is as short as these.
enum { PING_V1 = 37, PING_V2 = 40, TAIL = 8 };

int pg_watch_open(struct pg_watch *w, const char *iface, const struct sockaddr_in *server)
{
	// Only a socket for all protocols is shown what leaves.
	struct sockaddr_ll ll = { .sll_family = AF_PACKET, .sll_protocol = htons(ETH_P_ALL) };
	int one = 1;

	*w = (struct pg_watch){ .fd = -1, .server = *server, .last_soft_key = -1 };
	ll.sll_ifindex = (int)if_nametoindex(iface);
	if (ll.sll_ifindex == 0)
		return -errno;
	w->fd = socket(AF_PACKET, SOCK_DGRAM | SOCK_NONBLOCK | SOCK_CLOEXEC, htons(ETH_P_ALL));
	if (w->fd < 0)
		return -errno;
	if (setsockopt(w->fd, SOL_SOCKET, SO_TIMESTAMPNS, &one, sizeof(one)) < 0 ||
		bind(w->fd, (struct sockaddr *)&ll, sizeof(ll)) < 0)
		return -errno;
	return 0;
}

// The kernel stamps with wall time; what counts here is the monotonic clock of the same moment.
static uint64_t stamp_ns(struct msghdr *msg)
{
	struct timespec wall, seen;
	uint64_t now = pg_now_ns();

	for (struct cmsghdr *c = CMSG_FIRSTHDR(msg); c != NULL; c = CMSG_NXTHDR(msg, c)) {
		int64_t age;

		if (c->cmsg_level != SOL_SOCKET || c->cmsg_type != SCM_TIMESTAMPNS)
			continue;
		memcpy(&seen, CMSG_DATA(c), sizeof(seen));
		(void)clock_gettime(CLOCK_REALTIME, &wall);
		age = (int64_t)(wall.tv_sec - seen.tv_sec) * 1000000000 + wall.tv_nsec -
			seen.tv_nsec;
		if (age > 0 && age < 10000000000)
			return now - (uint64_t)age;
	}
	return now;
}

static void count_handshake(struct pg_watch *w, const uint8_t *payload, size_t len)
{
	int key_id = payload[0] & 7;

	if (len < 9)
		return;
	switch (payload[0] >> 3) {
	case OVPN_P_CONTROL_HARD_RESET_CLIENT_V2:
	case OVPN_P_CONTROL_HARD_RESET_CLIENT_V3:
		if (memcmp(w->last_sid, payload + 1, 8) == 0)
			return; // the same one, repeated or with its cookie
		memcpy(w->last_sid, payload + 1, 8);
		w->last_soft_key = -1;
		w->handshakes++;
		break;
	case OVPN_P_CONTROL_SOFT_RESET_V1:
		if (w->last_soft_key == key_id)
			return; // repeated, or the other side's half
		w->last_soft_key = key_id;
		w->handshakes++;
		break;
	default: break;
	}
}

static enum pg_seen classify(struct pg_watch *w, const uint8_t *pkt, size_t len)
{
	struct iphdr ip;
	struct udphdr udp;
	size_t ihl, size;
	bool down;

	if (len < sizeof(ip))
		return PG_SEEN_NOTHING;
	memcpy(&ip, pkt, sizeof(ip));
	ihl = ip.ihl * 4u;
	if (ip.protocol != IPPROTO_UDP || (ntohs(ip.frag_off) & IP_OFFMASK) != 0 ||
		len < ihl + sizeof(udp) + 1)
		return PG_SEEN_NOTHING;
	memcpy(&udp, pkt + ihl, sizeof(udp));
	down = ip.saddr == w->server.sin_addr.s_addr && udp.source == w->server.sin_port;
	if (!down && (ip.daddr != w->server.sin_addr.s_addr || udp.dest != w->server.sin_port))
		return PG_SEEN_NOTHING;
	size = ntohs(udp.len) - sizeof(udp);
	pkt += ihl + sizeof(udp);
	if (pkt[0] >> 3 != OVPN_P_DATA_V1 && pkt[0] >> 3 != OVPN_P_DATA_V2) {
		count_handshake(w, pkt, len - ihl - sizeof(udp));
		return down ? PG_SEEN_NOTHING : PG_SEEN_SENT;
	}
	if (down)
		return size == PING_V1 || size == PING_V2 ? PG_SEEN_PING : PG_SEEN_DATA;
	return size == PING_V1 + TAIL || size == PING_V2 + TAIL ? PG_SEEN_ASK : PG_SEEN_SENT;
}

int pg_watch_next(struct pg_watch *w, enum pg_seen *ret_what, uint64_t *ret_ns)
{
	uint8_t pkt[128], control[128];
	struct iovec iov = { pkt, sizeof(pkt) };
	struct sockaddr_ll ll;
	struct msghdr msg = { .msg_iov = &iov, .msg_iovlen = 1, .msg_control = control };
	ssize_t n;

	msg.msg_controllen = sizeof(control);
	msg.msg_name = &ll;
	msg.msg_namelen = sizeof(ll);
	do {
		n = recvmsg(w->fd, &msg, 0);
	} while (n < 0 && errno == ENETDOWN); // said once when the link goes; it may come back
	if (n < 0)
		return 0;
	*ret_ns = stamp_ns(&msg);
	*ret_what =
		ll.sll_protocol == htons(ETH_P_IP) ? classify(w, pkt, (size_t)n) : PG_SEEN_NOTHING;
	return 1;
}
