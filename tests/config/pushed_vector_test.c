// SPDX-License-Identifier: BSD-3-Clause
// What the recorded servers, 2.4 to 2.7, push: a profile of ours takes every option of it, and ends
// up with the cipher and the format that the capture's data packets have.
#include "config/pushed.h"
#include "protocol/ncp.h"
#include "protocol/opcode.h"
#include "protocol/push.h"
#include "tests/config/parse.h"
#include "tests/protocol/vector.h"

#define CIPHERS                                                                                    \
	"AES-256-GCM:AES-128-GCM:CHACHA20-POLY1305:AES-256-CBC:AES-128-CBC:AES-256-CFB:"           \
	"AES-256-OFB:BF-CBC:none"
// The fallback is for servers that push no cipher to a client that doesn't negotiate.
#define PROFILE                                                                                    \
	"client\nremote a\nca a\nallow-compression asym\ndata-ciphers " CIPHERS                    \
	"\ndata-ciphers-fallback AES-256-CBC\n"

// Collect the PUSH_REPLY of the first negotiation. Returns false when there is none, or only a
// part of one.
static bool collect(const struct vec *v, struct ovpn_push_collect *c)
{
	const json_t *m;
	size_t i;

	json_array_foreach(json_object_get(v->json, "control_messages"), i, m)
	{
		const char *text = vec_str(m, "text");
		struct ovpn_message message;

		if (strcmp(vec_str(m, "dir"), "s2c") != 0)
			continue;
		ovpn_message_parse(text, strlen(text), &message);
		if (message.type == OVPN_MSG_PUSH_REPLY &&
			ovpn_push_collect_add(c, message.text, message.text_len) != 0)
			return true;
	}
	return false;
}

// Options string of the server. Returns its length.
static size_t server_options(const struct vec *v, char *buf, size_t size)
{
	const json_t *m;
	size_t i;

	json_array_foreach(json_object_get(v->json, "control_messages"), i, m)
	{
		const json_t *km2 = json_object_get(m, "key_method_2");

		if (km2 != NULL && strcmp(vec_str(m, "dir"), "s2c") == 0) {
			size_t len = vec_hex(km2, "options", (uint8_t *)buf, size);

			return strnlen(buf, len);
		}
	}
	return 0;
}

// Opcode of the server's first data packet; 0 when there is none.
static unsigned data_opcode(const struct vec *v)
{
	for (size_t i = 0; i < v->count; i++) {
		unsigned opcode = v->packet[i].len > 0 ? ovpn_opcode_of(v->packet[i].data[0]) : 0;

		if (!v->packet[i].c2s && (opcode == OVPN_P_DATA_V1 || opcode == OVPN_P_DATA_V2))
			return opcode;
	}
	return 0;
}

static void check_pushed(const char *name, const struct vec *v, const struct cfg_pushed *p)
{
	const json_t *data = json_object_get(v->json, "data");
	const char *want_name = vec_str(data, "cipher");
	enum ovpn_cipher want = OVPN_CIPHER_COUNT, got = OVPN_CIPHER_COUNT;
	char options[1024];
	struct ovpn_ncp_list ours;
	struct ovpn_ncp_client in = { .ours = &ours,
		.has_fallback = true,
		.fallback = OVPN_CIPHER_AES_256_CBC,
		.pushed = p->cipher_set ? p->cipher : NULL,
		.pushed_len = p->cipher_set ? strlen(p->cipher) : 0,
		.options = options,
		.options_len = server_options(v, options, sizeof(options)) };

	GTC_EXPECT_INT(ovpn_ncp_parse(CIPHERS, strlen(CIPHERS), UINT32_MAX, &ours, NULL), 0);
	GTC_EXPECT_INT(ovpn_cipher_by_name(want_name, strlen(want_name), &want), 0);
	GTC_EXPECT_INT(ovpn_ncp_select_client(&in, &got), 0);
	if (got != want)
		GTC_FAIL("%s: cipher %d, not %s", name, (int)got, want_name);
	if ((p->peer_id != CFG_PEER_ID_NONE) != (data_opcode(v) == OVPN_P_DATA_V2))
		GTC_FAIL("%s: peer-id %u, opcode %u", name, p->peer_id, data_opcode(v));
	if (((p->protocol_flags & CFG_PF_AEAD_EPOCH) != 0) !=
		json_is_true(json_object_get(data, "epoch")))
		GTC_FAIL("%s: flags %x", name, p->protocol_flags);
}

GTC_TEST(cfg_pushed_vector, recorded_servers)
{
	unsigned checked = 0;

	for (const char *const *name = vec_tls_names; *name != NULL; name++) {
		struct vec *v = vec_load(*name);
		char bytes[8192];
		struct ovpn_push_collect c;
		struct cfg_client *cfg = NULL;
		struct cfg_notes notes = { 0 };
		struct cfg_error err = { .text = "" };
		const char *option = NULL;
		struct cfg_pushed p;

		ovpn_push_collect_init(&c, bytes, sizeof(bytes));
		if (!collect(v, &c) || data_opcode(v) == 0) {
			vec_free(v);
			continue;
		}
		GTC_ASSERT_INT(PARSE_TEXT(cfg_client_parse, PROFILE, NULL, &cfg, &err), 0);
		GTC_ASSERT_INT(cfg_pushed_init(&p, cfg), 0);
		while ((option = ovpn_push_collect_next(&c, option)) != NULL) {
			if (cfg_pushed_apply(&p, cfg, option, &notes) != 0)
				GTC_FAIL("%s: not applied: %s", *name, option);
		}
		GTC_EXPECT_INT(notes.n, 0);
		GTC_EXPECT_INT(cfg_pushed_finish(&p, &err), 0);
		GTC_EXPECT_STR(err.text, "");
		check_pushed(*name, v, &p);
		checked++;
		cfg_notes_done(&notes);
		cfg_pushed_done(&p);
		cfg_client_free(cfg);
		vec_free(v);
	}
	GTC_EXPECT_INT(checked, 28); // all but tls_auth_failed
}
