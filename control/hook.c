// SPDX-License-Identifier: BSD-3-Clause
#include "control/hook.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>
#include <utlist.h>
#include <uv.h>

#include "config/server.h"
#include "control/ctl.h"
#include "control/hook_helper.h"
#include "control/log.h"

#define ANSWERS_MAX 64u // taken in one go, before others get their turn

// A request until its last answer.
struct ask {
	struct ask *prev, *next;
	uint64_t id;
	void *who; // compared only
	ctl_hook_done_fn *done;
	uint8_t *bytes; // not sent yet; NULL: the helper has it
	size_t len;
};

struct helper {
	struct ctl_hooks *hooks;
	int fd; // -1: there is none
	pid_t pid;
	uv_poll_t poll;
	bool polled;
	struct ask *asks; // in order of asking
};

struct ctl_hooks {
	struct ctl *ctl;
	struct helper programs;
	struct helper pam;
	uint64_t id; // of the newest request
	unsigned waiting;
	uint8_t buf[CTL_HOOK_MESSAGE_MAX]; // an answer
	uint8_t out[CTL_HOOK_MESSAGE_MAX]; // a request
};

static void free_ask(struct ctl_hooks *hooks, struct helper *h, struct ask *ask)
{
	DL_DELETE(h->asks, ask);
	hooks->waiting--;
	if (ask->bytes != NULL)
		explicit_bzero(ask->bytes, ask->len);
	free(ask->bytes);
	free(ask);
}

// ---- Sending ---------------------------------------------------------------------------------

static void watch(struct helper *h, bool writable);

// Send what waits, as far as the socket takes it: the helper reads no more than it can do at once.
static void flush(struct helper *h)
{
	struct ask *ask;

	DL_FOREACH(h->asks, ask)
	{
		if (ask->bytes == NULL)
			continue;
		if (send(h->fd, ask->bytes, ask->len, MSG_NOSIGNAL | MSG_DONTWAIT) < 0) {
			watch(h, errno == EAGAIN);
			return; // another error shows as the end of the connection
		}
		explicit_bzero(ask->bytes, ask->len);
		free(ask->bytes);
		ask->bytes = NULL;
	}
	watch(h, false);
}

static struct helper *helper_of(struct ctl_hooks *hooks, uint32_t kind)
{
	return kind == CTL_HOOK_PAM ? &hooks->pam : &hooks->programs;
}

int ctl_hooks_ask(struct ctl_hooks *hooks, void *who, struct ctl_hook_message *request,
	ctl_hook_done_fn *done)
{
	struct helper *h = hooks != NULL ? helper_of(hooks, request->what) : NULL;
	struct ask *ask;
	size_t len;

	if (h == NULL || h->fd < 0)
		return -ENOTCONN;
	if (hooks->waiting >= CTL_HOOK_JOBS) // more clients are asked to come back
		return -EBUSY;
	request->id = ++hooks->id;
	if (ctl_hook_build(request, hooks->out, sizeof(hooks->out), &len) < 0)
		return -EMSGSIZE;
	ask = calloc(1, sizeof(*ask));
	if (ask == NULL || (ask->bytes = malloc(len)) == NULL) {
		free(ask);
		explicit_bzero(hooks->out, len);
		return -ENOMEM;
	}
	memcpy(ask->bytes, hooks->out, len);
	explicit_bzero(hooks->out, len);
	ask->len = len;
	ask->id = request->id;
	ask->who = who;
	ask->done = done;
	DL_APPEND(h->asks, ask);
	hooks->waiting++;
	flush(h);
	return 0;
}

static void forget(struct ctl_hooks *hooks, struct helper *h, const void *who)
{
	struct ctl_hook_message m = { .what = CTL_HOOK_CANCEL };
	struct ask *ask, *tmp;
	uint8_t buf[64];
	size_t len;

	DL_FOREACH_SAFE(h->asks, ask, tmp)
	{
		if (ask->who != who)
			continue;
		m.id = ask->id;
		// If the socket is full, the program ends by its own time-out.
		if (ask->bytes == NULL && ctl_hook_build(&m, buf, sizeof(buf), &len) == 0)
			(void)send(h->fd, buf, len, MSG_NOSIGNAL | MSG_DONTWAIT);
		free_ask(hooks, h, ask);
	}
}

void ctl_hooks_forget(struct ctl_hooks *hooks, const void *who)
{
	if (hooks == NULL)
		return;
	forget(hooks, &hooks->programs, who);
	forget(hooks, &hooks->pam, who);
}

// ---- Answers ---------------------------------------------------------------------------------

static void take(struct helper *h, const struct ctl_hook_message *m)
{
	struct ctl_hooks *hooks = h->hooks;
	ctl_hook_done_fn *done;
	struct ask *ask;
	void *who;

	DL_SEARCH_SCALAR(h->asks, ask, id, m->id);
	if (ask == NULL || ask->bytes != NULL)
		return; // forgotten
	who = ask->who;
	done = ask->done;
	if (m->what != CTL_HOOK_PENDING)
		free_ask(hooks, h, ask);
	done(hooks->ctl, who, m);
}

// Without its helper control can let nobody in. It can't make another one, having given up the
// right to; the next control can, and takes the sessions over.
static void lost(struct helper *h)
{
	struct ctl *ctl = h->hooks->ctl;

	ctl_log(CTL_ERROR, "a helper process has ended, so does this one pid=%d", (int)h->pid);
	(void)uv_poll_stop(&h->poll);
	ctl->exit_status = 1;
	uv_stop(ctl->loop);
}

static void on_poll(uv_poll_t *poll, int status, int events)
{
	struct helper *h = poll->data;
	struct ctl_hooks *hooks = h->hooks;
	struct ctl_hook_message m;

	if (status < 0) {
		lost(h);
		return;
	}
	for (unsigned i = 0; i < ANSWERS_MAX && (events & (UV_READABLE | UV_DISCONNECT)) != 0;
		i++) {
		ssize_t n = recv(h->fd, hooks->buf, sizeof(hooks->buf), MSG_DONTWAIT);

		if (n < 0 && (errno == EAGAIN || errno == EINTR))
			break;
		if (n <= 0) {
			lost(h);
			return;
		}
		if (ctl_hook_parse_answer(hooks->buf, (size_t)n, &m) < 0) {
			ctl_log(CTL_ERROR, "a helper process sends nonsense");
			lost(h);
			return;
		}
		take(h, &m);
	}
	flush(h);
}

static void watch(struct helper *h, bool writable)
{
	if (h->polled) // else ctl_hooks_start() does
		(void)uv_poll_start(&h->poll,
			UV_READABLE | UV_DISCONNECT | (writable ? UV_WRITABLE : 0), on_poll);
}

// ---- Life ------------------------------------------------------------------------------------

static int fork_one(struct ctl_hooks *hooks, struct helper *h, bool pam)
{
	int rc = ctl_hook_fork(hooks->ctl->cfg, pam, &h->fd, &h->pid);

	if (rc < 0)
		ctl_log(CTL_ERROR, "helper process can't be made error=\"%s\"", strerror(-rc));
	return rc;
}

int ctl_hooks_create(struct ctl *ctl, struct ctl_hooks **ret_hooks)
{
	const struct cfg_auth *auth = &ctl->cfg->auth;
	struct ctl_hooks *hooks;
	int rc = 0;

	if (!cfg_auth_runs(auth))
		return 0;
	hooks = calloc(1, sizeof(*hooks));
	if (hooks == NULL)
		return -ENOMEM;
	hooks->ctl = ctl;
	hooks->programs = (struct helper){ .hooks = hooks, .fd = -1 };
	hooks->pam = (struct helper){ .hooks = hooks, .fd = -1 };
	if (cfg_auth_programs(auth))
		rc = fork_one(hooks, &hooks->programs, false);
	if (rc == 0 && auth->pam.service != NULL)
		rc = fork_one(hooks, &hooks->pam, true);
	if (rc < 0) {
		(void)ctl_hooks_free(hooks); // NULL
		return rc;
	}
	*ret_hooks = hooks;
	return 0;
}

static int start_one(struct ctl_hooks *hooks, struct helper *h)
{
	int rc = h->fd >= 0 ? uv_poll_init(hooks->ctl->loop, &h->poll, h->fd) : 0;

	if (rc < 0 || h->fd < 0)
		return rc;
	h->poll.data = h;
	h->polled = true;
	watch(h, false);
	return 0;
}

int ctl_hooks_start(struct ctl_hooks *hooks)
{
	int rc;

	if (hooks == NULL)
		return 0;
	rc = start_one(hooks, &hooks->programs);
	return rc == 0 ? start_one(hooks, &hooks->pam) : rc;
}

static void end_one(struct ctl_hooks *hooks, struct helper *h)
{
	struct ask *ask, *tmp;

	DL_FOREACH_SAFE(h->asks, ask, tmp)
	free_ask(hooks, h, ask);
	if (h->polled)
		(void)uv_poll_stop(&h->poll); // of a descriptor that is still open
	if (h->fd >= 0)
		(void)close(h->fd); // which is what tells the helper
	h->fd = -1;
}

static void on_closed(uv_handle_t *handle)
{
	struct helper *h = handle->data;

	h->polled = false;
	if (!h->hooks->programs.polled && !h->hooks->pam.polled)
		free(h->hooks);
}

struct ctl_hooks *ctl_hooks_free(struct ctl_hooks *hooks)
{
	bool programs, pam;

	if (hooks == NULL)
		return NULL;
	end_one(hooks, &hooks->programs);
	end_one(hooks, &hooks->pam);
	programs = hooks->programs.polled;
	pam = hooks->pam.polled;
	if (programs)
		uv_close((uv_handle_t *)&hooks->programs.poll, on_closed);
	if (pam)
		uv_close((uv_handle_t *)&hooks->pam.poll, on_closed);
	if (!programs && !pam)
		free(hooks);
	return NULL;
}
