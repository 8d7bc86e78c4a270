// SPDX-License-Identifier: BSD-3-Clause
// Messages between control and its helper, tokens of clients, and files of token keys.
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "control/hook_msg.h"
#include "control/token.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

// What was accepted can be built again, and is the same then.
static void again(const struct ctl_hook_message *m, const uint8_t *bytes, size_t len)
{
	static uint8_t out[CTL_HOOK_MESSAGE_MAX];
	size_t n;

	if (ctl_hook_build(m, out, sizeof(out), &n) < 0 || n != len || memcmp(out, bytes, len) != 0)
		abort();
}

// Answers are shown to people.
static void check_printable(const char *text)
{
	for (; *text != '\0'; text++) {
		if (*text < 0x20 || *text > 0x7e)
			abort();
	}
}

static void check_token(const uint8_t *data, size_t size)
{
	const struct ctl_token_rules rules = { .renewal_s = 3600 };
	struct ctl_token token = { 0 };
	char text[256];

	if (size >= sizeof(text))
		return;
	memcpy(text, data, size);
	text[size] = '\0';
	if (ctl_token_check(&rules, text, "user", NULL, 1000, &token) >= CTL_TOKEN_EXPIRED &&
		!token.set)
		abort();
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct ctl_hook_message m;
	uint8_t key[CTL_TOKEN_KEY];
	uint8_t *copy = malloc(size + 1);

	if (copy == NULL)
		return 0;
	memcpy(copy, data, size);
	if (ctl_hook_parse_request(copy, size, &m) == 0)
		again(&m, copy, size);
	if (ctl_hook_parse_answer(copy, size, &m) == 0) {
		for (uint32_t i = 0; i < m.n_args && m.what != CTL_HOOK_CONFIG; i++)
			check_printable(m.args[i]);
	}
	free(copy);
	check_token(data, size);
	(void)ctl_token_key_parse((const char *)data, size, key); // any result will do
	return 0;
}
