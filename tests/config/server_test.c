// SPDX-License-Identifier: BSD-3-Clause
// Long because each option of server.conf is tried here.
#include "config/server.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <unistd.h>

#include "tests/config/parse.h"

#define BASE                                                                                       \
	"server 10.8.0.0 255.255.255.0\n"                                                          \
	"ca ca.crt\n"                                                                              \
	"cert s.crt\n"                                                                             \
	"key s.key\n"

static void addr_is(const struct cfg_addr *a, const char *want)
{
	char buf[CFG_ADDR_TEXT];

	GTC_EXPECT_STR(cfg_addr_text(a, true, buf), want);
}

GTC_TEST(cfg_server, defaults)
{
	struct cfg_server *cfg = NULL;
	struct cfg_notes notes = { 0 };
	struct cfg_error err;

	GTC_ASSERT_INT(PARSE_TEXT(cfg_server_parse, BASE, &notes, &cfg, &err), 0);
	GTC_EXPECT_INT(notes.n, 0);
	GTC_ASSERT_INT(cfg->n_listens, 2); // every address of both families
	addr_is(&cfg->listens[0].addr, "0.0.0.0/0");
	GTC_EXPECT_INT(cfg->listens[0].port, 1194);
	addr_is(&cfg->listens[1].addr, "::/0");
	GTC_EXPECT_INT(cfg->listens[1].port, 1194);
	GTC_EXPECT_INT(cfg->network6.family, AF_UNSPEC);
	GTC_EXPECT_INT(cfg->pool6_first.family, AF_UNSPEC);
	addr_is(&cfg->network, "10.8.0.0/24");
	addr_is(&cfg->address, "10.8.0.1/24");
	addr_is(&cfg->pool_first, "10.8.0.2/32");
	addr_is(&cfg->pool_last, "10.8.0.254/32");
	GTC_EXPECT_INT(cfg->topology, CFG_TOPOLOGY_SUBNET);
	GTC_EXPECT_STR(cfg->dataplane_socket, "/run/visp/dataplane.sock");
	GTC_EXPECT_STR(cfg->control_socket, "/run/visp/control.sock");
	GTC_EXPECT_INT(cfg->mobility, CFG_MOBILITY_AGGRESSIVE);
	GTC_EXPECT_INT(cfg->max_clients, 1024);
	GTC_EXPECT_INT(cfg->tun_mtu, 1500);
	GTC_EXPECT_INT(cfg->mssfix, 1492);
	GTC_EXPECT(cfg->mssfix_mtu && !cfg->mssfix_fixed);
	GTC_EXPECT_INT(cfg->tls.reneg_sec, 3600);
	GTC_EXPECT_INT(cfg->tls.reneg_sec_min, 3240);
	GTC_EXPECT_INT(cfg->tls.version_min, CFG_TLS_1_2);
	GTC_EXPECT_INT(cfg->tls.wrap.key_direction, -1);
	GTC_EXPECT_STR(cfg->tls.data_ciphers, "AES-256-GCM:AES-128-GCM:CHACHA20-POLY1305");
	GTC_EXPECT_STR(cfg->tls.auth, "SHA1");
	GTC_EXPECT_INT(cfg->ping_s, 0);
	GTC_EXPECT_STR(cfg->tls.ca.path, "ca.crt");
	GTC_EXPECT_INT(cfg->tls.ca.line, 2);
	GTC_EXPECT(cfg_server_free(cfg) == NULL);
	cfg_notes_done(&notes);
}

GTC_TEST(cfg_server, everything)
{
	static const char text[] = BASE "port 443\n"
					"proto udp4\n"
					"local 192.0.2.1\n"
					"listen 2001:db8::1 1195\n"
					"dev tun0\n"
					"topology subnet\n"
					"ifconfig-pool 10.8.0.100 10.8.0.200 255.255.255.0\n"
					"ifconfig-pool-persist ipp.txt 0\n"
					"dh none\n"
					"crl-verify crl.pem\n"
					"tls-auth ta.key 0\n"
					"auth sha256\n"
					"data-ciphers aes-128-gcm:AES-256-CBC:?FOO:DEFAULT\n"
					"cipher aes-256-cbc\n"
					"tls-version-min 1.3\n"
					"remote-cert-ku 80 0x0A\n"
					"remote-cert-eku \"TLS Web Client Authentication\"\n"
					"push \"route 10.0.0.0 255.0.0.0\"\n"
					"push \"dhcp-option DNS 10.8.0.1\"\n"
					"client-config-dir ccd\n"
					"ccd-exclusive\n"
					"keepalive 10 60\n"
					"reneg-sec 100\n"
					"reneg-bytes 67108864\n"
					"max-clients 50\n"
					"duplicate-cn\n"
					"client-to-client\n"
					"connect-freq 5 10\n"
					"connect-freq-initial 20 30\n"
					"explicit-exit-notify\n"
					"status /run/s 5\n"
					"status-version 3\n"
					"mssfix 1400 fixed\n"
					"tun-mtu 1400\n"
					"mobility lazy\n"
					"data-format v1\n"
					"dataplane-socket /tmp/d\n"
					"control-socket /tmp/c\n"
					"user nobody\n"
					"log-append /var/log/visp\n"
					"cd /etc/visp\n"
					"verb 4\n";
	struct cfg_server *cfg = NULL;
	struct cfg_error err;

	GTC_ASSERT_INT(PARSE_TEXT(cfg_server_parse, text, NULL, &cfg, &err), 0);
	GTC_EXPECT(cfg->tls.ku.wanted && cfg->tls.ku.n == 2);
	GTC_EXPECT_INT(cfg->tls.ku.any_of[1], 0x0a);
	GTC_EXPECT_STR(cfg->tls.eku_oid, "TLS Web Client Authentication");
	GTC_ASSERT_INT(cfg->n_listens, 2);
	addr_is(&cfg->listens[0].addr, "192.0.2.1/32");
	GTC_EXPECT_INT(cfg->listens[0].port, 443);
	addr_is(&cfg->listens[1].addr, "2001:db8::1/128");
	GTC_EXPECT_INT(cfg->listens[1].port, 1195);
	addr_is(&cfg->pool_first, "10.8.0.100/32");
	addr_is(&cfg->pool_last, "10.8.0.200/32");
	GTC_EXPECT_STR(cfg->pool_persist, "/etc/visp/ipp.txt");
	GTC_EXPECT_INT(cfg->pool_persist_s, 0);
	GTC_EXPECT_STR(cfg->tls.crl.path, "/etc/visp/crl.pem");
	GTC_EXPECT_STR(cfg->tls.wrap.tls_auth.path, "/etc/visp/ta.key");
	GTC_EXPECT_INT(cfg->tls.wrap.key_direction, 0);
	GTC_EXPECT_STR(cfg->tls.auth, "SHA256");
	GTC_EXPECT_STR(cfg->tls.data_ciphers,
		"AES-128-GCM:AES-256-CBC:AES-256-GCM:AES-128-GCM:CHACHA20-POLY1305");
	GTC_EXPECT_STR(cfg->tls.cipher, "AES-256-CBC");
	GTC_EXPECT_INT(cfg->tls.version_min, CFG_TLS_1_3);
	GTC_ASSERT_INT(cfg->n_push, 2);
	GTC_EXPECT_STR(cfg->push[0], "route 10.0.0.0 255.0.0.0");
	GTC_EXPECT_STR(cfg->ccd, "/etc/visp/ccd");
	GTC_EXPECT(cfg->ccd_exclusive && cfg->duplicate_cn && cfg->client_to_client);
	GTC_EXPECT_INT(cfg->ping_s, 10);
	GTC_EXPECT_INT(cfg->ping_restart_s, 120);
	GTC_EXPECT_INT(cfg->push_ping_s, 10);
	GTC_EXPECT_INT(cfg->push_ping_restart_s, 60);
	GTC_EXPECT_INT(cfg->tls.reneg_sec, 100);
	GTC_EXPECT_INT(cfg->tls.reneg_sec_min, 90);
	GTC_EXPECT_INT(cfg->tls.reneg_bytes, 67108864);
	GTC_EXPECT_INT(cfg->connect_freq_n, 5);
	GTC_EXPECT_INT(cfg->connect_freq_s, 10);
	GTC_EXPECT_INT(cfg->connect_freq_initial_n, 20);
	GTC_EXPECT_INT(cfg->connect_freq_initial_s, 30);
	GTC_EXPECT_INT(cfg->explicit_exit_notify, 1);
	GTC_EXPECT_STR(cfg->status, "/run/s");
	GTC_EXPECT_INT(cfg->status_s, 5);
	GTC_EXPECT_INT(cfg->mssfix, 1400);
	GTC_EXPECT(cfg->mssfix_fixed && !cfg->mssfix_mtu);
	GTC_EXPECT_INT(cfg->mobility, CFG_MOBILITY_LAZY);
	GTC_EXPECT_INT(cfg->data_format, CFG_FORMAT_V1);
	GTC_EXPECT_STR(cfg->dataplane_socket, "/tmp/d");
	GTC_EXPECT_STR(cfg->user, "nobody");
	GTC_EXPECT(cfg->log_append);
	cfg_server_free(cfg);
}

GTC_TEST(cfg_server, point_to_point_pool)
{
	struct cfg_server *cfg = NULL;
	struct cfg_notes notes = { 0 };
	struct cfg_error err;

	GTC_ASSERT_INT(
		PARSE_TEXT(cfg_server_parse, BASE "topology net30\n", &notes, &cfg, &err), 0);
	GTC_EXPECT_INT(cfg->topology, CFG_TOPOLOGY_NET30);
	addr_is(&cfg->address, "10.8.0.1/24");
	addr_is(&cfg->pool_first, "10.8.0.4/32");
	addr_is(&cfg->pool_last, "10.8.0.251/32");
	cfg_server_free(cfg);
	cfg_notes_done(&notes);
}

// The first error of BASE plus text.
static void error_is(const char *text, const char *want)
{
	char whole[2048];
	struct cfg_server *cfg = NULL;
	struct cfg_error err = { .text = "" };

	snprintf(whole, sizeof(whole), "%s%s", BASE, text);
	GTC_EXPECT(PARSE_TEXT(cfg_server_parse, whole, NULL, &cfg, &err) < 0);
	GTC_EXPECT_STR(err.text, want);
	cfg_server_free(cfg);
}

GTC_TEST(cfg_server, errors)
{
	error_is("prto udp\n", "f:5: unknown directive 'prto'; did you mean 'proto'?");
	error_is("xyzzy-frobnicate\n", "f:5: unknown directive 'xyzzy-frobnicate'");
	error_is("outer net_tap0\n",
		"f:5: 'outer' isn't allowed in server.conf; it belongs in "
		"dataplane.conf");
	error_is("iroute 10.0.0.0\n",
		"f:5: 'iroute' isn't allowed in server.conf; it belongs in a "
		"client-config-dir file");
	error_is("\nport\n", "f:6: 'port' takes 1 argument (N), got 0");
	error_is("port 1 2\n", "f:5: 'port' takes 1 argument (N), got 2");
	error_is("duplicate-cn yes\n", "f:5: 'duplicate-cn' takes no argument, got 1");
	error_is("status\n", "f:5: 'status' takes 1 to 2 arguments (FILE [SECONDS]), got 0");
	error_is("port 65536\n", "f:5: 'port' takes a number from 1 to 65535, got '65536'");
	error_is("port 0\n", "f:5: 'port' takes a number from 1 to 65535, got '0'");
	error_is("port abc\n", "f:5: 'port' takes a number from 1 to 65535, got 'abc'");
	error_is("proto tcp\n",
		"f:5: 'proto tcp' isn't offered, only udp; serve TCP with a stock "
		"openvpn beside this one");
	error_is("dev tap0\n", "f:5: 'dev tap0' isn't offered, only tun");
	error_is("server 10.8.0.0 255.255.255.248\ntopology net30\n",
		"f:6: 'topology net30' needs a network of at least 16 addresses, for a pool");
	error_is("topology star\n", "f:5: 'topology' takes one of net30, p2p, subnet, got 'star'");
	error_is("fragment 100\n", "f:5: 'fragment' takes a number from 300 to 9000, got '100'");
	error_is("fragment 1300 ip\n", "f:5: 'fragment' takes one of mtu, got 'ip'");
	error_is("comp-lzo maybe\n", "f:5: 'comp-lzo' takes one of no, yes, adaptive, got 'maybe'");
	error_is("compress zip\n", "f:5: 'compress': unknown algorithm 'zip'");
	error_is("compat-mode old\n", "f:5: 'compat-mode': 'old' isn't a release like 2.4.0");
	error_is("compat-mode 2.4.0x\n", "f:5: 'compat-mode': '2.4.0x' isn't a release like 2.4.0");
	error_is("keysize 256\n",
		"f:5: 'keysize': BF-CBC has keys of 128 bits; leave the line out or take another "
		"'cipher'");
	error_is("data-ciphers-fallback CAST5-CBC\n",
		"f:5: 'data-ciphers-fallback': unknown cipher 'CAST5-CBC'");
	error_is("secret static.key\n",
		"f:5: 'secret' is refused: put it into a file of its own, and name that with "
		"tunnel");
	error_is("keepalive 10 15\n",
		"f:5: 'keepalive': the second number must be at least twice "
		"the first");
	error_is("server 10.8.0.1 255.255.255.0\n",
		"f:5: 'server': 10.8.0.1 isn't the first "
		"address of a network with that netmask");
	error_is("server 10.8.0.0 255.0.255.0\n",
		"f:5: 'server': '10.8.0.0 255.0.255.0' isn't a "
		"network and its netmask");
	error_is("server 10.8.0.0 255.255.255.254\n",
		"f:5: 'server': the netmask must have 8 to 30 bits, got 31");
	error_is("ifconfig-pool 10.9.0.1 10.9.0.9\n",
		"f: 'ifconfig-pool' lies outside the tunnel's network");
	error_is("ifconfig-pool 10.8.0.9 10.8.0.1\n",
		"f:5: 'ifconfig-pool': the last address is below the first");
	error_is("data-ciphers AES-256-GCM:AES-257-GCM\n",
		"f:5: 'data-ciphers': unknown cipher 'AES-257-GCM'");
	error_is("data-ciphers ?SEED-CBC\n",
		"f:5: 'data-ciphers': no cipher is left; known are "
		"AES-256-GCM:AES-128-GCM:CHACHA20-POLY1305");
	error_is("auth MD4\n", "f:5: 'auth': unknown digest 'MD4'");
	error_is("push \"route 1.2.3.4,5\"\n", "f:5: 'push': a comma would end the option");
	error_is("push \"ping\"\n", "f:5: 'push': 'ping' takes 1 to 1 arguments, got 0");
	error_is("push \"\"\n", "f:5: 'push': the option is empty");
	error_is("ccd-exclusive\n", "f: 'ccd-exclusive' needs 'client-config-dir'");
	error_is("local vpn.example.org\n",
		"f:5: 'local': 'vpn.example.org' isn't an address (names aren't looked up)");
	error_is("<port>\n1\n</port>\n", "f:5: 'port' can't be given inline");
	error_is("data-format v3\n", "f:5: 'data-format' takes one of v1, v2, epoch, got 'v3'");
	error_is("mobility fast\n",
		"f:5: 'mobility' takes one of off, aggressive, lazy, got 'fast'");
	error_is("verify-client-cert none\n",
		"f:5: 'verify-client-cert' needs 'auth-user-pass-verify' or the PAM plugin");
	error_is("username-as-common-name\n",
		"f:5: 'username-as-common-name' needs 'auth-user-pass-verify' or the PAM plugin");
	error_is("auth-user-pass-optional\n",
		"f:5: 'auth-user-pass-optional' needs 'auth-user-pass-verify' or the PAM plugin");
	error_is("auth-gen-token\n",
		"f:5: 'auth-gen-token' needs 'auth-user-pass-verify' or the PAM plugin");
	error_is("auth-gen-token 10 x\n",
		"f:5: 'auth-gen-token' takes a number from 1 to 31536000, got 'x'");
	error_is("auth-gen-token 10 10 sometimes\n",
		"f:5: 'auth-gen-token' takes 'external-auth' as last word, got 'sometimes'");
	error_is("plugin /usr/lib/openvpn/openvpn-plugin-down-root.so x\n",
		"f:5: 'plugin /usr/lib/openvpn/openvpn-plugin-down-root.so': plugins aren't "
		"loaded; only openvpn-plugin-auth-pam.so is known, and done without it");
	error_is("plugin openvpn-plugin-auth-pam.so\n",
		"f:5: 'plugin openvpn-plugin-auth-pam.so' needs the name of a PAM service");
	error_is("plugin openvpn-plugin-auth-pam.so \"vpn login\"\n",
		"f:5: 'plugin openvpn-plugin-auth-pam.so': the question 'login' has no answer");
	error_is("plugin openvpn-plugin-auth-pam.so ../vpn\n",
		"f:5: 'plugin openvpn-plugin-auth-pam.so': '../vpn' isn't the name of a PAM "
		"service");
	error_is("tls-verify /bin/true\n",
		"f:5: 'tls-verify' runs a program: that needs 'script-security 2'");
	error_is("client-connect /bin/true\n",
		"f:5: 'client-connect' runs a program: that needs 'script-security 2'");
	error_is("client-disconnect /bin/true\n",
		"f:5: 'client-disconnect' runs a program: that needs 'script-security 2'");
	error_is("learn-address /bin/true\n",
		"f:5: 'learn-address' runs a program: that needs 'script-security 2'");
	error_is("script-security 2\nclient-connect \"\"\n",
		"f:6: 'client-connect' names no program");
	error_is("script-security 2\nauth-user-pass-verify x via-env\n",
		"f:6: 'auth-user-pass-verify' via-env shows passwords in the environment: that "
		"needs 'script-security 3', or use via-file");
	error_is("script-security 4\n",
		"f:5: 'script-security' takes a number from 0 to 3, got '4'");
	error_is("script-security 2\nauth-user-pass-verify \"'x\" via-file\n",
		"f:6: 'auth-user-pass-verify': ''x': no closing single quote");
	error_is("setenv A-B c\n", "f:5: 'setenv': 'A-B' isn't the name of a variable");
	error_is("peer-fingerprint 00:11\n",
		"f:5: 'peer-fingerprint': '00:11' isn't a SHA-256 fingerprint, 32 bytes in hex "
		"with ':'");
	error_is("tls-version-min 1.3\ntls-version-max 1.2\n",
		"f: 'tls-version-max' is below 'tls-version-min'");
	error_is("auth-user-pass-verify x via-env\n",
		"f:5: 'auth-user-pass-verify' runs a program: that needs 'script-security 2'");
	error_is("crl-verify crls folder\n", "f:5: 'crl-verify' takes one of dir, got 'folder'");
}

GTC_TEST(cfg_server, authentication)
{
	static const char text[] =
		BASE "cd /etc/visp\n"
		     "script-security 2\n"
		     "auth-user-pass-verify \"check.sh 'a b' c\" via-file\n"
		     "verify-client-cert none\n"
		     "username-as-common-name\n"
		     "auth-gen-token 3600 external-auth\n"
		     "plugin /usr/lib/openvpn/openvpn-plugin-auth-pam.so \"vpn login USERNAME 'pass"
		     "word' PASSWORD\"\n"
		     "setenv-safe A b\n";
	struct cfg_server *cfg = NULL;
	struct cfg_error err;

	GTC_ASSERT_INT(PARSE_TEXT(cfg_server_parse, text, NULL, &cfg, &err), 0);
	GTC_EXPECT_STR(cfg->auth.verify_user.argv[0], "/etc/visp/check.sh");
	GTC_EXPECT_STR(cfg->auth.verify_user.argv[1], "a b");
	GTC_EXPECT_STR(cfg->auth.verify_user.argv[2], "c");
	GTC_EXPECT(cfg->auth.verify_user.argv[3] == NULL && cfg->auth.verify_user_via_file);
	GTC_EXPECT_INT(cfg->verify_client, CFG_VERIFY_NONE);
	GTC_EXPECT(cfg->auth.username_as_cn && cfg->auth.gen_token && cfg->auth.token_external);
	GTC_EXPECT_INT(cfg->auth.token_lifetime_s, 3600);
	GTC_EXPECT_INT(cfg->auth.token_renewal_s, 3600); // reneg-sec
	GTC_EXPECT_STR(cfg->auth.pam.service, "vpn");
	GTC_ASSERT_INT(cfg->auth.pam.n_rules, 2);
	GTC_EXPECT_STR(cfg->auth.pam.rules[1].prompt, "password");
	GTC_EXPECT_STR(cfg->auth.pam.rules[1].answer, "PASSWORD");
	GTC_ASSERT_INT(cfg->auth.n_setenv, 1);
	GTC_EXPECT_STR(cfg->auth.setenv[0], "OPENVPN_A=b");
	cfg_server_free(cfg);
}

GTC_TEST(cfg_server, missing)
{
	struct cfg_server *cfg = NULL;
	struct cfg_error err;

	GTC_EXPECT(PARSE_TEXT(cfg_server_parse, "port 1\nca a\ncert b\nkey c\n", NULL, &cfg, &err) <
		0);
	GTC_EXPECT_STR(err.text, "f: no 'server' line, so clients get no addresses");
	GTC_EXPECT(PARSE_TEXT(cfg_server_parse, "server 10.8.0.0 255.255.255.0\ncert b\nkey c\n",
			   NULL, &cfg, &err) < 0);
	GTC_EXPECT_STR(
		err.text, "f: no 'ca' and no 'peer-fingerprint', so nobody could be trusted");
	GTC_EXPECT(PARSE_TEXT(cfg_server_parse, "server 10.8.0.0 255.255.255.0\nca a\n", NULL, &cfg,
			   &err) < 0);
	GTC_EXPECT_STR(err.text, "f: no 'cert' and 'key': a server needs both");
	GTC_EXPECT(PARSE_TEXT(cfg_server_parse, "server 10.8.0.0 255.255.255.0\nca a\ncert b\n",
			   NULL, &cfg, &err) < 0);
	GTC_EXPECT_STR(err.text, "f:3: 'cert' needs a 'key'");
	GTC_EXPECT(PARSE_TEXT(cfg_server_parse, "", NULL, &cfg, &err) < 0);
	GTC_EXPECT_STR(err.text, "f: no 'server' line, so clients get no addresses");
}

// --check lists everything that deserves a remark, with its line.
GTC_TEST(cfg_server, notes)
{
	static const char text[] = BASE "fast-io\n"
					"no-iv\n"
					"prot udp\n"
					"route 10.1.2.3 255.0.0.0\n"
					"push \"frobnicate 1\"\n";
	static const struct {
		enum cfg_note_kind kind;
		const char *text;
	} want[] = {
		{ CFG_NOTE_IGNORED,
			"f:5: 'fast-io' has no effect: packets are always handled in bursts" },
		{ CFG_NOTE_ERROR,
			"f:6: 'no-iv' is refused: it isn't safe; "
			"removed from OpenVPN too" },
		{ CFG_NOTE_ERROR, "f:7: unknown directive 'prot'; did you mean 'port'?" },
		{ CFG_NOTE_WARNING,
			"f:8: 'route': 10.1.2.3 isn't the network's first address; "
			"that one is taken" },
		{ CFG_NOTE_IGNORED,
			"f:8: 'route' has no effect: the kernel behind the inner port "
			"belongs to the operator, who sets its routes" },
		{ CFG_NOTE_WARNING,
			"f:9: 'push': 'frobnicate' isn't known as an option for clients" },
	};
	struct cfg_server *cfg = NULL;
	struct cfg_notes notes = { 0 };
	struct cfg_error err;

	GTC_EXPECT_INT(PARSE_TEXT(cfg_server_parse, text, &notes, &cfg, &err), -EINVAL);
	GTC_EXPECT_STR(err.text, want[1].text);
	GTC_EXPECT_INT(err.line, 6);
	GTC_ASSERT_INT(notes.n, 6);
	for (size_t i = 0; i < notes.n; i++) {
		GTC_EXPECT_INT(notes.list[i].kind, want[i].kind);
		GTC_EXPECT_STR(notes.list[i].text, want[i].text);
	}
	cfg_notes_done(&notes);
}

GTC_TEST(cfg_server, tolerance)
{
	static const char text[] = BASE "frob 1\n"
					"ignore-unknown-option frob other\n"
					"setenv opt block-outside-dns-now 1 2\n"
					"setenv opt verb 5\n";
	struct cfg_server *cfg = NULL;
	struct cfg_notes notes = { 0 };
	struct cfg_error err;

	GTC_ASSERT_INT(PARSE_TEXT(cfg_server_parse, text, &notes, &cfg, &err), 0);
	GTC_EXPECT_INT(cfg->verb, 5);
	GTC_EXPECT_INT(notes.n, 2);
	GTC_EXPECT_STR(notes.list[0].text, "f:5: 'frob' is unknown; tolerated as asked");
	GTC_EXPECT_STR(notes.list[1].text, "f:7: 'block-outside-dns-now' is unknown; optional");
	cfg_notes_done(&notes);
	cfg_server_free(cfg);
	GTC_EXPECT_INT(PARSE_TEXT(cfg_server_parse, BASE "setenv opt port 0\n", NULL, &cfg, &err),
		-EINVAL);
}

// Files that are named but can't be read are errors of the line that names them.
GTC_TEST(cfg_server, files)
{
	char dir[] = "/tmp/cfg-server-XXXXXX";
	char path[128], ca[128], want[512];
	struct cfg_server *cfg = NULL;
	struct cfg_error err;
	FILE *f;

	GTC_ASSERT(mkdtemp(dir) != NULL);
	snprintf(path, sizeof(path), "%s/server.conf", dir);
	snprintf(ca, sizeof(ca), "%s/ca.crt", dir);
	f = fopen(path, "w");
	GTC_ASSERT(f != NULL);
	fprintf(f, "cd %s\n" BASE, dir);
	fclose(f);
	GTC_EXPECT_INT(cfg_server_load(path, NULL, &cfg, &err), -ENOENT);
	snprintf(want, sizeof(want), "%s:3: ca: can't read '%s': No such file or directory", path,
		ca);
	GTC_EXPECT_STR(err.text, want);
	for (const char *const *n = (const char *const[]){ "ca.crt", "s.crt", "s.key", NULL };
		*n != NULL; n++) {
		snprintf(ca, sizeof(ca), "%s/%s", dir, *n);
		f = fopen(ca, "w");
		GTC_ASSERT(f != NULL);
		fclose(f);
	}
	GTC_EXPECT_INT(cfg_server_load(path, NULL, &cfg, &err), 0);
	cfg_server_free(cfg);
	GTC_EXPECT_INT(cfg_server_load("/nonexistent", NULL, &cfg, &err), -ENOENT);
	GTC_EXPECT_STR(err.text, "/nonexistent: can't read: No such file or directory");
	for (const char *const *n =
			(const char *const[]){ "ca.crt", "s.crt", "s.key", "server.conf", NULL };
		*n != NULL; n++) {
		snprintf(ca, sizeof(ca), "%s/%s", dir, *n);
		GTC_EXPECT_INT(unlink(ca), 0);
	}
	GTC_EXPECT_INT(rmdir(dir), 0);
}

static void listeners_are(const char *lines, const char *want)
{
	struct cfg_server *cfg = NULL;
	char text[512], got[512] = "", buf[CFG_ADDR_TEXT];
	struct cfg_error err = { 0 };

	snprintf(text, sizeof(text), BASE "%s", lines);
	if (PARSE_TEXT(cfg_server_parse, text, NULL, &cfg, &err) < 0) {
		GTC_EXPECT_STR(err.text, want);
		return;
	}
	for (size_t i = 0; i < cfg->n_listens; i++) {
		size_t at = strlen(got);

		snprintf(got + at, sizeof(got) - at, "%s%s:%u", i > 0 ? " " : "",
			cfg_addr_text(&cfg->listens[i].addr, false, buf), cfg->listens[i].port);
	}
	GTC_EXPECT_STR(got, want);
	cfg_server_free(cfg);
}

GTC_TEST(cfg_server, listeners)
{
	listeners_are("proto udp4\n", "0.0.0.0:1194");
	listeners_are("proto udp6\nport 443\n", "0.0.0.0:443 :::443");
	listeners_are("proto udp6\nbind ipv6only\n", ":::1194");
	listeners_are("local * 1195 udp4\nlocal 2001:db8::1\nlocal 192.0.2.1 53 udp\n",
		"0.0.0.0:1195 2001:db8::1:1194 192.0.2.1:53");
	listeners_are("proto udp6\nlocal 192.0.2.1\nlocal 2001:db8::1 1195 udp6\n",
		"192.0.2.1:1194 2001:db8::1:1195");
	listeners_are(
		"local 192.0.2.1 1194 udp6\n", "f:5: 'local': 192.0.2.1 isn't an IPv6 address");
	listeners_are(
		"local 2001:db8::1 1194 udp4\n", "f:5: 'local': 2001:db8::1 isn't an IPv4 address");
	listeners_are("bind ipv4only\n", "f:5: 'bind' takes 'ipv6only', got 'ipv4only'");
}

GTC_TEST(cfg_server, ipv6)
{
	struct cfg_server *cfg = NULL;
	struct cfg_error err;

	GTC_ASSERT_INT(PARSE_TEXT(cfg_server_parse, BASE "server-ipv6 fd00:8::/64\nblock-ipv6\n",
			       NULL, &cfg, &err),
		0);
	addr_is(&cfg->network6, "fd00:8::/64");
	addr_is(&cfg->address6, "fd00:8::1/64");
	addr_is(&cfg->pool6_first, "fd00:8::1000/128");
	addr_is(&cfg->pool6_last, "fd00:8::10:fff/128");
	GTC_EXPECT(cfg->block_ipv6);
	cfg_server_free(cfg);
	GTC_ASSERT_INT(
		PARSE_TEXT(cfg_server_parse, BASE "server-ipv6 fd00:8::/120\n", NULL, &cfg, &err),
		0);
	addr_is(&cfg->pool6_first, "fd00:8::2/128");
	addr_is(&cfg->pool6_last, "fd00:8::ff/128");
	cfg_server_free(cfg);
	GTC_ASSERT_INT(PARSE_TEXT(cfg_server_parse,
			       BASE "ifconfig-ipv6 fd00:8::5/64 fd00:8::6\n"
				    "ifconfig-ipv6-pool fd00:8::100/64\n",
			       NULL, &cfg, &err),
		0);
	addr_is(&cfg->network6, "fd00:8::/64");
	addr_is(&cfg->address6, "fd00:8::5/64");
	addr_is(&cfg->pool6_first, "fd00:8::100/128");
	cfg_server_free(cfg);
}

GTC_TEST(cfg_server, ipv6_errors)
{
	error_is("server-ipv6 fd00::/48\n",
		"f:5: 'server-ipv6': the prefix must have 64 to 124 bits, got 48");
	error_is("server-ipv6 fd00::1/64\n",
		"f:5: 'server-ipv6': fd00::1/64 isn't the first "
		"address of a network with that prefix");
	error_is("server-ipv6 10.9.0.0/24\n",
		"f:5: 'server-ipv6': '10.9.0.0/24' isn't an IPv6 network and its prefix length");
	error_is("server-ipv6 fd00::/129\n",
		"f:5: 'server-ipv6': 'fd00::/129' isn't an IPv6 network and its prefix length");
	error_is("ifconfig-ipv6-pool fd00::1000/64\n",
		"f:5: 'ifconfig-ipv6-pool' needs 'server-ipv6' or 'ifconfig-ipv6'");
	error_is("server-ipv6 fd00::/64\nifconfig-ipv6-pool fd01::1000/64\n",
		"f:6: 'ifconfig-ipv6-pool' lies outside the tunnel's IPv6 network");
	error_is("server-ipv6 fd00::/64\nifconfig-ipv6-pool fd00::1:0:0:0/64\n",
		"f:6: 'ifconfig-ipv6-pool' must begin within the first 1048576 addresses of the "
		"network");
	error_is("ifconfig-ipv6 fd00::1/64 10.0.0.1\n",
		"f:5: 'ifconfig-ipv6': '10.0.0.1' isn't an IPv6 address");
}
// What compat-mode changes, and what it leaves alone.
GTC_TEST(cfg_server, compat)
{
	static const struct {
		const char *text;
		const char *ciphers;
		const char *fallback;
		enum cfg_tls_version version;
	} table[] = {
		{ "compat-mode 2.5\ncipher AES-256-CBC\n",
			"AES-256-GCM:AES-128-GCM:CHACHA20-POLY1305", NULL, CFG_TLS_1_2 },
		{ "compat-mode 2.4.9\ncipher AES-256-CBC\n",
			"AES-256-GCM:AES-128-GCM:CHACHA20-POLY1305:AES-256-CBC", NULL,
			CFG_TLS_1_2 },
		{ "compat-mode 2.4.9\n", "AES-256-GCM:AES-128-GCM:CHACHA20-POLY1305", NULL,
			CFG_TLS_1_2 },
		{ "compat-mode 2.3.18\n", "AES-256-GCM:AES-128-GCM:CHACHA20-POLY1305", "BF-CBC",
			CFG_TLS_1_2 },
		{ "compat-mode 2.3.6\ncipher AES-128-CBC\n",
			"AES-256-GCM:AES-128-GCM:CHACHA20-POLY1305:AES-128-CBC", "AES-128-CBC",
			CFG_TLS_1_0 },
		{ "compat-mode 2.3.6\ntls-version-min 1.2\n",
			"AES-256-GCM:AES-128-GCM:CHACHA20-POLY1305", "BF-CBC", CFG_TLS_1_2 },
	};

	for (size_t i = 0; i < sizeof(table) / sizeof(table[0]); i++) {
		char whole[512];
		struct cfg_server *cfg = NULL;
		struct cfg_error err;

		snprintf(whole, sizeof(whole), "%s%s", BASE, table[i].text);
		GTC_ASSERT_INT(PARSE_TEXT(cfg_server_parse, whole, NULL, &cfg, &err), 0);
		GTC_EXPECT_STR(cfg->tls.data_ciphers, table[i].ciphers);
		if (table[i].fallback == NULL)
			GTC_EXPECT(cfg->tls.data_ciphers_fallback == NULL);
		else
			GTC_EXPECT_STR(cfg->tls.data_ciphers_fallback, table[i].fallback);
		GTC_EXPECT_INT(cfg->tls.version_min, table[i].version);
		cfg_server_free(cfg);
	}
}

// Framing; what is pushed about it is decided for each client.
GTC_TEST(cfg_server, framing)
{
	static const char text[] = BASE "comp-lzo yes\nfragment 1200 mtu\n"
					"push \"comp-lzo yes\"\npush \"compress lz4-v2\"\n";
	struct cfg_server *cfg = NULL;
	struct cfg_error err;

	GTC_ASSERT_INT(PARSE_TEXT(cfg_server_parse, text, NULL, &cfg, &err), 0);
	GTC_EXPECT_INT(cfg->comp, CFG_COMP_LZO_STUB);
	GTC_EXPECT_INT(cfg->fragment, 1200);
	GTC_EXPECT(cfg->fragment_mtu);
	GTC_EXPECT_INT(cfg->n_push, 0);
	cfg_server_free(cfg);
}
