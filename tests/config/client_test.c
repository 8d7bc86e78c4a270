// SPDX-License-Identifier: BSD-3-Clause
#include "config/client.h"

#include <errno.h>
#include <stdio.h>
#include <sys/socket.h>

#include "tests/config/parse.h"

// As installers of today's servers write them.
static const char inline_profile[] = "client\r\n"
				     "dev tun\r\n"
				     "proto udp\r\n"
				     "remote 203.0.113.7 1194\r\n"
				     "resolv-retry infinite\r\n"
				     "nobind\r\n"
				     "persist-key\r\n"
				     "persist-tun\r\n"
				     "remote-cert-tls server\r\n"
				     "auth SHA512\r\n"
				     "cipher AES-256-GCM\r\n"
				     "ignore-unknown-option block-outside-dns\r\n"
				     "block-outside-dns\r\n"
				     "key-direction 1\r\n"
				     "verb 3\r\n"
				     "<ca>\r\n"
				     "-----BEGIN CERTIFICATE-----\r\n"
				     "MIIB\r\n"
				     "-----END CERTIFICATE-----\r\n"
				     "</ca>\r\n"
				     "<cert>\r\n"
				     "Certificate:\r\n"
				     "    Data: \"odd 'quotes\r\n"
				     "-----BEGIN CERTIFICATE-----\r\n"
				     "MIIC\r\n"
				     "-----END CERTIFICATE-----\r\n"
				     "</cert>\r\n"
				     "<key>\r\n"
				     "-----BEGIN PRIVATE KEY-----\r\n"
				     "MIIE\r\n"
				     "-----END PRIVATE KEY-----\r\n"
				     "</key>\r\n"
				     "<tls-auth>\r\n"
				     "#\r\n"
				     "# 2048 bit OpenVPN static key\r\n"
				     "#\r\n"
				     "-----BEGIN OpenVPN Static key V1-----\r\n"
				     "00\r\n"
				     "-----END OpenVPN Static key V1-----\r\n"
				     "</tls-auth>\r\n";

GTC_TEST(cfg_client, inline_profile)
{
	struct cfg_client *cfg = NULL;
	struct cfg_notes notes = { 0 };
	struct cfg_error err = { .text = "" };
	const struct cfg_remote *r;

	GTC_EXPECT_INT(PARSE_TEXT(cfg_client_parse, inline_profile, &notes, &cfg, &err), 0);
	GTC_EXPECT_STR(err.text, "");
	GTC_ASSERT(cfg != NULL);
	GTC_ASSERT_INT(cfg->n_remotes, 1);
	r = &cfg->remotes[0];
	GTC_EXPECT_STR(r->host, "203.0.113.7");
	GTC_EXPECT_INT(r->port, 1194);
	GTC_EXPECT_INT(r->family, AF_UNSPEC);
	GTC_EXPECT(r->nobind);
	GTC_EXPECT_INT(r->line, 4);
	GTC_EXPECT_STR(cfg->dev, "tun");
	GTC_EXPECT(cfg->pull && !cfg->auth_user_pass);
	GTC_EXPECT_STR(
		cfg->tls.ca.text, "-----BEGIN CERTIFICATE-----\nMIIB\n-----END CERTIFICATE-----\n");
	GTC_EXPECT_INT(cfg->tls.ca.len, strlen(cfg->tls.ca.text));
	GTC_EXPECT_INT(cfg->tls.ca.line, 16);
	GTC_EXPECT(strstr(cfg->tls.cert.text, "    Data: \"odd 'quotes\n") != NULL);
	GTC_EXPECT(r->wrap.tls_auth.text != NULL);
	GTC_EXPECT_INT(r->wrap.key_direction, 1);
	GTC_EXPECT_STR(cfg->tls.auth, "SHA512");
	GTC_EXPECT_INT(cfg->tls.purpose, CFG_PURPOSE_SERVER);
	GTC_EXPECT_INT(cfg->tls.reneg_sec_min, 3600);
	GTC_EXPECT_INT(cfg->mobility, CFG_MOBILITY_AGGRESSIVE);
	GTC_EXPECT_INT(cfg->resolv_retry_s, UINT32_MAX);
	GTC_EXPECT_INT(notes.n, 3); // persist-key, persist-tun, block-outside-dns
	cfg_client_free(cfg);
	cfg_notes_done(&notes);
}

#define BASE "client\nca ca.crt\n"

GTC_TEST(cfg_client, remotes)
{
	static const char text[] = BASE "remote a.example\n"
					"remote b.example 443 udp6\n"
					"remote c.example 443 tcp\n"
					"<connection>\n"
					"remote d.example 2000 udp\n"
					"connect-timeout 7\n"
					"explicit-exit-notify 2\n"
					"<tls-crypt>\nKEY\n</tls-crypt>\n"
					"</connection>\n"
					"<connection>\n"
					"remote e.example\n"
					"proto tcp\n"
					"</connection>\n"
					"tls-auth ta.key 1\n"
					"rport 1195\n"
					"proto udp4\n"
					"local 192.0.2.9\n"
					"lport 5000\n";
	struct cfg_client *cfg = NULL;
	struct cfg_notes notes = { 0 };
	struct cfg_error err;

	GTC_ASSERT_INT(PARSE_TEXT(cfg_client_parse, text, &notes, &cfg, &err), 0);
	GTC_ASSERT_INT(cfg->n_remotes, 3);
	GTC_EXPECT_STR(cfg->remotes[0].host, "a.example");
	GTC_EXPECT_INT(cfg->remotes[0].port, 1195);
	GTC_EXPECT_INT(cfg->remotes[0].family, AF_INET);
	GTC_EXPECT(!cfg->remotes[0].nobind);
	GTC_EXPECT_INT(cfg->remotes[0].lport, 5000);
	GTC_EXPECT_STR(cfg->remotes[0].wrap.tls_auth.path, "ta.key");
	GTC_EXPECT_INT(cfg->remotes[1].port, 443);
	GTC_EXPECT_INT(cfg->remotes[1].family, AF_INET6);
	GTC_EXPECT_STR(cfg->remotes[2].host, "d.example");
	GTC_EXPECT_INT(cfg->remotes[2].port, 2000);
	GTC_EXPECT_INT(cfg->remotes[2].connect_timeout_s, 7);
	GTC_EXPECT_INT(cfg->remotes[2].explicit_exit_notify, 2);
	GTC_EXPECT_STR(cfg->remotes[2].wrap.tls_crypt.text, "KEY\n");
	GTC_EXPECT(!cfg_blob_set(&cfg->remotes[2].wrap.tls_auth));
	GTC_EXPECT_INT(cfg->remotes[2].line, 7);
	GTC_ASSERT_INT(notes.n, 2);
	GTC_EXPECT_STR(notes.list[0].text,
		"f:5: remote 'c.example' is passed over: only UDP is spoken, not TCP");
	GTC_EXPECT_INT(notes.list[1].line, 14);
	cfg_notes_done(&notes);
	cfg_client_free(cfg);
}

GTC_TEST(cfg_client, tunnel)
{
	static const char text[] = BASE "remote a\n"
					"redirect-gateway def1 bypass-dhcp\n"
					"route 10.0.0.0 255.0.0.0\n"
					"route 192.168.1.0 255.255.255.0 net_gateway 5\n"
					"route vpn.example.org 255.255.255.255 192.0.2.1\n"
					"dhcp-option DNS 10.8.0.1\n"
					"dns server 0 address 10.8.0.2 10.8.0.3\n"
					"dns search-domains a.example b.example\n"
					"keepalive 5 30\n"
					"pull-filter ignore \"route 172.\"\n"
					"setenv UV_SITE lab\n"
					"setenv FOO bar\n"
					"auth-user-pass\n"
					"data-format v1\n"
					"mobility off\n"
					"setenv opt mobility lazy\n"
					"tun-mtu 1400\n"
					"comp-lzo no\n";
	struct cfg_client *cfg = NULL;
	struct cfg_error err;
	const struct cfg_tunnel *t;

	GTC_ASSERT_INT(PARSE_TEXT(cfg_client_parse, text, NULL, &cfg, &err), 0);
	t = &cfg->tunnel;
	GTC_EXPECT_INT(
		t->redirect, CFG_REDIRECT_GATEWAY | CFG_REDIRECT_DEF1 | CFG_REDIRECT_BYPASS_DHCP);
	GTC_ASSERT_INT(t->n_routes, 3);
	GTC_EXPECT_INT(t->routes[0].net.prefix, 8);
	GTC_EXPECT_INT(t->routes[0].metric, -1);
	GTC_EXPECT_STR(t->routes[1].gateway_name, "net_gateway");
	GTC_EXPECT_INT(t->routes[1].metric, 5);
	GTC_EXPECT_STR(t->routes[2].name, "vpn.example.org");
	GTC_EXPECT_INT(t->routes[2].gateway.family, AF_INET);
	GTC_ASSERT_INT(t->n_dhcp, 5);
	GTC_EXPECT_STR(t->dhcp[2].value, "10.8.0.3");
	GTC_EXPECT_STR(t->dhcp[4].type, "DOMAIN-SEARCH");
	GTC_EXPECT_INT(t->ping_s, 5);
	GTC_EXPECT_INT(t->ping_restart_s, 30);
	GTC_EXPECT_INT(cfg->n_filters, 1);
	GTC_ASSERT_INT(cfg->n_setenv, 1);
	GTC_EXPECT_STR(cfg->setenv[1], "lab");
	GTC_EXPECT(cfg->auth_user_pass && !cfg_blob_set(&cfg->auth_user_pass_file));
	GTC_EXPECT_INT(cfg->data_format, CFG_FORMAT_V1);
	GTC_EXPECT_INT(cfg->mobility, CFG_MOBILITY_LAZY);
	GTC_EXPECT_INT(cfg->tun_mtu, 1400);
	GTC_EXPECT_INT(t->comp, CFG_COMP_LZO_STUB);
	cfg_client_free(cfg);
}

static void error_is(const char *text, const char *want)
{
	struct cfg_client *cfg = NULL;
	struct cfg_error err = { .text = "" };

	GTC_EXPECT(PARSE_TEXT(cfg_client_parse, text, NULL, &cfg, &err) < 0);
	GTC_EXPECT_STR(err.text, want);
	cfg_client_free(cfg);
}

GTC_TEST(cfg_client, errors)
{
	error_is("client\nca a\n", "f: no 'remote', so there is no server to connect to");
	error_is("remote a\nca a\n",
		"f: no 'client' line; profiles without it have static addresses, which are offered "
		"with static keys ('secret') only");
	error_is(BASE "remote a 99999\n",
		"f:3: 'remote': the port must be a number from 1 to 65535, got '99999'");
	error_is(BASE "remote a 1 sctp\n",
		"f:3: 'remote': the transport must be udp, udp4 or udp6, got 'sctp'");
	error_is(BASE "remote a\nproto tcp\n",
		"f:4: 'proto tcp' isn't spoken, only udp; ask for a profile with UDP");
	error_is(BASE "remote a 1 tcp\n", "f:3: no remote with UDP; TCP isn't spoken");
	error_is(BASE "remote a\ntls-auth x\ntls-crypt y\n",
		"f:3: only one of 'tls-auth', 'tls-crypt' and 'tls-crypt-v2' can be used at once");
	error_is(BASE "remote a\n<connection>\nport 1\n</connection>\n",
		"f:4: <connection> has no 'remote'");
	error_is(BASE "remote a\n<connection>\nremote b\n\nverb 3\n</connection>\n",
		"f:7: 'verb' isn't allowed in <connection>; it belongs in a client profile");
	error_is(BASE "remote a\n<connection>\nremote 'b\n</connection>\n",
		"f:5: no closing single quote");
	error_is(BASE "connection x\n",
		"f:3: 'connection' is a block: <connection> ... </connection>");
	error_is(BASE "remote a\nsecret static.key\n",
		"f:4: 'secret' and 'client' exclude each other: with a static key nothing is "
		"pushed");
	error_is("remote a\nsecret static.key\nifconfig 10.9.0.2 10.9.0.1\n",
		"f:2: 'secret' needs a 'cipher': nothing is negotiated, and OpenVPN's old default "
		"BF-CBC must be asked for by its name");
	error_is("remote a\nsecret static.key\ncipher AES-256-GCM\nifconfig 10.9.0.2 10.9.0.1\n",
		"f:2: 'cipher': AES-256-GCM can't be used with 'secret', only CBC ciphers");
	error_is(
		"remote a\nsecret static.key\ncipher none\nauth none\nifconfig 10.9.0.2 10.9.0.1\n",
		"f:2: 'cipher none' with 'auth none' would let everybody read and write; set one "
		"of "
		"them");
	error_is("remote a\nsecret static.key\ncipher AES-256-CBC\n",
		"f: 'secret' needs 'ifconfig LOCAL REMOTE'");
	error_is("remote a\nsecret static.key 2\ncipher AES-256-CBC\n",
		"f:2: 'secret' takes one of 0, 1, got '2'");
	error_is("remote a\nsecret k\nca a\ncipher AES-256-CBC\nifconfig 10.9.0.2 10.9.0.1\n",
		"f:2: 'secret' and certificates exclude each other");
	error_is("remote a\nsecret k\ntls-crypt b\ncipher AES-256-CBC\n"
		 "ifconfig 10.9.0.2 10.9.0.1\n",
		"f:2: 'secret' and tls-auth or tls-crypt exclude each other: there is no control "
		"channel");
	error_is(BASE "remote a\nroute 10.0.0.0 255.0.0.1\n",
		"f:4: 'route': '255.0.0.1' isn't a "
		"netmask");
	error_is(BASE "remote a\nredirect-gateway def2\n",
		"f:4: 'redirect-gateway': unknown flag 'def2'");
	error_is(BASE "remote a\ndhcp-option DNS x\n",
		"f:4: 'dhcp-option DNS': 'x' isn't an address");
	error_is(BASE "remote a\nserver 10.0.0.0 255.0.0.0\n",
		"f:4: 'server' isn't allowed in a client profile; it belongs in server.conf");
	error_is(BASE "remote a\n<key>\nx\n", "f:4: '<key>' has no '</key>'");
	error_is("client\nremote a\n",
		"f: no 'ca' and no 'peer-fingerprint', so nobody could be trusted");
	error_is(BASE "remote a\ncert x\n", "f:4: 'cert' needs a 'key'");
	error_is(BASE "remote a\ndev a-name-that-is-too-long\n",
		"f:4: 'dev': the name is longer than 15 characters");
}

GTC_TEST(cfg_client, userpass)
{
	static const char text[] = "client\nremote a\nca a\n"
				   "<auth-user-pass>\nalice\nsecret word\n</auth-user-pass>\n";
	struct cfg_client *cfg = NULL;
	struct cfg_error err;
	char user[16], pass[16], tiny[4];

	GTC_ASSERT_INT(PARSE_TEXT(cfg_client_parse, text, NULL, &cfg, &err), 0);
	GTC_EXPECT_INT(
		cfg_blob_userpass(&cfg->auth_user_pass_file, user, pass, sizeof(user), &err), 0);
	GTC_EXPECT_STR(user, "alice");
	GTC_EXPECT_STR(pass, "secret word");
	GTC_EXPECT_INT(cfg_blob_userpass(&cfg->auth_user_pass_file, tiny, tiny, sizeof(tiny), &err),
		-ERANGE);
	GTC_EXPECT_STR(err.text, "f:4: auth-user-pass: a line is longer than 3 bytes");
	cfg_client_free(cfg);
}

// A profile with a static key needs nothing of TLS, and is bound to OpenVPN's port as its peer
// expects.
GTC_TEST(cfg_client, static_key)
{
	static const char text[] = "dev tun\n"
				   "remote 192.0.2.1 1195\n"
				   "ifconfig 10.9.0.2 10.9.0.1\n"
				   "cipher AES-256-CBC\n"
				   "auth SHA256\n"
				   "keepalive 10 60\n"
				   "float\n"
				   "fragment 1300\n"
				   "<secret>\nabc\n</secret>\n"
				   "key-direction 1\n";
	struct cfg_client *cfg = NULL;
	struct cfg_error err;

	GTC_ASSERT_INT(PARSE_TEXT(cfg_client_parse, text, NULL, &cfg, &err), 0);
	GTC_EXPECT(cfg_blob_set(&cfg->tls.secret) && !cfg->pull && cfg->floats);
	GTC_EXPECT_INT(cfg->tls.wrap.key_direction, 1);
	GTC_EXPECT_INT(cfg->remotes[0].lport, 1194);
	GTC_EXPECT(!cfg->remotes[0].nobind);
	GTC_EXPECT_INT(cfg->remotes[0].fragment, 1300);
	GTC_EXPECT_INT(cfg->tunnel.ifconfig.family, AF_INET);
	cfg_client_free(cfg);
}

// TCP is held to one datagram by what `fragment` says, unless `mssfix` has a number of its own.
GTC_TEST(cfg_client, fragment)
{
	static const char head[] = "client\nca c\ncert c\nkey k\n";
	static const struct {
		const char *lines;
		uint32_t fragment, mssfix;
		bool mtu;
	} row[] = {
		{ "remote a\n", 0, 1492, true },
		{ "remote a\nfragment 1300\n", 1300, 1300, false },
		{ "remote a\nfragment 1300 mtu\nmssfix\n", 1300, 1300, true },
		{ "remote a\nmssfix 1200\nfragment 1300 mtu\n", 1300, 1200, false },
		{ "remote a\nmssfix 0\nfragment 1300\n", 1300, 0, false },
		{ "<connection>\nremote a\nfragment 600\n</connection>\n", 600, 600, false },
	};

	for (size_t i = 0; i < sizeof(row) / sizeof(row[0]); i++) {
		struct cfg_client *cfg = NULL;
		struct cfg_notes notes = { 0 };
		struct cfg_error err = { .text = "" };
		char text[256];

		(void)snprintf(text, sizeof(text), "%s%s", head, row[i].lines);
		GTC_ASSERT_INT(PARSE_TEXT(cfg_client_parse, text, &notes, &cfg, &err), 0);
		GTC_EXPECT_INT(cfg->remotes[0].fragment, row[i].fragment);
		GTC_EXPECT_INT(cfg->remotes[0].mssfix, row[i].mssfix);
		GTC_EXPECT_INT(cfg->remotes[0].mssfix_mtu, row[i].mtu);
		(void)cfg_client_free(cfg);
		cfg_notes_done(&notes);
	}
}
