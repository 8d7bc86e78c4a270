// SPDX-License-Identifier: BSD-3-Clause
// Every check of a message from the other process, on arbitrary bytes: no access outside, and what
// was accepted keeps the promises that the rest of the program relies on.
#include <stdlib.h>
#include <string.h>

#include "shm/message.h"

#define SESSIONS 4096u

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void require(bool ok)
{
	if (!ok)
		abort();
}

static void hello(const uint8_t *data, size_t size)
{
	static struct shm_greeting g;
	struct shm_hello m = { 0 };

	memcpy(&g, data, size < sizeof(g) ? size : sizeof(g));
	g.hello.kind = SHM_HELLO;
	g.hello.version = SHM_LAYOUT_VERSION;
	g.hello.layout_hash = shm_layout_hash();
	if (shm_greeting_check(&g, size) == 0)
		require(g.hello.tunnels <= SHM_TUNNELS_MAX &&
			shm_greeting_len(g.hello.tunnels) == size);
	memcpy(&m, data, size < sizeof(m) ? size : sizeof(m));
	m.kind = SHM_HELLO;
	m.version = SHM_LAYOUT_VERSION;
	m.layout_hash = shm_layout_hash();
	if (shm_hello_check(&m, sizeof(m)) == 0)
		require(m.listens <= SHM_LISTEN_MAX && m.subnets <= SHM_SUBNETS_MAX &&
			m.occ_len <= SHM_OCC_MAX);
	(void)shm_hello_check(&m, size); // any length must be answered
}

static void welcome(const uint8_t *data, size_t size)
{
	struct shm_welcome m = { 0 };

	memcpy(&m, data, size < sizeof(m) ? size : sizeof(m));
	m.kind = SHM_WELCOME;
	m.version = SHM_LAYOUT_VERSION;
	m.layout_hash = shm_layout_hash();
	if (shm_welcome_check(&m, sizeof(m)) == 0)
		require(m.workers <= SHM_WORKERS_MAX &&
			shm_rings_bytes(m.workers, m.entries) <= m.rings_size);
	(void)shm_welcome_check(&m, size);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct shm_cmd cmd = { 0 };
	struct shm_event event = { 0 };
	struct shm_punt punt = { 0 };
	struct shm_inject inject = { 0 };

	hello(data, size);
	welcome(data, size);
	memcpy(&cmd, data, size < sizeof(cmd) ? size : sizeof(cmd));
	if (shm_cmd_check(&cmd, SESSIONS) == 0) {
		require(cmd.slot < SESSIONS);
		require(cmd.kind != SHM_CMD_KEY || cmd.key.which < SHM_KEY_SLOTS);
	}
	memcpy(&event, data, size < sizeof(event) ? size : sizeof(event));
	if (shm_event_check(&event, SESSIONS) == 0)
		require(event.slot < SESSIONS);
	memcpy(&punt, data, size < sizeof(punt) ? size : sizeof(punt));
	if (shm_punt_check(&punt, SESSIONS) == 0)
		require(punt.len <= SHM_DATAGRAM_MAX);
	memcpy(&inject, data, size < sizeof(inject) ? size : sizeof(inject));
	if (shm_inject_check(&inject, SESSIONS) == 0)
		require(inject.len <= SHM_DATAGRAM_MAX);
	return 0;
}
