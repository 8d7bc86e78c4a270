// SPDX-License-Identifier: BSD-3-Clause
#include "dataplane/tunnel_ports.h"

#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>

static bool matches(const struct shm_addr *own, uint16_t family, const void *addr)
{
	static const uint8_t any[16];
	size_t len = family == AF_INET ? 4 : 16;

	return own->family == family &&
		(memcmp(own->bytes, addr, len) == 0 || memcmp(own->bytes, any, len) == 0);
}

static void add_addr(struct dp_tunnel_ports *ports, const struct shm_addr *addr)
{
	for (uint16_t i = 0; i < ports->addrs; i++) {
		if (memcmp(&ports->addr[i], addr, sizeof(*addr)) == 0)
			return;
	}
	ports->addr[ports->addrs++] = *addr;
}

struct dp_tunnel_ports *dp_tunnel_ports_create(const struct shm_listen *listen, uint16_t n)
{
	struct dp_tunnel_ports *ports = calloc(1, sizeof(*ports) + n * sizeof(ports->listen[0]));

	if (ports == NULL)
		return NULL;
	ports->addr = calloc(n > 0 ? n : 1, sizeof(ports->addr[0]));
	if (ports->addr == NULL)
		return dp_tunnel_ports_free(ports);
	for (uint16_t i = 0; i < n; i++) {
		if (ports->of_port[listen[i].port_be] != 0)
			continue;
		ports->listen[ports->n++] = listen[i];
		ports->of_port[listen[i].port_be] = ports->n;
		add_addr(ports, &listen[i].addr);
	}
	return ports;
}

struct dp_tunnel_ports *dp_tunnel_ports_free(struct dp_tunnel_ports *ports)
{
	if (ports != NULL)
		free(ports->addr);
	free(ports);
	return NULL;
}

bool dp_tunnel_ports_has(
	const struct dp_tunnel_ports *ports, uint16_t family, const void *addr, uint16_t port_be)
{
	uint16_t at = ports->of_port[port_be];

	return at != 0 && matches(&ports->listen[at - 1].addr, family, addr);
}

bool dp_tunnel_ports_at(const struct dp_tunnel_ports *ports, uint16_t family, const void *addr)
{
	for (uint16_t i = 0; i < ports->addrs; i++) {
		if (matches(&ports->addr[i], family, addr))
			return true;
	}
	return false;
}
