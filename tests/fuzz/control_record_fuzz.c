// SPDX-License-Identifier: BSD-3-Clause
// Records and parked packets as an earlier control may have left them, and the channel state in
// them. The checksum is made right half of the time, so that the checks behind it are reached.
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "control/record.h"
#include "protocol/tls/channel.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static struct ctl_records records;

static void open_records(void)
{
	static const uint8_t instance[16], hash[32];
	struct ovpn_cookie_keys keys = { .count = 1 };
	int fd;

	if (records.header == NULL &&
		ctl_records_create(&records, 4, instance, hash, &keys, &fd) < 0)
		abort();
}

static void check_channel(const struct shm_control_record *rec)
{
	static const struct ovpn_channel_config config = { .max_packet = 1250,
		.retransmit_ms = 2000 };
	struct ovpn_wrap_keys dynamic;
	struct ovpn_wrap_saved saved;
	struct ovpn_channel_state state;
	struct ovpn_channel ch;
	uint8_t out[2048];
	size_t len;

	memcpy(&state, rec->channel, sizeof(state));
	memcpy(saved.bytes, rec->dynamic_key, sizeof(saved.bytes));
	ovpn_wrap_keys_restore(&saved, &dynamic);
	if (ovpn_channel_import(&ch, &config, &state, NULL,
		    (state.flags & OVPN_CHANNEL_DYNAMIC) != 0 ? &dynamic : NULL, 1) < 0)
		return;
	for (unsigned i = 0; ovpn_channel_abort(&ch, i, out, sizeof(out), &len) > 0; i++) {
		if (i > 16 || len > sizeof(out))
			abort();
	}
}

// A note as somebody else may have left it, and one that holds these bytes as its directives.
static void check_note(const uint8_t *data, size_t size)
{
	static struct shm_note note;
	static char text[4096];
	struct ctl_note got;

	memset(&note, 0, sizeof(note));
	memcpy(&note, data, size < sizeof(note) ? size : sizeof(note));
	if (ctl_note_check(&note, note.slot, note.generation) == 0 &&
		note.env_len + strlen(note.bytes + note.env_len) >= sizeof(note.bytes))
		abort();
	size = size < sizeof(text) ? size : sizeof(text) - 1;
	memcpy(text, data, size);
	text[size] = '\0';
	if (ctl_note_write(&records, 1, 2, 3, text, strlen(text) + 1, text) < 0 ||
		ctl_note_read(&records, 1, 2, &got) < 0 || strcmp(got.config, text) != 0 ||
		strcmp(got.env, text) != 0)
		abort();
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct shm_control_record rec = { 0 };
	struct shm_parked parked = { 0 };
	uint32_t index;
	bool sealed;

	if (size < 2)
		return 0;
	open_records();
	sealed = (data[0] & 1) != 0;
	memcpy(&rec, data + 1, size - 1 < sizeof(rec) ? size - 1 : sizeof(rec));
	memcpy(&parked, data + 1, size - 1 < sizeof(parked) ? size - 1 : sizeof(parked));
	if (sealed) {
		rec.slot &= 3;
		ctl_record_write(&records, &rec);
		rec = records.record[rec.slot];
	}
	if (ctl_record_check(&rec, rec.slot) == 0 && (rec.flags & SHM_RECORD_LIVE) != 0) {
		if (strnlen(rec.cn, sizeof(rec.cn)) == sizeof(rec.cn) ||
			rec.primary >= SHM_KEY_SLOTS)
			abort();
		check_channel(&rec);
	}
	if (sealed && ctl_parked_put(&records, &parked, &index) == 0) {
		parked = records.parked[index];
		ctl_parked_drop(&records, index);
	}
	if (size > sizeof(struct shm_shaking)) {
		struct shm_shaking entry;

		memcpy(&entry, data + 1, sizeof(entry));
		if (sealed)
			ctl_shaking_write(&records, 0, &entry);
		if (ctl_shaking_check(sealed ? &records.shaking[0] : &entry) == 0 &&
			entry.wrap > SHM_RECORD_WRAP_V2)
			abort();
	}
	check_note(data + 1, size - 1);
	if (ctl_parked_check(&parked, parked.slot, parked.generation) == 0) {
		size_t sum = 0;

		for (unsigned i = 0; i < parked.count; i++)
			sum += parked.len[i];
		if (sum > sizeof(parked.bytes))
			abort();
	}
	return 0;
}
