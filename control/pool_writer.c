// SPDX-License-Identifier: BSD-3-Clause
#include "control/pool_writer.h"

#include <errno.h>
#include <stdlib.h>

#include "control/pool.h"

static void work(void *arg)
{
	struct ctl_pool_writer *w = arg;

	w->rc = ctl_pool_store(w->path, w->text, w->len);
	uv_mutex_lock(&w->lock);
	w->ended = true;
	uv_mutex_unlock(&w->lock);
}

int ctl_pool_writer_begin(struct ctl_pool_writer *w, const char *path, char *text, size_t len)
{
	int rc = -EBUSY;

	if (w->busy)
		goto free_text;
	rc = uv_mutex_init(&w->lock);
	if (rc < 0)
		goto free_text;
	w->path = path;
	w->text = text;
	w->len = len;
	w->ended = false;
	rc = uv_thread_create(&w->thread, work, w);
	if (rc < 0)
		goto destroy_lock;
	w->busy = true;
	return 0;

destroy_lock:
	uv_mutex_destroy(&w->lock);
	w->text = NULL;
free_text:
	free(text);
	return rc;
}

bool ctl_pool_writer_end(struct ctl_pool_writer *w, bool wait, int *ret_rc)
{
	bool ended;

	if (!w->busy)
		return false;
	uv_mutex_lock(&w->lock);
	ended = w->ended;
	uv_mutex_unlock(&w->lock);
	if (!ended && !wait)
		return false;
	(void)uv_thread_join(&w->thread); // fails only for a thread that isn't there
	uv_mutex_destroy(&w->lock);
	free(w->text);
	w->text = NULL;
	w->busy = false;
	*ret_rc = w->rc;
	return true;
}
