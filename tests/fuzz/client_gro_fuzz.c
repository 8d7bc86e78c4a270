// SPDX-License-Identifier: BSD-3-Clause
// Packets of a server that does its worst, joined for the device: whatever comes, cutting what was
// written gives the packets that came, each once, but for IPv4 ids where fragments are forbidden.
//
// Input: records of a kind, a length and so many bytes. An even kind is a packet as it stands; an
// odd one has its bytes laid over a good packet whose checksums are then made right.
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "protocol/cut.h"
#include "protocol/gro.h"
#include "tests/protocol/flow.h"

#define PACKETS 64
#define PACKET_MAX 1600

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static uint8_t given[PACKETS][PACKET_MAX], kept[PACKETS][PACKET_MAX];
static size_t length[PACKETS];
static bool seen[PACKETS];
static unsigned n_given, n_seen;
static uint8_t joined[70000], piece[70000];

// An id where fragments are forbidden, and with it the header's sum, may differ.
static bool same(const uint8_t *a, const uint8_t *b, size_t len)
{
	if (len < 20 || a[0] != 0x45 || (a[6] & 0x40) == 0)
		return memcmp(a, b, len) == 0;
	return memcmp(a, b, 4) == 0 && memcmp(a + 6, b + 6, 4) == 0 &&
		memcmp(a + 12, b + 12, len - 12) == 0;
}

static void came_out(const uint8_t *p, size_t len)
{
	for (unsigned i = 0; i < n_given; i++) {
		if (!seen[i] && length[i] == len && same(p, kept[i], len)) {
			seen[i] = true;
			n_seen++;
			return;
		}
	}
	abort();
}

static void on_write(void *arg, const struct virtio_net_hdr *vnet, struct iovec *iov, unsigned n,
	unsigned packets)
{
	struct ovpn_cut cut;
	size_t len = 0;
	unsigned pieces = 0;

	(void)arg;
	for (unsigned i = 1; i <= n; i++) {
		memcpy(joined + len, iov[i].iov_base, iov[i].iov_len);
		len += iov[i].iov_len;
	}
	if (vnet->gso_type == VIRTIO_NET_HDR_GSO_NONE) {
		came_out(joined, len);
		return;
	}
	if (ovpn_cut_begin(vnet, joined, len, &cut) != 1)
		abort();
	while ((len = ovpn_cut_next(&cut, piece)) > 0) {
		came_out(piece, len);
		pieces++;
	}
	if (pieces != packets)
		abort();
}

// A good packet with the input's bytes laid over it by exclusive or, and its checksums right again.
static size_t good_packet(uint8_t *p, uint8_t kind, const uint8_t *over, size_t n)
{
	struct flow_packet f = { .ip6 = kind & 2,
		.tcp = kind & 4,
		.host = 1,
		.port = kind >> 6,
		.id = (uint16_t)n_given,
		.df = kind & 8,
		.seq = n_given * 100,
		.flags = 0x10,
		.options = kind & 16 ? 12 : 0,
		.payload = 100 };
	size_t len = flow_make(p, &f, false);
	size_t transport = f.ip6 ? 40 : 20, at = transport + (f.tcp ? 16 : 6);
	uint16_t sum;

	for (size_t i = 0; i < n && i < len; i++)
		p[i] ^= over[i];
	if (!f.ip6) {
		flow_put16(p + 10, 0);
		flow_put16(p + 10, (uint16_t)~flow_sum(0, p, 20));
	}
	flow_put16(p + at, 0);
	if (p[0] >> 4 == (f.ip6 ? 6 : 4)) {
		sum = flow_sum(flow_pseudo(p, f.tcp ? 6 : 17, len - transport), p + transport,
			len - transport);
		flow_put16(p + at, sum == UINT16_MAX && !f.tcp ? UINT16_MAX : (uint16_t)~sum);
	}
	return len;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	static struct ovpn_gro gro;

	memset(&gro, 0, sizeof(gro));
	memset(seen, 0, sizeof(seen));
	gro.write = on_write;
	gro.tcp = true;
	gro.udp = true;
	n_given = 0;
	n_seen = 0;
	while (size >= 2 && n_given < PACKETS) {
		uint8_t kind = data[0];
		size_t n = data[1] < size - 2 ? data[1] : size - 2;
		size_t len = n;

		if ((kind & 1) != 0)
			len = good_packet(given[n_given], kind, data + 2, n);
		else
			memcpy(given[n_given], data + 2, n);
		data += 2 + n;
		size -= 2 + n;
		if (len < 20)
			continue; // the caller has seen that it is an IP packet
		length[n_given] = len;
		memcpy(kept[n_given], given[n_given], len);
		n_given++;
		ovpn_gro_add(&gro, given[n_given - 1], len);
	}
	ovpn_gro_flush(&gro);
	if (n_seen != n_given)
		abort();
	return 0;
}
