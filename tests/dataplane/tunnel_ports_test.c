// SPDX-License-Identifier: BSD-3-Clause
#include <sys/socket.h>

#include "dataplane/tunnel_ports.h"
#include "tests/gtc.h"

GTC_TEST(tunnel_ports, found_by_port_and_address)
{
	struct shm_listen listen[3] = {
		{ .addr = { .family = AF_INET, .bytes = { 192, 0, 2, 1 } }, .port_be = 1 },
		{ .addr = { .family = AF_INET6, .bytes = { 0x20, 1, 0xd, 0xb8 } }, .port_be = 2 },
		{ .addr = { .family = AF_INET, .bytes = { 192, 0, 2, 2 } }, .port_be = 1 },
	};
	struct dp_tunnel_ports *ports = dp_tunnel_ports_create(listen, 3);

	GTC_ASSERT(ports != NULL);
	GTC_EXPECT_INT(ports->n, 2); // the third has a port of the first
	GTC_EXPECT(dp_tunnel_ports_has(ports, AF_INET, listen[0].addr.bytes, 1));
	GTC_EXPECT(!dp_tunnel_ports_has(ports, AF_INET, listen[0].addr.bytes, 2));
	GTC_EXPECT(!dp_tunnel_ports_has(ports, AF_INET, listen[2].addr.bytes, 1));
	GTC_EXPECT(dp_tunnel_ports_has(ports, AF_INET6, listen[1].addr.bytes, 2));
	GTC_EXPECT(!dp_tunnel_ports_has(ports, AF_INET, listen[1].addr.bytes, 2));
	GTC_EXPECT(!dp_tunnel_ports_has(ports, AF_INET, listen[0].addr.bytes, 65535));
	GTC_EXPECT(dp_tunnel_ports_at(ports, AF_INET, listen[0].addr.bytes));
	GTC_EXPECT(!dp_tunnel_ports_at(ports, AF_INET, listen[2].addr.bytes));
	GTC_EXPECT(dp_tunnel_ports_at(ports, AF_INET6, listen[1].addr.bytes));
	(void)dp_tunnel_ports_free(ports); // always NULL
}
