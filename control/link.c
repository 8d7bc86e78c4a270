// SPDX-License-Identifier: BSD-3-Clause
#include "control/link.h"

#include <assert.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/eventfd.h>
#include <sys/mman.h>
#include <unistd.h>

#include "config/server.h"
#include "control/clock.h"
#include "control/ctl.h"
#include "control/log.h"
#include "control/tunnel.h"
#include "shm/fdpass.h"

#define RETRY_FIRST_MS 50u
#define RETRY_MS 250u
#define RETRY_REFUSED_MS 1000u
#define EVENT_BATCH 128u // elements taken from one ring before the others get their turn
#define PUNT_BATCH 32u

static void teardown(struct ctl_link *link);

static void close_fd(int *fd)
{
	if (*fd >= 0)
		(void)close(*fd); // nothing can be done about a failure
	*fd = -1;
}

static void put_addr(struct shm_addr *dst, const struct cfg_addr *src)
{
	dst->family = src->family;
	memcpy(dst->bytes, src->bytes, sizeof(dst->bytes));
}

static_assert(CFG_LISTENS_MAX <= SHM_LISTEN_MAX && CFG_TUNNELS_MAX <= SHM_TUNNELS_MAX,
	"every listener has a place in the greeting");

static void put_subnet(
	struct shm_hello *h, const struct cfg_addr *network, const struct cfg_addr *server)
{
	struct shm_subnet *s = &h->subnet[h->subnets];

	if (network->family == 0)
		return;
	put_addr(&s->addr, network);
	s->prefix_len = network->prefix;
	put_addr(&s->server, server);
	h->subnets++;
}

static void make_hello(struct ctl_link *link, const struct cfg_server *cfg)
{
	struct shm_hello *h = &link->said.hello;
	size_t len = strlen(link->ctl->options) + 1;

	*h = (struct shm_hello){
		.kind = SHM_HELLO,
		.version = SHM_LAYOUT_VERSION,
		.layout_hash = shm_layout_hash(),
		.tun_mtu = (uint16_t)cfg->tun_mtu,
	};
	if (cfg->client_to_client)
		h->flags |= SHM_HELLO_CLIENT_TO_CLIENT;
	if (cfg->mobility != CFG_MOBILITY_OFF)
		h->flags |= SHM_HELLO_MOBILITY;
	for (size_t i = 0; i < cfg->n_listens && h->listens < SHM_LISTEN_MAX; i++) {
		struct shm_listen *l = &h->listen[h->listens++];

		put_addr(&l->addr, &cfg->listens[i].addr);
		l->port_be = __builtin_bswap16(cfg->listens[i].port);
	}
	ctl_tunnels_listen(link->ctl, &link->said);
	put_subnet(h, &cfg->network, &cfg->address);
	put_subnet(h, &cfg->network6, &cfg->address6);
	if (cfg->block_ipv6)
		h->flags |= SHM_HELLO_BLOCK_IPV6;
	if (len <= sizeof(h->occ)) {
		memcpy(h->occ, link->ctl->options, len);
		h->occ_len = (uint16_t)len;
	}
}

// ---- Rings -----------------------------------------------------------------------------------

static int attach_rings(struct ctl_link *link)
{
	const struct shm_welcome *w = &link->welcome;
	void *map =
		mmap(NULL, w->rings_size, PROT_READ | PROT_WRITE, MAP_SHARED, link->rings_fd, 0);
	int rc;

	if (map == MAP_FAILED)
		return -errno;
	(void)madvise(map, w->rings_size, MADV_DONTDUMP); // keys pass through; best effort
	link->rings = map;
	link->rings_bytes = w->rings_size;
	for (uint16_t i = 0; i < w->workers; i++) {
		for (int k = 0; k < SHM_RING_KINDS; k++) {
			size_t at = shm_rings_offset(i, (enum shm_ring_kind)k, w->entries);
			uint32_t elem = shm_ring_elem_size((enum shm_ring_kind)k);
			bool producer = k == SHM_RING_COMMAND || k == SHM_RING_INJECT;

			rc = shm_ring_attach(&link->worker[i].ring[k], (uint8_t *)map + at,
				shm_ring_bytes(w->entries[k], elem), w->entries[k], elem, producer);
			if (rc < 0)
				return rc;
		}
	}
	link->workers = w->workers;
	return 0;
}

static bool broken(struct ctl_link *link, int rc)
{
	if (rc != -EPROTO)
		return false;
	ctl_log(CTL_ERROR, "ring index of the dataplane is impossible, connecting anew");
	teardown(link);
	return true;
}

static bool drain_events(struct ctl_link *link, uint16_t worker)
{
	struct shm_event ev;
	int rc = 0;

	for (unsigned n = 0; n < EVENT_BATCH; n++) {
		rc = shm_ring_get(&link->worker[worker].ring[SHM_RING_EVENT], &ev, sizeof(ev));
		if (rc <= 0)
			break;
		if (shm_event_check(&ev, link->view.sessions) < 0)
			link->ctl->count.bad_messages++;
		else
			ctl_on_event(link->ctl, &ev, worker);
	}
	return !broken(link, rc);
}

static bool drain_punts(struct ctl_link *link, uint16_t worker, enum shm_ring_kind kind)
{
	struct shm_punt punt;
	int rc = 0;

	for (unsigned n = 0; n < PUNT_BATCH; n++) {
		rc = shm_ring_get(&link->worker[worker].ring[kind], &punt, sizeof(punt));
		if (rc <= 0)
			break;
		if (shm_punt_check(&punt, link->view.sessions) < 0)
			link->ctl->count.bad_messages++;
		else
			ctl_on_punt(link->ctl, &punt, worker, kind == SHM_RING_PUNT_KNOWN);
		if (link->state != CTL_LINK_UP)
			return false;
	}
	return !broken(link, rc);
}

// Everything that arrived, known sessions before strangers.
static void drain(struct ctl_link *link)
{
	for (uint16_t i = 0; i < link->workers && link->state == CTL_LINK_UP; i++) {
		if (!drain_events(link, i))
			return;
	}
	for (uint16_t i = 0; i < link->workers && link->state == CTL_LINK_UP; i++) {
		if (!drain_punts(link, i, SHM_RING_PUNT_KNOWN))
			return;
	}
	for (uint16_t i = 0; i < link->workers && link->state == CTL_LINK_UP; i++) {
		if (!drain_punts(link, i, SHM_RING_PUNT_NEW))
			return;
	}
}

static bool rings_empty(struct ctl_link *link)
{
	static const enum shm_ring_kind kinds[] = { SHM_RING_EVENT, SHM_RING_PUNT_KNOWN,
		SHM_RING_PUNT_NEW };

	for (uint16_t i = 0; i < link->workers; i++) {
		for (size_t k = 0; k < 3; k++) {
			// A broken index counts as work: drain() finds it again and disconnects.
			if (shm_ring_count(&link->worker[i].ring[kinds[k]]) != 0)
				return false;
		}
	}
	return true;
}

static void idle_cb(uv_idle_t *idle)
{
	(void)idle; // being active is all that it does
}

static void prepare_cb(uv_prepare_t *prepare)
{
	struct ctl_link *link = prepare->data;

	ctl_on_round(link->ctl); // of what timers and other descriptors brought
	if (link->state != CTL_LINK_UP)
		return;
	ctl_link_flush(link);
	shm_sleep_begin(&link->rings->control_sleeps);
	if (!rings_empty(link))
		(void)uv_idle_start(&link->idle, idle_cb); // fails only for a NULL callback
}

static void check_cb(uv_check_t *check)
{
	struct ctl_link *link = check->data;

	(void)uv_idle_stop(&link->idle); // never fails
	if (link->state == CTL_LINK_UP) {
		shm_sleep_end(&link->rings->control_sleeps);
		drain(link);
	}
	ctl_on_round(link->ctl);
	ctl_link_flush(link);
}

static void wake_cb(uv_poll_t *poll, int status, int events)
{
	struct ctl_link *link = poll->data;
	eventfd_t value;

	(void)events;
	// Only the reset matters: the rings say what there is, and check_cb looks at them.
	if (status == 0 && eventfd_read(link->wake_fd, &value) < 0 && errno != EAGAIN)
		ctl_log(CTL_WARN, "reading the dataplane's eventfd failed error=\"%s\"",
			strerror(errno));
}

// ---- Socket ----------------------------------------------------------------------------------

static void retry_cb(uv_timer_t *timer);

static void schedule(struct ctl_link *link, uint64_t ms)
{
	(void)uv_timer_start(&link->retry, retry_cb, ms, 0); // fails only for a NULL callback
}

static void release(struct ctl_link *link)
{
	if (link->closing > 0)
		return;
	close_fd(&link->sock);
	close_fd(&link->wake_fd);
	close_fd(&link->rings_fd);
	for (uint16_t i = 0; i < SHM_WORKERS_MAX; i++)
		close_fd(&link->worker[i].event_fd);
	if (!link->ctl->stopping || link->ctl->stop_at_ms > ctl_now_ms())
		schedule(link, link->refusal[0] != '\0' ? RETRY_REFUSED_MS : RETRY_FIRST_MS);
}

static void closed_cb(uv_handle_t *handle)
{
	struct ctl_link *link = handle->data;

	link->closing--;
	release(link);
}

// End the connection and try again soon. Descriptors of the tables are kept.
static void teardown(struct ctl_link *link)
{
	bool was_up = link->state == CTL_LINK_UP;

	if (link->state == CTL_LINK_DOWN)
		return;
	link->state = CTL_LINK_DOWN;
	link->workers = 0;
	(void)uv_idle_stop(&link->idle); // never fails
	if (link->rings != NULL)
		(void)munmap(link->rings, link->rings_bytes); // fails only for bad arguments
	link->rings = NULL;
	if (link->polling) {
		link->closing++;
		uv_close((uv_handle_t *)&link->poll, closed_cb);
	}
	if (link->waking) {
		link->closing++;
		uv_close((uv_handle_t *)&link->wake, closed_cb);
	}
	link->polling = false;
	link->waking = false;
	if (was_up)
		ctl_on_link_down(link->ctl);
	release(link);
}

// Keep what came with WELCOME: order as in shm/message.h.
static int take_fds(struct ctl_link *link, int *fds, unsigned n, int *ret_control)
{
	const struct shm_welcome *w = &link->welcome;
	unsigned want = 4u + w->workers + (w->has_control != 0 ? 1u : 0u);

	if (n != want) {
		shm_close_all(fds, n);
		return -EPROTO;
	}
	shm_view_done(&link->view);
	close_fd(&link->sessions_fd);
	close_fd(&link->keys_fd);
	link->sessions_fd = fds[0];
	link->keys_fd = fds[1];
	link->rings_fd = fds[2];
	link->wake_fd = fds[3];
	for (uint16_t i = 0; i < w->workers; i++)
		link->worker[i].event_fd = fds[4 + i];
	*ret_control = w->has_control != 0 ? fds[n - 1] : -1;
	return 0;
}

static void on_welcome(struct ctl_link *link, int *fds, unsigned n)
{
	int control = -1;
	int rc = take_fds(link, fds, n, &control);

	if (rc == 0)
		rc = shm_view_map(link->sessions_fd, &link->welcome, &link->view);
	if (rc == 0)
		rc = attach_rings(link);
	if (rc == 0)
		rc = uv_poll_init(link->ctl->loop, &link->wake, link->wake_fd);
	if (rc < 0) {
		ctl_log(CTL_ERROR, "what the dataplane sent can't be used error=\"%s\"",
			strerror(-rc));
		close_fd(&control);
		teardown(link);
		return;
	}
	link->wake.data = link;
	link->waking = true;
	(void)uv_poll_start(&link->wake, UV_READABLE, wake_cb); // the descriptor is valid
	link->state = CTL_LINK_UP;
	link->said_waiting = false;
	link->refusal[0] = '\0';
	ctl_log(CTL_INFO, "dataplane connected path=%s sessions=%u workers=%u adopted=%u",
		link->path, link->welcome.sessions, link->welcome.workers, link->welcome.adopted);
	ctl_on_link_up(link->ctl, control);
}

static void on_greeting(struct ctl_link *link)
{
	union {
		struct shm_welcome welcome;
		struct shm_refused refused;
	} m = { 0 };
	int fds[SHM_FDS_MAX];
	unsigned n = 0;
	size_t len = 0;
	int rc = shm_recv(link->sock, &m, sizeof(m), &len, fds, SHM_FDS_MAX, &n);

	if (rc == -EAGAIN)
		return;
	if (rc == 0 && m.refused.kind == SHM_REFUSED && len <= sizeof(m.refused)) {
		m.refused.text[sizeof(m.refused.text) - 1] = '\0';
		if (strcmp(link->refusal, m.refused.text) != 0)
			ctl_log(CTL_ERROR, "the dataplane refuses this control reason=\"%s\"",
				m.refused.text);
		memcpy(link->refusal, m.refused.text, sizeof(link->refusal));
		rc = -ECONNREFUSED;
	} else if (rc == 0 && link->state == CTL_LINK_GREETED &&
		shm_welcome_check(&m.welcome, len) == 0) {
		link->welcome = m.welcome;
		on_welcome(link, fds, n);
		return;
	} else if (rc == 0) {
		ctl_log(CTL_ERROR, "unexpected message from the dataplane len=%zu", len);
		rc = -EPROTO;
	}
	shm_close_all(fds, n);
	if (link->state == CTL_LINK_UP)
		ctl_log(CTL_WARN, "dataplane is gone error=\"%s\"", strerror(-rc));
	teardown(link);
}

static void sock_cb(uv_poll_t *poll, int status, int events)
{
	struct ctl_link *link = poll->data;

	(void)events;
	if (status < 0)
		teardown(link);
	else
		on_greeting(link);
}

static int greet(struct ctl_link *link)
{
	int fds[3];
	unsigned n = 0;

	link->said.hello.flags &= ~(uint32_t)(SHM_HELLO_HAS_CONTROL | SHM_HELLO_HAS_TABLES);
	if (link->control_fd >= 0) {
		link->said.hello.flags |= SHM_HELLO_HAS_CONTROL;
		fds[n++] = link->control_fd;
	}
	if (link->sessions_fd >= 0 && link->keys_fd >= 0) {
		link->said.hello.flags |= SHM_HELLO_HAS_TABLES;
		fds[n++] = link->sessions_fd;
		fds[n++] = link->keys_fd;
	}
	return shm_send(
		link->sock, &link->said, shm_greeting_len(link->said.hello.tunnels), fds, n);
}

static void retry_cb(uv_timer_t *timer)
{
	struct ctl_link *link = timer->data;
	int rc;

	if (link->state != CTL_LINK_DOWN || link->closing > 0)
		return;
	link->sock = shm_socket_connect(link->path);
	rc = link->sock < 0 ? link->sock : greet(link);
	if (rc == 0)
		rc = uv_poll_init(link->ctl->loop, &link->poll, link->sock);
	if (rc < 0) {
		if (!link->said_waiting)
			ctl_log(CTL_WARN, "waiting for the dataplane path=%s error=\"%s\"",
				link->path, strerror(-rc));
		link->said_waiting = true;
		close_fd(&link->sock);
		schedule(link, RETRY_MS);
		return;
	}
	link->poll.data = link;
	link->polling = true;
	link->state = CTL_LINK_GREETED;
	(void)uv_poll_start(&link->poll, UV_READABLE | UV_DISCONNECT, sock_cb); // valid descriptor
}

// ---- Public ----------------------------------------------------------------------------------

int ctl_link_init(struct ctl_link *link, struct ctl *ctl)
{
	*link = (struct ctl_link){ .ctl = ctl, .path = ctl->cfg->dataplane_socket };
	link->sock = link->sessions_fd = link->keys_fd = link->control_fd = -1;
	link->rings_fd = link->wake_fd = -1;
	for (unsigned i = 0; i < SHM_WORKERS_MAX; i++)
		link->worker[i].event_fd = -1;
	link->retry.data = link->prepare.data = link->check.data = link->idle.data = link;
	// These four fail only for a NULL argument.
	(void)uv_timer_init(ctl->loop, &link->retry);
	(void)uv_prepare_init(ctl->loop, &link->prepare);
	(void)uv_check_init(ctl->loop, &link->check);
	(void)uv_idle_init(ctl->loop, &link->idle);
	make_hello(link, ctl->cfg);
	return shm_greeting_check(&link->said, shm_greeting_len(link->said.hello.tunnels));
}

void ctl_link_start(struct ctl_link *link)
{
	(void)uv_prepare_start(&link->prepare, prepare_cb); // fail only for a NULL callback
	(void)uv_check_start(&link->check, check_cb);
	retry_cb(&link->retry);
}

int ctl_link_greet_again(struct ctl_link *link)
{
	return link->state == CTL_LINK_UP ? greet(link) : -ENOTCONN;
}

void ctl_link_stop(struct ctl_link *link)
{
	uv_handle_t *handles[] = { (uv_handle_t *)&link->retry, (uv_handle_t *)&link->prepare,
		(uv_handle_t *)&link->check, (uv_handle_t *)&link->idle };

	ctl_link_flush(link);
	teardown(link);
	for (size_t i = 0; i < sizeof(handles) / sizeof(handles[0]); i++)
		uv_close(handles[i], NULL);
	shm_view_done(&link->view);
	close_fd(&link->sessions_fd);
	close_fd(&link->keys_fd);
	close_fd(&link->control_fd);
}

void ctl_link_set_control(struct ctl_link *link, int fd)
{
	close_fd(&link->control_fd);
	link->control_fd = fd;
}

static int put(struct ctl_link *link, uint16_t worker, enum shm_ring_kind kind, const void *elem,
	size_t len)
{
	int rc;

	if (link->state != CTL_LINK_UP)
		return -ENOTCONN;
	if (worker >= link->workers)
		return -ERANGE;
	rc = shm_ring_put(&link->worker[worker].ring[kind], elem, len);
	if (rc == 0 || rc == -ENOSPC)
		link->worker[worker].dirty = true;
	return rc;
}

int ctl_link_command(struct ctl_link *link, uint16_t worker, const struct shm_cmd *cmd)
{
	return put(link, worker, SHM_RING_COMMAND, cmd, sizeof(*cmd));
}

int ctl_link_inject(struct ctl_link *link, uint16_t worker, const struct shm_inject *m)
{
	return put(link, worker, SHM_RING_INJECT, m, offsetof(struct shm_inject, data) + m->len);
}

void ctl_link_flush(struct ctl_link *link)
{
	for (uint16_t i = 0; i < link->workers; i++) {
		struct ctl_worker *w = &link->worker[i];

		if (!w->dirty)
			continue;
		w->dirty = false;
		if (shm_wake_needed(&link->rings->worker_sleeps[16 * i]) &&
			eventfd_write(w->event_fd, 1) < 0)
			ctl_log(CTL_WARN, "waking worker failed worker=%u error=\"%s\"", i,
				strerror(errno));
	}
}

const struct shm_dir *ctl_link_dir(const struct ctl_link *link, uint32_t slot)
{
	return link->view.dir != NULL && slot < link->view.sessions ? &link->view.dir[slot] : NULL;
}

const struct shm_session *ctl_link_session(const struct ctl_link *link, uint32_t slot)
{
	return link->view.session != NULL && slot < link->view.sessions ? &link->view.session[slot]
									: NULL;
}
