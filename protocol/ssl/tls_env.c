// SPDX-License-Identifier: BSD-3-Clause
// A peer's certificates as the variables that programs of OpenVPN see: X509_0_CN, tls_id_0, ...
#include <openssl/evp.h>
#include <openssl/objects.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "protocol/ssl/tls_private.h"

#define NAME_MAX_LEN 96
#define ENTRIES_MAX 64 // parts of one subject; more are left out

static void add(struct ovpn_tls_conn *conn, const char *name, const char *value)
{
	size_t n = strlen(name) + strlen(value) + 2;
	char *grown;

	if (conn->env_len + n > OVPN_TLS_ENV_MAX)
		return; // a chain that long says nothing more to anybody
	grown = realloc(conn->env, conn->env_len + n);
	if (grown == NULL)
		return;
	conn->env = grown;
	(void)snprintf(grown + conn->env_len, n, "%s=%s", name, value); // n is exact
	for (char *c = grown + conn->env_len; *c != '\0'; c++) {
		if ((unsigned char)*c < 0x20 || (unsigned char)*c == 0x7f)
			*c = '_';
	}
	conn->env_len += n;
}

static void add_depth(struct ovpn_tls_conn *conn, const char *name, int depth, const char *value)
{
	char text[NAME_MAX_LEN];

	(void)snprintf(text, sizeof(text), "%s_%d", name, depth); // fits
	add(conn, text, value);
}

// How often did an entry of that kind come before number i?
static int repeated(const X509_NAME *name, int i, int nid)
{
	int n = 0;

	for (int at = X509_NAME_get_index_by_NID(name, nid, -1); at >= 0 && at < i;
		at = X509_NAME_get_index_by_NID(name, nid, at))
		n++;
	return n;
}

static void add_entry(struct ovpn_tls_conn *conn, const X509_NAME *name, int i, int depth)
{
	const X509_NAME_ENTRY *entry = X509_NAME_get_entry(name, i);
	int nid = OBJ_obj2nid(X509_NAME_ENTRY_get_object(entry));
	const char *kind = nid != NID_undef ? OBJ_nid2sn(nid) : NULL;
	unsigned char *value = NULL;
	char text[NAME_MAX_LEN];
	int n;

	if (kind == NULL || ASN1_STRING_to_UTF8(&value, X509_NAME_ENTRY_get_data(entry)) < 0)
		return;
	n = repeated(name, i, nid);
	(void)snprintf(text, sizeof(text), "X509_%d_%.48s", depth, kind); // fits
	for (char *c = text; *c != '\0'; c++) {
		if (*c == '-' || *c == '.' || *c == ' ')
			*c = '_'; // not part of a variable's name
	}
	if (n > 0)
		(void)snprintf(text + strlen(text), sizeof(text) - strlen(text), "_%d", n); // fits
	add(conn, text, (const char *)value); // an embedded NUL ends it
	OPENSSL_free(value);
}

static void add_digest(
	struct ovpn_tls_conn *conn, const X509 *cert, const EVP_MD *md, const char *name, int depth)
{
	uint8_t bytes[EVP_MAX_MD_SIZE];
	char text[3 * EVP_MAX_MD_SIZE + 1] = "";
	unsigned len = 0;

	if (!X509_digest(cert, md, bytes, &len))
		return;
	for (unsigned i = 0; i < len; i++)
		(void)snprintf(text + 3 * (size_t)i, 4, "%02x:", bytes[i]); // fits
	text[3 * (size_t)len - 1] = '\0';
	add_depth(conn, name, depth, text);
}

static void add_serial(struct ovpn_tls_conn *conn, const X509 *cert, int depth)
{
	BIGNUM *number = ASN1_INTEGER_to_BN(X509_get0_serialNumber(cert), NULL);
	char *decimal = number != NULL ? BN_bn2dec(number) : NULL;

	if (decimal != NULL)
		add_depth(conn, "tls_serial", depth, decimal);
	OPENSSL_free(decimal);
	BN_free(number);
}

// "02" or "12:43:8a".
static void add_serial_hex(struct ovpn_tls_conn *conn, const X509 *cert, int depth)
{
	const ASN1_INTEGER *serial = X509_get0_serialNumber(cert);
	char text[OVPN_TLS_SERIAL_MAX * 2] = "";
	size_t at = 0;

	for (int i = 0; i < serial->length && at + 4 < sizeof(text); i++)
		at += (size_t)snprintf(
			text + at, sizeof(text) - at, "%s%02x", i > 0 ? ":" : "", serial->data[i]);
	add_depth(conn, "tls_serial_hex", depth, text);
}

void ovpn_tls_env_fill(struct ovpn_tls_conn *conn, const STACK_OF(X509) * chain)
{
	free(conn->env);
	conn->env = NULL;
	conn->env_len = 0;
	for (int depth = sk_X509_num(chain) - 1; depth >= 0; depth--) {
		const X509 *cert = sk_X509_value(chain, depth);
		const X509_NAME *name = X509_get_subject_name(cert);
		char subject[1024];

		for (int i = 0; i < X509_NAME_entry_count(name) && i < ENTRIES_MAX; i++)
			add_entry(conn, name, i, depth);
		ovpn_tls_subject(cert, subject, sizeof(subject));
		add_depth(conn, "tls_id", depth, subject);
		add_digest(conn, cert, EVP_sha1(), "tls_digest", depth);
		add_digest(conn, cert, EVP_sha256(), "tls_digest_sha256", depth);
		add_serial(conn, cert, depth);
		add_serial_hex(conn, cert, depth);
	}
}

const char *ovpn_tls_conn_env(const struct ovpn_tls_conn *conn, size_t *ret_len)
{
	*ret_len = conn->env_len;
	return conn->env;
}
