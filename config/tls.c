// SPDX-License-Identifier: BSD-3-Clause
// Long because each option about certificates, keys and ciphers is a function of a few lines.
#include "config/tls.h"

#include <ctype.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <sys/stat.h>
#include <unistd.h>

#include "config/cipher.h"
#include "config/number.h"
#include "config/tls_apply.h"
#include "protocol/cipher.h"

#define FINGERPRINTS_MAX 65536

void cfg_tls_defaults(struct cfg_tls *tls)
{
	*tls = (struct cfg_tls){
		.wrap.key_direction = -1,
		.version_min = CFG_TLS_1_2,
		.auth = "SHA1",
		.reneg_sec = 3600,
		.reneg_sec_min = 3600,
		.hand_window_s = 60,
		.tran_window_s = 3600,
		.tls_timeout_s = 2,
		.data_ciphers = CFG_DATA_CIPHERS_DEFAULT,
	};
}

static int set_dh(struct cfg_apply *a, const struct cfg_line *l, void *at)
{
	if (l->text == NULL && strcmp(l->argv[1], "none") == 0) {
		*(struct cfg_blob *)at = (struct cfg_blob){ 0 };
		return 0;
	}
	return cfg_set_blob(a, l, at);
}

static int set_crl(struct cfg_apply *a, const struct cfg_line *l, void *at)
{
	static const char *const choices[] = { "dir", NULL };
	struct cfg_tls *tls = at;

	if (l->argc <= 2)
		return cfg_set_blob(a, l, &tls->crl);
	if (cfg_word_choice(a, l, 2, choices) < 0)
		return -EINVAL;
	tls->crl_dir_line = l;
	return cfg_set_str(a, l, &tls->crl_dir);
}

// "AB:CD:...", 32 bytes. Returns false when it isn't that.
static bool parse_fingerprint(const char *text, size_t len, uint8_t *ret_bytes)
{
	if (len != 3 * CFG_FINGERPRINT - 1)
		return false;
	for (size_t i = 0; i < CFG_FINGERPRINT; i++, text += 3) {
		const char hex[3] = { text[0], text[1], '\0' };

		if (!isxdigit((unsigned char)text[0]) || !isxdigit((unsigned char)text[1]) ||
			(i + 1 < CFG_FINGERPRINT && text[2] != ':'))
			return false;
		ret_bytes[i] = (uint8_t)strtoul(hex, NULL, 16);
	}
	return true;
}

static int add_fingerprint(struct cfg_apply *a, const struct cfg_line *l, struct cfg_tls *tls,
	const char *text, size_t len)
{
	uint8_t bytes[CFG_FINGERPRINT];
	int rc;

	if (!parse_fingerprint(text, len, bytes))
		return cfg_fail(a, l,
			"'%s': '%.*s' isn't a SHA-256 fingerprint, 32 bytes in hex with ':'",
			l->argv[0], (int)(len > 100 ? 100 : len), text);
	rc = cfg_mem_grow(
		a->mem, &tls->fingerprints, tls->n_fingerprints, FINGERPRINTS_MAX, sizeof(bytes));
	if (rc == -E2BIG)
		return cfg_fail(a, l, "'%s': more than %d of them", l->argv[0], FINGERPRINTS_MAX);
	if (rc < 0)
		return cfg_fail_memory(a, l);
	memcpy(tls->fingerprints[tls->n_fingerprints++], bytes, sizeof(bytes));
	return 0;
}

// One as an argument, or one a line inline, with comments as in the file itself.
static int set_fingerprint(struct cfg_apply *a, const struct cfg_line *l, void *at)
{
	const char *line = l->text;
	int rc = 0;

	if (l->text == NULL)
		return add_fingerprint(a, l, at, l->argv[1], strlen(l->argv[1]));
	while (*line != '\0' && rc == 0) {
		size_t whole = strcspn(line, "\n");
		size_t skip = strspn(line, " \t");
		size_t len = strcspn(line + skip, " \t\r\n#;");

		if (len > 0)
			rc = add_fingerprint(a, l, at, line + skip, len);
		line += whole + (line[whole] == '\n' ? 1 : 0);
	}
	return rc;
}

static int set_askpass(struct cfg_apply *a, const struct cfg_line *l, void *at)
{
	if (l->argc < 2)
		return cfg_fail(a, l, "'%s' needs a file; nobody can be asked", l->argv[0]);
	return cfg_set_blob(a, l, at);
}

static int set_version(struct cfg_apply *a, const struct cfg_line *l, void *at)
{
	static const char *const choices[] = { "1.0", "1.1", "1.2", "1.3", NULL };
	int i = cfg_word_choice(a, l, 1, choices);

	if (i < 0)
		return i;
	*(enum cfg_tls_version *)at = (enum cfg_tls_version)(CFG_TLS_1_0 + i);
	return 0;
}

static int set_version_min(struct cfg_apply *a, const struct cfg_line *l, void *at)
{
	struct cfg_tls *tls = at;

	if (l->argc > 2 && strcmp(l->argv[2], "or-highest") != 0)
		return cfg_fail(a, l, "'%s' takes 'or-highest' as second argument, got '%.60s'",
			l->argv[0], l->argv[2]);
	tls->version_min_said = true;
	return set_version(a, l, &tls->version_min);
}

static int set_x509_name(struct cfg_apply *a, const struct cfg_line *l, void *at)
{
	static const char *const choices[] = { "subject", "name", "name-prefix", NULL };
	struct cfg_tls *tls = at;
	int i = l->argc > 2 ? cfg_word_choice(a, l, 2, choices) : 0;

	if (i < 0)
		return i;
	if (l->argv[1][0] == '\0')
		return cfg_fail(a, l, "'%s' has an empty name", l->argv[0]);
	tls->x509_name = l->argv[1];
	tls->x509_name_type = (enum cfg_x509_name)(CFG_X509_SUBJECT + i);
	return 0;
}

static int set_purpose(struct cfg_apply *a, const struct cfg_line *l, void *at)
{
	static const char *const choices[] = { "server", "client", NULL };
	int i = cfg_word_choice(a, l, 1, choices);

	if (i < 0)
		return i;
	*(enum cfg_purpose *)at = i == 0 ? CFG_PURPOSE_SERVER : CFG_PURPOSE_CLIENT;
	return 0;
}

// Hex, as in a0; 0x before it is fine.
static int set_ku(struct cfg_apply *a, const struct cfg_line *l, void *at)
{
	struct cfg_ku ku = { .wanted = true };

	for (unsigned i = 1; i < l->argc; i++) {
		char *end;
		unsigned long bits = strtoul(l->argv[i], &end, 16);

		if (!isxdigit((unsigned char)l->argv[i][0]) || *end != '\0' || bits == 0 ||
			bits > 0xff)
			return cfg_fail(a, l, "'%s' takes key usages in hex, 01 to ff, not '%s'",
				l->argv[0], l->argv[i]);
		ku.any_of[ku.n++] = (uint8_t)bits; // no more arguments than there are places
	}
	*(struct cfg_ku *)at = ku;
	return 0;
}

// Append a name to the colon list. Returns 0, -ENOSPC.
static int ciphers_append(char *list, const char *name)
{
	size_t len = strlen(list);
	int n = snprintf(list + len, CFG_CIPHERS_TEXT - len, "%s%s", len > 0 ? ":" : "", name);

	return n < 0 || len + (size_t)n >= CFG_CIPHERS_TEXT ? -ENOSPC : 0;
}

// A cipher that works, but that one had better know about.
static void cipher_remark(struct cfg_apply *a, const struct cfg_line *l, const char *name)
{
	if (strcmp(name, "none") == 0)
		cfg_remark(a, CFG_NOTE_WARNING, l,
			"'%s': none means that packets are signed but readable by everybody",
			l->argv[0]);
	else if (strcmp(name, "BF-CBC") == 0 || strcmp(name, "DES-EDE3-CBC") == 0)
		cfg_remark(a, CFG_NOTE_WARNING, l,
			"'%s': %s has blocks of 64 bits, so its keys are renewed every 64 MiB",
			l->argv[0], name);
}

// One item of data-ciphers: NAME, ?NAME (optional) or DEFAULT.
static int ciphers_item(
	struct cfg_apply *a, const struct cfg_line *l, const char *item, size_t len, char *list)
{
	const bool optional = len > 0 && item[0] == '?';
	char name[32];
	const char *known;
	bool works;

	if (optional) {
		item++;
		len--;
	}
	if (len == 7 && strncasecmp(item, "DEFAULT", 7) == 0)
		return ciphers_append(list, CFG_DATA_CIPHERS_DEFAULT);
	if (len == 0 || len >= sizeof(name))
		return cfg_fail(a, l, "'%s': '%.*s' isn't the name of a cipher", l->argv[0],
			(int)(len > 60 ? 60 : len), item);
	memcpy(name, item, len);
	name[len] = '\0';
	known = cfg_cipher_normalise(name, &works);
	if (known == NULL && !optional)
		return cfg_fail(a, l, "'%s': unknown cipher '%s'", l->argv[0], name);
	if (known == NULL || !works) {
		cfg_remark(a, CFG_NOTE_IGNORED, l,
			"'%s': %s is left out, the data channel doesn't have it", l->argv[0], name);
		return 0;
	}
	cipher_remark(a, l, known);
	return ciphers_append(list, known);
}

static int set_data_ciphers(struct cfg_apply *a, const struct cfg_line *l, void *at)
{
	char list[CFG_CIPHERS_TEXT] = "";
	const char *item = l->argv[1];

	for (;;) {
		size_t len = strcspn(item, ":");
		int rc = ciphers_item(a, l, item, len, list);

		if (rc == -ENOSPC)
			return cfg_fail(a, l, "'%s': the list is longer than %d characters",
				l->argv[0], CFG_CIPHERS_TEXT - 1);
		if (rc < 0)
			return rc;
		if (item[len] == '\0')
			break;
		item += len + 1;
	}
	if (list[0] == '\0')
		return cfg_fail(a, l, "'%s': no cipher is left; known are %s", l->argv[0],
			CFG_DATA_CIPHERS_DEFAULT);
	memcpy(at, list, sizeof(list));
	return 0;
}

// A single cipher: what peers that don't negotiate are told, or use.
static int set_cipher(struct cfg_apply *a, const struct cfg_line *l, void *at)
{
	bool works;
	const char *known = cfg_cipher_normalise(l->argv[1], &works);

	if (known == NULL)
		return cfg_fail(a, l, "'%s': unknown cipher '%.60s'", l->argv[0], l->argv[1]);
	*(const char **)at = known;
	return 0;
}

static int set_fallback(struct cfg_apply *a, const struct cfg_line *l, void *at)
{
	bool works;
	const char *known = cfg_cipher_normalise(l->argv[1], &works);

	if (known != NULL && !works)
		return cfg_fail(a, l, "'%s': the data channel doesn't have %s", l->argv[0], known);
	if (known != NULL)
		cipher_remark(a, l, known);
	return set_cipher(a, l, at);
}

static int set_auth(struct cfg_apply *a, const struct cfg_line *l, void *at)
{
	const char *known = cfg_digest_normalise(l->argv[1]);

	if (known == NULL)
		return cfg_fail(a, l, "'%s': unknown digest '%.60s'", l->argv[0], l->argv[1]);
	if (strcmp(known, "none") == 0)
		cfg_remark(a, CFG_NOTE_WARNING, l,
			"'auth none': packets of CBC, CFB and OFB ciphers can be forged, so such "
			"sessions can't follow a client to a new address");
	*(const char **)at = known;
	return 0;
}

static int set_keysize(struct cfg_apply *a, const struct cfg_line *l, void *at)
{
	((struct cfg_tls *)at)->keysize_line = l;
	return cfg_set_u32(a, l, &((struct cfg_tls *)at)->keysize);
}

// "2.4", "2.4.0": the oldest release that the defaults shall suit.
static int set_compat(struct cfg_apply *a, const struct cfg_line *l, void *at)
{
	unsigned major, minor, patch = 0;
	int used = 0;
	int n = sscanf(l->argv[1], "%2u.%2u%n.%2u%n", &major, &minor, &used, &patch, &used);

	if (n < 2 || l->argv[1][used] != '\0')
		return cfg_fail(
			a, l, "'compat-mode': '%.60s' isn't a release like 2.4.0", l->argv[1]);
	*(uint32_t *)at = major * 10000 + minor * 100 + patch;
	return 0;
}

static int set_reneg(struct cfg_apply *a, const struct cfg_line *l, void *at)
{
	struct cfg_tls *tls = at;
	uint64_t max, min;
	int rc = cfg_word_number(a, l, 1, &max);

	if (rc < 0)
		return rc;
	min = a->where == CFG_SERVER ? max - max / 10 : max;
	if (l->argc > 2) {
		rc = cfg_word_number(a, l, 2, &min);
		if (rc < 0)
			return rc;
	}
	if (min > max)
		return cfg_fail(
			a, l, "'%s': the second number must not exceed the first", l->argv[0]);
	tls->reneg_sec = (uint32_t)max;
	tls->reneg_sec_min = (uint32_t)min;
	return 0;
}

static int set_cert_profile(struct cfg_apply *a, const struct cfg_line *l, void *at)
{
	static const char *const choices[] = { "legacy", "preferred", "suiteb", "insecure", NULL };
	int i = cfg_word_choice(a, l, 1, choices);

	if (i < 0)
		return i;
	*(const char **)at = choices[i];
	return 0;
}

static int set_direction(struct cfg_apply *a, const struct cfg_line *l, void *at)
{
	static const char *const choices[] = { "0", "1", NULL };
	unsigned word = strcmp(l->argv[0], "key-direction") == 0 ? 1 : 2;
	int i = cfg_word_choice(a, l, word, choices);

	if (i < 0)
		return i;
	((struct cfg_wrap *)at)->key_direction = i;
	return 0;
}

static int set_tls_auth(struct cfg_apply *a, const struct cfg_line *l, void *at)
{
	struct cfg_wrap *wrap = at;
	int rc = l->argc > 2 ? set_direction(a, l, wrap) : 0;

	return rc < 0 ? rc : cfg_set_blob(a, l, &wrap->tls_auth);
}

static int set_tls_crypt_v2(struct cfg_apply *a, const struct cfg_line *l, void *at)
{
	static const char *const choices[] = { "force-cookie", "allow-noncookie", NULL };
	struct cfg_wrap *wrap = at;
	int i = l->argc > 2 ? cfg_word_choice(a, l, 2, choices) : 1;

	if (i < 0)
		return i;
	wrap->force_cookie = i == 0;
	return cfg_set_blob(a, l, &wrap->tls_crypt_v2);
}

static int set_secret(struct cfg_apply *a, const struct cfg_line *l, void *at)
{
	struct cfg_tls *tls = at;
	int rc = l->argc > 2 ? set_direction(a, l, &tls->wrap) : 0;

	return rc < 0 ? rc : cfg_set_blob(a, l, &tls->secret);
}

#define TLS(field) offsetof(struct cfg_tls, field)
#define SECONDS_MAX 31536000u // a year

const struct cfg_option cfg_tls_options[] = {
	{ "secret", set_secret, 0, 0, 0 },
	{ "ca", cfg_set_blob, TLS(ca), 0, 0 },
	{ "cert", cfg_set_blob, TLS(cert), 0, 0 },
	{ "key", cfg_set_blob, TLS(key), 0, 0 },
	{ "extra-certs", cfg_set_blob, TLS(extra_certs), 0, 0 },
	{ "pkcs12", cfg_set_blob, TLS(pkcs12), 0, 0 },
	{ "dh", set_dh, TLS(dh), 0, 0 },
	{ "crl-verify", set_crl, 0, 0, 0 },
	{ "peer-fingerprint", set_fingerprint, 0, 0, 0 },
	{ "askpass", set_askpass, TLS(askpass), 0, 0 },
	{ "tls-version-min", set_version_min, 0, 0, 0 },
	{ "tls-version-max", set_version, TLS(version_max), 0, 0 },
	{ "tls-cipher", cfg_set_str, TLS(cipher_list), 0, 0 },
	{ "tls-ciphersuites", cfg_set_str, TLS(ciphersuites), 0, 0 },
	{ "tls-groups", cfg_set_str, TLS(groups), 0, 0 },
	{ "ecdh-curve", cfg_set_str, TLS(groups), 0, 0 },
	{ "tls-cert-profile", set_cert_profile, TLS(cert_profile), 0, 0 },
	{ "verify-x509-name", set_x509_name, 0, 0, 0 },
	{ "remote-cert-tls", set_purpose, TLS(purpose), 0, 0 },
	{ "remote-cert-ku", set_ku, TLS(ku), 0, 0 },
	{ "remote-cert-eku", cfg_set_str, TLS(eku_oid), 0, 0 },
	{ "data-ciphers", set_data_ciphers, TLS(data_ciphers), 0, 0 },
	{ "ncp-ciphers", set_data_ciphers, TLS(data_ciphers), 0, 0 },
	{ "data-ciphers-fallback", set_fallback, TLS(data_ciphers_fallback), 0, 0 },
	{ "cipher", set_cipher, TLS(cipher), 0, 0 },
	{ "auth", set_auth, TLS(auth), 0, 0 },
	{ "keysize", set_keysize, 0, 8, 512 },
	{ "compat-mode", set_compat, TLS(compat), 0, 0 },
	{ "reneg-sec", set_reneg, 0, 0, SECONDS_MAX },
	{ "reneg-bytes", cfg_set_u64, TLS(reneg_bytes), 0, UINT64_MAX },
	{ "reneg-pkts", cfg_set_u64, TLS(reneg_pkts), 0, UINT64_MAX },
	{ "hand-window", cfg_set_u32, TLS(hand_window_s), 1, 3600 },
	{ "tran-window", cfg_set_u32, TLS(tran_window_s), 1, SECONDS_MAX },
	{ "tls-timeout", cfg_set_u32, TLS(tls_timeout_s), 1, 60 },
	{ 0 },
};

const struct cfg_option cfg_wrap_options[] = {
	{ "tls-auth", set_tls_auth, 0, 0, 0 },
	{ "key-direction", set_direction, 0, 0, 0 },
	{ "tls-crypt", cfg_set_blob, offsetof(struct cfg_wrap, tls_crypt), 0, 0 },
	{ "tls-crypt-v2", set_tls_crypt_v2, 0, 0, 0 },
	{ "tls-crypt-v2-max-age", cfg_set_u32, offsetof(struct cfg_wrap, v2_max_age_days), 1,
		36500 },
	{ 0 },
};

// The directive that gave a blob, as a line for messages.
static struct cfg_line blob_line(const struct cfg_blob *b)
{
	return (struct cfg_line){
		.file = b->file, .line = b->line, .argc = 1, .argv = { b->option }
	};
}

// Is a name in a colon list?
static bool list_has(const char *list, const char *name)
{
	const size_t len = strlen(name);

	for (const char *item = list; *item != '\0';) {
		size_t n = strcspn(item, ":");

		if (n == len && memcmp(item, name, n) == 0)
			return true;
		item += item[n] == ':' ? n + 1 : n;
	}
	return false;
}

// What compat-mode changes, as OpenVPN's manual has it.
static void compat_finish(struct cfg_apply *a, const struct cfg_lines *lines, struct cfg_tls *tls)
{
	const char *cipher = tls->cipher != NULL ? tls->cipher : "BF-CBC";
	bool works = false;

	if (tls->compat == 0)
		return;
	if (tls->compat < 20307 && !tls->version_min_said)
		tls->version_min = CFG_TLS_1_0;
	(void)cfg_cipher_normalise(cipher, &works);
	if (tls->compat < 20500 && tls->cipher != NULL && works &&
		!list_has(tls->data_ciphers, cipher) &&
		ciphers_append(tls->data_ciphers, cipher) < 0)
		(void)cfg_fail_file(
			a, lines, "'compat-mode': no room for %s in 'data-ciphers'", cipher);
	if (tls->compat < 20400 && tls->data_ciphers_fallback == NULL && works)
		tls->data_ciphers_fallback = cipher;
}

// Each cipher has keys of one size; another one was once possible for BF-CBC.
static void keysize_finish(struct cfg_apply *a, const struct cfg_tls *tls)
{
	const char *name = tls->cipher != NULL ? tls->cipher : "BF-CBC";
	enum ovpn_cipher cipher;
	unsigned bits;

	if (tls->keysize_line == NULL || ovpn_cipher_by_name(name, strlen(name), &cipher) < 0)
		return;
	bits = ovpn_cipher_info(cipher)->key_len * 8u;
	if (bits != tls->keysize)
		(void)cfg_fail(a, tls->keysize_line,
			"'keysize': %s has keys of %u bits; leave the line out or take another "
			"'cipher'",
			name, bits);
}

void cfg_tls_finish(struct cfg_apply *a, const struct cfg_lines *lines, struct cfg_tls *tls)
{
	const bool server = a->where == CFG_SERVER;

	compat_finish(a, lines, tls);
	keysize_finish(a, tls);
	if (!cfg_blob_set(&tls->ca) && !cfg_blob_set(&tls->pkcs12) && tls->n_fingerprints == 0)
		(void)cfg_fail_file(
			a, lines, "no 'ca' and no 'peer-fingerprint', so nobody could be trusted");
	if (cfg_blob_set(&tls->cert) && !cfg_blob_set(&tls->key)) {
		struct cfg_line l = blob_line(&tls->cert);

		(void)cfg_fail(a, &l, "'cert' needs a 'key'");
	} else if (cfg_blob_set(&tls->key) && !cfg_blob_set(&tls->cert)) {
		struct cfg_line l = blob_line(&tls->key);

		(void)cfg_fail(a, &l, "'key' needs a 'cert'");
	} else if (server && !cfg_blob_set(&tls->cert) && !cfg_blob_set(&tls->pkcs12)) {
		(void)cfg_fail_file(a, lines, "no 'cert' and 'key': a server needs both");
	}
	if (tls->version_max != CFG_TLS_UNSET && tls->version_max < tls->version_min)
		(void)cfg_fail_file(a, lines, "'tls-version-max' is below 'tls-version-min'");
}

static int blob_under(struct cfg_mem *mem, const char *cd, struct cfg_blob *blob)
{
	if (blob->path == NULL)
		return 0;
	blob->path = cfg_path_under(mem, cd, blob->path);
	return blob->path != NULL ? 0 : -ENOMEM;
}

int cfg_wrap_under(struct cfg_mem *mem, const char *cd, struct cfg_wrap *wrap)
{
	int rc = blob_under(mem, cd, &wrap->tls_auth);

	if (rc == 0)
		rc = blob_under(mem, cd, &wrap->tls_crypt);
	return rc == 0 ? blob_under(mem, cd, &wrap->tls_crypt_v2) : rc;
}

int cfg_tls_under(struct cfg_mem *mem, const char *cd, struct cfg_tls *tls)
{
	struct cfg_blob *blobs[] = { &tls->ca, &tls->cert, &tls->key, &tls->extra_certs,
		&tls->pkcs12, &tls->dh, &tls->crl, &tls->askpass, &tls->secret };
	int rc = 0;

	if (tls->crl_dir != NULL) {
		tls->crl_dir = cfg_path_under(mem, cd, tls->crl_dir);
		rc = tls->crl_dir != NULL ? 0 : -ENOMEM;
	}
	for (size_t i = 0; i < sizeof(blobs) / sizeof(blobs[0]) && rc == 0; i++)
		rc = blob_under(mem, cd, blobs[i]);
	return rc == 0 ? cfg_wrap_under(mem, cd, &tls->wrap) : rc;
}

void cfg_blob_check_apply(struct cfg_apply *a, const struct cfg_blob *blob)
{
	struct cfg_error err;
	int rc = cfg_blob_check(blob, &err);

	if (rc == 0)
		return;
	(void)cfg_notes_add_error(a->notes, &err); // a remark may be lost
	if (a->rc == 0) {
		a->rc = rc;
		if (a->err != NULL)
			*a->err = err;
	}
}

void cfg_wrap_check_files(struct cfg_apply *a, const struct cfg_wrap *wrap)
{
	cfg_blob_check_apply(a, &wrap->tls_auth);
	cfg_blob_check_apply(a, &wrap->tls_crypt);
	cfg_blob_check_apply(a, &wrap->tls_crypt_v2);
}

// In a folder that isn't there nobody's serial number is found, so nobody would be revoked.
static void check_crl_dir(struct cfg_apply *a, const struct cfg_tls *tls)
{
	struct stat st;
	int rc = 0;

	if (tls->crl_dir == NULL)
		return;
	if (stat(tls->crl_dir, &st) < 0)
		rc = errno;
	else if (!S_ISDIR(st.st_mode))
		rc = ENOTDIR;
	else if (access(tls->crl_dir, X_OK) < 0)
		rc = errno;
	if (rc != 0)
		(void)cfg_fail(a, tls->crl_dir_line, "'crl-verify': can't look into '%.300s': %s",
			tls->crl_dir, strerror(rc));
}

void cfg_tls_check_files(struct cfg_apply *a, const struct cfg_tls *tls)
{
	const struct cfg_blob *blobs[] = { &tls->ca, &tls->cert, &tls->key, &tls->extra_certs,
		&tls->pkcs12, &tls->dh, &tls->crl, &tls->askpass, &tls->secret };

	for (size_t i = 0; i < sizeof(blobs) / sizeof(blobs[0]); i++)
		cfg_blob_check_apply(a, blobs[i]);
	check_crl_dir(a, tls);
	cfg_wrap_check_files(a, &tls->wrap);
}
