// SPDX-License-Identifier: BSD-3-Clause
// A data packet in each format, as it is and as a reconfiguration Ping.
#include <stdlib.h>

#include "protocol/data_packet.h"
#include "protocol/mobility.h"

static void check(bool ok)
{
	if (!ok)
		abort();
}

static void parse_as(enum ovpn_data_format format, uint8_t *buf, size_t size)
{
	const struct ovpn_data_layout *l = &ovpn_data_layouts[format];
	uint8_t head[OVPN_DATA_HEAD_MAX];
	struct ovpn_data_packet p;

	if (ovpn_data_parse(format, buf, size, &p) < 0)
		return;
	check(p.ct_len >= 1 && p.ct_len + l->overhead == size);
	check(p.ct >= buf + l->head_len && p.ct + p.ct_len <= buf + size);
	check(p.tag >= buf + l->head_len && p.tag + OVPN_AEAD_TAG_LEN <= buf + size);
	check(p.tag + OVPN_AEAD_TAG_LEN == p.ct || p.ct + p.ct_len == p.tag);
	check(p.aad >= buf && p.aad + p.aad_len == buf + l->head_len);
	check(ovpn_data_put_head(head, format, p.hdr.key_id, p.hdr.peer_id, p.packet_id) ==
		l->head_len);
	check(memcmp(head, buf, l->head_len) == 0);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	uint8_t *buf = malloc(size + 1); // exactly as long as the input, for the sanitizer
	const uint8_t *tail;
	struct ovpn_hdr hdr;

	if (buf == NULL)
		return 0;
	if (size > 0)
		memcpy(buf, data, size);
	buf = realloc(buf, size > 0 ? size : 1);
	check(buf != NULL);
	if (ovpn_hdr_parse(buf, size, &hdr) == 0)
		check(hdr.len <= size && hdr.peer_id <= OVPN_PEER_ID_NONE && hdr.key_id <= 7);
	tail = ovpn_reconf_tail(buf, size);
	check(tail == NULL || tail + OVPN_SID_LEN == buf + size);
	for (unsigned f = 0; f < OVPN_DATA_FORMAT_COUNT; f++) {
		parse_as((enum ovpn_data_format)f, buf, size);
		if (tail != NULL)
			parse_as((enum ovpn_data_format)f, buf, size - OVPN_SID_LEN);
	}
	free(buf);
	return 0;
}
