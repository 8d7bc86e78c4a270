// SPDX-License-Identifier: BSD-3-Clause
#include "dataplane/xdp.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <unistd.h>

#include <bpf/bpf.h>
#include <bpf/libbpf.h>

#include "dataplane/xdp_listens.h"

#define MAPS_MAX 8
#define PROGRAM "visp_xdp.o"

static_assert(SHM_LISTEN_MAX <= DP_XDP_LISTENS && SHM_TUNNELS_MAX <= DP_XDP_TUNNELS,
	"every listener has a place in the map");

struct dp_xdp {
	struct dp_xdp_listens *listens;
	size_t bytes;
};

int dp_xdp_program(char *path, size_t size)
{
	char self[512];
	ssize_t n = readlink("/proc/self/exe", self, sizeof(self) - 1);
	char *slash;

	if (n > 0) {
		self[n] = '\0';
		slash = strrchr(self, '/');
		if (slash != NULL &&
			snprintf(path, size, "%.*s/" PROGRAM, (int)(slash - self), self) <
				(int)size &&
			access(path, R_OK) == 0)
			return 0;
	}
	if (snprintf(path, size, "%s/" PROGRAM, VISP_LIBDIR) < (int)size && access(path, R_OK) == 0)
		return 0;
	return -ENOENT;
}

// The descriptor of the map with our list among those of a program, or -errno.
static int find_map(int program_fd)
{
	struct bpf_prog_info info = { 0 };
	struct bpf_map_info map = { 0 };
	__u32 ids[MAPS_MAX] = { 0 }, len = sizeof(info);

	info.nr_map_ids = MAPS_MAX;
	info.map_ids = (uintptr_t)ids;
	if (bpf_obj_get_info_by_fd(program_fd, &info, &len) < 0)
		return -errno;
	for (__u32 i = 0; i < info.nr_map_ids && i < MAPS_MAX; i++) {
		int fd = bpf_map_get_fd_by_id(ids[i]);

		len = sizeof(map);
		memset(&map, 0, sizeof(map));
		if (fd < 0)
			continue;
		if (bpf_obj_get_info_by_fd(fd, &map, &len) == 0 &&
			strcmp(map.name, "visp_listens") == 0 &&
			map.value_size == sizeof(struct dp_xdp_listens))
			return fd;
		(void)close(fd); // a map of something else
	}
	return -ENOENT;
}

// The list's map of the program on an interface, or -errno; -ENOENT: there is none of ours.
static int open_map(unsigned ifindex)
{
	__u32 id = 0;
	int program_fd, map_fd;

	if (bpf_xdp_query_id((int)ifindex, 0, &id) < 0 || id == 0)
		return -ENOENT;
	program_fd = bpf_prog_get_fd_by_id(id);
	if (program_fd < 0)
		return -errno;
	map_fd = find_map(program_fd);
	(void)close(program_fd); // the interface holds the program
	return map_fd;
}

int dp_xdp_remove_left(unsigned ifindex)
{
	int map_fd = open_map(ifindex);
	int rc;

	if (map_fd == -ENOENT)
		return 0;
	if (map_fd < 0)
		return map_fd;
	(void)close(map_fd); // it was opened only to know the program
	rc = bpf_xdp_detach((int)ifindex, 0, NULL);
	return rc < 0 ? rc : 0;
}

struct dp_xdp *dp_xdp_open(unsigned ifindex)
{
	struct dp_xdp *xdp = calloc(1, sizeof(*xdp));
	size_t page;
	int map_fd;
	void *map;

	if (xdp == NULL)
		return NULL;
	map_fd = open_map(ifindex);
	if (map_fd < 0)
		goto fail;
	page = (size_t)sysconf(_SC_PAGESIZE);
	xdp->bytes = (sizeof(*xdp->listens) + page - 1) / page * page;
	map = mmap(NULL, xdp->bytes, PROT_READ | PROT_WRITE, MAP_SHARED, map_fd, 0);
	(void)close(map_fd); // the mapping holds the map
	map_fd = -ENOMEM;
	if (map == MAP_FAILED)
		goto fail;
	xdp->listens = map;
	return xdp;

fail:
	free(xdp);
	errno = -map_fd;
	return NULL;
}

static void put_listen(struct dp_xdp_listen *l, const struct shm_listen *from)
{
	static const uint8_t zero[16];

	l->family = from->addr.family == AF_INET ? 4 : 6;
	l->port = from->port_be;
	l->any = memcmp(from->addr.bytes, zero, sizeof(zero)) == 0;
	memcpy(l->addr, from->addr.bytes, sizeof(l->addr));
}

static void put_tunnels(struct dp_xdp_listens *all, const struct shm_listen *tunnel, unsigned n)
{
	memset(all->of_port, 0, sizeof(all->of_port));
	for (unsigned i = 0; i < n && i < DP_XDP_TUNNELS; i++) {
		struct dp_xdp_listen *l = &all->tunnel[i];
		unsigned k = 0;

		put_listen(l, &tunnel[i]);
		all->of_port[l->port] = (uint16_t)(i + 1);
		while (k < all->addrs &&
			(all->addr[k].family != l->family ||
				memcmp(all->addr[k].addr, l->addr, sizeof(l->addr)) != 0))
			k++;
		if (k == all->addrs && k < DP_XDP_LISTENS)
			all->addr[all->addrs++] = *l;
	}
}

void dp_xdp_set_listens(
	struct dp_xdp *xdp, const struct shm_hello *hello, const struct shm_listen *tunnel)
{
	struct dp_xdp_listens *all = xdp->listens;
	volatile __u32 *count = &all->n;

	// While the lists change the kernel gets everything: for a moment clients' packets are
	// lost, but none reaches the wrong place.
	*count = 0;
	all->addrs = 0;
	__sync_synchronize();
	for (unsigned i = 0; i < hello->listens && i < DP_XDP_LISTENS; i++)
		put_listen(&all->listen[i], &hello->listen[i]);
	put_tunnels(all, tunnel, hello->tunnels);
	__sync_synchronize();
	*count = hello->listens;
}

struct dp_xdp *dp_xdp_close(struct dp_xdp *xdp)
{
	if (xdp == NULL)
		return NULL;
	(void)munmap(xdp->listens, xdp->bytes); // fails for bad arguments only
	free(xdp);
	return NULL;
}
