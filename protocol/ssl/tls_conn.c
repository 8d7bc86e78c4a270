// SPDX-License-Identifier: BSD-3-Clause
#include "protocol/ssl/tls_conn.h"

#include <errno.h>
#include <limits.h>
#include <openssl/err.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "protocol/ssl/tls_private.h"

// The CRLs that hold now, for a handshake that begins.
static struct ovpn_tls_crls *current_crls(struct ovpn_tls_ctx *ctx)
{
	struct ovpn_tls_crls *crls;

	(void)pthread_mutex_lock(&ctx->crl_lock); // fails for a broken mutex only
	crls = ctx->crls;
	if (crls != NULL)
		(void)atomic_fetch_add(&crls->refs, 1); // the old count is of no use
	(void)pthread_mutex_unlock(&ctx->crl_lock);
	return crls;
}

struct ovpn_tls_conn *ovpn_tls_conn_create(struct ovpn_tls_ctx *ctx)
{
	struct ovpn_tls_conn *conn = calloc(1, sizeof(*conn));

	if (conn == NULL)
		goto fail;
	conn->ssl = SSL_new(ctx->ssl);
	conn->in = BIO_new(BIO_s_mem());
	conn->out = BIO_new(BIO_s_mem());
	if (conn->ssl == NULL || conn->in == NULL || conn->out == NULL)
		goto free_conn;
	SSL_set_bio(conn->ssl, conn->in, conn->out);
	SSL_set_app_data(conn->ssl, conn);
	if (ctx->server)
		SSL_set_accept_state(conn->ssl);
	else
		SSL_set_connect_state(conn->ssl);
	conn->ctx = ovpn_tls_ctx_ref(ctx);
	conn->crls = current_crls(ctx);
	return conn;
free_conn:
	BIO_free(conn->in);
	BIO_free(conn->out);
	SSL_free(conn->ssl);
	free(conn);
fail:
	ERR_clear_error();
	errno = ENOMEM;
	return NULL;
}

struct ovpn_tls_conn *ovpn_tls_conn_free(struct ovpn_tls_conn *conn)
{
	if (conn == NULL)
		return NULL;
	SSL_free(conn->ssl); // frees both BIOs
	free(conn->env);
	(void)ovpn_tls_crls_unref(conn->crls); // NULL
	(void)ovpn_tls_ctx_unref(conn->ctx); // NULL
	free(conn);
	return NULL;
}

int ovpn_tls_conn_feed(struct ovpn_tls_conn *conn, const void *bytes, size_t len)
{
	if (len == 0)
		return 0;
	if (len > INT_MAX || BIO_write(conn->in, bytes, (int)len) != (int)len) {
		ERR_clear_error();
		return -ENOMEM;
	}
	conn->fed += len;
	return 0;
}

// The connection is over; say why, unless verification said so already.
static void fail(struct ovpn_tls_conn *conn)
{
	unsigned long error = ERR_peek_last_error();
	int reason = ERR_GET_REASON(error);
	const char *text = ERR_reason_error_string(error);

	conn->state = OVPN_TLS_FAILED;
	if (conn->error[0] != '\0') {
		ERR_clear_error();
		return;
	}
	// Cutting the text does no harm.
	if (ERR_GET_LIB(error) == ERR_LIB_SSL && reason >= SSL_AD_REASON_OFFSET)
		(void)snprintf(conn->error, sizeof(conn->error), "the peer says: %s",
			SSL_alert_desc_string_long(reason - SSL_AD_REASON_OFFSET));
	else
		(void)snprintf(conn->error, sizeof(conn->error), "%s",
			text != NULL ? text : "TLS failed without a reason");
	ERR_clear_error();
}

// After a call of the library that returned `rc`. Returns the state.
static enum ovpn_tls_state judge(struct ovpn_tls_conn *conn, int rc)
{
	switch (SSL_get_error(conn->ssl, rc)) {
	case SSL_ERROR_NONE:
	case SSL_ERROR_WANT_READ:
	case SSL_ERROR_WANT_WRITE: break;
	case SSL_ERROR_ZERO_RETURN: conn->state = OVPN_TLS_CLOSED; break;
	default: fail(conn); break;
	}
	return conn->state;
}

enum ovpn_tls_state ovpn_tls_conn_step(struct ovpn_tls_conn *conn)
{
	int rc;

	if (conn->state != OVPN_TLS_HANDSHAKE)
		return conn->state;
	ERR_clear_error();
	ovpn_tls_parsed_use(conn->ctx->parsed);
	rc = SSL_do_handshake(conn->ssl);
	ovpn_tls_parsed_use(NULL);
	if (rc == 1) {
		conn->state = OVPN_TLS_READY;
		conn->error[0] = '\0';
		return conn->state;
	}
	return judge(conn, rc);
}

size_t ovpn_tls_conn_pending(struct ovpn_tls_conn *conn, const uint8_t **ret_bytes)
{
	char *bytes = NULL;
	long len = BIO_get_mem_data(conn->out, &bytes);

	*ret_bytes = (const uint8_t *)bytes;
	return len > 0 ? (size_t)len : 0;
}

void ovpn_tls_conn_consume(struct ovpn_tls_conn *conn, size_t len)
{
	char sink[2048];

	while (len > 0) {
		int n = BIO_read(conn->out, sink, (int)(len < sizeof(sink) ? len : sizeof(sink)));

		if (n <= 0)
			break;
		len -= (size_t)n;
	}
	ERR_clear_error();
}

int ovpn_tls_conn_read(struct ovpn_tls_conn *conn, uint8_t *buf, size_t size)
{
	int n;

	if (conn->state == OVPN_TLS_HANDSHAKE)
		return 0;
	if (conn->state != OVPN_TLS_READY)
		return conn->state == OVPN_TLS_CLOSED ? -EPIPE : -EPROTO;
	ERR_clear_error();
	n = SSL_read(conn->ssl, buf, (int)(size < INT_MAX ? size : INT_MAX));
	if (n > 0)
		return n;
	switch (judge(conn, n)) {
	case OVPN_TLS_CLOSED: return -EPIPE;
	case OVPN_TLS_FAILED: return -EPROTO;
	default: return 0;
	}
}

int ovpn_tls_conn_write(struct ovpn_tls_conn *conn, const void *message, size_t len)
{
	int n;

	if (len == 0 || len > OVPN_TLS_MESSAGE_MAX)
		return -EMSGSIZE;
	if (conn->state == OVPN_TLS_HANDSHAKE)
		return -EAGAIN;
	if (conn->state != OVPN_TLS_READY)
		return -EPROTO;
	ERR_clear_error();
	n = SSL_write(conn->ssl, message, (int)len); // memory never blocks
	if (n == (int)len)
		return 0;
	fail(conn);
	return -EPROTO;
}

void ovpn_tls_conn_close(struct ovpn_tls_conn *conn)
{
	if (conn->state == OVPN_TLS_READY)
		(void)SSL_shutdown(conn->ssl); // the peer's answer isn't waited for
	ERR_clear_error();
}

int ovpn_tls_conn_export(
	struct ovpn_tls_conn *conn, const char *label, uint8_t *ret_bytes, size_t len)
{
	int ok;

	if (conn->state != OVPN_TLS_READY)
		return -EAGAIN;
	ok = SSL_export_keying_material(
		conn->ssl, ret_bytes, len, label, strlen(label), NULL, 0, 0);
	ERR_clear_error();
	return ok == 1 ? 0 : -EIO;
}

void ovpn_tls_conn_peer(const struct ovpn_tls_conn *conn, struct ovpn_tls_peer *ret_peer)
{
	*ret_peer = conn->peer;
}

const char *ovpn_tls_conn_error(const struct ovpn_tls_conn *conn)
{
	return conn->error;
}

const char *ovpn_tls_conn_version(const struct ovpn_tls_conn *conn)
{
	return conn->state == OVPN_TLS_READY ? SSL_get_version(conn->ssl) : "";
}

const char *ovpn_tls_conn_cipher(const struct ovpn_tls_conn *conn)
{
	const char *name = conn->state == OVPN_TLS_READY ? SSL_get_cipher_name(conn->ssl) : NULL;

	return name != NULL ? name : "";
}

uint64_t ovpn_tls_conn_fed(const struct ovpn_tls_conn *conn)
{
	return conn->fed;
}

void ovpn_tls_alert(uint8_t description, uint8_t ret_record[7])
{
	const uint8_t record[7] = { SSL3_RT_ALERT, 3, 3, 0, 2, SSL3_AL_FATAL, description };

	memcpy(ret_record, record, sizeof(record));
}
