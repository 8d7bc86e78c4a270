// SPDX-License-Identifier: BSD-3-Clause
// What the client parses by itself besides the wire library's formats: framing, the TCP options of
// inner packets, resolv.conf, and instance files.
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "client/data.h"
#include "client/dns.h"
#include "client/inner.h"
#include "client/instance.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void framing(const uint8_t *data, size_t size, enum cfg_comp comp)
{
	uint8_t *buf = malloc(size + VC_DATA_HEADROOM + VC_DATA_TAILROOM);
	uint8_t *plain = buf + VC_DATA_HEADROOM;
	size_t len = size;

	if (buf == NULL)
		return;
	memcpy(plain, data, size);
	if (vc_frame_del(comp, &plain, &len) == 0 && len > size)
		abort();
	plain = buf + VC_DATA_HEADROOM;
	memcpy(plain, data, size);
	len = size;
	if (size > 0) {
		vc_frame_add(comp, &plain, &len);
		if (vc_frame_del(comp, &plain, &len) < 0 || len != size ||
			memcmp(plain, data, size) != 0)
			abort();
	}
	free(buf);
}

static void clamp(const uint8_t *data, size_t size)
{
	uint8_t *copy = malloc(size + 1);

	if (copy == NULL)
		return;
	memcpy(copy, data, size);
	(void)vc_mss_clamp(copy, size, 1400);
	free(copy);
}

static void resolv_conf(const uint8_t *data, size_t size)
{
	struct vc_dns_set set = { .n_servers = 1, .server = { { .family = 2, .prefix = 32 } } };
	char *buf = malloc(size + 256);

	if (buf == NULL)
		return;
	if (vc_dns_text(&set, (const char *)data, size, buf, size + 256) > size + 256)
		abort();
	free(buf);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct vc_instance_note note;

	for (int comp = CFG_COMP_NONE; comp <= CFG_COMP_STUB_V2; comp++)
		framing(data, size, (enum cfg_comp)comp);
	clamp(data, size);
	resolv_conf(data, size);
	(void)vc_instance_parse((const char *)data, size, &note);
	return 0;
}
