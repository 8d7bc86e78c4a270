// SPDX-License-Identifier: BSD-3-Clause
#include "control/tls_pool.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "protocol/bytes.h"
#include "protocol/tls/keys.h"

struct thread {
	struct ctl_tls_pool *pool;
	uv_thread_t id;
	uv_mutex_t lock;
	uv_cond_t more;
	struct ctl_tls_job *first, *last; // waiting; under lock
	bool stop; // under lock
};

struct ctl_tls_pool {
	uv_loop_t *loop;
	uv_async_t async;
	uv_mutex_t lock;
	struct ctl_tls_job *first, *last; // finished; under lock
	struct ctl_tls_job *own_first, *own_last; // finished in the event loop
	unsigned threads;
	struct thread thread[CTL_TLS_THREADS_MAX];
};

// ---- Bytes and messages ----------------------------------------------------------------------

int ctl_bytes_add(struct ctl_bytes *b, const void *data, size_t len)
{
	if (len == 0)
		return 0;
	if (b->cap - b->len < len) {
		size_t cap = b->cap != 0 ? b->cap : 512;
		uint8_t *grown;

		while (cap < b->len + len)
			cap *= 2;
		// Not realloc: it would leave a copy of secrets behind.
		grown = malloc(cap);
		if (grown == NULL)
			return -ENOMEM;
		if (b->len > 0)
			memcpy(grown, b->data, b->len);
		if (b->data != NULL)
			explicit_bzero(b->data, b->cap);
		free(b->data);
		b->data = grown;
		b->cap = cap;
	}
	memcpy(b->data + b->len, data, len);
	b->len += len;
	return 0;
}

void ctl_bytes_consume(struct ctl_bytes *b, size_t len)
{
	if (len == 0)
		return;
	if (len >= b->len) {
		b->len = 0;
		return;
	}
	memmove(b->data, b->data + len, b->len - len);
	b->len -= len;
}

void ctl_bytes_done(struct ctl_bytes *b)
{
	if (b->data != NULL)
		explicit_bzero(b->data, b->cap);
	free(b->data);
	*b = (struct ctl_bytes){ 0 };
}

int ctl_tls_message_add(struct ctl_bytes *b, const void *message, size_t len)
{
	uint8_t head[2];
	size_t before = b->len;

	ovpn_put_be16(head, (uint16_t)len);
	if (ctl_bytes_add(b, head, sizeof(head)) < 0 || ctl_bytes_add(b, message, len) < 0) {
		b->len = before;
		return -ENOMEM;
	}
	return 0;
}

size_t ctl_tls_message_next(const struct ctl_bytes *b, size_t *pos, const uint8_t **ret_message)
{
	size_t len;

	if (b->len - *pos < 2)
		return 0;
	len = ovpn_get_be16(b->data + *pos);
	*ret_message = b->data + *pos + 2;
	*pos += 2 + len;
	return len;
}

void ctl_tls_job_done(struct ctl_tls_job *job)
{
	job->conn = ovpn_tls_conn_free(job->conn);
	ctl_bytes_done(&job->in);
	ctl_bytes_done(&job->messages);
	ctl_bytes_done(&job->out);
	ctl_bytes_done(&job->read);
	ctl_bytes_done(&job->cert_env);
	explicit_bzero(job->data_keys, sizeof(job->data_keys));
	explicit_bzero(job->dynamic_key, sizeof(job->dynamic_key));
}

// ---- In the thread ---------------------------------------------------------------------------

static void on_ready(struct ctl_tls_job *job)
{
	const char *env;
	size_t env_len;

	job->became_ready = true;
	ovpn_tls_conn_peer(job->conn, &job->peer);
	env = ovpn_tls_conn_env(job->conn, &env_len);
	if (env != NULL && ctl_bytes_add(&job->cert_env, env, env_len) < 0)
		job->no_memory = true;
	(void)snprintf(job->version, sizeof(job->version), "%s", ovpn_tls_conn_version(job->conn));
	(void)snprintf(job->suite, sizeof(job->suite), "%s", ovpn_tls_conn_cipher(job->conn));
	if (!job->want_keys)
		return;
	job->exported = ovpn_tls_conn_export(job->conn, OVPN_EXPORTER_DATA_KEYS, job->data_keys,
				sizeof(job->data_keys)) == 0 &&
		ovpn_tls_conn_export(job->conn, OVPN_EXPORTER_DYNAMIC, job->dynamic_key,
			sizeof(job->dynamic_key)) == 0;
}

static void step(struct ctl_tls_job *job)
{
	job->state = ovpn_tls_conn_step(job->conn);
	if (job->state == OVPN_TLS_READY && job->version[0] == '\0')
		on_ready(job);
	if (job->state == OVPN_TLS_FAILED) {
		ovpn_tls_conn_peer(job->conn, &job->peer);
		(void)snprintf(
			job->error, sizeof(job->error), "%s", ovpn_tls_conn_error(job->conn));
	}
}

static void write_messages(struct ctl_tls_job *job)
{
	const uint8_t *message;
	size_t pos = 0;
	size_t used = 0;
	size_t len;

	while (job->state == OVPN_TLS_READY &&
		(len = ctl_tls_message_next(&job->messages, &pos, &message)) > 0) {
		if (ovpn_tls_conn_write(job->conn, message, len) < 0)
			break;
		used = pos;
	}
	ctl_bytes_consume(&job->messages, used);
}

static void read_messages(struct ctl_tls_job *job)
{
	uint8_t buf[OVPN_TLS_MESSAGE_MAX];
	int n = 0;

	for (unsigned i = 0; i < CTL_TLS_MESSAGES_MAX; i++) {
		n = ovpn_tls_conn_read(job->conn, buf, sizeof(buf));
		if (n <= 0)
			break;
		if (ctl_tls_message_add(&job->read, buf, (size_t)n) < 0)
			job->no_memory = true;
	}
	job->more = n > 0;
	if (n == -EPIPE)
		job->state = OVPN_TLS_CLOSED;
	else if (n < 0)
		step(job); // it says why
	explicit_bzero(buf, sizeof(buf));
}

static void work(struct ctl_tls_job *job)
{
	const uint8_t *bytes;
	size_t n;

	if (job->conn == NULL)
		job->conn = ovpn_tls_conn_create(job->ctx);
	if (job->conn == NULL || ovpn_tls_conn_feed(job->conn, job->in.data, job->in.len) < 0) {
		job->no_memory = true;
		return;
	}
	job->in.len = 0;
	job->more = false;
	step(job);
	write_messages(job);
	if (job->state == OVPN_TLS_READY)
		read_messages(job);
	n = ovpn_tls_conn_pending(job->conn, &bytes);
	if (n > 0 && ctl_bytes_add(&job->out, bytes, n) == 0)
		ovpn_tls_conn_consume(job->conn, n);
}

static void append(struct ctl_tls_job **first, struct ctl_tls_job **last, struct ctl_tls_job *job)
{
	job->next = NULL;
	if (*last != NULL)
		(*last)->next = job;
	else
		*first = job;
	*last = job;
}

static struct ctl_tls_job *next_job(struct thread *t)
{
	struct ctl_tls_job *job;

	uv_mutex_lock(&t->lock);
	while (t->first == NULL && !t->stop)
		uv_cond_wait(&t->more, &t->lock);
	job = t->first;
	if (job != NULL)
		t->first = job->next;
	if (t->first == NULL)
		t->last = NULL;
	uv_mutex_unlock(&t->lock);
	return job;
}

static void thread_main(void *arg)
{
	struct thread *t = arg;
	struct ctl_tls_pool *pool = t->pool;
	struct ctl_tls_job *job;

	while ((job = next_job(t)) != NULL) {
		work(job);
		uv_mutex_lock(&pool->lock);
		append(&pool->first, &pool->last, job);
		uv_mutex_unlock(&pool->lock);
		(void)uv_async_send(&pool->async); // fails only for a handle of another type
	}
}

// ---- In the event loop -----------------------------------------------------------------------

static void call_done(struct ctl_tls_job *job)
{
	while (job != NULL) {
		struct ctl_tls_job *next = job->next;

		job->next = NULL;
		job->done(job);
		job = next;
	}
}

static void collect(struct ctl_tls_pool *pool)
{
	struct ctl_tls_job *job;

	uv_mutex_lock(&pool->lock);
	job = pool->first;
	pool->first = NULL;
	pool->last = NULL;
	uv_mutex_unlock(&pool->lock);
	call_done(job);
}

void ctl_tls_pool_collect_own(struct ctl_tls_pool *pool)
{
	while (pool != NULL && pool->own_first != NULL) {
		struct ctl_tls_job *job = pool->own_first;

		pool->own_first = NULL;
		pool->own_last = NULL;
		call_done(job);
	}
}

static void async_cb(uv_async_t *async)
{
	collect(async->data);
}

static int start_thread(struct ctl_tls_pool *pool)
{
	struct thread *t = &pool->thread[pool->threads];

	t->pool = pool;
	if (uv_mutex_init(&t->lock) < 0)
		return -ENOMEM;
	if (uv_cond_init(&t->more) < 0)
		goto destroy_lock;
	if (uv_thread_create(&t->id, thread_main, t) < 0)
		goto destroy_cond;
	pool->threads++;
	return 0;

destroy_cond:
	uv_cond_destroy(&t->more);
destroy_lock:
	uv_mutex_destroy(&t->lock);
	return -EAGAIN;
}

struct ctl_tls_pool *ctl_tls_pool_create(uv_loop_t *loop, unsigned threads)
{
	struct ctl_tls_pool *pool = calloc(1, sizeof(*pool));

	if (pool == NULL)
		return NULL;
	if (threads > CTL_TLS_THREADS_MAX)
		threads = CTL_TLS_THREADS_MAX;
	pool->loop = loop;
	if (uv_mutex_init(&pool->lock) < 0)
		goto free_pool;
	if (uv_async_init(loop, &pool->async, async_cb) < 0)
		goto destroy_lock;
	pool->async.data = pool;
	while (pool->threads < threads && start_thread(pool) == 0)
		;
	if (pool->threads > 0)
		return pool;
	uv_close((uv_handle_t *)&pool->async, NULL);
	(void)uv_run(loop, UV_RUN_NOWAIT); // lets the handle go before its memory does

destroy_lock:
	uv_mutex_destroy(&pool->lock);
free_pool:
	free(pool);
	errno = EAGAIN;
	return NULL;
}

static void free_closed(uv_handle_t *handle)
{
	free(handle->data);
}

struct ctl_tls_pool *ctl_tls_pool_free(struct ctl_tls_pool *pool)
{
	if (pool == NULL)
		return NULL;
	for (unsigned i = 0; i < pool->threads; i++) {
		struct thread *t = &pool->thread[i];

		uv_mutex_lock(&t->lock);
		t->stop = true;
		uv_cond_signal(&t->more);
		uv_mutex_unlock(&t->lock);
		(void)uv_thread_join(&t->id); // the thread ends when its queue is empty
		uv_cond_destroy(&t->more);
		uv_mutex_destroy(&t->lock);
	}
	pool->threads = 0;
	collect(pool);
	ctl_tls_pool_collect_own(pool);
	uv_mutex_destroy(&pool->lock);
	uv_close((uv_handle_t *)&pool->async, free_closed);
	return NULL;
}

// A connection that is up has no signature to make or verify; what TLS does for one packet of it,
// key updates included, is less than waking a thread.
static bool is_small(const struct ctl_tls_job *job)
{
	return job->conn != NULL && job->state == OVPN_TLS_READY && job->version[0] != '\0' &&
		job->in.len <= CTL_TLS_OWN_MAX && job->messages.len <= CTL_TLS_OWN_MAX;
}

void ctl_tls_pool_submit(struct ctl_tls_pool *pool, struct ctl_tls_job *job)
{
	struct thread *t = &pool->thread[job->shard % pool->threads];

	if (is_small(job)) {
		work(job);
		append(&pool->own_first, &pool->own_last, job);
		return;
	}
	uv_mutex_lock(&t->lock);
	append(&t->first, &t->last, job);
	uv_mutex_unlock(&t->lock);
	uv_cond_signal(&t->more); // unlocked: it would only wait for us
}
