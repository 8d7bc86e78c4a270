// SPDX-License-Identifier: BSD-3-Clause
#include "control/mgmt.h"

#include <errno.h>
#include <fcntl.h>
#include <grp.h>
#include <jansson.h>
#include <pwd.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>
#include <utlist.h>
#include <uv.h>

#include "config/server.h"
#include "control/ctl.h"
#include "control/janitor.h"
#include "control/log.h"
#include "control/peer.h"
#include "control/request.h"
#include "control/status.h"
#include "control/tls_pool.h"

#define CLIENTS_MAX 16u
#define PIECE_SESSIONS 64u // sessions written at a time, so that a long list stalls nobody

struct client {
	struct ctl *ctl;
	uv_pipe_t pipe;
	uv_write_t write;
	char line[CTL_REQUEST_MAX];
	size_t len;
	struct ctl_bytes out; // being written
	bool listing; // a status answer isn't finished
	bool first; // no session was written yet
	uint32_t next; // slot to go on with
	struct client *prev, *next_client;
};

struct ctl_mgmt {
	int fd; // bound, not yet listening
	bool listening;
	uv_pipe_t server;
	struct client *clients;
	unsigned count;
	struct ctl_janitor janitor;
	char path[sizeof(((struct sockaddr_un *)NULL)->sun_path)];
};

static void go_on(struct client *c);
static void on_alloc(uv_handle_t *pipe, size_t suggested, uv_buf_t *buf);
static void on_read(uv_stream_t *stream, ssize_t n, const uv_buf_t *buf);
static void serve(struct client *c);

// ---- Answers ---------------------------------------------------------------------------------

static void client_closed(uv_handle_t *handle)
{
	struct client *c = handle->data;
	struct ctl_mgmt *m = c->ctl->mgmt;

	if (m != NULL) {
		DL_DELETE2(m->clients, c, prev, next_client);
		m->count--;
	}
	ctl_bytes_done(&c->out);
	free(c);
}

static void client_close(struct client *c)
{
	if (!uv_is_closing((uv_handle_t *)&c->pipe))
		uv_close((uv_handle_t *)&c->pipe, client_closed);
}

static void written(uv_write_t *write, int status)
{
	struct client *c = write->data;

	c->out.len = 0;
	if (status < 0)
		client_close(c);
	else if (c->listing)
		go_on(c);
	else
		serve(c); // what came meanwhile
}

static void send_out(struct client *c)
{
	uv_buf_t buf = uv_buf_init((char *)c->out.data, (unsigned)c->out.len);

	c->write.data = c;
	if (uv_write(&c->write, (uv_stream_t *)&c->pipe, &buf, 1, written) < 0)
		client_close(c);
}

static void add_text(struct client *c, const char *text)
{
	if (ctl_bytes_add(&c->out, text, strlen(text)) < 0)
		client_close(c);
}

static void add_json(struct client *c, json_t *o)
{
	char *text = o != NULL ? json_dumps(o, JSON_COMPACT) : NULL;

	add_text(c, text != NULL ? text : "null");
	free(text);
	json_decref(o);
}

static void answer(struct client *c, json_t *o)
{
	add_json(c, o);
	add_text(c, "\n");
	send_out(c);
}

static void answer_error(struct client *c, const char *text)
{
	answer(c, json_pack("{s:s}", "error", text));
}

// ---- Status ----------------------------------------------------------------------------------

// The next piece of {"totals": ..., "sessions": [...]}.
static void go_on(struct client *c)
{
	struct ctl *ctl = c->ctl;
	unsigned n = 0;

	for (; c->next < ctl->table.slots && n < PIECE_SESSIONS; c->next++) {
		const struct ctl_peer *peer = ctl->table.by_slot[c->next];

		if (peer == NULL)
			continue;
		if (!c->first)
			add_text(c, ",");
		c->first = false;
		add_json(c, ctl_status_session(ctl, peer, false));
		n++;
	}
	if (c->next >= ctl->table.slots) {
		c->listing = false;
		add_text(c, "]}\n");
	}
	send_out(c);
}

static void on_status(struct client *c)
{
	add_text(c, "{\"totals\":");
	add_json(c, ctl_status_totals(c->ctl));
	add_text(c, ",\"sessions\":[");
	c->listing = true;
	c->first = true;
	c->next = 0;
	go_on(c);
}

static void on_show(struct client *c, const struct ctl_request *r)
{
	struct ctl *ctl = c->ctl;
	json_t *list = json_array();

	for (uint32_t slot = 0; slot < ctl->table.slots; slot++) {
		const struct ctl_peer *peer = ctl->table.by_slot[slot];

		if (peer != NULL && ctl_status_matches(peer, r->peer))
			(void)json_array_append_new(
				list, ctl_status_session(ctl, peer, true)); // or it is left out
	}
	answer(c, json_pack("{s:o}", "sessions", list));
}

static void on_kick(struct client *c, const struct ctl_request *r)
{
	struct ctl *ctl = c->ctl;
	unsigned n = 0;

	for (uint32_t slot = 0; slot < ctl->table.slots; slot++) {
		struct ctl_peer *peer = ctl->table.by_slot[slot];

		if (peer == NULL || peer->state >= CTL_PEER_CLOSING ||
			!ctl_status_matches(peer, r->peer))
			continue;
		n++;
		ctl_peer_log(CTL_INFO, peer, "kicked by the operator slot=%u", slot);
		// Without TLS it can't be told; its client comes back when it hears nothing.
		if (peer->tls == NULL || !peer->tls->ready)
			ctl_peer_remove(ctl, peer, "kicked");
		else
			ctl_peer_close(ctl, peer, r->halt ? "HALT" : "RESTART,[P]", "kicked");
	}
	if (n == 0)
		answer_error(c, "no such session");
	else
		answer(c, json_pack("{s:i}", "kicked", (int)n));
}

static void handle(struct client *c, const char *line, size_t len)
{
	struct ctl_request r;
	const char *error;

	if (ctl_request_parse(line, len, &r, &error) < 0) {
		answer_error(c, error);
		return;
	}
	switch (r.kind) {
	case CTL_REQUEST_STATUS: on_status(c); break;
	case CTL_REQUEST_SHOW: on_show(c, &r); break;
	case CTL_REQUEST_KICK: on_kick(c, &r); break;
	case CTL_REQUEST_COUNTERS: answer(c, ctl_status_totals(c->ctl)); break;
	}
}

// ---- Connections -----------------------------------------------------------------------------

static void on_alloc(uv_handle_t *pipe, size_t suggested, uv_buf_t *buf)
{
	struct client *c = pipe->data;

	(void)suggested;
	*buf = uv_buf_init(c->line + c->len, (unsigned)(sizeof(c->line) - c->len));
}

// Take the first line, unless an answer is being written: one request at a time. Nothing is read
// while there is no room for it.
static void serve(struct client *c)
{
	bool busy = c->out.len > 0 || c->listing;
	char *end = memchr(c->line, '\n', c->len);

	if (uv_is_closing((uv_handle_t *)&c->pipe))
		return;
	if (end != NULL && !busy) {
		handle(c, c->line, (size_t)(end - c->line));
		c->len -= (size_t)(end + 1 - c->line);
		memmove(c->line, end + 1, c->len);
	} else if (end == NULL && c->len == sizeof(c->line)) {
		client_close(c); // no request is that long
		return;
	}
	if (c->len == sizeof(c->line))
		(void)uv_read_stop((uv_stream_t *)&c->pipe); // never fails
	else if (!uv_is_closing((uv_handle_t *)&c->pipe))
		(void)uv_read_start((uv_stream_t *)&c->pipe, on_alloc,
			on_read); // fails only where it reads already
}

static void on_read(uv_stream_t *stream, ssize_t n, const uv_buf_t *buf)
{
	struct client *c = stream->data;

	(void)buf;
	if (n < 0) {
		client_close(c);
		return;
	}
	c->len += (size_t)n;
	serve(c);
}

static void on_connection(uv_stream_t *server, int status)
{
	struct ctl *ctl = server->data;
	struct client *c;

	if (status < 0)
		return;
	c = calloc(1, sizeof(*c));
	if (c == NULL || uv_pipe_init(ctl->loop, &c->pipe, 0) < 0) {
		free(c);
		return;
	}
	c->ctl = ctl;
	c->pipe.data = c;
	DL_APPEND2(ctl->mgmt->clients, c, prev, next_client);
	ctl->mgmt->count++;
	if (uv_accept(server, (uv_stream_t *)&c->pipe) < 0 || ctl->mgmt->count > CLIENTS_MAX ||
		uv_read_start((uv_stream_t *)&c->pipe, on_alloc, on_read) < 0)
		client_close(c);
}

// ---- Socket ----------------------------------------------------------------------------------

// The file may be left by a control that was killed; one that somebody listens on is an error.
static int clear_path(const struct sockaddr_un *addr)
{
	int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
	struct stat st;
	int rc = 0;

	if (fd < 0)
		return -errno;
	if (connect(fd, (const struct sockaddr *)addr, sizeof(*addr)) == 0)
		rc = -EADDRINUSE;
	else if (lstat(addr->sun_path, &st) == 0)
		rc = !S_ISSOCK(st.st_mode) ? -EEXIST : unlink(addr->sun_path) < 0 ? -errno : 0;
	(void)close(fd); // only asked with it
	return rc;
}

// Whoever we are about to become must be able to accept, and root to connect.
static int give_away(const char *path, const struct cfg_server *cfg)
{
	const struct passwd *pw = getpwnam(cfg->user != NULL ? cfg->user : "nobody");
	const struct group *gr = cfg->group != NULL ? getgrnam(cfg->group) : NULL;

	if (chmod(path, 0660) < 0)
		return -errno;
	if (geteuid() != 0 || pw == NULL)
		return 0;
	return chown(path, pw->pw_uid, gr != NULL ? gr->gr_gid : (gid_t)-1) < 0 ? -errno : 0;
}

static int bind_path(struct ctl_mgmt *m, const struct cfg_server *cfg)
{
	struct sockaddr_un addr = { .sun_family = AF_UNIX };
	int rc;

	if (strlen(cfg->control_socket) >= sizeof(addr.sun_path))
		return -ENAMETOOLONG;
	memcpy(addr.sun_path, cfg->control_socket, strlen(cfg->control_socket));
	rc = clear_path(&addr);
	if (rc < 0)
		return rc;
	m->fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
	if (m->fd < 0)
		return -errno;
	if (bind(m->fd, (struct sockaddr *)&addr, sizeof(addr)) < 0)
		return -errno;
	memcpy(m->path, addr.sun_path, sizeof(m->path)); // from now on it is ours to remove
	return give_away(m->path, cfg);
}

int ctl_mgmt_open(struct ctl *ctl)
{
	struct ctl_mgmt *m = calloc(1, sizeof(*m));
	const char *files[CTL_JANITOR_FILES] = { NULL };
	int rc;

	if (m == NULL)
		return -ENOMEM;
	m->fd = -1;
	m->janitor.fd = -1;
	ctl->mgmt = m;
	rc = bind_path(m, ctl->cfg);
	if (rc < 0)
		ctl_log(CTL_ERROR, "control-socket can't be made path=%s error=\"%s\"",
			ctl->cfg->control_socket,
			rc == -EADDRINUSE ? "another visp-control uses it" : strerror(-rc));
	if (rc < 0)
		return rc;
	files[0] = m->path;
	return ctl_janitor_start(&m->janitor, files);
}

int ctl_mgmt_start(struct ctl *ctl)
{
	struct ctl_mgmt *m = ctl->mgmt;
	int rc = uv_pipe_init(ctl->loop, &m->server, 0);

	if (rc < 0)
		return rc;
	m->server.data = ctl;
	m->listening = true;
	rc = uv_pipe_open(&m->server, m->fd);
	if (rc < 0)
		return rc;
	m->fd = -1;
	return uv_listen((uv_stream_t *)&m->server, 8, on_connection);
}

void ctl_mgmt_stop(struct ctl *ctl)
{
	struct ctl_mgmt *m = ctl->mgmt;
	struct client *c;

	if (m == NULL)
		return;
	DL_FOREACH2(m->clients, c, next_client)
	{
		client_close(c);
	}
	// The file goes before the socket: once nobody listens, a successor puts its own there.
	if (m->janitor.fd >= 0)
		ctl_janitor_clean(&m->janitor);
	else if (m->path[0] != '\0')
		(void)unlink(m->path); // it may be gone
	if (m->listening)
		uv_close((uv_handle_t *)&m->server, NULL);
	if (m->fd >= 0)
		(void)close(m->fd); // never listened on
	while (m->clients != NULL)
		(void)uv_run(ctl->loop, UV_RUN_NOWAIT); // until they are closed
	ctl->mgmt = NULL;
	(void)uv_run(ctl->loop, UV_RUN_NOWAIT); // the server's handle too
	free(m);
}
