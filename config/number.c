// SPDX-License-Identifier: BSD-3-Clause
#include "config/number.h"

#include <errno.h>
#include <stddef.h>

int cfg_u64(const char *text, uint64_t min, uint64_t max, uint64_t *ret_value)
{
	uint64_t value = 0;

	if (text == NULL || *text == '\0')
		return -EINVAL;
	for (const char *p = text; *p != '\0'; p++) {
		if (*p < '0' || *p > '9')
			return -EINVAL;
	}
	for (const char *p = text; *p != '\0'; p++) {
		if (__builtin_mul_overflow(value, 10u, &value) ||
			__builtin_add_overflow(value, (unsigned)(*p - '0'), &value))
			return -ERANGE;
	}
	if (value < min || value > max)
		return -ERANGE;
	*ret_value = value;
	return 0;
}

int cfg_u32(const char *text, uint32_t min, uint32_t max, uint32_t *ret_value)
{
	uint64_t value;
	int rc = cfg_u64(text, min, max, &value);

	if (rc == 0)
		*ret_value = (uint32_t)value;
	return rc;
}

int cfg_u16(const char *text, uint16_t min, uint16_t max, uint16_t *ret_value)
{
	uint64_t value;
	int rc = cfg_u64(text, min, max, &value);

	if (rc == 0)
		*ret_value = (uint16_t)value;
	return rc;
}
