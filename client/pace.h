// SPDX-License-Identifier: BSD-3-Clause
// When things are tried again. Pure. Source: decisions.md C22, C24.
#pragma once

#include <stdint.h>

// Pause in ms between reconfiguration Ping number `sent` (from 1) and the next one: Pings go out at
// 0, 20, 40, 80, 160 ms, then every 250 ms for 5 s, then after 1 s, 5 s, and every 15 s.
uint32_t vc_pace_probe_ms(unsigned sent);

// Pause in ms before connection attempt number `failed` + 1: the first one's length, doubled for
// each failure up to max, then a random quarter more or less, so that the clients of a server
// that went away don't come back all at once.
// random: any 32 random bits.
uint32_t vc_pace_retry_ms(unsigned failed, uint32_t first_s, uint32_t max_s, uint32_t random);
