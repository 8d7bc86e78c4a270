// SPDX-License-Identifier: BSD-3-Clause
// What is wrong in a file is said with the name of the file, the line and the directive: values,
// and files that other files name.
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

#include "config/ccd.h"
#include "config/client.h"
#include "config/server.h"
#include "tests/config/parse.h"

#define SERVER                                                                                     \
	"server 10.8.0.0 255.255.255.0\n"                                                          \
	"ca ca.crt\n"                                                                              \
	"cert s.crt\n"                                                                             \
	"key s.key\n"
#define CLIENT                                                                                     \
	"client\n"                                                                                 \
	"ca ca.crt\n"                                                                              \
	"remote a\n"

static void server_says(const char *lines, const char *want)
{
	char text[2048];
	struct cfg_server *cfg = NULL;
	struct cfg_error err = { .text = "" };

	snprintf(text, sizeof(text), SERVER "%s", lines);
	GTC_EXPECT(PARSE_TEXT(cfg_server_parse, text, NULL, &cfg, &err) < 0);
	GTC_EXPECT_STR(err.text, want);
	cfg_server_free(cfg);
}

static void client_says(const char *lines, const char *want)
{
	char text[512];
	struct cfg_client *cfg = NULL;
	struct cfg_error err = { .text = "" };

	snprintf(text, sizeof(text), CLIENT "%s", lines);
	GTC_EXPECT(PARSE_TEXT(cfg_client_parse, text, NULL, &cfg, &err) < 0);
	GTC_EXPECT_STR(err.text, want);
	cfg_client_free(cfg);
}

static void ccd_says(const char *text, const char *want)
{
	struct cfg_ccd *ccd = NULL;
	struct cfg_error err = { .text = "" };
	struct cfg_lines lines;

	GTC_ASSERT_INT(cfg_lines_init(&lines), 0);
	GTC_EXPECT_INT(cfg_lines_add_text(&lines, "f", 1, text, strlen(text), &err), 0);
	GTC_EXPECT(cfg_ccd_parse(&lines, NULL, &ccd, &err) < 0);
	GTC_EXPECT_STR(err.text, want);
	cfg_lines_done(&lines);
	cfg_ccd_free(ccd);
}

GTC_TEST(cfg_bad_input, server_listeners)
{
	char lines[1024] = "";

	server_says("local 192.0.2.1\nlocal vpn.example.org\n",
		"f:6: 'local': 'vpn.example.org' isn't an address (names aren't looked up)");
	server_says("local 192.0.2.1\nlocal 192.0.2.2 0\n",
		"f:6: 'local' takes a number from 1 to 65535, got '0'");
	server_says("local 192.0.2.1 1194 tcp\n",
		"f:5: 'local' takes one of udp, udp4, udp6, got 'tcp'");
	for (int i = 1; i <= CFG_LISTENS_MAX + 1; i++)
		snprintf(lines + strlen(lines), sizeof(lines) - strlen(lines), "local 192.0.2.%d\n",
			i);
	server_says(lines, "f:21: 'local': more than 16 addresses");
}

GTC_TEST(cfg_bad_input, server_values)
{
	server_says("server 10.8.0.0 255.255.255.248\ntopology p2p\n",
		"f:6: 'topology p2p' needs a network of at least 16 addresses, for a pool");
	server_says("fragment 9001\n",
		"f:5: 'fragment' takes a number from 300 to 9000, got "
		"'9001'");
	server_says("fragment -1\n", "f:5: 'fragment' takes a number from 300 to 9000, got '-1'");
	server_says("keysize 7\n", "f:5: 'keysize' takes a number from 8 to 512, got '7'");
	server_says("cipher AES-256-CBC\nkeysize 128\n",
		"f:6: 'keysize': AES-256-CBC has keys of 256 bits; leave the line out or take "
		"another 'cipher'");
	server_says("data-ciphers AES-256-GCM::AES-128-GCM\n",
		"f:5: 'data-ciphers': '' isn't the name of a cipher");
	server_says("inactive 31536001\n",
		"f:5: 'inactive' takes a number from 0 to 31536000, got '31536001'");
	server_says("session-timeout 1d\n",
		"f:5: 'session-timeout' takes a number from 0 to 31536000, got '1d'");
	server_says("<peer-fingerprint>\nzz\n</peer-fingerprint>\n",
		"f:5: 'peer-fingerprint': 'zz' isn't a SHA-256 fingerprint, 32 bytes in hex with "
		"':'");
	server_says("server-ipv6 fd00::/64 x\n",
		"f:5: 'server-ipv6' takes 1 argument (NETWORK/BITS), got 2");
}

GTC_TEST(cfg_bad_input, client_values)
{
	client_says("static-challenge Pin 2\n",
		"f:4: 'static-challenge' takes one of 0, 1, got "
		"'2'");
	client_says("static-challenge Pin 1 base64\n",
		"f:4: 'static-challenge' takes one of scrv1, concat, got 'base64'");
	client_says("static-challenge Pin\n",
		"f:4: 'static-challenge' takes 2 to 3 arguments (TEXT 0|1 [scrv1|concat]), got 1");
	client_says("auth MD4\n", "f:4: 'auth': unknown digest 'MD4'");
	client_says("data-ciphers ROT13\n", "f:4: 'data-ciphers': unknown cipher 'ROT13'");
	client_says("fragment 299\n", "f:4: 'fragment' takes a number from 300 to 9000, got '299'");
	client_says("inactive -1\n", "f:4: 'inactive' takes a number from 0 to 31536000, got '-1'");
	client_says("session-timeout 31536001\n",
		"f:4: 'session-timeout' takes a number from 0 to 31536000, got '31536001'");
	client_says("peer-fingerprint 00\n",
		"f:4: 'peer-fingerprint': '00' isn't a SHA-256 fingerprint, 32 bytes in hex with "
		"':'");
}

GTC_TEST(cfg_bad_input, clients_file)
{
	ccd_says("\nifconfig-push 10.8.0.7 nonsense\n",
		"f:2: 'ifconfig-push': '10.8.0.7 nonsense' isn't an address and its netmask or "
		"other end");
	ccd_says("ifconfig-ipv6-push fd00::7/129\n",
		"f:1: 'ifconfig-ipv6-push': 'fd00::7/129' isn't an IPv6 address and its prefix "
		"length");
	ccd_says("ifconfig-ipv6-push 10.8.0.7/24\n",
		"f:1: 'ifconfig-ipv6-push': '10.8.0.7/24' isn't an IPv6 address and its prefix "
		"length");
	ccd_says("ifconfig-ipv6-push fd00::7/64 10.0.0.1\n",
		"f:1: 'ifconfig-ipv6-push': '10.0.0.1' isn't an IPv6 address");
	ccd_says("iroute-ipv6 10.0.0.0/8\n",
		"f:1: 'iroute-ipv6': '10.0.0.0/8' isn't an IPv6 network and its prefix length");
	ccd_says("disable\niroute-ipv6 fd00::1/64\n",
		"f:2: 'iroute-ipv6': fd00::1/64 isn't the first address of that network");
	ccd_says("inactive x\n", "f:1: 'inactive' takes a number from 0 to 31536000, got 'x'");
	ccd_says("session-timeout -1\n",
		"f:1: 'session-timeout' takes a number from 0 to 31536000, got '-1'");
}

// ---- Files that are named -----------------------------------------------------------------------

static char dir[] = "/tmp/cfg-bad-XXXXXX";

static void put(const char *name, const char *text)
{
	char path[128];
	FILE *f;

	snprintf(path, sizeof(path), "%s/%s", dir, name);
	f = fopen(path, "w");
	GTC_ASSERT(f != NULL);
	GTC_EXPECT(fputs(text, f) >= 0);
	GTC_EXPECT_INT(fclose(f), 0);
}

static void drop(const char *const *names)
{
	char path[128];

	for (; *names != NULL; names++) {
		snprintf(path, sizeof(path), "%s/%s", dir, *names);
		GTC_EXPECT_INT(unlink(path), 0);
	}
}

// The first error of a server.conf whose line 6 and on is this. "@" in want stands for the folder.
static void load_says(const char *lines, const char *want)
{
	char path[128], text[1024], full[512] = "";
	struct cfg_server *cfg = NULL;
	struct cfg_error err = { .text = "" };

	snprintf(text, sizeof(text), "cd %s\n" SERVER "%s", dir, lines);
	put("server.conf", text);
	snprintf(path, sizeof(path), "%s/server.conf", dir);
	for (; *want != '\0'; want++) {
		char one[2] = { *want, '\0' };

		strcat(full, *want == '@' ? dir : one);
	}
	GTC_EXPECT(cfg_server_load(path, NULL, &cfg, &err) < 0);
	GTC_EXPECT_STR(err.text, full);
	cfg_server_free(cfg);
}

#define TUNNEL "secret k\ncipher AES-256-CBC\nlocal 192.0.2.1\nifconfig 10.9.0.1 10.9.0.2\n"

// A folder with one file too many.
static void many_tunnels_say(void)
{
	char name[16], text[256], folder[64];

	snprintf(folder, sizeof(folder), "%s/t", dir);
	GTC_ASSERT_INT(mkdir(folder, 0700), 0);
	for (int i = 0; i <= CFG_TUNNELS_MAX; i++) {
		snprintf(name, sizeof(name), "t/%04d.conf", i);
		snprintf(text, sizeof(text), "secret %s/k\nlport %d\n%s", dir, 2000 + i,
			strchr(TUNNEL, '\n') + 1);
		put(name, text);
	}
	load_says("tunnel t\n", "@/server.conf:6: 'tunnel': more than 4096 of them");
	for (int i = 0; i <= CFG_TUNNELS_MAX; i++) {
		snprintf(name, sizeof(name), "t/%04d.conf", i);
		drop((const char *const[]){ name, NULL });
	}
	GTC_EXPECT_INT(rmdir(folder), 0);
}

static void tunnels_say(void)
{
	char text[256];

	load_says("tunnel none.conf\n",
		"@/server.conf:6: 'tunnel': can't read '@/none.conf': No "
		"such file or directory");
	put("a.conf", "cipher AES-256-CBC\nlport 1195\nifconfig 10.9.0.1 10.9.0.2\n");
	load_says("tunnel a.conf\n",
		"@/a.conf: no 'client' line; profiles without it have static "
		"addresses, which are offered with static keys ('secret') "
		"only");
	put("a.conf", "secret k\ncipher AES-256-CBC\nlport 1195\n");
	load_says("tunnel a.conf\n", "@/a.conf: 'secret' needs 'ifconfig LOCAL REMOTE'");
	snprintf(text, sizeof(text), "secret %s/k\nlport 1195\n%s", dir, strchr(TUNNEL, '\n') + 1);
	put("a.conf", text);
	put("b.conf", text);
	load_says("tunnel a.conf\ntunnel b.conf\n",
		"@/b.conf:1: UDP port 1195 is also that of @/a.conf; each tunnel needs "
		"one of its own ('lport')");
	drop((const char *const[]){ "a.conf", "b.conf", NULL });
	many_tunnels_say();
}

GTC_TEST(cfg_bad_input, files)
{
	GTC_ASSERT(mkdtemp(dir) != NULL);
	put("ca.crt", "");
	put("s.crt", "");
	put("s.key", "");
	put("k", "");
	load_says("script-security 2\nauth-user-pass-verify none.sh via-file\n",
		"@/server.conf:7: 'auth-user-pass-verify': can't run '@/none.sh': No such file or "
		"directory");
	load_says("plugin openvpn-plugin-auth-pam.so vpn\nauth-gen-token\n"
		  "auth-gen-token-secret none.key\n",
		"@/server.conf:8: auth-gen-token-secret: can't read '@/none.key': No such file or "
		"directory");
	load_says("crl-verify none dir\n",
		"@/server.conf:6: 'crl-verify': can't look into "
		"'@/none': No such file or directory");
	load_says("crl-verify k dir\n",
		"@/server.conf:6: 'crl-verify': can't look into '@/k': Not a directory");
	tunnels_say();
	drop((const char *const[]){ "ca.crt", "s.crt", "s.key", "k", "server.conf", NULL });
	GTC_EXPECT_INT(rmdir(dir), 0);
}
