// SPDX-License-Identifier: BSD-3-Clause
#include "dataplane/device.h"

#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include "dataplane/dp.h"
#include "dataplane/iface.h"

struct driver {
	const char *name;
	uint32_t flags;
	uint16_t port_flags;
	int socket_domain;
	const char *queues_arg; // devarg for the number of queues; NULL: by configuration alone
	const char *socket_arg; // devarg with the path of a Unix socket that the driver serves
	int socket_type;
};

static const struct driver drivers[] = {
	{ "net_af_packet", DP_DRIVER_OWN_IFACE | DP_DRIVER_RX_FD,
		DP_PORT_ECHO | DP_PORT_KERNEL_SEES | DP_PORT_CHECK_MAC, AF_PACKET, "qpairs" },
	{ "net_af_xdp", DP_DRIVER_OWN_IFACE | DP_DRIVER_RX_FD | DP_DRIVER_XDP, 0, AF_XDP,
		"queue_count" },
	{ "visp_tap", DP_DRIVER_MAKES_IFACE | DP_DRIVER_TAP, DP_PORT_KERNEL_PEER, 0, NULL },
	{ "net_tap", DP_DRIVER_MAKES_IFACE | DP_DRIVER_RX_INTR, DP_PORT_KERNEL_PEER, 0, NULL },
	{ "net_memif", 0, 0, 0, NULL, "socket", SOCK_SEQPACKET },
	{ "net_ring", DP_DRIVER_NO_KERNEL, 0, 0, NULL },
	{ "net_null", DP_DRIVER_NO_KERNEL, 0, 0, NULL },
	{ "net_pcap", DP_DRIVER_NO_KERNEL, 0, 0, NULL },
	{ "net_virtio_user", DP_DRIVER_SHARES_MEMORY, 0, 0, "queues" },
	{ "net_vhost", 0, 0, 0, "queues", "iface", SOCK_STREAM },
};

static int fail(int rc, char *err, size_t size, const char *fmt, ...)
	__attribute__((format(printf, 4, 5)));
static int fail(int rc, char *err, size_t size, const char *fmt, ...)
{
	va_list ap;

	va_start(ap, fmt);
	(void)vsnprintf(err, size, fmt, ap); // cut when too long
	va_end(ap);
	return rc;
}

// The value of a key in "name,key=value,...". Returns its length, or -1.
static int find_arg(const char *args, const char *key, const char **ret_value)
{
	size_t key_len = strlen(key);

	for (const char *at = strchr(args, ','); at != NULL; at = strchr(at, ',')) {
		at++;
		if (strncmp(at, key, key_len) == 0 && at[key_len] == '=') {
			*ret_value = at + key_len + 1;
			return (int)strcspn(*ret_value, ",");
		}
	}
	return -1;
}

int dp_device_add_arg(struct dp_device *device, const char *key, const char *value)
{
	size_t len = strlen(device->args);
	const char *old;
	int n;

	if (find_arg(device->args, key, &old) >= 0)
		return 0;
	n = snprintf(device->args + len, sizeof(device->args) - len, ",%s=%s", key, value);
	return n < 0 || (size_t)n >= sizeof(device->args) - len ? -ENAMETOOLONG : 0;
}

static const struct driver *find_driver(const char *name)
{
	for (size_t i = 0; i < sizeof(drivers) / sizeof(drivers[0]); i++) {
		if (strncmp(name, drivers[i].name, strlen(drivers[i].name)) == 0)
			return &drivers[i];
	}
	return NULL;
}

// "0000:01:00.0" or "01:00.0".
static bool is_pci(const char *name)
{
	unsigned domain, bus, slot, function;
	int end = 0;

	if (sscanf(name, "%4x:%2x:%2x.%1x%n", &domain, &bus, &slot, &function, &end) != 4 ||
		name[end] != '\0') {
		end = 0;
		if (sscanf(name, "%2x:%2x.%1x%n", &bus, &slot, &function, &end) != 3)
			return false;
	}
	return name[end] == '\0';
}

static int parse_pci(struct dp_device *d, char *err, size_t size)
{
	char address[sizeof(d->name)];
	char path[128];

	// EAL calls a device by its whole address.
	(void)snprintf(
		address, sizeof(address), "%s%.58s", strlen(d->name) < 9 ? "0000:" : "", d->name);
	memcpy(d->name, address, sizeof(address));
	memcpy(d->eal_name, address, sizeof(address));
	(void)snprintf(path, sizeof(path), "/sys/bus/pci/devices/%s", d->name); // always fits
	if (access(path, F_OK) < 0)
		return fail(
			-ENODEV, err, size, "%s: no PCI device %s on this host", d->role, d->name);
	d->flags = DP_DRIVER_PCI;
	return 0;
}

// Interfaces that a driver uses must exist.
static int check_iface(struct dp_device *d, char *err, size_t size)
{
	const char *value;
	int len = find_arg(d->args, "iface", &value);

	if ((d->flags & (DP_DRIVER_OWN_IFACE | DP_DRIVER_MAKES_IFACE)) == 0)
		return 0; // net_vhost's iface= is a path
	if (len < 0 && (d->flags & DP_DRIVER_OWN_IFACE) != 0)
		return fail(-EINVAL, err, size, "%s: %s needs iface=NAME", d->role, d->name);
	if (len < 0)
		return 0;
	if (len == 0 || len >= IFNAMSIZ)
		return fail(-EINVAL, err, size, "%s: \"%.*s\" is no name of an interface", d->role,
			len, value);
	memcpy(d->iface, value, (size_t)len);
	d->iface[len] = '\0';
	if ((d->flags & DP_DRIVER_OWN_IFACE) != 0 && if_nametoindex(d->iface) == 0)
		return fail(-ENODEV, err, size, "%s: no interface \"%s\" on this host", d->role,
			d->iface);
	return 0;
}

// visp_tap is a net_null to EAL. Without iface= the interface has the device's name.
static int become_null(struct dp_device *d, char *err, size_t size)
{
	const char *rest = strchr(d->args, ',');

	if (rest != NULL && (strncmp(rest, ",iface=", 7) != 0 || strchr(rest + 1, ',') != NULL))
		return fail(-EINVAL, err, size, "%s: %s has one argument, iface=NAME, not \"%s\"",
			d->role, d->name, rest + 1);
	if (d->iface[0] == '\0' && strlen(d->name) >= sizeof(d->iface))
		return fail(-EINVAL, err, size, "%s: \"%s\" is no name of an interface", d->role,
			d->name);
	if (d->iface[0] == '\0')
		memcpy(d->iface, d->name, strlen(d->name) + 1);
	(void)snprintf(d->eal_name, sizeof(d->eal_name), "net_null_%s", d->name); // always fits
	(void)snprintf(d->args, sizeof(d->args), "%s,no-rx=1", d->eal_name);
	return 0;
}

// The driver's 512 frames are ten milliseconds of a modest flood: a worker that shares its CPU
// loses clients' packets to it unseen. Frames longer than its default need larger places.
static int add_ring_size(struct dp_device *d)
{
	uint16_t mtu;
	int rc;

	if (d->socket_domain != AF_PACKET)
		return 0;
	rc = dp_device_add_arg(d, "framecnt", "4096");
	if (rc < 0 || dp_iface_mtu(d->iface, &mtu) < 0 || mtu <= 1800)
		return rc;
	return dp_device_add_arg(d, "framesz", "4096");
}

int dp_device_parse(const char *devargs, const char *role, uint16_t queues,
	struct dp_device *ret_device, char *err, size_t err_size)
{
	struct dp_device d = { .role = role };
	size_t name_len = strcspn(devargs, ",");
	const struct driver *driver;
	char text[16];
	int rc;

	if (name_len >= sizeof(d.name) || strlen(devargs) >= sizeof(d.args))
		return fail(-ENAMETOOLONG, err, err_size, "%s: \"%.40s...\" is too long", role,
			devargs);
	memcpy(d.name, devargs, name_len);
	memcpy(d.eal_name, devargs, name_len);
	memcpy(d.args, devargs, strlen(devargs) + 1);
	driver = find_driver(d.name);
	if (driver == NULL && is_pci(d.name)) {
		rc = parse_pci(&d, err, err_size);
		if (rc == 0)
			*ret_device = d;
		return rc;
	}
	if (driver == NULL)
		return fail(-EINVAL, err, err_size,
			"%s: \"%s\" is neither a PCI address nor a port driver that is known here",
			role, d.name);
	d.flags = driver->flags;
	d.port_flags = driver->port_flags;
	d.socket_domain = driver->socket_domain;
	rc = check_iface(&d, err, err_size);
	if (rc == 0 && (d.flags & DP_DRIVER_TAP) != 0)
		rc = become_null(&d, err, err_size);
	if (rc < 0)
		return rc;
	if (queues > 1 && driver->queues_arg != NULL) {
		(void)snprintf(text, sizeof(text), "%u", queues); // always fits
		rc = dp_device_add_arg(&d, driver->queues_arg, text);
	}
	if (rc == 0)
		rc = add_ring_size(&d);
	if (rc < 0)
		return fail(rc, err, err_size, "%s: the arguments are too long", role);
	*ret_device = d;
	return 0;
}

int dp_device_check_free(const struct dp_device *device, char *err, size_t err_size)
{
	if ((device->flags & DP_DRIVER_MAKES_IFACE) == 0 || device->iface[0] == '\0' ||
		if_nametoindex(device->iface) == 0)
		return 0;
	return fail(-EEXIST, err, err_size,
		"%s: an interface \"%s\" exists already; %s would make it", device->role,
		device->iface, device->name);
}

void dp_device_remove_stale(const struct dp_device *device)
{
	const struct driver *driver = find_driver(device->name);
	struct sockaddr_un sa = { .sun_family = AF_UNIX };
	const char *path;
	int len, sock;

	if (driver == NULL || driver->socket_arg == NULL)
		return;
	len = find_arg(device->args, driver->socket_arg, &path);
	if (len <= 0 || len >= (int)sizeof(sa.sun_path) || path[0] != '/')
		return;
	memcpy(sa.sun_path, path, (size_t)len);
	sock = socket(AF_UNIX, driver->socket_type | SOCK_CLOEXEC, 0);
	if (sock < 0)
		return;
	if (connect(sock, (struct sockaddr *)&sa, sizeof(sa)) < 0 && errno == ECONNREFUSED)
		(void)unlink(sa.sun_path); // else the driver says what is wrong
	(void)close(sock); // nothing was sent
}
