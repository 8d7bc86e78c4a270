// SPDX-License-Identifier: BSD-3-Clause
// What the client parses by itself besides the wire library's formats: framing, pieces of packets,
// the TCP options of inner packets, resolv.conf, and instance files.
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "client/data.h"
#include "client/dns.h"
#include "client/fragment.h"
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

// Pieces of two sessions, each behind a byte that says how long it is. What comes out was held.
static void pieces(const uint8_t *data, size_t size)
{
	const struct vc_key key[2] = { { .session = 1 }, { .session = 2 } };
	struct vc_data d = { 0 };
	uint8_t copy[256];

	if (vc_data_defrag_init(&d, 600) < 0)
		return;
	while (size > 1) {
		size_t len = data[0] < size - 1 ? data[0] : size - 1;
		struct vc_opened packet = { .plain = copy, .len = len };

		memcpy(copy, data + 1, len);
		d.now_ms += 700;
		if (vc_data_defrag(&d, &key[len % 2], &packet) == 0) {
			uint8_t sum = 0;

			if (packet.len > 600 + OVPN_COMPRESS_OVERHEAD_MAX)
				abort();
			for (size_t i = 0; i < packet.len; i++)
				sum ^= packet.plain[i];
			copy[0] = sum; // so that each byte is read
		}
		data += len + 1;
		size -= len + 1;
	}
	vc_data_done(&d);
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
	pieces(data, size);
	clamp(data, size);
	resolv_conf(data, size);
	(void)vc_instance_parse((const char *)data, size, &note);
	return 0;
}
