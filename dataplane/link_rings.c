// SPDX-License-Identifier: BSD-3-Clause
#include "dataplane/link_rings.h"

#include <errno.h>
#include <fcntl.h>
#include <stdalign.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include "dataplane/wake.h"
#include "dataplane/worker.h"

static const uint32_t ring_entries[SHM_RING_KINDS] = {
	[SHM_RING_COMMAND] = 256,
	[SHM_RING_EVENT] = 1024,
	[SHM_RING_PUNT_NEW] = 512,
	[SHM_RING_PUNT_KNOWN] = 512,
	[SHM_RING_INJECT] = 512,
};

struct dp_link_rings {
	int fd;
	int wake_fd; // eventfd towards control
	size_t bytes;
	uint8_t *map;
	struct shm_rings_header *header;
	uint16_t workers;
	struct dp_rings worker[SHM_WORKERS_MAX];
};

static int attach(struct dp_link_rings *r, uint64_t epoch)
{
	for (uint16_t w = 0; w < r->workers; w++) {
		for (int kind = 0; kind < SHM_RING_KINDS; kind++) {
			size_t at = shm_rings_offset(w, kind, ring_entries);
			bool producer = kind != SHM_RING_COMMAND && kind != SHM_RING_INJECT;
			int rc = shm_ring_attach(&r->worker[w].ring[kind], r->map + at,
				r->bytes - at, ring_entries[kind], shm_ring_elem_size(kind),
				producer);

			if (rc < 0)
				return rc;
		}
		r->worker[w].ring[SHM_RING_COMMAND].wipe = true; // commands carry keys
		r->worker[w].sleeps = &r->header->worker_sleeps[w * 16];
		r->worker[w].control_sleeps = &r->header->control_sleeps;
		r->worker[w].control_fd = r->wake_fd;
		r->worker[w].epoch = epoch;
	}
	return 0;
}

struct dp_link_rings *dp_link_rings_create(const struct dp_core *core, uint64_t epoch)
{
	struct dp_link_rings *r = aligned_alloc(alignof(struct dp_link_rings), sizeof(*r));
	int rc;

	if (r == NULL)
		return NULL;
	memset(r, 0, sizeof(*r));
	r->workers = core->workers;
	r->bytes = shm_rings_bytes(core->workers, ring_entries);
	r->map = MAP_FAILED;
	r->fd = memfd_create("visp-rings", MFD_CLOEXEC | MFD_ALLOW_SEALING);
	rc = dp_wake_open();
	r->wake_fd = rc < 0 ? -1 : rc;
	if (rc < 0)
		errno = -rc;
	if (r->fd < 0 || rc < 0 || ftruncate(r->fd, (off_t)r->bytes) < 0 ||
		fcntl(r->fd, F_ADD_SEALS, F_SEAL_SHRINK | F_SEAL_GROW | F_SEAL_SEAL) < 0)
		goto fail;
	r->map = mmap(NULL, r->bytes, PROT_READ | PROT_WRITE, MAP_SHARED, r->fd, 0);
	if (r->map == MAP_FAILED || madvise(r->map, r->bytes, MADV_DONTDUMP) < 0 ||
		madvise(r->map, r->bytes, MADV_POPULATE_WRITE) < 0)
		goto fail;
	r->header = (struct shm_rings_header *)r->map;
	rc = attach(r, epoch);
	if (rc == 0)
		return r;
	errno = -rc;

fail:
	rc = errno;
	dp_link_rings_free(r);
	errno = rc;
	return NULL;
}

void dp_link_rings_free(void *rings)
{
	struct dp_link_rings *r = rings;

	if (r->map != MAP_FAILED)
		(void)munmap(r->map, r->bytes); // fails for bad arguments only
	if (r->fd >= 0)
		(void)close(r->fd); // memory, nothing to flush
	if (r->wake_fd >= 0)
		(void)close(r->wake_fd); // control has its own copy
	free(r);
}

void dp_link_rings_publish(struct dp_link_rings *rings, struct dp_core *core)
{
	for (uint16_t i = 0; i < rings->workers; i++)
		atomic_store_explicit(
			&core->worker[i]->rings, &rings->worker[i], memory_order_release);
	for (uint16_t i = 0; i < rings->workers; i++)
		dp_worker_wake(core->worker[i]); // commands may be waiting already
}

void dp_link_rings_withdraw(struct dp_link_rings *rings, struct dp_core *core)
{
	for (uint16_t i = 0; i < rings->workers; i++)
		atomic_store_explicit(&core->worker[i]->rings, NULL, memory_order_release);
}

int dp_link_rings_fd(const struct dp_link_rings *rings)
{
	return rings->fd;
}

size_t dp_link_rings_bytes(const struct dp_link_rings *rings)
{
	return rings->bytes;
}

void dp_link_rings_entries(uint32_t entries[SHM_RING_KINDS])
{
	for (int kind = 0; kind < SHM_RING_KINDS; kind++)
		entries[kind] = ring_entries[kind];
}

int dp_link_rings_wake_fd(const struct dp_link_rings *rings)
{
	return rings->wake_fd;
}

bool dp_link_rings_wake(struct dp_link_rings *rings)
{
	if (!shm_wake_needed(&rings->header->control_sleeps))
		return false;
	dp_wake_fd(rings->wake_fd);
	return true;
}
