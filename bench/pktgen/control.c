// SPDX-License-Identifier: BSD-3-Clause
#include "bench/pktgen/control.h"

#include <errno.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <time.h>
#include <unistd.h>

#include "shm/fdpass.h"
#include "shm/ring.h"
#include "shm/session.h"
#include "shm/table.h"

#define WAIT_S 30 // without any progress
#define FD_SESSIONS 0
#define FD_KEYS 1
#define FD_RINGS 2
#define FD_WORKERS 4 // the first of them; before it our own eventfd

struct ends {
	struct shm_ring ring[SHM_RING_KINDS];
	int wake_fd;
	_Atomic uint32_t *sleeps;
	bool put; // something since the last wake-up
};

struct pg_control {
	const char *path;
	bool mobility;
	int sock;
	int fds[SHM_FDS_MAX];
	unsigned n_fds;
	int tables[2]; // of a dataplane that has ended, `sessions` and `keys`
	struct shm_welcome welcome;
	struct shm_view view;
	void *rings;
	struct ends worker[SHM_WORKERS_MAX];
	uint32_t acked;
	uint32_t refused;
	int32_t last_refusal;
};

static void *fail(struct pg_control *c, const char *what, int rc)
{
	(void)fprintf(stderr, "visp-pktgen: %s: %s\n", what, strerror(-rc));
	pg_control_free(c);
	errno = -rc;
	return NULL;
}

// tables: those of the dataplane before, for the next one to go on with; NULL: none.
static int greet(struct pg_control *c, const int tables[2])
{
	struct shm_hello hello;
	size_t len;
	int rc;

	c->sock = shm_socket_connect(c->path);
	if (c->sock < 0)
		return c->sock;
	pg_fleet_hello(c->mobility, &hello);
	hello.flags |= tables != NULL ? SHM_HELLO_HAS_TABLES : 0;
	rc = shm_send(c->sock, &hello, sizeof(hello), tables, tables != NULL ? 2 : 0);
	if (rc == 0)
		rc = shm_recv(c->sock, &c->welcome, sizeof(c->welcome), &len, c->fds, SHM_FDS_MAX,
			&c->n_fds);
	if (rc < 0)
		return rc;
	if (c->welcome.kind == SHM_REFUSED) {
		(void)fprintf(stderr, "visp-pktgen: the dataplane refuses: %.200s\n",
			(const char *)&c->welcome + sizeof(uint32_t));
		return -ECONNREFUSED;
	}
	rc = shm_welcome_check(&c->welcome, len);
	if (rc == 0 && c->n_fds < FD_WORKERS + (unsigned)c->welcome.workers)
		rc = -EPROTO;
	return rc;
}

static int attach(struct pg_control *c)
{
	const struct shm_welcome *w = &c->welcome;
	void *map =
		mmap(NULL, w->rings_size, PROT_READ | PROT_WRITE, MAP_SHARED, c->fds[FD_RINGS], 0);
	struct shm_rings_header *header = map;

	if (map == MAP_FAILED)
		return -errno;
	c->rings = map;
	for (uint16_t i = 0; i < w->workers; i++) {
		c->worker[i].wake_fd = c->fds[FD_WORKERS + i];
		c->worker[i].sleeps = &header->worker_sleeps[16 * i];
		for (int k = 0; k < SHM_RING_KINDS; k++) {
			size_t at = shm_rings_offset(i, (enum shm_ring_kind)k, w->entries);
			uint32_t elem = shm_ring_elem_size((enum shm_ring_kind)k);
			int rc = shm_ring_attach(&c->worker[i].ring[k], (uint8_t *)map + at,
				shm_ring_bytes(w->entries[k], elem), w->entries[k], elem,
				k == SHM_RING_COMMAND || k == SHM_RING_INJECT);

			if (rc < 0)
				return rc;
		}
	}
	return shm_view_map(c->fds[FD_SESSIONS], w, &c->view);
}

struct pg_control *pg_control_connect(const char *path, bool mobility)
{
	struct pg_control *c = calloc(1, sizeof(*c));
	int rc;

	if (c == NULL)
		return NULL;
	*c = (struct pg_control){ .path = path, .mobility = mobility, .sock = -1 };
	rc = greet(c, NULL);
	if (rc < 0)
		return fail(c, path, rc);
	rc = attach(c);
	return rc < 0 ? fail(c, "the dataplane's rings", rc) : c;
}

// Everything that belongs to one dataplane process. tables: take its two first descriptors.
static void leave(struct pg_control *c, int tables[2])
{
	if (c->rings != NULL)
		(void)munmap(c->rings, c->welcome.rings_size); // fails for bad arguments only
	c->rings = NULL;
	shm_view_done(&c->view);
	if (tables != NULL) {
		tables[0] = c->fds[FD_SESSIONS];
		tables[1] = c->fds[FD_KEYS];
		shm_close_all(c->fds + FD_RINGS, c->n_fds - FD_RINGS);
	} else {
		shm_close_all(c->fds, c->n_fds);
	}
	c->n_fds = 0;
	shm_close_all(&c->sock, 1);
	c->sock = -1;
}

bool pg_control_alone(const struct pg_control *c)
{
	struct pollfd p = { .fd = c->sock, .events = POLLIN };

	return c->sock < 0 || (poll(&p, 1, 0) > 0 && (p.revents & (POLLHUP | POLLERR)) != 0);
}

int pg_control_again(struct pg_control *c)
{
	int rc;

	if (c->sock >= 0)
		leave(c, c->tables);
	rc = greet(c, c->tables);
	if (rc < 0) {
		leave(c, NULL); // it isn't there yet
		return rc;
	}
	shm_close_all(c->tables, 2);
	return attach(c);
}

struct pg_control *pg_control_free(struct pg_control *c)
{
	if (c == NULL)
		return NULL;
	leave(c, NULL);
	free(c);
	return NULL;
}

static void wake(struct pg_control *c)
{
	uint64_t one = 1;

	for (uint16_t i = 0; i < c->welcome.workers; i++) {
		struct ends *e = &c->worker[i];

		if (!e->put)
			continue;
		e->put = false;
		if (shm_wake_needed(e->sleeps) && write(e->wake_fd, &one, sizeof(one)) < 0)
			continue; // the counter is full: it is awake
	}
}

unsigned pg_control_poll(struct pg_control *c)
{
	struct shm_event ev;
	struct shm_punt punt;
	unsigned handovers = 0;

	for (uint16_t i = 0; i < c->welcome.workers; i++) {
		struct shm_ring *ring = c->worker[i].ring;

		while (shm_ring_get(&ring[SHM_RING_EVENT], &ev, sizeof(ev)) > 0) {
			handovers += ev.kind == SHM_EVENT_HANDOVER;
			if (ev.kind != SHM_EVENT_ACK)
				continue;
			c->acked++;
			if (ev.status != 0) {
				c->refused++;
				c->last_refusal = ev.status;
			}
		}
		while (shm_ring_get(&ring[SHM_RING_PUNT_NEW], &punt, sizeof(punt)) > 0 ||
			shm_ring_get(&ring[SHM_RING_PUNT_KNOWN], &punt, sizeof(punt)) > 0)
			; // nobody asked for a handshake
	}
	return handovers;
}

static double now_s(void)
{
	struct timespec ts;

	(void)clock_gettime(CLOCK_MONOTONIC, &ts); // can't fail for this clock
	return (double)ts.tv_sec + (double)ts.tv_nsec / 1e9;
}

// Only a session's owner does what is asked of it.
static struct ends *owner_of(struct pg_control *c, uint32_t slot)
{
	struct shm_dir *d = (struct shm_dir *)(uintptr_t)&c->view.dir[slot]; // loaded only
	uint16_t owner = atomic_load_explicit(&d->owner, memory_order_acquire);

	if (atomic_load_explicit(&d->state, memory_order_acquire) != SHM_STATE_LIVE ||
		owner >= c->welcome.workers)
		owner = (uint16_t)(slot % c->welcome.workers);
	return &c->worker[owner];
}

typedef void (*make_fn)(const struct pg_fleet *f, uint32_t slot, struct shm_cmd *cmd);

// Nothing was acknowledged for a long time: say what is known. Returns -errno.
static int stuck_at(const struct pg_control *c, uint32_t acked, uint32_t sent, uint32_t total)
{
	bool alone = pg_control_alone(c);

	(void)fprintf(stderr, "visp-pktgen: %s: %u of %u commands sent, %u acknowledged\n",
		alone ? "the dataplane has gone" : "the dataplane is silent", sent, total, acked);
	return alone ? -ECONNRESET : -ETIMEDOUT;
}

// Send each client's commands, n of them, and wait until all are acknowledged.
static int carry_out(struct pg_control *c, struct pg_fleet *f, const make_fn *make, unsigned n)
{
	uint32_t before = c->acked, seen = c->acked, total = f->n * n, sent = 0;
	double stuck = now_s() + WAIT_S;
	struct shm_cmd cmd;

	c->refused = 0;
	while (c->acked - before < total) {
		while (sent < total) {
			uint32_t slot = sent / n;
			struct ends *e = owner_of(c, slot);

			make[sent % n](f, slot, &cmd);
			if (shm_ring_put(&e->ring[SHM_RING_COMMAND], &cmd, sizeof(cmd)) < 0)
				break;
			e->put = true;
			sent++;
		}
		wake(c);
		(void)pg_control_poll(c);
		if (c->refused > 0) {
			(void)fprintf(stderr, "visp-pktgen: the dataplane refuses a session: %s\n",
				strerror(-c->last_refusal));
			return -EIO;
		}
		if (c->acked != seen)
			stuck = now_s() + WAIT_S;
		else if (now_s() > stuck)
			return stuck_at(c, c->acked - before, sent, total);
		seen = c->acked;
	}
	return 0;
}

int pg_control_install(struct pg_control *c, struct pg_fleet *f, double *ret_seconds)
{
	static const make_fn make[] = { pg_fleet_install, pg_fleet_key };
	double start = now_s();
	int rc;

	if (f->n > c->welcome.sessions) {
		(void)fprintf(stderr, "visp-pktgen: the dataplane has room for %u sessions\n",
			c->welcome.sessions);
		return -ENOSPC;
	}
	for (uint32_t i = 0; i < f->n; i++) {
		struct shm_dir *d = (struct shm_dir *)(uintptr_t)&c->view.dir[i]; // loaded only

		f->client[i].generation =
			(uint16_t)(atomic_load_explicit(&d->generation, memory_order_acquire) + 1);
	}
	rc = carry_out(c, f, make, 2);
	*ret_seconds = now_s() - start;
	return rc;
}

int pg_control_remove(struct pg_control *c, struct pg_fleet *f)
{
	static const make_fn make[] = { pg_fleet_remove };

	return carry_out(c, f, make, 1);
}
