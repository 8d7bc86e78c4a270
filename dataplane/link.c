// SPDX-License-Identifier: BSD-3-Clause
#include "dataplane/link.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <pwd.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#include "dataplane/link_rings.h"
#include "dataplane/log.h"
#include "dataplane/serve.h"
#include "dataplane/wake.h"
#include "dataplane/worker.h"

#define GREETING_MS 2000u // a stranger's time
#define WAKE_INTERVAL_NS (DP_CONTROL_WAKE_US * 1000u)
#define HELLO_FDS 3

static uint64_t now_ms(void)
{
	struct timespec ts;

	(void)clock_gettime(CLOCK_MONOTONIC, &ts); // never fails for this clock
	return (uint64_t)ts.tv_sec * 1000 + (uint64_t)ts.tv_nsec / 1000000;
}

static void peer_close(struct dp_peer *p)
{
	if (p->watch.fd < 0)
		return;
	if (p->link->loop != NULL)
		dp_loop_del(p->link->loop, &p->watch);
	(void)close(p->watch.fd); // everything that mattered was sent or is pointless
	p->watch.fd = -1;
}

// Say why and hang up.
static void refuse(struct dp_peer *p, const char *fmt, ...) __attribute__((format(printf, 2, 3)));
static void refuse(struct dp_peer *p, const char *fmt, ...)
{
	struct shm_refused m = { .kind = SHM_REFUSED };
	va_list ap;

	va_start(ap, fmt);
	(void)vsnprintf(m.text, sizeof(m.text), fmt, ap); // cut when too long
	va_end(ap);
	// It will try again and again; once is enough to be said.
	if (p->cred.pid != p->link->refused_pid || strcmp(m.text, p->link->refused_text) != 0)
		dp_log(DP_LOG_NOTICE, "control (pid %d) refused: %s", p->cred.pid, m.text);
	p->link->refused_pid = p->cred.pid;
	memcpy(p->link->refused_text, m.text, sizeof(m.text));
	(void)shm_send(p->watch.fd, &m, sizeof(m), NULL, 0); // the peer may have gone
	p->link->refused++;
	peer_close(p);
}

// ---- Descriptors of a greeting ---------------------------------------------------------------

struct greeting {
	int control; // each -1 when it didn't come
	int sessions;
	int keys;
};

static void greeting_close(struct greeting *g)
{
	int fds[HELLO_FDS] = { g->control, g->sessions, g->keys };

	shm_close_all(fds, HELLO_FDS);
}

// Receive and check one HELLO, into link->said. Returns 0 or -errno; on failure no descriptor is
// left.
static int receive(struct dp_link *link, int fd, struct greeting *ret)
{
	const struct shm_hello *hello = &link->said.hello;
	struct greeting g = { .control = -1, .sessions = -1, .keys = -1 };
	int fds[HELLO_FDS];
	unsigned n, want = 0;
	size_t len;
	int rc;

	rc = shm_recv(fd, &link->said, sizeof(link->said), &len, fds, HELLO_FDS, &n);
	if (rc < 0)
		return rc;
	rc = shm_greeting_check(&link->said, len);
	want += (hello->flags & SHM_HELLO_HAS_CONTROL) != 0 ? 1 : 0;
	want += (hello->flags & SHM_HELLO_HAS_TABLES) != 0 ? 2 : 0;
	if (rc == 0 && n != want)
		rc = -EINVAL;
	if (rc < 0) {
		shm_close_all(fds, n);
		return rc;
	}
	n = 0;
	if ((hello->flags & SHM_HELLO_HAS_CONTROL) != 0)
		g.control = fds[n++];
	if ((hello->flags & SHM_HELLO_HAS_TABLES) != 0) {
		g.sessions = fds[n++];
		g.keys = fds[n++];
	}
	*ret = g;
	return 0;
}

// Keep control's memfd for the next control. Only a memfd: holding another kind of file could
// pin something that isn't memory.
static void keep_control(struct dp_link *link, struct greeting *g)
{
	struct stat st;

	if (g->control < 0)
		return;
	if (fcntl(g->control, F_GET_SEALS) < 0 || fstat(g->control, &st) < 0 ||
		!S_ISREG(st.st_mode)) {
		dp_log(DP_LOG_NOTICE, "control's descriptor is no memfd and isn't kept");
		return;
	}
	if (link->control_fd >= 0)
		(void)close(link->control_fd); // a memfd: no write can be lost
	link->control_fd = g->control;
	link->control_size = (uint64_t)st.st_size;
	g->control = -1;
}

// ---- Greeting answered -----------------------------------------------------------------------

static int send_welcome(struct dp_link *link, struct dp_peer *p, struct dp_link_rings *rings)
{
	struct shm_welcome m = {
		.kind = SHM_WELCOME,
		.version = SHM_LAYOUT_VERSION,
		.layout_hash = shm_layout_hash(),
		.sessions = link->table->sessions,
		.workers = link->core->workers,
		.adopted = link->adopted || link->epoch > 0,
		.rings_size = dp_link_rings_bytes(rings),
		.has_control = link->control_fd >= 0,
		.control_size = link->control_fd >= 0 ? link->control_size : 0,
	};
	int fds[SHM_FDS_MAX];
	unsigned n = 0;

	memcpy(m.instance, link->table->header->instance, sizeof(m.instance));
	dp_link_rings_entries(m.entries);
	fds[n++] = link->sessions_ro_fd;
	fds[n++] = link->keys_path_fd;
	fds[n++] = dp_link_rings_fd(rings);
	fds[n++] = dp_link_rings_wake_fd(rings);
	for (uint16_t i = 0; i < link->core->workers; i++)
		fds[n++] = link->core->worker[i]->event_fd;
	if (link->control_fd >= 0)
		fds[n++] = link->control_fd;
	return shm_send(p->watch.fd, &m, sizeof(m), fds, n);
}

// Make rings, send them, and only then let the workers see them.
static int connect_rings(struct dp_link *link, struct dp_peer *p)
{
	struct dp_link_rings *rings;
	int rc;

	rings = dp_link_rings_create(link->core, link->epoch + 1);
	if (rings == NULL)
		return -errno;
	rc = send_welcome(link, p, rings);
	if (rc < 0) {
		dp_link_rings_free(rings);
		return rc;
	}
	dp_link_rings_publish(rings, link->core);
	link->rings = rings;
	link->epoch++;
	return 0;
}

static void disconnect(struct dp_link *link, const char *why)
{
	if (link->control.watch.fd < 0)
		return;
	dp_log(DP_LOG_NOTICE, "control (pid %d) is gone: %s; sessions go on",
		link->control.cred.pid, why);
	peer_close(&link->control);
	if (link->rings != NULL) {
		dp_link_rings_withdraw(link->rings, link->core);
		dp_grace_defer(link->grace, dp_link_rings_free, link->rings);
		link->rings = NULL;
	}
	link->wake_wanted = false;
}

static void control_ready(void *arg, uint32_t events);

// Is the connected control dead, though the loop hasn't heard of it yet?
static bool control_dead(const struct dp_link *link)
{
	struct pollfd p = { .fd = link->control.watch.fd, .events = 0 };

	return poll(&p, 1, 0) == 1 && (p.revents & (POLLHUP | POLLERR)) != 0;
}

// The stranger becomes the control.
static void admit(struct dp_link *link, struct greeting *g)
{
	struct dp_peer *p = &link->stranger;
	char err[200];
	int rc;

	if (link->control.watch.fd >= 0 && control_dead(link))
		disconnect(link, "it ended");
	if (link->control.watch.fd >= 0) {
		refuse(p, "another visp-control (pid %d) is connected", link->control.cred.pid);
		return;
	}
	rc = dp_serve_apply(link->serve, &link->said.hello, link->said.tunnel, err, sizeof(err));
	if (rc < 0) {
		refuse(p, "%s", err);
		return;
	}
	shm_saved_write(link->table->saved, &link->said.hello);
	keep_control(link, g);
	rc = connect_rings(link, p);
	if (rc < 0) {
		refuse(p, "rings can't be made or sent: %s", strerror(-rc));
		return;
	}
	dp_loop_del(link->loop, &p->watch);
	link->control = *p;
	link->control.watch.ready = control_ready;
	link->control.watch.arg = &link->control;
	p->watch.fd = -1;
	rc = dp_loop_add(link->loop, &link->control.watch, EPOLLIN);
	if (rc < 0) {
		disconnect(link, strerror(-rc));
		return;
	}
	dp_log(DP_LOG_NOTICE, "control (pid %d) connected", link->control.cred.pid);
}

static const char *greeting_error(int rc)
{
	switch (rc) {
	case -EPROTO: return "it was built with another layout of the shared memory";
	case -EINVAL:
	case -ERANGE:
	case -EMSGSIZE: return "its greeting is malformed";
	default: return strerror(-rc);
	}
}

static void stranger_ready(void *arg, uint32_t events)
{
	struct dp_peer *p = arg;
	struct greeting g;
	int rc = receive(p->link, p->watch.fd, &g);

	(void)events;
	if (rc == -EAGAIN)
		return;
	if (rc == -ECONNRESET) {
		peer_close(p);
		return;
	}
	if (rc < 0) {
		refuse(p, "%s", greeting_error(rc));
		return;
	}
	admit(p->link, &g);
	greeting_close(&g);
}

// A second greeting of the connected control: its configuration was reloaded, or it made a new
// table of its own.
static void control_ready(void *arg, uint32_t events)
{
	struct dp_peer *p = arg;
	struct dp_link *link = p->link;
	struct greeting g;
	char err[200];
	int rc = receive(p->link, p->watch.fd, &g);

	(void)events;
	if (rc == -EAGAIN)
		return;
	if (rc < 0) {
		disconnect(link, rc == -ECONNRESET ? "it ended" : greeting_error(rc));
		return;
	}
	rc = dp_serve_apply(link->serve, &link->said.hello, link->said.tunnel, err, sizeof(err));
	if (rc < 0) {
		dp_log(DP_LOG_NOTICE, "control's new configuration has no effect: %s", err);
	} else {
		shm_saved_write(link->table->saved, &link->said.hello);
		keep_control(link, &g);
	}
	greeting_close(&g);
}

// ---- Socket ----------------------------------------------------------------------------------

// Accept one connection. Returns 0, or -EAGAIN when there is none to speak with.
static int accept_stranger(struct dp_link *link)
{
	struct dp_peer p = { .link = link, .deadline_ms = now_ms() + GREETING_MS };
	int fd = accept4(link->listener.fd, NULL, NULL, SOCK_CLOEXEC | SOCK_NONBLOCK);

	if (fd < 0)
		return -EAGAIN;
	p.watch = (struct dp_watch){ .fd = fd, .ready = stranger_ready, .arg = &link->stranger };
	if (shm_peer_cred(fd, &p.cred) < 0) {
		peer_close(&p);
		return -EAGAIN;
	}
	if (p.cred.uid != 0 && p.cred.uid != link->own_uid && p.cred.uid != link->control_uid) {
		refuse(&p, "user %u may not (see control-user in dataplane.conf)", p.cred.uid);
		return -EAGAIN;
	}
	peer_close(&link->stranger); // the newer one may be the living one
	link->stranger = p;
	return 0;
}

static void listener_ready(void *arg, uint32_t events)
{
	struct dp_link *link = arg;

	(void)events;
	if (accept_stranger(link) < 0)
		return;
	if (dp_loop_add(link->loop, &link->stranger.watch, EPOLLIN) < 0)
		peer_close(&link->stranger);
}

// The lock on dataplane.state says that no other dataplane serves this path: whoever still listens
// has been killed a moment ago and is being taken apart by the kernel.
static int listen_patiently(const char *path)
{
	const struct timespec pause = { .tv_nsec = 10000000 };
	uint64_t end = now_ms() + GREETING_MS;
	int rc;

	while ((rc = shm_socket_listen(path, 0600)) == -EADDRINUSE && now_ms() < end)
		(void)nanosleep(&pause, NULL); // a shorter pause is fine
	return rc;
}

int dp_link_open(struct dp_link *link, const char *path, const char *control_user)
{
	int rc;

	*link = (struct dp_link){
		.path = path,
		.own_uid = geteuid(),
		.control_fd = -1,
		.sessions_ro_fd = -1,
		.keys_path_fd = -1,
	};
	link->stranger = link->control = (struct dp_peer){ .link = link, .watch.fd = -1 };
	link->listener.fd = -1;
	if (control_user != NULL) {
		const struct passwd *pw = getpwnam(control_user);

		if (pw == NULL) {
			dp_log(DP_LOG_ERROR, "control-user: no user \"%s\" on this host",
				control_user);
			return -ENOENT;
		}
		link->control_uid = pw->pw_uid;
	}
	rc = listen_patiently(path);
	if (rc < 0) {
		dp_log(DP_LOG_ERROR, "socket %s: %s", path, strerror(-rc));
		return rc;
	}
	link->listener = (struct dp_watch){ .fd = rc, .ready = listener_ready, .arg = link };
	if (control_user != NULL && chown(path, link->control_uid, (gid_t)-1) < 0) {
		rc = -errno;
		dp_log(DP_LOG_ERROR, "socket %s: %s", path, strerror(-rc));
		dp_link_close(link);
		return rc;
	}
	return 0;
}

bool dp_link_wait(struct dp_link *link, unsigned timeout_ms, int fds[2])
{
	uint64_t end = now_ms() + timeout_ms;
	struct greeting g;

	for (uint64_t now = now_ms(); now < end; now = now_ms()) {
		int fd = link->stranger.watch.fd >= 0 ? link->stranger.watch.fd : link->listener.fd;
		struct pollfd p = { .fd = fd, .events = POLLIN };
		int rc;

		if (poll(&p, 1, (int)(end - now)) < 1)
			continue;
		if (fd == link->listener.fd) {
			(void)accept_stranger(link); // else the next one
			continue;
		}
		rc = receive(link, fd, &g);
		if (rc < 0) {
			if (rc != -ECONNRESET && rc != -EAGAIN)
				refuse(&link->stranger, "%s", greeting_error(rc));
			peer_close(&link->stranger);
			continue;
		}
		keep_control(link, &g);
		link->have_early = true;
		fds[0] = g.sessions;
		fds[1] = g.keys;
		g.sessions = g.keys = -1;
		greeting_close(&g);
		return fds[0] >= 0;
	}
	return false;
}

int dp_link_start(struct dp_link *link, struct dp_core *core, struct shm_table *table,
	struct dp_loop *loop, struct dp_grace *grace, struct dp_serve *serve)
{
	struct greeting early = { .control = -1, .sessions = -1, .keys = -1 };
	int rc;

	link->core = core;
	link->table = table;
	link->loop = loop;
	link->grace = grace;
	link->serve = serve;
	link->sessions_ro_fd = shm_table_open_readonly(table);
	link->keys_path_fd = shm_table_open_path(table);
	if (link->sessions_ro_fd < 0 || link->keys_path_fd < 0) {
		rc = link->sessions_ro_fd < 0 ? link->sessions_ro_fd : link->keys_path_fd;
		dp_log(DP_LOG_ERROR, "the table can't be opened for control: %s", strerror(-rc));
		return rc;
	}
	rc = dp_loop_add(loop, &link->listener, EPOLLIN);
	if (rc < 0)
		return rc;
	if (link->stranger.watch.fd >= 0)
		rc = dp_loop_add(loop, &link->stranger.watch, EPOLLIN);
	if (rc == 0 && link->have_early && link->stranger.watch.fd >= 0) {
		admit(link, &early);
	}
	return rc;
}

bool dp_link_up(const struct dp_link *link)
{
	return link->rings != NULL;
}

void dp_link_want_wake(struct dp_link *link)
{
	link->wake_wanted = true;
}

uint64_t dp_link_turn(struct dp_link *link, uint64_t now_ns)
{
	if (link->stranger.watch.fd >= 0 && now_ns / 1000000 > link->stranger.deadline_ms)
		peer_close(&link->stranger);
	for (uint16_t i = 0; i < link->core->workers; i++) {
		if (atomic_exchange(&link->core->worker[i]->control_broken, 0) == 0)
			continue;
		link->broken++;
		disconnect(link, "its rings are broken");
	}
	if (link->rings == NULL || !link->wake_wanted)
		return UINT64_MAX;
	if (now_ns - link->woken_ns < WAKE_INTERVAL_NS)
		return WAKE_INTERVAL_NS - (now_ns - link->woken_ns);
	link->wake_wanted = false;
	if (dp_link_rings_wake(link->rings))
		link->woken_ns = now_ns;
	return UINT64_MAX;
}

void dp_link_close(struct dp_link *link)
{
	int fds[] = { link->sessions_ro_fd, link->keys_path_fd, link->control_fd,
		link->listener.fd };

	if (link->listener.fd < 0)
		return;
	if (link->control.watch.fd >= 0)
		disconnect(link, "this dataplane ends");
	peer_close(&link->stranger);
	if (link->loop != NULL)
		dp_loop_del(link->loop, &link->listener);
	shm_close_all(fds, 4);
	link->listener.fd = link->control_fd = -1;
	link->sessions_ro_fd = link->keys_path_fd = -1;
	(void)unlink(link->path); // maybe a janitor's work, if privileges are gone
}
