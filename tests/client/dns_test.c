// SPDX-License-Identifier: BSD-3-Clause
#include "client/dns.h"

#include <errno.h>

#include "client/instance.h"
#include "tests/gtc.h"

GTC_TEST(dns, collects_what_it_knows)
{
	struct cfg_dhcp_option list[] = { { "DNS", "10.8.0.1" }, { "DNS6", "fd00::1" },
		{ "DNS", "not an address" }, { "DOMAIN", "example.org" }, { "WINS", "10.8.0.9" },
		{ "domain-search", "lab.example.org" }, { "DOMAIN-ROUTE", "corp.example" } };
	struct cfg_tunnel tunnel = { .dhcp = list, .n_dhcp = 7 };
	struct vc_dns_set set;

	vc_dns_collect(&tunnel, &set);
	GTC_EXPECT_INT(set.n_servers, 2);
	GTC_EXPECT_INT(set.n_domains, 3);
	GTC_EXPECT_STR(set.domain[1], "lab.example.org");
	GTC_EXPECT(!set.route_only[1]);
	GTC_EXPECT_STR(set.domain[2], "corp.example");
	GTC_EXPECT(set.route_only[2]);
}

GTC_TEST(dns, text)
{
	static const char old[] = "# theirs\nsearch hotel.example\nnameserver 192.168.1.1\n"
				  "options edns0 trust-ad";
	struct cfg_dhcp_option list[] = { { "DNS", "10.8.0.1" }, { "DOMAIN", "example.org" },
		{ "DOMAIN", "evil\nnameserver 6.6.6.6" }, { "DOMAIN-ROUTE", "corp.example" } };
	struct cfg_tunnel tunnel = { .dhcp = list, .n_dhcp = 4 };
	struct vc_dns_set set;
	char buf[512];
	size_t len;

	vc_dns_collect(&tunnel, &set);
	len = vc_dns_text(&set, old, sizeof(old) - 1, buf, sizeof(buf) - 1);
	GTC_ASSERT(len > 0);
	buf[len] = '\0';
	GTC_EXPECT(strstr(buf, "\nsearch example.org\nnameserver 10.8.0.1\n") != NULL);
	GTC_EXPECT(strstr(buf, "options edns0 trust-ad\n") != NULL);
	GTC_EXPECT(strstr(buf, "192.168.1.1") == NULL);
	GTC_EXPECT(strstr(buf, "6.6.6.6") == NULL);
	GTC_EXPECT_INT(vc_dns_text(&set, old, sizeof(old) - 1, buf, 40), 0);
}

GTC_TEST(instance, note)
{
	static const char good[] = "netns 4026531840 pid 77\n";
	struct vc_instance_note note;

	GTC_ASSERT_INT(vc_instance_parse(good, sizeof(good) - 1, &note), 0);
	GTC_EXPECT_INT(note.netns, 4026531840);
	GTC_EXPECT_INT(note.pid, 77);
	for (size_t cut = 0; cut < sizeof(good) - 4; cut++)
		GTC_EXPECT_INT(vc_instance_parse(good, cut, &note), -EINVAL);
	GTC_EXPECT_INT(vc_instance_parse("netns x pid 1\n", 14, &note), -EINVAL);
	GTC_EXPECT_INT(vc_instance_parse("netns 1 pid 99999999999\n", 24, &note), -EINVAL);
}
