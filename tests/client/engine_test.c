// SPDX-License-Identifier: BSD-3-Clause
// The data thread from end to end: a socket pair plays the tunnel's device, a UDP socket the
// server.
#include "client/engine.h"

#include <arpa/inet.h>
#include <poll.h>
#include <semaphore.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

#include "client/event.h"
#include "protocol/cut.h"
#include "protocol/data_packet.h"
#include "protocol/framing.h"
#include "protocol/ping.h"
#include "protocol/tls/aead.h"
#include "tests/gtc.h"
#include "tests/protocol/flow.h"

#define WAIT_MS 10000 // for what must come

struct scene {
	struct vc_engine *engine;
	int device; // our end of the device
	int server;
	struct sockaddr_in client; // where the engine sends from
	struct ovpn_aead seal, open; // the server's
	uint32_t next_id;
	sem_t notes;
};

static void wake(void *arg)
{
	(void)sem_post(&((struct scene *)arg)->notes);
}

static struct ovpn_data_keys keys_of(void)
{
	uint8_t material[OVPN_KEY_MATERIAL_SIZE];
	struct ovpn_data_keys keys;

	for (unsigned i = 0; i < sizeof(material); i++)
		material[i] = (uint8_t)(i * 7 + 1);
	GTC_EXPECT_INT(ovpn_data_keys_cut(material, OVPN_CIPHER_AES_256_GCM, &keys), 0);
	return keys;
}

static int udp_socket(struct sockaddr_in *ret_addr)
{
	struct sockaddr_in addr = { .sin_family = AF_INET };
	socklen_t len = sizeof(addr);
	int fd = socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0);

	addr.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
	GTC_EXPECT_INT(bind(fd, (struct sockaddr *)&addr, len), 0);
	GTC_EXPECT_INT(getsockname(fd, (struct sockaddr *)&addr, &len), 0);
	*ret_addr = addr;
	return fd;
}

// narrow: the sockets take a few datagrams, then sending has to wait for the server to read.
static void begin_with(struct scene *s, uint16_t fragment, bool narrow)
{
	struct ovpn_data_keys keys = keys_of();
	struct vc_crypt_params params = {
		.keys = &keys, .v2 = true, .peer_id = 5, .fragment_max = fragment
	};
	struct vc_tun tun = { .tso = true, .uso = true };
	struct sockaddr_in server;
	struct vc_key *key = NULL;
	int pair[2], fd;

	memset(s, 0, sizeof(*s));
	s->next_id = 1;
	(void)sem_init(&s->notes, 0, 0);
	GTC_EXPECT_INT(socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_NONBLOCK, 0, pair), 0);
	s->device = pair[0];
	tun.fd = pair[1];
	if (narrow) {
		GTC_EXPECT_INT(socketpair(AF_UNIX, SOCK_DGRAM, 0, pair), 0);
		s->server = pair[0];
		fd = pair[1];
	} else {
		s->server = udp_socket(&server);
		fd = udp_socket(&s->client);
		GTC_EXPECT_INT(connect(fd, (struct sockaddr *)&server, sizeof(server)), 0);
	}
	GTC_EXPECT_INT(ovpn_aead_init(&s->seal, &keys, OVPN_KEY_S2C, true), 0);
	GTC_EXPECT_INT(ovpn_aead_init(&s->open, &keys, OVPN_KEY_C2S, false), 0);
	s->engine = vc_engine_create(1628, wake, s);
	GTC_ASSERT(s->engine != NULL);
	GTC_EXPECT_INT(vc_key_create(&params, 1, 1, 0, &key), 0);
	vc_engine_key(s->engine, key, 0);
	GTC_EXPECT_INT(vc_engine_sock_add(s->engine, 1, fd), 0);
	vc_engine_use(s->engine, 1);
	vc_engine_device(s->engine, &tun);
	vc_engine_inner(s->engine, true, 0);
	vc_engine_read(s->engine, true);
	vc_engine_settle(s->engine);
}

static void begin(struct scene *s)
{
	begin_with(s, 0, false);
}

static void end(struct scene *s)
{
	s->engine = vc_engine_free(s->engine);
	ovpn_aead_done(&s->seal);
	ovpn_aead_done(&s->open);
	(void)close(s->device);
	(void)close(s->server);
	(void)sem_destroy(&s->notes);
}

static size_t receive(int fd, uint8_t *buf, size_t room)
{
	struct pollfd p = { .fd = fd, .events = POLLIN };
	ssize_t n;

	if (poll(&p, 1, WAIT_MS) != 1)
		return 0;
	n = recv(fd, buf, room, 0);
	return n > 0 ? (size_t)n : 0;
}

// The next data packet at the server, opened. Returns its length.
static size_t server_next(struct scene *s, uint8_t *plain, uint32_t *ret_id)
{
	uint8_t dgram[2048];
	size_t len = receive(s->server, dgram, sizeof(dgram));

	if (len == 0 || ovpn_aead_open(&s->open, dgram, len, plain, &len, ret_id) < 0)
		return 0;
	return len;
}

static void server_send(struct scene *s, const uint8_t *plain, size_t len)
{
	struct ovpn_hdr hdr = { .opcode = OVPN_P_DATA_V2, .peer_id = 5 };
	uint8_t head[4], dgram[2048];
	size_t out = 0;

	(void)ovpn_hdr_put(head, &hdr);
	GTC_EXPECT_INT(ovpn_aead_seal(&s->seal, head, 4, s->next_id++, plain, len, dgram, &out), 0);
	GTC_EXPECT_INT(
		sendto(s->server, dgram, out, 0, (struct sockaddr *)&s->client, sizeof(s->client)),
		(long)out);
}

static uint8_t large[70000], want[2048], got[70000];

// 60 KB of TCP in one packet of the device arrive as packets of a sender without offloads.
GTC_TEST(engine, large_packet_up)
{
	struct flow_packet f = { .tcp = true,
		.host = 2,
		.port = 7,
		.id = 3,
		.df = true,
		.flags = 0x10,
		.payload = 60000 };
	struct virtio_net_hdr vnet = { .flags = VIRTIO_NET_HDR_F_NEEDS_CSUM,
		.gso_type = VIRTIO_NET_HDR_GSO_TCPV4,
		.gso_size = 1350,
		.csum_start = 20,
		.csum_offset = 16 };
	struct scene s;
	uint32_t id;
	size_t len;

	begin(&s);
	memcpy(large, &vnet, sizeof(vnet));
	len = sizeof(vnet) + flow_make(large + sizeof(vnet), &f, true);
	GTC_ASSERT_INT(send(s.device, large, len, 0), (long)len);
	for (uint32_t n = 0; n < 45; n++) {
		f.payload = n < 44 ? 1350 : 60000 - 44 * 1350;
		len = server_next(&s, got, &id);
		GTC_ASSERT_INT(len, flow_make(want, &f, false));
		GTC_EXPECT_MEM(got, want, len);
		GTC_EXPECT_INT(id, n + 1);
		f.seq += (uint32_t)f.payload;
		f.id++;
	}
	vc_engine_settle(s.engine);
	GTC_EXPECT_INT(vc_engine_stats(s.engine)->tx_packets, 45);
	end(&s);
}

// The device is empty while the rest of a large packet waits for room: it leaves by itself.
GTC_TEST(engine, large_packet_through_narrow_socket)
{
	struct flow_packet f = { .tcp = true, .host = 2, .port = 7, .df = true, .flags = 0x10 };
	struct virtio_net_hdr vnet = { .flags = VIRTIO_NET_HDR_F_NEEDS_CSUM,
		.gso_type = VIRTIO_NET_HDR_GSO_TCPV4,
		.gso_size = 100,
		.csum_start = 20,
		.csum_offset = 16 };
	const size_t dgram = 140 + OVPN_DATA_V2_OVERHEAD;
	struct scene s;
	uint32_t id, n = 0;
	size_t len;

	begin_with(&s, 0, true);
	f.payload = 60000; // more pieces than several batches have slots
	memcpy(large, &vnet, sizeof(vnet));
	len = sizeof(vnet) + flow_make(large + sizeof(vnet), &f, true);
	GTC_ASSERT_INT(send(s.device, large, len, 0), (long)len);
	while (n < 600) {
		len = receive(s.server, got, sizeof(got)); // it knows nothing of UDP_SEGMENT
		GTC_ASSERT(len > 0 && len % dgram == 0);
		for (size_t at = 0; at < len; at += dgram) {
			size_t plain = 0;

			GTC_ASSERT_INT(
				ovpn_aead_open(&s.open, got + at, dgram, want, &plain, &id), 0);
			GTC_EXPECT_INT(id, ++n);
			GTC_EXPECT_INT(plain, 140);
		}
	}
	end(&s);
}

// With `fragment` long packets leave in several datagrams, and such are put together; messages of
// our own, too.
GTC_TEST(engine, pieces)
{
	struct flow_packet f = { .host = 2, .port = 7, .payload = 1400 };
	struct ovpn_fragment head = { 0 };
	struct ovpn_defrag defrag;
	struct ovpn_span whole;
	struct scene s;
	uint32_t id;
	size_t len, n;
	void *mem = calloc(1, ovpn_defrag_bytes(4, 2048));

	ovpn_defrag_init(&defrag, mem, 4, 2048);
	begin_with(&s, 500, false);
	memset(large, 0, sizeof(struct virtio_net_hdr));
	len = flow_make(large + sizeof(struct virtio_net_hdr), &f, false);
	n = len + sizeof(struct virtio_net_hdr);
	for (unsigned round = 0; round < 20; round++) {
		GTC_ASSERT_INT(send(s.device, large, n, 0), (long)n);
		for (unsigned i = 0; i < 4; i++) {
			size_t piece = server_next(&s, got, &id);

			GTC_EXPECT(piece > 4 && piece + OVPN_DATA_V2_OVERHEAD <= 500);
			GTC_ASSERT_INT(ovpn_fragment_parse(got, piece, &head), 0);
			GTC_EXPECT_INT(
				ovpn_defrag_add(&defrag, 1, 0, &head, got + 4, piece - 4, &whole),
				i == 3);
		}
		GTC_ASSERT_INT(whole.len, len);
		GTC_EXPECT_MEM(whole.data, large + sizeof(struct virtio_net_hdr), len);
	}
	memset(want, 0x77, 600);
	GTC_EXPECT_INT(vc_engine_send(s.engine, 1, want, 600, NULL), 0);
	for (unsigned i = 0; i < 2; i++) {
		len = server_next(&s, got, &id);
		GTC_ASSERT_INT(ovpn_fragment_parse(got, len, &head), 0);
		GTC_EXPECT_INT(head.type, i == 0 ? OVPN_FRAGMENT_MORE : OVPN_FRAGMENT_LAST);
		GTC_EXPECT_INT(got[4], 0x77);
	}
	len = flow_make(want, &f, false);
	for (unsigned round = 0; round < 30; round++) {
		for (unsigned i = 0; i < 3; i++) {
			struct ovpn_fragment piece = { .type = i < 2 ? OVPN_FRAGMENT_MORE
								     : OVPN_FRAGMENT_LAST,
				.seq = (uint8_t)round,
				.number = (uint8_t)i,
				.size = i < 2 ? 0 : 500 };
			size_t part = i < 2 ? 500 : len - 1000;

			ovpn_fragment_put(got, &piece);
			memcpy(got + 4, want + (size_t)i * 500, part);
			server_send(&s, got, part + 4);
		}
	}
	for (unsigned round = 0; round < 30; round++) {
		n = receive(s.device, got, sizeof(got));
		GTC_ASSERT_INT(n, len + sizeof(struct virtio_net_hdr));
		GTC_EXPECT_MEM(got + sizeof(struct virtio_net_hdr), want, len);
	}
	end(&s);
	free(mem);
}

// What the server sends comes out of the device, joined or not, complete and in order.
GTC_TEST(engine, stream_down)
{
	struct flow_packet f = {
		.tcp = true, .host = 2, .port = 7, .df = true, .flags = 0x10, .payload = 1000
	};
	struct scene s;
	uint32_t seq = 0;
	size_t len;

	begin(&s);
	for (unsigned i = 0; i < 50; i++) {
		server_send(&s, want, flow_make(want, &f, false));
		f.seq += 1000;
		f.id++;
	}
	f.seq = 0;
	f.id = 0;
	while (seq < 50000) {
		struct virtio_net_hdr vnet;
		struct ovpn_cut cut;

		len = receive(s.device, got, sizeof(got));
		GTC_ASSERT(len > sizeof(vnet));
		memcpy(&vnet, got, sizeof(vnet));
		len -= sizeof(vnet);
		if (ovpn_cut_begin(&vnet, got + sizeof(vnet), len, &cut) == 0) {
			GTC_EXPECT_MEM(got + sizeof(vnet), want, flow_make(want, &f, false));
			seq += 1000;
			f.seq += 1000;
			f.id++;
			continue;
		}
		while ((len = ovpn_cut_next(&cut, large)) > 0) {
			GTC_ASSERT_INT(len, flow_make(want, &f, false));
			GTC_EXPECT_MEM(large, want, len);
			seq += 1000;
			f.seq += 1000;
			f.id++;
		}
	}
	GTC_EXPECT_INT(seq, 50000);
	end(&s);
}

struct heard {
	unsigned heard, answers, control;
};

static void count(void *arg, const struct vc_note *note)
{
	struct heard *h = arg;

	GTC_EXPECT_INT(note->sock, 1);
	h->heard += note->kind == VC_NOTE_HEARD && !note->answer;
	h->answers += note->kind == VC_NOTE_HEARD && note->answer;
	h->control += note->kind == VC_NOTE_CONTROL && note->len == 20;
}

static void await_notes(struct scene *s, struct heard *h, unsigned n)
{
	struct timespec until;

	clock_gettime(CLOCK_REALTIME, &until);
	until.tv_sec += WAIT_MS / 1000;
	while (h->heard + h->answers + h->control < n && sem_timedwait(&s->notes, &until) == 0)
		vc_engine_notes(s->engine, count, h);
}

// A watched socket tells of its first authentic packet and of no other; Pings and control
// datagrams are always told; what isn't authentic is nothing.
GTC_TEST(engine, notes)
{
	struct flow_packet f = { .host = 2, .port = 7, .payload = 100 };
	uint8_t ping[OVPN_PING_LEN], control[20] = { OVPN_P_CONTROL_V1 << 3 };
	struct heard h = { 0 };
	struct scene s;

	begin(&s);
	vc_engine_watch(s.engine, 1);
	vc_engine_settle(s.engine);
	memset(want, 0x48, 100); // P_DATA_V2
	(void)sendto(s.server, want, 100, 0, (struct sockaddr *)&s.client, sizeof(s.client));
	for (unsigned i = 0; i < 3; i++)
		server_send(&s, want, flow_make(want, &f, false));
	ovpn_ping_put(ping);
	server_send(&s, ping, sizeof(ping));
	(void)sendto(s.server, control, 20, 0, (struct sockaddr *)&s.client, sizeof(s.client));
	await_notes(&s, &h, 3);
	GTC_EXPECT_INT(h.heard, 1);
	GTC_EXPECT_INT(h.answers, 1);
	GTC_EXPECT_INT(h.control, 1);
	end(&s);
}

// Orders are carried out in order: a message leaves before the keys are wiped, none after.
GTC_TEST(engine, messages_and_keys)
{
	uint8_t ping[OVPN_PING_LEN], sid[OVPN_SID_LEN] = "session", dgram[128];
	struct scene s;
	uint32_t id;
	size_t len;

	begin(&s);
	ovpn_ping_put(ping);
	GTC_EXPECT_INT(vc_engine_send(s.engine, 1, ping, sizeof(ping), NULL), 0);
	GTC_EXPECT_INT(vc_engine_send(s.engine, 1, ping, sizeof(ping), sid), 0);
	vc_engine_wipe(s.engine);
	GTC_EXPECT_INT(vc_engine_send(s.engine, 1, ping, sizeof(ping), NULL), 0);
	vc_engine_settle(s.engine);
	GTC_EXPECT_INT(server_next(&s, got, &id), OVPN_PING_LEN);
	GTC_EXPECT_MEM(got, ping, OVPN_PING_LEN);
	len = receive(s.server, dgram, sizeof(dgram));
	GTC_ASSERT_INT(len, OVPN_DATA_V2_OVERHEAD + OVPN_PING_LEN + OVPN_SID_LEN);
	GTC_EXPECT_MEM(dgram + len - OVPN_SID_LEN, sid, OVPN_SID_LEN);
	GTC_EXPECT(recv(s.server, dgram, sizeof(dgram), MSG_DONTWAIT) < 0);
	GTC_EXPECT_INT(
		vc_engine_send(s.engine, 1, got, VC_ENGINE_MESSAGE_MAX + 1, NULL), -EMSGSIZE);
	end(&s);
}
