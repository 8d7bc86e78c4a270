// SPDX-License-Identifier: BSD-3-Clause
#include "shm/message.h"

#include <arpa/inet.h>
#include <errno.h>

#include "protocol/cipher.h"
#include "shm/ring.h"
#include "tests/gtc.h"

#define SESSIONS 100u

static struct shm_addr addr(const char *text)
{
	struct shm_addr a = { .family = strchr(text, ':') != NULL ? AF_INET6 : AF_INET };

	if (inet_pton(a.family, text, a.bytes) != 1)
		a.family = 0xffff;
	return a;
}

static struct shm_endpoint endpoint(const char *remote)
{
	bool v6 = strchr(remote, ':') != NULL;

	return (struct shm_endpoint){
		.remote = addr(remote),
		.local = addr(v6 ? "2001:db8::1" : "192.0.2.1"),
		.remote_port_be = htons(4000),
		.local_port_be = htons(1194),
	};
}

static struct shm_hello good_hello(void)
{
	struct shm_hello m = {
		.kind = SHM_HELLO,
		.version = SHM_LAYOUT_VERSION,
		.layout_hash = shm_layout_hash(),
		.flags = SHM_HELLO_MOBILITY,
		.listens = 1,
		.subnets = 1,
		.tun_mtu = 1500,
		.occ_len = 3,
		.occ = "V4",
	};

	m.listen[0].addr = addr("192.0.2.1");
	m.listen[0].port_be = htons(1194);
	m.subnet[0].addr = addr("10.8.0.0");
	m.subnet[0].prefix_len = 24;
	m.subnet[0].server = addr("10.8.0.1");
	return m;
}

static struct shm_cmd good_install(void)
{
	struct shm_cmd m = { .kind = SHM_CMD_INSTALL, .slot = 5, .generation = 1 };

	m.install = (struct shm_cmd_install){
		.endpoint = endpoint("198.51.100.7"),
		.server_sid = { 1 },
		.client_sid = { 2 },
		.tunnel4 = addr("10.8.0.2"),
		.ping_interval_ms = 10000,
		.timeout_ms = 120000,
		.tun_mtu = 1500,
		.name = "client",
	};
	return m;
}

static struct shm_cmd good_key(void)
{
	struct shm_cmd m = { .kind = SHM_CMD_KEY, .slot = 5, .generation = 1 };

	m.key = (struct shm_cmd_key){
		.which = 1,
		.key_id = 7,
		.cipher = OVPN_CIPHER_AES_256_GCM,
		.age = 1,
		.rx.cipher_key = { 1 },
		.tx.cipher_key = { 2 },
	};
	return m;
}

#define EXPECT_BAD(make, check, ...)                                                               \
	do {                                                                                       \
		__auto_type m = make();                                                            \
		__VA_ARGS__;                                                                       \
		GTC_EXPECT(check != 0);                                                            \
	} while (0)

#define HELLO_BAD(...) EXPECT_BAD(good_hello, shm_hello_check(&m, sizeof(m)), __VA_ARGS__)
#define INSTALL_BAD(...) EXPECT_BAD(good_install, shm_cmd_check(&m, SESSIONS), __VA_ARGS__)
#define KEY_BAD(...) EXPECT_BAD(good_key, shm_cmd_check(&m, SESSIONS), __VA_ARGS__)

GTC_TEST(message, endpoint)
{
	static const char *const bad[] = { "0.0.0.0", "0.1.2.3", "127.0.0.1", "224.0.0.1",
		"239.1.1.1", "240.0.0.1", "255.255.255.255", "::", "::1", "ff02::1",
		"::ffff:198.51.100.7" };
	struct shm_endpoint e = endpoint("198.51.100.7");

	GTC_EXPECT_INT(shm_endpoint_check(&e), 0);
	e.remote_port_be = 0;
	GTC_EXPECT_INT(shm_endpoint_check(&e), -EINVAL);
	e = endpoint("2001:db8::7");
	GTC_EXPECT_INT(shm_endpoint_check(&e), 0);
	e.remote.family = 0;
	GTC_EXPECT_INT(shm_endpoint_check(&e), -EINVAL);
	e = endpoint("198.51.100.7");
	e.remote.bytes[15] = 1; // bytes behind an IPv4 address would break comparisons
	GTC_EXPECT_INT(shm_endpoint_check(&e), -EINVAL);
	for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
		e = endpoint(bad[i]);
		if (shm_endpoint_check(&e) != -EINVAL)
			GTC_FAIL("%s was accepted", bad[i]);
	}
}

GTC_TEST(message, hello)
{
	struct shm_hello good = good_hello();

	GTC_ASSERT_INT(shm_hello_check(&good, sizeof(good)), 0);
	GTC_EXPECT_INT(shm_hello_check(&good, sizeof(good) - 1), -EINVAL);
	GTC_EXPECT_INT(shm_hello_check(&good, 3), -EINVAL);
	GTC_EXPECT_INT(shm_hello_check(&good, 0), -EINVAL);
	HELLO_BAD(m.kind = SHM_WELCOME);
	HELLO_BAD(m.flags = 1u << 31);
	HELLO_BAD(m.listens = SHM_LISTEN_MAX + 1);
	HELLO_BAD(m.listen[0].port_be = 0);
	HELLO_BAD(m.listen[0].addr.family = 99);
	HELLO_BAD(m.listens = 2);
	HELLO_BAD(m.subnets = SHM_SUBNETS_MAX + 1);
	HELLO_BAD(m.subnet[0].prefix_len = 33);
	HELLO_BAD(m.subnet[0].addr.bytes[3] = 1); // host bits
	HELLO_BAD(m.subnet[0].server = addr("10.9.0.1"));
	HELLO_BAD(m.subnet[0].server = addr("2001:db8::1"));
	HELLO_BAD(m.tun_mtu = 0);
	HELLO_BAD(m.tun_mtu = 65535);
	HELLO_BAD(m.occ_len = SHM_OCC_MAX + 1);
	HELLO_BAD(m.occ_len = 2); // not terminated
}

GTC_TEST(message, greeting_with_tunnels)
{
	static struct shm_greeting g;

	g.hello = good_hello();
	g.hello.tunnels = 2;
	for (int i = 0; i < 2; i++)
		g.tunnel[i] = (struct shm_listen){ .addr = addr("192.0.2.1"),
			.port_be = (uint16_t)(i + 1) };
	GTC_ASSERT_INT(shm_greeting_check(&g, shm_greeting_len(2)), 0);
	GTC_EXPECT_INT(shm_greeting_check(&g, shm_greeting_len(1)), -EINVAL);
	GTC_EXPECT_INT(shm_greeting_check(&g, shm_greeting_len(3)), -EINVAL);
	GTC_EXPECT_INT(shm_greeting_check(&g, shm_greeting_len(2) - 1), -EINVAL);
	GTC_EXPECT_INT(shm_greeting_check(&g, 3), -EINVAL);
	g.tunnel[1].port_be = 0;
	GTC_EXPECT_INT(shm_greeting_check(&g, shm_greeting_len(2)), -EINVAL);
	g.tunnel[1] = g.tunnel[0];
	g.tunnel[1].addr.family = 99;
	GTC_EXPECT_INT(shm_greeting_check(&g, shm_greeting_len(2)), -EINVAL);
	g.hello.tunnels = SHM_TUNNELS_MAX + 1;
	GTC_EXPECT_INT(shm_greeting_check(&g, shm_greeting_len(SHM_TUNNELS_MAX)), -ERANGE);
	g.hello.tunnels = 0;
	GTC_EXPECT_INT(shm_greeting_check(&g, shm_greeting_len(0)), 0);
}

GTC_TEST(message, other_layout_has_its_own_error)
{
	struct shm_hello hello = good_hello();

	hello.version++;
	GTC_EXPECT_INT(shm_hello_check(&hello, sizeof(hello)), -EPROTO);
	GTC_EXPECT_INT(shm_hello_check(&hello, offsetof(struct shm_hello, flags)), -EPROTO);
	hello = good_hello();
	hello.layout_hash++;
	GTC_EXPECT_INT(shm_hello_check(&hello, sizeof(hello)), -EPROTO);
}

GTC_TEST(message, welcome)
{
	struct shm_welcome good = {
		.kind = SHM_WELCOME,
		.version = SHM_LAYOUT_VERSION,
		.layout_hash = shm_layout_hash(),
		.sessions = SESSIONS,
		.workers = 3,
		.entries = { 256, 1024, 512, 512, 512 },
	};
	struct shm_welcome m;

	good.rings_size = shm_rings_bytes(3, good.entries);
	GTC_ASSERT_INT(shm_welcome_check(&good, sizeof(good)), 0);
	m = good;
	m.workers = 4; // the memory is too small for them
	GTC_EXPECT_INT(shm_welcome_check(&m, sizeof(m)), -EINVAL);
	m.workers = 0;
	GTC_EXPECT_INT(shm_welcome_check(&m, sizeof(m)), -ERANGE);
	m = good;
	m.entries[SHM_RING_PUNT_NEW] = 500;
	GTC_EXPECT_INT(shm_welcome_check(&m, sizeof(m)), -EINVAL);
	m = good;
	m.sessions = SHM_SESSIONS_MAX + 1;
	GTC_EXPECT_INT(shm_welcome_check(&m, sizeof(m)), -ERANGE);
	m = good;
	m.layout_hash++;
	GTC_EXPECT_INT(shm_welcome_check(&m, sizeof(m)), -EPROTO);
}

GTC_TEST(message, rings_do_not_overlap)
{
	const uint32_t entries[SHM_RING_KINDS] = { 256, 1024, 512, 512, 512 };
	size_t end = sizeof(struct shm_rings_header);

	for (uint16_t w = 0; w < 4; w++) {
		for (int kind = 0; kind < SHM_RING_KINDS; kind++) {
			GTC_EXPECT_INT(shm_rings_offset(w, kind, entries), end);
			GTC_EXPECT_INT(end % SHM_RING_PAGE, 0);
			end += shm_ring_bytes(entries[kind], shm_ring_elem_size(kind));
		}
	}
	GTC_EXPECT_INT(shm_rings_bytes(4, entries), end);
}

GTC_TEST(message, install)
{
	struct shm_cmd good = good_install();

	GTC_ASSERT_INT(shm_cmd_check(&good, SESSIONS), 0);
	GTC_EXPECT_INT(shm_cmd_check(&good, 5), -ERANGE);
	INSTALL_BAD(m.kind = 0);
	INSTALL_BAD(m.kind = 99);
	INSTALL_BAD(m.install.endpoint.remote = addr("127.0.0.1"));
	INSTALL_BAD(m.install.endpoint.local = addr("2001:db8::1"));
	INSTALL_BAD(m.install.endpoint.local_port_be = 0);
	INSTALL_BAD(memset(m.install.server_sid, 0, 8));
	INSTALL_BAD(memset(m.install.client_sid, 0, 8));
	INSTALL_BAD(m.install.tunnel4 = addr("224.0.0.1"));
	INSTALL_BAD(m.install.tunnel4 = addr("2001:db8::2"));
	INSTALL_BAD(m.install.tunnel6 = addr("10.8.0.2"));
	INSTALL_BAD(m.install.ping_interval_ms = UINT32_MAX);
	INSTALL_BAD(m.install.timeout_ms = UINT32_MAX);
	INSTALL_BAD(m.install.mss4 = 65535);
	INSTALL_BAD(m.install.tun_mtu = 10);
	INSTALL_BAD(m.install.dir_flags = SHM_DIR_NO_SID); // the dataplane's to say
	INSTALL_BAD(memset(m.install.name, 'a', sizeof(m.install.name)));
	INSTALL_BAD(m.install.compress = 1); // framing without the flag that says so
	INSTALL_BAD(m.install.fragment_max = 1000);
	INSTALL_BAD(m.install.dir_flags = SHM_DIR_EPOCH);
	INSTALL_BAD(m.install.dir_flags = SHM_DIR_LAZY | SHM_DIR_DATA_V1);
	INSTALL_BAD(m.install.dir_flags = SHM_DIR_LEGACY | SHM_DIR_EPOCH | SHM_DIR_DATA_V1);
	INSTALL_BAD(m.install.dir_flags = SHM_DIR_LEGACY | SHM_DIR_LAZY);
	INSTALL_BAD(m.install.dir_flags = SHM_DIR_LEGACY | SHM_DIR_STATIC | SHM_DIR_DATA_V1);
	INSTALL_BAD(m.install.dir_flags = SHM_DIR_LEGACY; m.install.compress = 4);
	INSTALL_BAD(m.install.dir_flags = SHM_DIR_LEGACY; m.install.fragment_max = 100);
}

// What goes with SHM_DIR_LEGACY.
GTC_TEST(message, install_legacy)
{
	static const struct {
		uint8_t flags;
		uint8_t compress;
		uint16_t fragment_max;
	} row[] = {
		{ SHM_DIR_LEGACY, 0, 0 },
		{ SHM_DIR_LEGACY, 3, 1300 },
		{ SHM_DIR_LEGACY | SHM_DIR_DATA_V1 | SHM_DIR_LAZY | SHM_DIR_MOBILITY, 1, 0 },
		{ SHM_DIR_LEGACY | SHM_DIR_EPOCH | SHM_DIR_MOBILITY, 2, 0 },
		{ SHM_DIR_LEGACY | SHM_DIR_STATIC, 0, 0 },
	};
	struct shm_cmd m = good_install();

	for (size_t i = 0; i < sizeof(row) / sizeof(row[0]); i++) {
		m.install.dir_flags = row[i].flags;
		m.install.compress = row[i].compress;
		m.install.fragment_max = row[i].fragment_max;
		GTC_EXPECT_INT(shm_cmd_check(&m, SESSIONS), 0);
	}
	// Only the peer of a static key with `float` may be unknown yet.
	memset(&m.install.endpoint.remote, 0, sizeof(m.install.endpoint.remote));
	m.install.endpoint.remote_port_be = 0;
	GTC_EXPECT_INT(shm_cmd_check(&m, SESSIONS), -EINVAL);
	m.install.dir_flags |= SHM_DIR_MOBILITY;
	GTC_EXPECT_INT(shm_cmd_check(&m, SESSIONS), 0);
}

GTC_TEST(message, key)
{
	struct shm_cmd good = good_key();

	GTC_ASSERT_INT(shm_cmd_check(&good, SESSIONS), 0);
	KEY_BAD(m.key.which = 2);
	KEY_BAD(m.key.key_id = 8);
	KEY_BAD(m.key.cipher = OVPN_CIPHER_NONE);
	KEY_BAD(m.key.cipher = OVPN_CIPHER_COUNT);
	KEY_BAD(m.key.digest = OVPN_DIGEST_SHA1); // AEAD has none
	KEY_BAD(m.key.cipher = OVPN_CIPHER_BF_CBC; m.key.digest = OVPN_DIGEST_COUNT);
	KEY_BAD(m.key.age = 0);
	KEY_BAD(m.key.tx_delay_ms = UINT32_MAX);
	KEY_BAD(m.key.rx.cipher_key[0] = 0);
	KEY_BAD(m.key.tx.cipher_key[0] = 0);
}

GTC_TEST(message, other_commands)
{
	struct shm_cmd m = { .kind = SHM_CMD_KEY_DROP, .which = 1 };

	GTC_EXPECT_INT(shm_cmd_check(&m, SESSIONS), 0);
	m.which = 2;
	GTC_EXPECT_INT(shm_cmd_check(&m, SESSIONS), -EINVAL);
	m = (struct shm_cmd){ .kind = SHM_CMD_REMOVE, .slot = 99 };
	GTC_EXPECT_INT(shm_cmd_check(&m, SESSIONS), 0);
	m.slot = 100;
	GTC_EXPECT_INT(shm_cmd_check(&m, SESSIONS), -ERANGE);
	m = (struct shm_cmd){ .kind = SHM_CMD_IROUTE_ADD };
	GTC_EXPECT_INT(shm_cmd_check(&m, SESSIONS), -EINVAL);
	m.iroute.addr = addr("192.168.4.0");
	m.iroute.prefix_len = 24;
	GTC_EXPECT_INT(shm_cmd_check(&m, SESSIONS), 0);
	m.iroute.prefix_len = 20;
	GTC_EXPECT_INT(shm_cmd_check(&m, SESSIONS), -EINVAL);
}

GTC_TEST(message, events)
{
	struct shm_event m = { .kind = SHM_EVENT_ACK, .status = -EAGAIN, .slot = 3 };

	GTC_EXPECT_INT(shm_event_check(&m, SESSIONS), 0);
	m.status = 1;
	GTC_EXPECT_INT(shm_event_check(&m, SESSIONS), -EINVAL);
	m = (struct shm_event){ .kind = SHM_EVENT_HANDOVER, .slot = 3 };
	GTC_EXPECT_INT(shm_event_check(&m, SESSIONS), -EINVAL);
	m.endpoint = endpoint("2001:db8::7");
	GTC_EXPECT_INT(shm_event_check(&m, SESSIONS), 0);
	m.slot = SESSIONS;
	GTC_EXPECT_INT(shm_event_check(&m, SESSIONS), -ERANGE);
	m = (struct shm_event){ .kind = SHM_EVENT_TX_SWITCHED, .which = 2 };
	GTC_EXPECT_INT(shm_event_check(&m, SESSIONS), -EINVAL);
	m = (struct shm_event){ .kind = 77 };
	GTC_EXPECT_INT(shm_event_check(&m, SESSIONS), -EINVAL);
}

GTC_TEST(message, datagrams)
{
	static struct shm_punt punt;
	static struct shm_inject inject;

	punt = (struct shm_punt){
		.slot = SHM_SLOT_NONE, .len = 14, .from = endpoint("198.51.100.7")
	};
	GTC_EXPECT_INT(shm_punt_check(&punt, SESSIONS), 0);
	punt.len = SHM_DATAGRAM_MAX + 1;
	GTC_EXPECT_INT(shm_punt_check(&punt, SESSIONS), -EINVAL);
	punt.len = 0;
	GTC_EXPECT_INT(shm_punt_check(&punt, SESSIONS), -EINVAL);
	punt.len = 14;
	punt.slot = SESSIONS;
	GTC_EXPECT_INT(shm_punt_check(&punt, SESSIONS), -ERANGE);

	inject = (struct shm_inject){
		.slot = SHM_SLOT_NONE, .len = 14, .to = endpoint("198.51.100.7")
	};
	GTC_EXPECT_INT(shm_inject_check(&inject, SESSIONS), 0);
	inject.to.local.family = AF_INET6;
	GTC_EXPECT_INT(shm_inject_check(&inject, SESSIONS), -EINVAL);
	inject.slot = 3; // by slot the addresses don't count
	GTC_EXPECT_INT(shm_inject_check(&inject, SESSIONS), 0);
	inject.len = SHM_DATAGRAM_MAX + 1;
	GTC_EXPECT_INT(shm_inject_check(&inject, SESSIONS), -EINVAL);
}
