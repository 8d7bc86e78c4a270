// SPDX-License-Identifier: BSD-3-Clause
// The file of ifconfig-pool-persist.
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <unistd.h>

#include "control/pool.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static struct ctl_pool *pool_of(const char *network, const char *server, const char *last)
{
	struct ctl_pool_config config = { .limit = 256 };

	if (cfg_prefix_parse(network, &config.network) < 0 ||
		cfg_addr_parse(server, &config.server) < 0 ||
		cfg_addr_parse(server, &config.first) < 0 || cfg_addr_parse(last, &config.last) < 0)
		abort();
	config.first.bytes[config.first.family == AF_INET ? 3 : 15]++;
	return ctl_pool_create(&config);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct ctl_pool *pool = pool_of("10.8.0.0/28", "10.8.0.1", "10.8.0.14");
	struct ctl_pool *pool6 = pool_of("fd00:8::/124", "fd00:8::1", "fd00:8::e");
	int fd = memfd_create("pool", MFD_CLOEXEC);
	struct cfg_error err;
	unsigned skipped;
	char path[64];

	if (pool == NULL || pool6 == NULL || fd < 0)
		abort();
	(void)snprintf(path, sizeof(path), "/proc/self/fd/%d", fd); // fits
	if (write(fd, data, size) != (ssize_t)size)
		abort();
	(void)ctl_pool_read(pool, pool6, path, &skipped, &err);
	(void)close(fd);
	pool6 = ctl_pool_free(pool6);
	pool = ctl_pool_free(pool);
	return 0;
}
