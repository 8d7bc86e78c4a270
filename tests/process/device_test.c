// SPDX-License-Identifier: BSD-3-Clause
#include "dataplane/device.h"

#include <errno.h>

#include "dataplane/dp.h"
#include "tests/gtc.h"

static struct dp_device d;
static char err[256];

static int parse(const char *devargs, uint16_t queues)
{
	err[0] = '\0';
	return dp_device_parse(devargs, "outer", queues, &d, err, sizeof(err));
}

GTC_TEST(device, kernel_interfaces_must_exist)
{
	GTC_ASSERT_INT(parse("net_af_packet0,iface=lo", 0), 0);
	GTC_EXPECT_STR(d.name, "net_af_packet0");
	GTC_EXPECT_STR(d.eal_name, "net_af_packet0");
	GTC_EXPECT_STR(d.iface, "lo");
	GTC_EXPECT((d.port_flags & DP_PORT_ECHO) != 0);
	GTC_EXPECT((d.port_flags & DP_PORT_KERNEL_SEES) != 0);
	GTC_EXPECT_INT(parse("net_af_packet0,iface=no-such-if", 0), -ENODEV);
	GTC_EXPECT_STR(err, "outer: no interface \"no-such-if\" on this host");
	GTC_EXPECT_INT(parse("net_af_packet0", 0), -EINVAL);
	GTC_EXPECT_INT(parse("net_af_xdp0,iface=", 0), -EINVAL);
	GTC_EXPECT_INT(parse("net_af_packet0,iface=longer-than-an-interface-may-be", 0), -EINVAL);
}

GTC_TEST(device, interface_to_be_made_must_be_free)
{
	GTC_ASSERT_INT(parse("net_tap0,iface=dps-free0", 0), 0);
	GTC_EXPECT((d.port_flags & DP_PORT_KERNEL_PEER) != 0);
	GTC_EXPECT_INT(dp_device_check_free(&d, err, sizeof(err)), 0);
	GTC_ASSERT_INT(parse("net_tap0,iface=lo", 0), 0);
	GTC_EXPECT_INT(dp_device_check_free(&d, err, sizeof(err)), -EEXIST);
	GTC_EXPECT_STR(err, "outer: an interface \"lo\" exists already; net_tap0 would make it");
}

GTC_TEST(device, our_tap_is_a_null_port)
{
	GTC_ASSERT_INT(parse("visp_tap0,iface=dps-free0", 0), 0);
	GTC_EXPECT_STR(d.name, "visp_tap0");
	GTC_EXPECT_STR(d.eal_name, "net_null_visp_tap0");
	GTC_EXPECT_STR(d.args, "net_null_visp_tap0,no-rx=1");
	GTC_EXPECT_STR(d.iface, "dps-free0");
	GTC_EXPECT((d.port_flags & DP_PORT_KERNEL_PEER) != 0);
	GTC_EXPECT_INT(dp_device_check_free(&d, err, sizeof(err)), 0);
	GTC_ASSERT_INT(parse("visp_tap1", 0), 0);
	GTC_EXPECT_STR(d.iface, "visp_tap1");
	GTC_ASSERT_INT(parse("visp_tap0,iface=lo", 0), 0);
	GTC_EXPECT_INT(dp_device_check_free(&d, err, sizeof(err)), -EEXIST);
	GTC_EXPECT_INT(parse("visp_tap0,iface=dps-free0,remote=eth0", 0), -EINVAL);
	GTC_EXPECT_STR(err,
		"outer: visp_tap0 has one argument, iface=NAME, not "
		"\"iface=dps-free0,remote=eth0\"");
	GTC_EXPECT_INT(parse("visp_tap0,mac=fixed", 0), -EINVAL);
	GTC_EXPECT_INT(parse("visp_tap_with_a_name_that_is_too_long", 0), -EINVAL);
}

GTC_TEST(device, queues_become_arguments)
{
	GTC_ASSERT_INT(parse("net_af_packet0,iface=lo", 3), 0);
	GTC_EXPECT(strstr(d.args, ",qpairs=3") != NULL);
	GTC_ASSERT_INT(parse("net_af_packet0,iface=lo,qpairs=2", 3), 0);
	GTC_EXPECT(strstr(d.args, "qpairs=3") == NULL);
	GTC_ASSERT_INT(parse("net_memif0,role=client", 3), 0);
	GTC_EXPECT_STR(d.args, "net_memif0,role=client");
}

GTC_TEST(device, names)
{
	GTC_EXPECT_INT(parse("net_nonsense0", 0), -EINVAL);
	GTC_EXPECT_INT(parse("", 0), -EINVAL);
	GTC_EXPECT_INT(parse("ffff:ff:1f.7", 0), -ENODEV);
	GTC_EXPECT_INT(parse("1f:1f.7", 0), -ENODEV);
	GTC_EXPECT_INT(parse("net_vhost0,iface=/tmp/a-path-longer-than-an-interface.sock", 0), 0);
	GTC_EXPECT_STR(d.iface, "");
	GTC_EXPECT((d.flags & DP_DRIVER_SHARES_MEMORY) == 0);
	GTC_ASSERT_INT(parse("net_virtio_user0,path=/tmp/v.sock", 0), 0);
	GTC_EXPECT((d.flags & DP_DRIVER_SHARES_MEMORY) != 0);
}

GTC_TEST(device, arguments_are_bounded)
{
	static char text[2000];

	memset(text, 'a', sizeof(text) - 1);
	GTC_EXPECT_INT(parse(text, 0), -ENAMETOOLONG);
	memcpy(text, "net_ring0,", 10);
	GTC_EXPECT_INT(parse(text, 0), -ENAMETOOLONG);
	text[500] = '\0';
	GTC_ASSERT_INT(parse(text, 0), 0);
	GTC_EXPECT_INT(dp_device_add_arg(&d, "another", "argument"), -ENAMETOOLONG);
}
