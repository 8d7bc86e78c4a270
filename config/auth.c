// SPDX-License-Identifier: BSD-3-Clause
#include "config/auth.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "config/server_apply.h"

#define SECONDS_MAX 31536000u
#define SETENV_MAX 64
#define PAM_PLUGIN "openvpn-plugin-auth-pam.so"

bool cfg_auth_asks(const struct cfg_auth *auth)
{
	return auth->verify_user.argv[0] != NULL || auth->pam.service != NULL;
}

bool cfg_auth_sessions(const struct cfg_auth *auth)
{
	return auth->client_connect.argv[0] != NULL || auth->client_disconnect.argv[0] != NULL ||
		auth->learn_address.argv[0] != NULL;
}

bool cfg_auth_programs(const struct cfg_auth *auth)
{
	return auth->verify_user.argv[0] != NULL || auth->tls_verify.argv[0] != NULL ||
		cfg_auth_sessions(auth);
}

bool cfg_auth_runs(const struct cfg_auth *auth)
{
	return cfg_auth_programs(auth) || auth->pam.service != NULL;
}

// Split a command line of a directive into at most max words, with quotes and backslashes as in the
// file itself. Returns their number or a negative errno after cfg_fail.
static int split(struct cfg_apply *a, const struct cfg_line *l, const char *text,
	const char **words, size_t max)
{
	const char *all[CFG_WORDS_MAX + 1];
	const char *why;
	int n = cfg_split(a->mem, text, strlen(text), all, &why);

	if (n == -ENOMEM)
		return cfg_fail_memory(a, l);
	if (n < 0)
		return cfg_fail(a, l, "'%s': '%.200s': %s", l->argv[0], text, why);
	if ((size_t)n > max)
		return cfg_fail(
			a, l, "'%s': more than %zu words in '%.200s'", l->argv[0], max, text);
	memcpy(words, all, (size_t)n * sizeof(words[0]));
	return n;
}

// ---- Programs --------------------------------------------------------------------------------

static int set_command(struct cfg_apply *a, const struct cfg_line *l, void *at)
{
	struct cfg_command command = { .file = l->file, .line = l->line };
	int n = split(a, l, l->argv[1], command.argv, CFG_COMMAND_ARGS);

	if (n < 0)
		return n;
	if (n == 0)
		return cfg_fail(a, l, "'%s' names no program", l->argv[0]);
	*(struct cfg_command *)at = command;
	return 0;
}

static int set_verify_user(struct cfg_apply *a, const struct cfg_line *l, void *at)
{
	static const char *const choices[] = { "via-env", "via-file", NULL };
	struct cfg_auth *auth = at;
	int i = cfg_word_choice(a, l, 2, choices);

	if (i < 0)
		return i;
	auth->verify_user_via_file = i == 1;
	return set_command(a, l, &auth->verify_user);
}

// A plugin is code for another program's memory. The one for PAM is known by its name, and what it
// does is done here.
static int set_plugin(struct cfg_apply *a, const struct cfg_line *l, void *at)
{
	const char *slash = strrchr(l->argv[1], '/');
	const char *name = slash != NULL ? slash + 1 : l->argv[1];
	const char *words[2 * CFG_PAM_RULES + 1];
	struct cfg_pam *pam = &((struct cfg_auth *)at)->pam;
	size_t n = 0;

	if (strcmp(name, PAM_PLUGIN) != 0)
		return cfg_fail(a, l,
			"'plugin %.200s': plugins aren't loaded; only %s is known, and done "
			"without "
			"it",
			l->argv[1], PAM_PLUGIN);
	for (unsigned i = 2; i < l->argc; i++) {
		int added =
			split(a, l, l->argv[i], words + n, sizeof(words) / sizeof(words[0]) - n);

		if (added < 0)
			return added;
		n += (size_t)added;
	}
	if (n == 0)
		return cfg_fail(a, l, "'plugin %s' needs the name of a PAM service", PAM_PLUGIN);
	if (n % 2 == 0)
		return cfg_fail(a, l, "'plugin %s': the question '%.100s' has no answer",
			PAM_PLUGIN, words[n - 1]);
	if (strchr(words[0], '/') != NULL)
		return cfg_fail(a, l, "'plugin %s': '%.100s' isn't the name of a PAM service",
			PAM_PLUGIN, words[0]);
	*pam = (struct cfg_pam){ .service = words[0] };
	for (size_t i = 1; i + 1 < n; i += 2)
		pam->rules[pam->n_rules++] =
			(struct cfg_pam_rule){ .prompt = words[i], .answer = words[i + 1] };
	return 0;
}

static bool is_name(const char *name)
{
	if (*name == '\0')
		return false;
	return name[strspn(name,
		       "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz_0123456789")] == '\0';
}

// `setenv NAME VALUE`, and `setenv-safe`, whose names get a prefix.
static int set_setenv(struct cfg_apply *a, const struct cfg_line *l, void *at)
{
	const char *prefix = strcmp(l->argv[0], "setenv-safe") == 0 ? "OPENVPN_" : "";
	const char *value = l->argc > 2 ? l->argv[2] : "";
	struct cfg_auth *auth = at;
	size_t size = strlen(prefix) + strlen(l->argv[1]) + strlen(value) + 2;
	char *text;
	int rc;

	if (strcmp(l->argv[1], "opt") == 0 || strcmp(l->argv[1], "FORWARD_COMPATIBLE") == 0 ||
		strcmp(l->argv[1], "CLIENT_CERT") == 0)
		return 0; // means something else
	if (!is_name(l->argv[1]))
		return cfg_fail(
			a, l, "'%s': '%.60s' isn't the name of a variable", l->argv[0], l->argv[1]);
	rc = cfg_mem_grow(a->mem, &auth->setenv, auth->n_setenv, SETENV_MAX, sizeof(*auth->setenv));
	if (rc == -E2BIG)
		return cfg_fail(a, l, "'%s': more than %d of them", l->argv[0], SETENV_MAX);
	text = rc < 0 ? NULL : cfg_mem_alloc(a->mem, size);
	if (text == NULL)
		return cfg_fail_memory(a, l);
	(void)snprintf(text, size, "%s%s=%s", prefix, l->argv[1], value); // size is exact
	auth->setenv[auth->n_setenv++] = text;
	return 0;
}

// ---- Tokens ----------------------------------------------------------------------------------

static int set_gen_token(struct cfg_apply *a, const struct cfg_line *l, void *at)
{
	struct cfg_auth *auth = at;
	unsigned words = l->argc;

	auth->gen_token = true;
	auth->token_external = words > 1 && strcmp(l->argv[words - 1], "external-auth") == 0;
	if (auth->token_external)
		words--;
	if (words > 1 && cfg_word_u32(a, l, 1, 0, SECONDS_MAX, &auth->token_lifetime_s) < 0)
		return -EINVAL;
	if (words > 2 && cfg_word_u32(a, l, 2, 1, SECONDS_MAX, &auth->token_renewal_s) < 0)
		return -EINVAL;
	if (words > 3)
		return cfg_fail(a, l, "'%s' takes 'external-auth' as last word, got '%.60s'",
			l->argv[0], l->argv[3]);
	return 0;
}

#define AUTH(f) offsetof(struct cfg_auth, f)

const struct cfg_option cfg_auth_options[] = {
	{ "auth-user-pass-verify", set_verify_user, 0, 0, 0 },
	{ "tls-verify", set_command, AUTH(tls_verify), 0, 0 },
	{ "client-connect", set_command, AUTH(client_connect), 0, 0 },
	{ "client-disconnect", set_command, AUTH(client_disconnect), 0, 0 },
	{ "learn-address", set_command, AUTH(learn_address), 0, 0 },
	{ "script-security", cfg_set_u32, AUTH(script_security), 0, 3 },
	{ "tmp-dir", cfg_set_str, AUTH(tmp_dir), 0, 0 },
	{ "username-as-common-name", cfg_set_flag, AUTH(username_as_cn), 0, 0 },
	{ "auth-user-pass-optional", cfg_set_flag, AUTH(user_optional), 0, 0 },
	{ "plugin", set_plugin, 0, 0, 0 },
	{ "auth-gen-token", set_gen_token, 0, 0, 0 },
	{ "auth-gen-token-secret", cfg_set_blob, AUTH(token_secret), 0, 0 },
	{ "setenv", set_setenv, 0, 0, 0 },
	{ "setenv-safe", set_setenv, 0, 0, 0 },
	{ 0 },
};

// ---- Together --------------------------------------------------------------------------------

static void check_security(struct cfg_apply *a, const struct cfg_auth *auth,
	const struct cfg_command *c, const char *name)
{
	struct cfg_line l = {
		.file = c->file, .line = c->line, .argc = 1, .argv = { (char *)(uintptr_t)name }
	};

	if (c->argv[0] == NULL)
		return;
	if (auth->script_security < 2)
		(void)cfg_fail(a, &l, "'%s' runs a program: that needs 'script-security 2'", name);
	else if (c == &auth->verify_user && !auth->verify_user_via_file &&
		auth->script_security < 3)
		(void)cfg_fail(a, &l,
			"'%s' via-env shows passwords in the environment: that needs "
			"'script-security 3', or use via-file",
			name);
}

// A directive that is of no use, or dangerous, when nobody looks at passwords.
static int fail_at(struct cfg_apply *a, const struct cfg_lines *lines, const char *name)
{
	for (size_t i = lines->n; i-- > 0;) {
		if (strcmp(lines->list[i].argv[0], name) == 0)
			return cfg_fail(a, &lines->list[i],
				"'%s' needs 'auth-user-pass-verify' or the PAM plugin", name);
	}
	return -EINVAL; // not reached: it was said
}

void cfg_auth_finish(struct cfg_apply *a, const struct cfg_lines *lines, struct cfg_server *cfg)
{
	struct cfg_auth *auth = &cfg->auth;

	check_security(a, auth, &auth->verify_user, "auth-user-pass-verify");
	check_security(a, auth, &auth->tls_verify, "tls-verify");
	check_security(a, auth, &auth->client_connect, "client-connect");
	check_security(a, auth, &auth->client_disconnect, "client-disconnect");
	check_security(a, auth, &auth->learn_address, "learn-address");
	if (auth->token_renewal_s == 0)
		auth->token_renewal_s = cfg->tls.reneg_sec;
	if (auth->token_renewal_s == 0)
		auth->token_renewal_s = 3600; // reneg-sec 0
	if (cfg_auth_asks(auth))
		return;
	if (cfg->verify_client != CFG_VERIFY_REQUIRE)
		(void)fail_at(a, lines, "verify-client-cert");
	if (auth->username_as_cn)
		(void)fail_at(a, lines, "username-as-common-name");
	if (auth->user_optional)
		(void)fail_at(a, lines, "auth-user-pass-optional");
	if (auth->gen_token)
		(void)fail_at(a, lines, "auth-gen-token");
}

static void check_program(struct cfg_apply *a, const struct cfg_command *c, const char *name)
{
	struct cfg_line l = {
		.file = c->file, .line = c->line, .argc = 1, .argv = { (char *)(uintptr_t)name }
	};

	if (c->argv[0] != NULL && access(c->argv[0], X_OK) < 0)
		(void)cfg_fail(
			a, &l, "'%s': can't run '%.300s': %s", name, c->argv[0], strerror(errno));
}

void cfg_auth_check_files(
	struct cfg_apply *a, const struct cfg_lines *lines, const struct cfg_auth *auth)
{
	struct stat st;

	check_program(a, &auth->verify_user, "auth-user-pass-verify");
	check_program(a, &auth->tls_verify, "tls-verify");
	check_program(a, &auth->client_connect, "client-connect");
	check_program(a, &auth->client_disconnect, "client-disconnect");
	check_program(a, &auth->learn_address, "learn-address");
	cfg_blob_check_apply(a, &auth->token_secret);
	if (cfg_auth_runs(auth) && (stat(auth->tmp_dir, &st) < 0 || !S_ISDIR(st.st_mode)))
		(void)cfg_fail_file(
			a, lines, "'tmp-dir': there is no folder '%.300s'", auth->tmp_dir);
}
