// SPDX-License-Identifier: BSD-3-Clause
// One server of ours meets the recorded clients, 2.4 to 2.7: what it decides from their
// key-method-2 is what their captured data packets look like.
#include <stdlib.h>
#include <string.h>

#include "config/server.h"
#include "control/format.h"
#include "control/push_build.h"
#include "protocol/key_method2.h"
#include "protocol/opcode.h"
#include "protocol/peer_info.h"
#include "tests/config/parse.h"
#include "tests/gtc.h"
#include "tests/protocol/vector.h"

#define CIPHERS                                                                                    \
	"AES-256-GCM:AES-128-GCM:CHACHA20-POLY1305:AES-256-CBC:AES-128-CBC:AES-256-CFB:"           \
	"AES-256-OFB:BF-CBC:none"
#define CONFIG "server 10.8.0.0 255.255.255.0\nca a\ncert b\nkey c\ndata-ciphers " CIPHERS "\n"

// The first key-method-2 message of one side. Returns NULL without one.
static const json_t *first_km2(const struct vec *v, const char *dir)
{
	const json_t *m;
	size_t i;

	json_array_foreach(json_object_get(v->json, "control_messages"), i, m)
	{
		const json_t *km2 = json_object_get(m, "key_method_2");

		if (km2 != NULL && strcmp(vec_str(m, "dir"), dir) == 0)
			return km2;
	}
	return NULL;
}

// Hex digits of a string that may end with its NUL.
static struct ovpn_span text_of(const json_t *km2, const char *key, uint8_t *buf, size_t size)
{
	struct ovpn_span text = { .data = buf, .len = vec_hex(km2, key, buf, size) };

	while (text.len > 0 && buf[text.len - 1] == '\0')
		text.len--;
	if (text.len == 0)
		text.data = NULL;
	return text;
}

// Opcode of the client's first data packet; 0 when there is none.
static unsigned data_opcode(const struct vec *v)
{
	for (size_t i = 0; i < v->count; i++) {
		unsigned opcode = v->packet[i].len > 0 ? ovpn_opcode_of(v->packet[i].data[0]) : 0;

		if (v->packet[i].c2s && (opcode == OVPN_P_DATA_V1 || opcode == OVPN_P_DATA_V2))
			return opcode;
	}
	return 0;
}

// What the server of the capture could do at all.
static unsigned can_of(const struct vec *v)
{
	const char *server = vec_str(json_object_get(v->json, "openvpn"), "server");
	unsigned can = CTL_PUSH_PEER_ID | CTL_PUSH_CC_EXIT | CTL_PUSH_TUN_MTU | CTL_PUSH_TLS_EKM |
		CTL_PUSH_DYN_TLS_CRYPT;

	return strncmp(server, "2.7", 3) == 0 ? can | CTL_PUSH_EPOCH : can;
}

// Returns false when the capture has no data packets.
static bool check_client(const char *name, const struct vec *v, const struct cfg_server *cfg)
{
	const json_t *data = json_object_get(v->json, "data");
	const json_t *km2 = first_km2(v, "c2s");
	const char *cipher_name = vec_str(data, "cipher");
	const char *digest_name = vec_str(data, "auth");
	unsigned opcode = data_opcode(v), agreed;
	enum ovpn_cipher cipher = OVPN_CIPHER_COUNT;
	enum ovpn_digest digest = OVPN_DIGEST_COUNT;
	uint8_t options[1024], info[1024];
	struct ovpn_ncp_list ciphers;
	struct ovpn_peer_caps caps;
	struct ovpn_km2 km = { 0 };
	struct ctl_format f = { 0 };
	const char *why;

	if (opcode == 0 || km2 == NULL)
		return false;
	GTC_EXPECT_INT(ovpn_cipher_by_name(cipher_name, strlen(cipher_name), &cipher), 0);
	GTC_EXPECT_INT(ovpn_digest_by_name(digest_name, strlen(digest_name), &digest), 0);
	GTC_EXPECT_INT(ovpn_ncp_parse(CIPHERS, strlen(CIPHERS), UINT32_MAX, &ciphers, NULL), 0);
	km.options = text_of(km2, "options", options, sizeof(options));
	km.peer_info = text_of(km2, "peer_info", info, sizeof(info));
	ovpn_peer_info_caps((const char *)km.peer_info.data, km.peer_info.len, &caps);
	agreed = ctl_push_agree(cfg, &caps, can_of(v));
	why = ctl_format_decide(cfg, &ciphers, &km, false, &agreed, &f);
	if (why != NULL)
		return GTC_FAIL("%s: refused: %s", name, why);
	if (f.cipher != cipher || f.digest != digest)
		GTC_FAIL("%s: cipher %u digest %u, not %u %u", name, f.cipher, f.digest, cipher,
			digest);
	if (((agreed & CTL_PUSH_PEER_ID) != 0) != (opcode == OVPN_P_DATA_V2))
		GTC_FAIL("%s: opcode %u, agreed %x", name, opcode, agreed);
	if (((agreed & CTL_PUSH_EPOCH) != 0) != json_is_true(json_object_get(data, "epoch")))
		GTC_FAIL("%s: epoch, agreed %x", name, agreed);
	return true;
}

GTC_TEST(ctl_format_vector, recorded_clients)
{
	struct cfg_server *cfg = NULL;
	struct cfg_error err = { .text = "" };
	unsigned checked = 0;

	GTC_ASSERT_INT(PARSE_TEXT(cfg_server_parse, CONFIG, NULL, &cfg, &err), 0);
	for (const char *const *name = vec_tls_names; *name != NULL; name++) {
		struct vec *v = vec_load(*name);

		checked += check_client(*name, v, cfg);
		vec_free(v);
	}
	GTC_EXPECT_INT(checked, 28); // all but tls_auth_failed
	cfg_server_free(cfg);
}
