// SPDX-License-Identifier: BSD-3-Clause
#include "client/pace.h"

#include <stddef.h>

#define PROBE_GAP_MS 250u
#define PROBE_GAPS 20u // 5 s of them

uint32_t vc_pace_probe_ms(unsigned sent)
{
	static const uint32_t head[] = { 20, 20, 40, 80 };
	static const uint32_t tail[] = { 1000, 5000, 15000 };
	const unsigned n_head = sizeof(head) / sizeof(head[0]);
	const unsigned n_tail = sizeof(tail) / sizeof(tail[0]);

	if (sent == 0)
		return 0;
	if (sent <= n_head)
		return head[sent - 1];
	sent -= n_head;
	if (sent <= PROBE_GAPS)
		return PROBE_GAP_MS;
	sent -= PROBE_GAPS;
	return tail[sent < n_tail ? sent - 1 : n_tail - 1];
}

uint32_t vc_pace_retry_ms(unsigned failed, uint32_t first_s, uint32_t max_s, uint32_t random)
{
	uint64_t ms = (uint64_t)first_s * 1000;

	for (unsigned i = 0; i < failed && ms < (uint64_t)max_s * 1000; i++)
		ms *= 2;
	if (ms > (uint64_t)max_s * 1000)
		ms = (uint64_t)max_s * 1000;
	if (ms > UINT32_MAX / 2)
		ms = UINT32_MAX / 2;
	return (uint32_t)(ms - ms / 4 + ms / 2 * (uint64_t)(random >> 16) / 65536);
}
