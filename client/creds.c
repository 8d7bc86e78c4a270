// SPDX-License-Identifier: BSD-3-Clause
#include "client/creds.h"

#include <errno.h>
#include <fcntl.h>
#include <openssl/evp.h>
#include <poll.h>
#include <stdio.h>
#include <string.h>
#include <termios.h>
#include <unistd.h>

#include "client/client.h"
#include "client/log.h"
#include "protocol/text.h"

#define B64_MAX 1400 // of a password

// ---- The terminal ----------------------------------------------------------------------------

static ssize_t read_line(int fd, char *buf, size_t size)
{
	struct pollfd wait = { .fd = fd, .events = POLLIN };

	// A signal ends poll(), but not read().
	if (poll(&wait, 1, -1) <= 0)
		return -EINTR;
	return read(fd, buf, size - 1);
}

int vc_ask(const char *prompt, bool secret, char *buf, size_t size)
{
	struct termios saved, quiet;
	int fd = open("/dev/tty", O_RDWR | O_CLOEXEC);
	bool silent = false;
	ssize_t n;

	if (fd < 0)
		return -ENXIO;
	if (secret && tcgetattr(fd, &saved) == 0) {
		quiet = saved;
		quiet.c_lflag &= ~(tcflag_t)ECHO;
		silent = tcsetattr(fd, TCSAFLUSH, &quiet) == 0;
	}
	(void)!write(fd, prompt, strlen(prompt)); // the answer may come without
	n = read_line(fd, buf, size);
	if (silent) {
		(void)tcsetattr(fd, TCSAFLUSH, &saved); // as it was
		(void)!write(fd, "\n", 1); // for the eye only
	}
	(void)close(fd); // nothing is lost with it
	if (n <= 0)
		return n < 0 ? (int)n : -EIO;
	if (buf[n - 1] == '\n')
		n--;
	buf[n] = '\0';
	return (int)n;
}

// ---- User name and password ------------------------------------------------------------------

static int get_user(struct vc_client *c)
{
	struct vc_creds *creds = &c->creds;
	char password[sizeof(creds->user)] = "";
	struct cfg_error err;
	int rc;

	if (cfg_blob_set(&c->cfg->auth_user_pass_file)) {
		rc = cfg_blob_userpass(&c->cfg->auth_user_pass_file, creds->user, password,
			sizeof(creds->user), &err);
		if (rc < 0) {
			vc_log(VC_ERROR, "%s", err.text);
			return rc;
		}
		memcpy(creds->password, password, sizeof(password));
		explicit_bzero(password, sizeof(password));
		return 0;
	}
	rc = vc_ask("User name: ", false, creds->user, sizeof(creds->user));
	if (rc > 0)
		return 0;
	vc_log(VC_ERROR,
		"auth-user-pass: there is no terminal to ask on; name a file with user name "
		"and password");
	return -ENXIO;
}

void vc_creds_token(struct vc_client *c, const char *token, const char *user64)
{
	struct vc_creds *creds = &c->creds;
	unsigned char user[sizeof(creds->user)];
	size_t len = strlen(user64);
	int n = -1;

	(void)snprintf(creds->token, sizeof(creds->token), "%s", token); // the parser checked it
	if (c->cfg->auth_nocache)
		explicit_bzero(creds->password, sizeof(creds->password));
	if (len > 0 && len % 4 == 0 && len / 4 * 3 < sizeof(user))
		n = EVP_DecodeBlock(user, (const unsigned char *)user64, (int)len);
	if (n <= 0)
		return;
	user[n] = '\0'; // what pads the end decodes to NUL
	if (ovpn_text_is_printable((const char *)user, strlen((const char *)user)))
		(void)snprintf(creds->token_user, sizeof(creds->token_user), "%s", user); // fits
}

// ---- Challenges ------------------------------------------------------------------------------

static void encode(const char *text, char ret_text[B64_MAX])
{
	(void)EVP_EncodeBlock((unsigned char *)ret_text, (const unsigned char *)text,
		(int)strlen(text)); // at most 1,023 bytes become 1,364
}

// A part up to the next colon. Returns false when there is none, or it is too long.
static bool take_part(const char **pos, const char *end, const char **ret_part, size_t *ret_len)
{
	const char *colon = memchr(*pos, ':', (size_t)(end - *pos));

	if (colon == NULL)
		return false;
	*ret_part = *pos;
	*ret_len = (size_t)(colon - *pos);
	*pos = colon + 1;
	return *ret_len < VC_CHALLENGE_MAX;
}

static bool decode_user(const char *text, size_t len, char *ret_user)
{
	int n;

	if (len % 4 != 0 || len / 4 * 3 >= VC_CHALLENGE_MAX)
		return false;
	n = EVP_DecodeBlock((unsigned char *)ret_user, (const unsigned char *)text, (int)len);
	if (n < 0)
		return false;
	ret_user[n] = '\0'; // padding decodes to NULs before it
	return ovpn_text_is_printable(ret_user, strlen(ret_user));
}

int vc_challenge_parse(const char *text, size_t len, struct vc_challenge *ret_challenge)
{
	struct vc_challenge c = { 0 };
	const char *pos = text + 5, *end = text + len;
	const char *flags, *state, *user;
	size_t flags_len, state_len, user_len;

	if (len < 5 || memcmp(text, "CRV1:", 5) != 0 || !take_part(&pos, end, &flags, &flags_len) ||
		!take_part(&pos, end, &state, &state_len) ||
		!take_part(&pos, end, &user, &user_len) || !decode_user(user, user_len, c.user) ||
		(size_t)(end - pos) >= sizeof(c.question) || !ovpn_text_is_printable(text, len))
		return -EBADMSG;
	c.echo = memchr(flags, 'E', flags_len) != NULL;
	c.response = memchr(flags, 'R', flags_len) != NULL;
	memcpy(c.state, state, state_len);
	memcpy(c.question, pos, (size_t)(end - pos));
	*ret_challenge = c;
	return 0;
}

static int ask_answer(const char *question, bool echo, char *buf, size_t size)
{
	char prompt[VC_CHALLENGE_MAX + 4];
	int rc;

	(void)snprintf(prompt, sizeof(prompt), "%.500s ", question); // cut
	rc = vc_ask(prompt, !echo, buf, size);
	if (rc < 0)
		vc_log(VC_ERROR, "the server asks \"%s\", and there is no terminal to ask on",
			question);
	return rc;
}

int vc_creds_get(struct vc_client *c)
{
	struct vc_creds *creds = &c->creds;
	int rc = 0;

	if (!c->cfg->auth_user_pass)
		return 0;
	if (creds->user[0] == '\0' || creds->password[0] == '\0')
		rc = get_user(c);
	if (rc == 0 && creds->password[0] == '\0') {
		rc = vc_ask("Password: ", true, creds->password, sizeof(creds->password));
		if (rc < 0)
			vc_log(VC_ERROR, "auth-user-pass: no password");
	}
	if (rc >= 0 && c->cfg->challenge != NULL && !creds->answered) {
		rc = ask_answer(c->cfg->challenge, c->cfg->challenge_echo, creds->answer,
			sizeof(creds->answer));
		creds->answered = rc >= 0;
	}
	return rc < 0 ? rc : 0;
}

int vc_creds_challenge(struct vc_client *c, const char *text, size_t len)
{
	struct vc_creds *creds = &c->creds;
	struct vc_challenge challenge;
	char answer[VC_CHALLENGE_MAX] = "";
	int rc = vc_challenge_parse(text, len, &challenge);

	if (rc < 0) {
		vc_log(VC_ERROR, "the server's challenge is malformed");
		return rc;
	}
	if (!challenge.response) {
		vc_log(VC_WARN, "the server says: %s", challenge.question);
		return -EACCES;
	}
	rc = ask_answer(challenge.question, challenge.echo, answer, sizeof(answer));
	if (rc < 0)
		return rc;
	(void)snprintf(creds->user, sizeof(creds->user), "%.255s", challenge.user); // cut
	(void)snprintf(creds->challenge, sizeof(creds->challenge), "CRV1::%s::%s", challenge.state,
		answer); // fits
	explicit_bzero(answer, sizeof(answer));
	return 0;
}

// ---- What is sent ----------------------------------------------------------------------------

static void with_answer(struct vc_client *c, char *ret_password)
{
	const struct vc_creds *creds = &c->creds;
	char password64[B64_MAX], answer64[B64_MAX];

	if (c->cfg->challenge_concat) {
		(void)snprintf(ret_password, VC_PASSWORD_MAX, "%s%s", creds->password,
			creds->answer); // fits
		return;
	}
	encode(creds->password, password64);
	encode(creds->answer, answer64);
	(void)snprintf(ret_password, VC_PASSWORD_MAX, "SCRV1:%s:%s", password64, answer64); // fits
	explicit_bzero(password64, sizeof(password64));
	explicit_bzero(answer64, sizeof(answer64));
}

int vc_creds_password(struct vc_client *c, char *ret_password)
{
	struct vc_creds *creds = &c->creds;
	int rc;

	if (creds->token[0] != '\0') {
		(void)snprintf(ret_password, VC_PASSWORD_MAX, "%s", creds->token); // fits
		return 0;
	}
	if (creds->challenge[0] != '\0') {
		(void)snprintf(ret_password, VC_PASSWORD_MAX, "%s", creds->challenge); // fits
		explicit_bzero(creds->challenge, sizeof(creds->challenge));
		return 0;
	}
	rc = vc_creds_get(c);
	if (rc < 0)
		return rc;
	if (c->cfg->challenge != NULL)
		with_answer(c, ret_password);
	else
		(void)snprintf(ret_password, VC_PASSWORD_MAX, "%s", creds->password); // fits
	return 0;
}

int vc_creds_refused(struct vc_client *c)
{
	struct vc_creds *creds = &c->creds;

	// A token that the server no longer takes isn't a wrong password.
	if (creds->token[0] != '\0') {
		explicit_bzero(creds->token, sizeof(creds->token));
		return vc_creds_get(c);
	}
	if (c->cfg->auth_retry == CFG_AUTH_RETRY_NONE)
		return -EACCES;
	if (c->cfg->auth_retry == CFG_AUTH_RETRY_INTERACT) {
		explicit_bzero(creds->password, sizeof(creds->password));
		creds->answered = false;
		if (!cfg_blob_set(&c->cfg->auth_user_pass_file))
			creds->user[0] = '\0';
	}
	return vc_creds_get(c);
}
