// SPDX-License-Identifier: BSD-3-Clause
#include "client/tun.h"

#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/ioctl.h>
#include <unistd.h>

// Not from <linux/if.h>, which clashes with <net/if.h>.
#include <linux/if_tun.h>

// Missing in the headers of kernels before 6.2.
#ifndef TUN_F_USO4
#define TUN_F_USO4 0x20
#define TUN_F_USO6 0x40
#endif

// Have large packets come and go whole, as far as the kernel can do it: UDP since 6.2.
static void set_offloads(struct vc_tun *tun)
{
	unsigned long tcp = TUN_F_CSUM | TUN_F_TSO4 | TUN_F_TSO6 | TUN_F_TSO_ECN;

	tun->uso = ioctl(tun->fd, TUNSETOFFLOAD, tcp | TUN_F_USO4 | TUN_F_USO6) == 0;
	tun->tso = tun->uso || ioctl(tun->fd, TUNSETOFFLOAD, tcp) == 0;
}

int vc_tun_open(struct vc_tun *tun, const char *dev)
{
	const char *name = strcmp(dev, "tun") == 0 ? "tun%d" : dev;
	struct ifreq ifr = { 0 };
	int rc;

	if (strlen(name) >= sizeof(ifr.ifr_name) || strchr(dev, '/') != NULL ||
		strchr(dev, '%') != NULL)
		return -EINVAL;
	tun->fd = open("/dev/net/tun", O_RDWR | O_NONBLOCK | O_CLOEXEC);
	if (tun->fd < 0)
		return -errno;
	memcpy(ifr.ifr_name, name, strlen(name) + 1);
	ifr.ifr_flags = IFF_TUN | IFF_NO_PI | IFF_VNET_HDR;
	if (ioctl(tun->fd, TUNSETIFF, &ifr) < 0) {
		// A device of another kind has the name.
		rc = errno == EINVAL && if_nametoindex(name) != 0 ? -EBUSY : -errno;
		goto err_fd;
	}
	memcpy(tun->name, ifr.ifr_name, sizeof(tun->name));
	set_offloads(tun);
	tun->ifindex = (int)if_nametoindex(tun->name);
	if (tun->ifindex == 0) {
		rc = -errno;
		goto err_fd;
	}
	return 0;

err_fd:
	close(tun->fd);
	tun->fd = -1;
	return rc;
}

void vc_tun_close(struct vc_tun *tun)
{
	if (tun->fd >= 0)
		close(tun->fd);
	tun->fd = -1;
	tun->ifindex = 0;
}
