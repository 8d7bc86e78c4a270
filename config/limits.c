// SPDX-License-Identifier: BSD-3-Clause
#include "config/limits.h"

#include "config/apply.h"

#define SECONDS_MAX 31536000u

int cfg_inactive_words(
	struct cfg_apply *a, const struct cfg_line *l, uint32_t *ret_seconds, uint64_t *ret_bytes)
{
	uint64_t bytes = 0;
	uint32_t seconds;
	int rc = cfg_word_u32(a, l, 1, 0, SECONDS_MAX, &seconds);

	if (rc == 0 && l->argc > 2)
		rc = cfg_word_number(a, l, 2, &bytes);
	if (rc < 0)
		return rc;
	*ret_seconds = seconds;
	*ret_bytes = bytes;
	return 0;
}

int cfg_inactive_parse(struct cfg_apply *a, const struct cfg_line *l, void *at)
{
	struct cfg_limits *limits = at;
	int rc = cfg_inactive_words(a, l, &limits->inactive_s, &limits->inactive_bytes);

	if (rc == 0)
		limits->inactive_set = true;
	return rc;
}

int cfg_session_timeout_parse(struct cfg_apply *a, const struct cfg_line *l, void *at)
{
	struct cfg_limits *limits = at;
	int rc = cfg_word_u32(a, l, 1, 0, SECONDS_MAX, &limits->session_s);

	if (rc == 0)
		limits->session_set = true;
	return rc;
}

struct cfg_limits cfg_limits_of(const struct cfg_limits *all, const struct cfg_limits *own)
{
	struct cfg_limits limits = *all;

	if (own != NULL && own->inactive_set) {
		limits.inactive_s = own->inactive_s;
		limits.inactive_bytes = own->inactive_bytes;
	}
	if (own != NULL && own->session_set)
		limits.session_s = own->session_s;
	return limits;
}
