// SPDX-License-Identifier: BSD-3-Clause
#include "dataplane/iface.h"

#include <errno.h>
#include <linux/ethtool.h>
#include <linux/sockios.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/socket.h>
#include <unistd.h>

// In the order in which they are switched off: a driver drops segmentation by itself when
// checksums go, so what depends comes first, and is put back last.
static const struct {
	uint32_t get, set, mask; // mask: the bit in the value, for commands that carry flags
} offloads[DP_OFFLOADS] = {
	{ ETHTOOL_GTSO, ETHTOOL_STSO, 0 },
	{ ETHTOOL_GGSO, ETHTOOL_SGSO, 0 },
	{ ETHTOOL_GTXCSUM, ETHTOOL_STXCSUM, 0 },
	{ ETHTOOL_GGRO, ETHTOOL_SGRO, 0 },
	{ ETHTOOL_GFLAGS, ETHTOOL_SFLAGS, ETH_FLAG_LRO },
};

static int request(int sock, unsigned long what, const char *iface, struct ifreq *ifr)
{
	if (strlen(iface) >= IFNAMSIZ)
		return -ENODEV;
	memcpy(ifr->ifr_name, iface, strlen(iface) + 1);
	return ioctl(sock, what, ifr) < 0 ? -errno : 0;
}

static int open_socket(void)
{
	int sock = socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0);

	return sock < 0 ? -errno : sock;
}

static int ethtool(int sock, const char *iface, uint32_t cmd, uint32_t *value)
{
	struct ethtool_value ev = { .cmd = cmd, .data = *value };
	struct ifreq ifr = { .ifr_data = (void *)&ev };
	int rc = request(sock, SIOCETHTOOL, iface, &ifr);

	*value = ev.data;
	return rc;
}

static bool is_on(int sock, const char *iface, int i)
{
	uint32_t value = 0;

	if (ethtool(sock, iface, offloads[i].get, &value) < 0)
		return false;
	return offloads[i].mask != 0 ? (value & offloads[i].mask) != 0 : value != 0;
}

static int switch_to(int sock, const char *iface, int i, bool on)
{
	uint32_t value = on;

	if (offloads[i].mask != 0) {
		if (ethtool(sock, iface, offloads[i].get, &value) < 0)
			return -EOPNOTSUPP;
		value = on ? value | offloads[i].mask : value & ~offloads[i].mask;
	}
	return ethtool(sock, iface, offloads[i].set, &value);
}

int dp_iface_offloads_off(const char *iface, struct dp_iface_saved *ret_saved)
{
	struct dp_iface_saved saved = { 0 };
	int sock = open_socket();
	int rc = 0;

	if (sock < 0)
		return sock;
	if (if_nametoindex(iface) == 0) {
		(void)close(sock); // nothing was sent
		return -ENODEV;
	}
	memcpy(saved.iface, iface, strlen(iface) + 1);
	for (int i = 0; i < DP_OFFLOADS; i++)
		saved.was_on |= (uint32_t)is_on(sock, iface, i) << i;
	for (int i = 0; i < DP_OFFLOADS; i++) {
		int one;

		if ((saved.was_on & 1u << i) == 0)
			continue;
		one = switch_to(sock, iface, i, false);
		if (one == 0)
			saved.changed |= 1u << i;
		else if (one == -EPERM)
			rc = one;
	}
	(void)close(sock); // nothing to flush
	*ret_saved = saved;
	return rc;
}

void dp_iface_restore(const struct dp_iface_saved *saved)
{
	int sock;

	if (saved->changed == 0 || saved->iface[0] == '\0')
		return;
	sock = open_socket();
	if (sock < 0)
		return;
	for (int i = DP_OFFLOADS - 1; i >= 0; i--) {
		if ((saved->changed & 1u << i) != 0)
			(void)switch_to(sock, saved->iface, i, true); // the interface may be gone
	}
	(void)close(sock); // nothing to flush
}

int dp_iface_mtu(const char *iface, uint16_t *ret_mtu)
{
	struct ifreq ifr = { 0 };
	int sock = open_socket();
	int rc;

	if (sock < 0)
		return sock;
	rc = request(sock, SIOCGIFMTU, iface, &ifr);
	(void)close(sock); // nothing to flush
	if (rc == 0)
		*ret_mtu = ifr.ifr_mtu > UINT16_MAX ? UINT16_MAX : (uint16_t)ifr.ifr_mtu;
	return rc;
}

int dp_iface_up(const char *iface)
{
	struct ifreq ifr = { 0 };
	int sock = open_socket();
	int rc;

	if (sock < 0)
		return sock;
	rc = request(sock, SIOCGIFFLAGS, iface, &ifr);
	if (rc == 0 && (ifr.ifr_flags & IFF_UP) == 0) {
		ifr.ifr_flags |= IFF_UP;
		rc = request(sock, SIOCSIFFLAGS, iface, &ifr);
	}
	(void)close(sock); // nothing to flush
	return rc;
}
