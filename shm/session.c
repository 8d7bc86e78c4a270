// SPDX-License-Identifier: BSD-3-Clause
#include "shm/session.h"

#include <errno.h>
#include <string.h>

#define READ_TRIES 8

int shm_endpoint_read(const struct shm_session *s, struct shm_endpoint *ret_endpoint)
{
	// The atomics of a read-only mapping are loaded, never stored: the cast drops nothing else.
	struct shm_session *shared = (struct shm_session *)(uintptr_t)s;
	struct shm_endpoint copy;
	uint32_t index, again;

	for (int i = 0; i < READ_TRIES; i++) {
		index = atomic_load_explicit(&shared->endpoint_index, memory_order_acquire);
		copy = s->endpoint[index & 1];
		atomic_thread_fence(memory_order_acquire);
		again = atomic_load_explicit(&shared->endpoint_index, memory_order_relaxed);
		if (index == again) {
			*ret_endpoint = copy;
			return 0;
		}
	}
	return -EAGAIN;
}

void shm_endpoint_write(struct shm_session *s, const struct shm_endpoint *endpoint)
{
	uint32_t index = atomic_load_explicit(&s->endpoint_index, memory_order_relaxed);

	// A reader that sees any byte of the new copy must also see that the index had moved to
	// the other one, which this thread stored before: the fence orders the two.
	atomic_thread_fence(memory_order_release);
	s->endpoint[(index + 1) & 1] = *endpoint;
	atomic_store_explicit(&s->endpoint_index, index + 1, memory_order_release);
}

void shm_session_set_tunnel4(struct shm_session *s, const struct shm_addr *addr)
{
	s->tunnel4 = *addr;
	s->source4_be = 0;
	if (addr->family != 0)
		memcpy(&s->source4_be, addr->bytes, sizeof(s->source4_be));
}

static void read_counters(struct shm_session *s, struct shm_session_info *info)
{
	info->rx_packets = atomic_load_explicit(&s->rx_packets, memory_order_relaxed);
	info->rx_bytes = atomic_load_explicit(&s->rx_bytes, memory_order_relaxed);
	info->tx_packets = atomic_load_explicit(&s->tx_packets, memory_order_relaxed);
	info->tx_bytes = atomic_load_explicit(&s->tx_bytes, memory_order_relaxed);
	info->last_rx_ms = atomic_load_explicit(&s->last_rx_ms, memory_order_relaxed);
	info->last_tx_ms = atomic_load_explicit(&s->last_tx_ms, memory_order_relaxed);
	info->last_move_ms = atomic_load_explicit(&s->last_move_ms, memory_order_relaxed);
	info->handovers = atomic_load_explicit(&s->handovers, memory_order_relaxed);
	info->replays = atomic_load_explicit(&s->replays, memory_order_relaxed);
}

static void read_cold(struct shm_session *s, struct shm_session_info *info)
{
	info->installed_ms = s->installed_ms;
	info->tun_mtu = s->tun_mtu;
	memcpy(info->server_sid, s->server_sid, SHM_SID_LEN);
	memcpy(info->client_sid, s->client_sid, SHM_SID_LEN);
	info->tunnel4 = s->tunnel4;
	info->tunnel6 = s->tunnel6;
	memcpy(info->name, s->name, SHM_NAME_LEN);
	info->name[SHM_NAME_LEN - 1] = '\0';
	info->tx_slot = atomic_load_explicit(&s->tx_slot, memory_order_acquire);
	if (info->tx_slot < SHM_KEY_SLOTS) {
		info->cipher = s->tx_key[info->tx_slot].cipher;
		info->key_id = s->tx_key[info->tx_slot].key_id;
	}
}

int shm_session_read(
	const struct shm_dir *dir, const struct shm_session *s, struct shm_session_info *ret_info)
{
	struct shm_dir *d = (struct shm_dir *)(uintptr_t)dir; // loaded only, as above
	struct shm_session *shared = (struct shm_session *)(uintptr_t)s;
	struct shm_session_info info = { 0 };
	int rc;

	if (atomic_load_explicit(&d->state, memory_order_acquire) != SHM_STATE_LIVE)
		return -ENOENT;
	info.generation = atomic_load_explicit(&d->generation, memory_order_relaxed);
	info.owner = atomic_load_explicit(&d->owner, memory_order_relaxed);
	info.tx_owner = atomic_load_explicit(&d->tx_owner, memory_order_relaxed);
	info.flags = atomic_load_explicit(&d->flags, memory_order_relaxed);
	rc = shm_endpoint_read(s, &info.endpoint);
	if (rc < 0)
		return rc;
	read_counters(shared, &info);
	read_cold(shared, &info);
	atomic_thread_fence(memory_order_acquire);
	if (atomic_load_explicit(&d->state, memory_order_relaxed) != SHM_STATE_LIVE ||
		atomic_load_explicit(&d->generation, memory_order_relaxed) != info.generation)
		return -EAGAIN;
	*ret_info = info;
	return 0;
}
