// SPDX-License-Identifier: BSD-3-Clause
// PAM, in a process of its own for each question: its modules block and keep state.
#include <openssl/evp.h>
#include <security/pam_appl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "config/server.h"
#include "control/hook_run.h"

#define ANSWER_MAX 2048

enum { YES = 0, NO = 1, BROKEN = 3 };

struct who {
	const struct cfg_pam *pam;
	const char *user;
	const char *cn;
	char password[ANSWER_MAX];
	char otp[ANSWER_MAX];
};

// Decode base64 into text. Returns false when it isn't base64 or holds a NUL.
static bool decode(const char *text, size_t len, char *ret_text)
{
	size_t pad = 0;
	int n;

	if (len % 4 != 0 || len / 4 * 3 >= ANSWER_MAX)
		return false;
	while (pad < 2 && pad < len && text[len - 1 - pad] == '=')
		pad++;
	n = EVP_DecodeBlock((unsigned char *)ret_text, (const unsigned char *)text, (int)len);
	if (n < (int)pad)
		return false;
	ret_text[n - (int)pad] = '\0';
	return strlen(ret_text) == (size_t)n - pad;
}

// A static challenge comes as SCRV1:base64(password):base64(response).
static bool split_password(const char *password, struct who *who)
{
	const char *colon;

	if (strncmp(password, "SCRV1:", 6) != 0) {
		(void)snprintf(who->password, sizeof(who->password), "%s", password); // fits
		return true;
	}
	password += 6;
	colon = strchr(password, ':');
	return colon != NULL && decode(password, (size_t)(colon - password), who->password) &&
		decode(colon + 1, strlen(colon + 1), who->otp);
}

static const char *meaning(const struct who *who, const char *answer)
{
	if (strcmp(answer, "USERNAME") == 0)
		return who->user;
	if (strcmp(answer, "PASSWORD") == 0)
		return who->password;
	if (strcmp(answer, "COMMONNAME") == 0)
		return who->cn;
	if (strcmp(answer, "OTP") == 0)
		return who->otp;
	return answer;
}

// What to answer to a question of a module; NULL: nothing fits.
static const char *answer_to(const struct who *who, const struct pam_message *message)
{
	for (size_t i = 0; i < who->pam->n_rules; i++) {
		if (message->msg != NULL &&
			strcasestr(message->msg, who->pam->rules[i].prompt) != NULL)
			return meaning(who, who->pam->rules[i].answer);
	}
	if (who->pam->n_rules > 0)
		return NULL;
	return message->msg_style == PAM_PROMPT_ECHO_ON ? who->user : who->password;
}

static int converse(
	int n, const struct pam_message **messages, struct pam_response **ret_answers, void *arg)
{
	const struct who *who = arg;
	struct pam_response *answers;
	const char *text;

	if (n <= 0 || n > PAM_MAX_NUM_MSG)
		return PAM_CONV_ERR;
	answers = calloc((size_t)n, sizeof(*answers));
	if (answers == NULL)
		return PAM_BUF_ERR;
	for (int i = 0; i < n; i++) {
		if (messages[i]->msg_style != PAM_PROMPT_ECHO_OFF &&
			messages[i]->msg_style != PAM_PROMPT_ECHO_ON)
			continue; // said for people
		text = answer_to(who, messages[i]);
		answers[i].resp = text != NULL ? strdup(text) : NULL;
		if (answers[i].resp == NULL)
			goto free_answers;
	}
	*ret_answers = answers;
	return PAM_SUCCESS;

free_answers:
	for (int i = 0; i < n; i++)
		free(answers[i].resp);
	free(answers);
	return PAM_CONV_ERR;
}

int ctl_hook_pam(const struct cfg_server *cfg, const struct ctl_hook_message *m)
{
	static struct who who; // too large for a comfortable stack; the process ends soon
	struct pam_conv conv = { converse, &who };
	pam_handle_t *pam = NULL;
	int rc;

	who.pam = &cfg->auth.pam;
	who.user = m->args[0];
	who.cn = m->args[2];
	if (!split_password(m->args[1], &who))
		return NO;
	// With rules the modules ask for the name themselves.
	rc = pam_start(who.pam->service, who.pam->n_rules > 0 ? NULL : who.user, &conv, &pam);
	if (rc != PAM_SUCCESS)
		return BROKEN;
	if (m->args[3][0] != '\0')
		(void)pam_set_item(pam, PAM_RHOST, m->args[3]); // for the modules' logs
	rc = pam_authenticate(pam, 0);
	if (rc == PAM_SUCCESS)
		rc = pam_acct_mgmt(pam, 0);
	(void)pam_end(pam, rc); // the answer is known
	explicit_bzero(&who, sizeof(who));
	if (rc == PAM_ABORT || rc == PAM_SYSTEM_ERR || rc == PAM_SERVICE_ERR ||
		rc == PAM_AUTHINFO_UNAVAIL)
		return BROKEN;
	return rc == PAM_SUCCESS ? YES : NO;
}
