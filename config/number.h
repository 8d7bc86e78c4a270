// SPDX-License-Identifier: BSD-3-Clause
// Numbers in configuration files, pushed options and on the command line.
#pragma once

#include <stdint.h>

// Parse a decimal number, digits only (no sign, no space, no suffix).
//
// Returns 0; -EINVAL when text isn't a number; -ERANGE when it is outside min..max or doesn't
// fit 64 bits. *ret_value is written only on success.
int cfg_u64(const char *text, uint64_t min, uint64_t max, uint64_t *ret_value);

// The same for 32 and 16 bits.
int cfg_u32(const char *text, uint32_t min, uint32_t max, uint32_t *ret_value);
int cfg_u16(const char *text, uint16_t min, uint16_t max, uint16_t *ret_value);
