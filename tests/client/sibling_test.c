// SPDX-License-Identifier: BSD-3-Clause
// Which other remote of a profile is asked whether it is the same server.
#include "client/sibling.h"

#include <arpa/inet.h>
#include <netinet/in.h>
#include <stdio.h>
#include <string.h>

#include "tests/gtc.h"

static struct vc_connect n;

static struct cfg_remote remote(const char *host, uint16_t port, uint16_t family)
{
	return (struct cfg_remote){ .host = host, .port = port, .family = family };
}

// What is found for the remote in use, as "address port", or "none".
static const char *found(struct cfg_client *cfg, unsigned at, uint16_t family)
{
	static char text[80];
	struct sockaddr_storage addr;
	char host[INET6_ADDRSTRLEN];

	n.at = at;
	n.remote = n.order[at];
	if (!vc_sibling_find(cfg, &n, family, &addr))
		return "none";
	GTC_EXPECT_INT(addr.ss_family, family);
	if (family == AF_INET6)
		(void)inet_ntop(
			family, &((struct sockaddr_in6 *)&addr)->sin6_addr, host, sizeof(host));
	else
		(void)inet_ntop(
			family, &((struct sockaddr_in *)&addr)->sin_addr, host, sizeof(host));
	(void)snprintf(text, sizeof(text), "%s %u", host,
		ntohs(((struct sockaddr_in *)&addr)->sin_port)); // at the same place in both
	return text;
}

static void know(unsigned i, const char *v4, uint16_t port)
{
	struct sockaddr_in *sin = (struct sockaddr_in *)&n.known[i].addr[n.known[i].n++];

	sin->sin_family = AF_INET;
	sin->sin_port = htons(port);
	GTC_EXPECT_INT(inet_pton(AF_INET, v4, &sin->sin_addr), 1);
}

GTC_TEST(sibling, find)
{
	struct cfg_remote remotes[] = { remote("192.0.2.1", 1194, AF_UNSPEC),
		remote("2001:db8::1", 443, AF_UNSPEC), remote("2001:db8::2", 1194, AF_INET6),
		remote("name.example", 1200, AF_UNSPEC), remote("192.0.2.9", 1194, AF_INET6) };
	struct cfg_client cfg = { .remotes = remotes, .n_remotes = 5 };

	memset(&n, 0, sizeof(n));
	for (unsigned i = 0; i < 5; i++)
		n.order[i] = i;
	GTC_EXPECT_STR(found(&cfg, 0, AF_INET6), "2001:db8::1 443");
	GTC_EXPECT_STR(found(&cfg, 1, AF_INET6), "2001:db8::2 1194"); // never itself
	GTC_EXPECT_STR(found(&cfg, 2, AF_INET), "192.0.2.1 1194"); // not one that says udp6
	know(3, "192.0.2.7", 1200);
	GTC_EXPECT_STR(found(&cfg, 2, AF_INET), "192.0.2.7 1200"); // the next in the order
	GTC_EXPECT_STR(found(&cfg, 3, AF_INET), "192.0.2.1 1194");
	remotes[3].family = AF_INET6;
	GTC_EXPECT_STR(found(&cfg, 2, AF_INET), "192.0.2.1 1194");
	// `remote-random`: the order counts, not the lines.
	n.order[1] = 2;
	n.order[2] = 1;
	GTC_EXPECT_STR(found(&cfg, 0, AF_INET6), "2001:db8::2 1194");
	cfg.n_remotes = 1;
	GTC_EXPECT_STR(found(&cfg, 0, AF_INET6), "none");
}
