// SPDX-License-Identifier: BSD-3-Clause
#include "protocol/tls/static_key.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include "tests/gtc.h"

GTC_TEST(static_key, round_trip)
{
	struct ovpn_static_key key;
	struct ovpn_static_key back;
	char text[OVPN_KEY_TEXT_MAX];
	char noisy[OVPN_KEY_TEXT_MAX + 64];

	GTC_ASSERT_INT(ovpn_static_key_generate(&key), 0);
	GTC_ASSERT_INT(ovpn_static_key_format(&key, text, sizeof(text)), 0);
	GTC_EXPECT_INT(ovpn_static_key_parse(text, strlen(text), &back, NULL), 0);
	GTC_EXPECT_MEM(&back, &key, sizeof(key));
	(void)snprintf(noisy, sizeof(noisy), "#\r\n# 2048 bit key\r\n   %s\nafter ff", text);
	GTC_EXPECT_INT(ovpn_static_key_parse(noisy, strlen(noisy), &back, NULL), 0);
	GTC_EXPECT_INT(ovpn_static_key_format(&key, text, 100), -ENOSPC);
	ovpn_static_key_wipe(&key);
	GTC_EXPECT_INT(key.bytes[7], 0);
}

static void expect_refused(const char *text, unsigned line, const char *reason)
{
	struct ovpn_static_key key;
	struct ovpn_key_error err = { 0 };

	GTC_EXPECT_INT(ovpn_static_key_parse(text, strlen(text), &key, &err), -EINVAL);
	GTC_EXPECT_INT(err.line, line);
	GTC_EXPECT_STR(err.reason, reason);
}

GTC_TEST(static_key, refused)
{
	expect_refused("", 0, "no line '-----BEGIN OpenVPN Static key V1-----'");
	expect_refused("-----BEGIN OpenVPN Static key V1-----\n00\n", 2,
		"no line '-----END OpenVPN Static key V1-----'");
	expect_refused("\n-----BEGIN OpenVPN Static key V1-----\n00 0x\n", 3,
		"a character that is no hex digit");
	expect_refused("-----BEGIN OpenVPN Static key V1-----\n0011\n"
		       "-----END OpenVPN Static key V1-----\n",
		3, "4 hex digits of key instead of 512");
}

GTC_TEST(static_key, too_long)
{
	struct ovpn_static_key key = { 0 };
	struct ovpn_key_error err = { 0 };
	char text[OVPN_KEY_TEXT_MAX];
	char *end;

	GTC_ASSERT_INT(ovpn_static_key_format(&key, text, sizeof(text) - 64), 0);
	end = strstr(text, "-----END");
	memmove(end + 1, end, strlen(end) + 1);
	*end = '7';
	GTC_EXPECT_INT(ovpn_static_key_parse(text, strlen(text), &key, &err), -EINVAL);
	GTC_EXPECT_INT(err.line, 18);
	GTC_EXPECT_STR(err.reason, "more than 256 bytes of key");
}

GTC_TEST(v2_key, round_trip)
{
	static const uint8_t metadata[] = { OVPN_WKC_METADATA_USER, 'l', 'a', 'p', 't', 'o', 'p' };
	struct ovpn_v2_server_key server;
	struct ovpn_v2_server_key server_back;
	struct ovpn_v2_client_key client;
	struct ovpn_v2_client_key client_back;
	struct ovpn_static_key kc;
	uint8_t got[OVPN_WKC_METADATA_MAX];
	char text[OVPN_KEY_TEXT_MAX];
	size_t len = 0;

	GTC_ASSERT_INT(ovpn_v2_server_key_generate(&server), 0);
	GTC_ASSERT_INT(ovpn_v2_server_key_format(&server, text, sizeof(text)), 0);
	GTC_ASSERT_INT(ovpn_v2_server_key_parse(text, strlen(text), &server_back, NULL), 0);
	GTC_EXPECT_MEM(&server_back, &server, sizeof(server));
	GTC_ASSERT_INT(
		ovpn_v2_client_key_generate(&server, metadata, sizeof(metadata), &client), 0);
	GTC_ASSERT_INT(ovpn_v2_client_key_format(&client, text, sizeof(text)), 0);
	GTC_ASSERT_INT(ovpn_v2_client_key_parse(text, strlen(text), &client_back, NULL), 0);
	GTC_EXPECT_MEM(&client_back, &client, sizeof(client));
	GTC_EXPECT_INT(ovpn_wkc_open(&server, client.wkc, client.wkc_len, &kc, got, &len), 0);
	GTC_EXPECT_INT(len, sizeof(metadata));
	GTC_EXPECT_MEM(got, metadata, sizeof(metadata));
	GTC_EXPECT_MEM(&kc, &client.kc, sizeof(kc));
}

GTC_TEST(v2_key, longest_metadata)
{
	struct ovpn_v2_server_key server;
	struct ovpn_v2_client_key client;
	uint8_t metadata[OVPN_WKC_METADATA_MAX + 1] = { 0 };
	char text[OVPN_KEY_TEXT_MAX];

	GTC_ASSERT_INT(ovpn_v2_server_key_generate(&server), 0);
	GTC_EXPECT_INT(ovpn_v2_client_key_generate(&server, metadata, 0, &client), -EINVAL);
	GTC_EXPECT_INT(
		ovpn_v2_client_key_generate(&server, metadata, sizeof(metadata), &client), -EINVAL);
	GTC_ASSERT_INT(
		ovpn_v2_client_key_generate(&server, metadata, sizeof(metadata) - 1, &client), 0);
	GTC_EXPECT_INT(client.wkc_len, OVPN_WKC_MAX);
	GTC_EXPECT_INT(ovpn_v2_client_key_format(&client, text, sizeof(text)), 0);
	GTC_EXPECT_INT(ovpn_v2_client_key_parse(text, strlen(text), &client, NULL), 0);
}

GTC_TEST(v2_key, every_bit_counts)
{
	static const uint8_t metadata[9] = { OVPN_WKC_METADATA_TIME };
	struct ovpn_v2_server_key server;
	struct ovpn_v2_client_key client;
	struct ovpn_static_key kc;

	GTC_ASSERT_INT(ovpn_v2_server_key_generate(&server), 0);
	GTC_ASSERT_INT(
		ovpn_v2_client_key_generate(&server, metadata, sizeof(metadata), &client), 0);
	for (unsigned bit = 0; bit < 8u * client.wkc_len; bit++) {
		client.wkc[bit / 8] ^= (uint8_t)(1u << bit % 8);
		GTC_EXPECT(ovpn_wkc_open(&server, client.wkc, client.wkc_len, &kc, NULL, NULL) < 0);
		client.wkc[bit / 8] ^= (uint8_t)(1u << bit % 8);
	}
	GTC_EXPECT_INT(ovpn_wkc_open(&server, client.wkc, client.wkc_len, &kc, NULL, NULL), 0);
	for (size_t len = 0; len < client.wkc_len; len++)
		GTC_EXPECT(ovpn_wkc_open(&server, client.wkc, len, &kc, NULL, NULL) < 0);
}

// Run a command in an empty folder and read a file that it makes there.
static bool file_of(
	const char *folder, const char *command, const char *file, char *text, size_t size)
{
	char line[512];
	size_t n = 0;
	FILE *f;

	(void)snprintf(line, sizeof(line), "cd %s && %s >/dev/null 2>&1", folder, command);
	if (system(line) != 0)
		return false;
	(void)snprintf(line, sizeof(line), "%s/%s", folder, file);
	f = fopen(line, "re");
	if (f != NULL) {
		n = fread(text, 1, size - 1, f);
		(void)fclose(f); // only read from
	}
	text[n] = '\0';
	return n > 0;
}

// What Debian's openvpn makes must be read.
GTC_TEST(v2_key, openvpn_genkey)
{
	char folder[] = "/tmp/visp-genkey-XXXXXX";
	char command[64];
	struct ovpn_static_key key;
	struct ovpn_v2_server_key server;
	struct ovpn_v2_client_key client;
	char text[4096];

	if (system("command -v openvpn >/dev/null || test -x /usr/sbin/openvpn") != 0)
		GTC_SKIP("openvpn isn't installed");
	GTC_ASSERT(setenv("PATH", "/usr/sbin:/usr/bin:/sbin:/bin", 1) == 0);
	GTC_ASSERT(mkdtemp(folder) != NULL);
	GTC_EXPECT(file_of(folder, "openvpn --genkey secret s", "s", text, sizeof(text)));
	GTC_EXPECT_INT(ovpn_static_key_parse(text, strlen(text), &key, NULL), 0);
	GTC_EXPECT(
		file_of(folder, "openvpn --genkey tls-crypt-v2-server v", "v", text, sizeof(text)));
	GTC_EXPECT_INT(ovpn_v2_server_key_parse(text, strlen(text), &server, NULL), 0);
	GTC_EXPECT(file_of(folder, "openvpn --tls-crypt-v2 v --genkey tls-crypt-v2-client c", "c",
		text, sizeof(text)));
	GTC_EXPECT_INT(ovpn_v2_client_key_parse(text, strlen(text), &client, NULL), 0);
	GTC_EXPECT_INT(ovpn_wkc_open(&server, client.wkc, client.wkc_len, &key, NULL, NULL), 0);
	GTC_EXPECT_MEM(&key, &client.kc, sizeof(key));
	(void)snprintf(command, sizeof(command), "rm -r %s", folder);
	GTC_EXPECT_INT(system(command), 0);
}
