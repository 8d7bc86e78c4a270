// SPDX-License-Identifier: BSD-3-Clause
// Option tables that no other file of config/ needs, for the test that every directive that works
// has a setter.
#pragma once

#include "config/apply.h"

extern const struct cfg_option cfg_pushed_options[]; // base: struct cfg_pushed
extern const struct cfg_option cfg_ccd_options[]; // base: struct cfg_ccd
extern const struct cfg_option cfg_dataplane_options[]; // base: struct cfg_dataplane
