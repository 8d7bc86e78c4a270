// SPDX-License-Identifier: BSD-3-Clause
#include "control/vispctl_genkey.h"

#include <errno.h>
#include <fcntl.h>
#include <getopt.h>
#include <openssl/evp.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "protocol/bytes.h"
#include "protocol/tls/static_key.h"

// A key file is 2 KiB; what is much longer is another file, or a device without an end.
#define KEY_FILE_MAX 65536
#define USER_METADATA_MAX (OVPN_WKC_METADATA_MAX - 1)

struct arguments {
	const char *kind;
	const char *file; // NULL: standard output
	const char *server_key; // --tls-crypt-v2
	const char *metadata; // base64; NULL: the time of creation
};

static void usage(FILE *to)
{
	(void)fputs(
		"usage: vispctl genkey KIND [OPTION]... [FILE]\n"
		"\n"
		"KIND:\n"
		"  tls-auth, tls-crypt, secret  a static key that both sides share\n"
		"  tls-crypt-v2-server          the key that wraps those of the clients\n"
		"  tls-crypt-v2-client          a key for one client; needs --tls-crypt-v2\n"
		"  auth-token                   the key that a server signs its tokens with\n"
		"\n"
		"  --tls-crypt-v2 SERVERKEY  file of the server's key\n"
		"  --metadata BASE64         what the server is to learn from a client's key, at\n"
		"                            most 733 bytes; default: the time of creation\n"
		"\n"
		"FILE must not exist yet; only its owner may read it. Without FILE the key goes "
		"to\n"
		"standard output.\n",
		to);
}

static int complain(const char *what, const char *why)
{
	(void)fprintf(stderr, "vispctl: %s: %s\n", what, why);
	return -1;
}

// ---- Arguments -------------------------------------------------------------------------------

static bool known_kind(const char *kind)
{
	static const char *const kinds[] = { "tls-auth", "tls-crypt", "secret",
		"tls-crypt-v2-server", "tls-crypt-v2-client", "auth-token" };

	for (size_t i = 0; i < sizeof(kinds) / sizeof(kinds[0]); i++) {
		if (strcmp(kind, kinds[i]) == 0)
			return true;
	}
	return false;
}

// Returns 0 to go on, 1 when the program is done, -1 for wrong arguments.
static int parse_arguments(int argc, char **argv, struct arguments *ret)
{
	static const struct option options[] = {
		{ "tls-crypt-v2", required_argument, NULL, 'k' },
		{ "metadata", required_argument, NULL, 'm' },
		{ "help", no_argument, NULL, 'h' },
		{ NULL, 0, NULL, 0 },
	};
	bool client;
	int c;

	optind = 0; // begin anew: main() may have looked at the arguments before
	while ((c = getopt_long(argc, argv, "h", options, NULL)) != -1) {
		switch (c) {
		case 'k': ret->server_key = optarg; break;
		case 'm': ret->metadata = optarg; break;
		case 'h': usage(stdout); return 1;
		default: usage(stderr); return -1;
		}
	}
	if (argc - optind < 1 || argc - optind > 2) {
		usage(stderr);
		return -1;
	}
	ret->kind = argv[optind];
	ret->file = optind + 1 < argc ? argv[optind + 1] : NULL;
	if (!known_kind(ret->kind)) {
		(void)complain(ret->kind, "no such kind of key");
		usage(stderr);
		return -1;
	}
	client = strcmp(ret->kind, "tls-crypt-v2-client") == 0;
	if (client && ret->server_key == NULL)
		return complain(ret->kind, "needs --tls-crypt-v2 with the server's key file");
	if (!client && ret->server_key != NULL)
		return complain("--tls-crypt-v2", "is for tls-crypt-v2-client only");
	if (!client && ret->metadata != NULL)
		return complain("--metadata", "is for tls-crypt-v2-client only");
	return 0;
}

// ---- What goes in ----------------------------------------------------------------------------

static int read_server_key(const char *path, struct ovpn_v2_server_key *ret_key)
{
	static char text[KEY_FILE_MAX];
	struct ovpn_key_error err;
	FILE *f = fopen(path, "re");
	size_t len;
	int rc = 0;

	if (f == NULL)
		return complain(path, strerror(errno));
	len = fread(text, 1, sizeof(text), f);
	if (ferror(f))
		rc = complain(path, strerror(errno));
	else if (len == sizeof(text))
		rc = complain(path, "too long for a key file");
	else if (ovpn_v2_server_key_parse(text, len, ret_key, &err) < 0) {
		if (err.line > 0)
			(void)fprintf(stderr, "vispctl: %s:%u: %s\n", path, err.line, err.reason);
		else
			(void)complain(path, err.reason);
		rc = -1;
	}
	explicit_bzero(text, sizeof(text));
	(void)fclose(f); // only read
	return rc;
}

// Returns the number of bytes, or -1 after a message.
static int decode_metadata(const char *base64, uint8_t *ret_bytes)
{
	// The decoder writes whole groups, padding included, and skips white space at both ends.
	uint8_t bytes[USER_METADATA_MAX + 8];
	size_t len = strlen(base64);
	size_t pads = 0;
	int n;

	if (len > 4 * ((USER_METADATA_MAX + 2) / 3))
		return complain("--metadata", "longer than 733 bytes");
	while (pads < 2 && pads < len && base64[len - 1 - pads] == '=')
		pads++;
	n = len % 4 == 0 && strpbrk(base64, " \t\r\n") == NULL
		? EVP_DecodeBlock(bytes, (const uint8_t *)base64, (int)len)
		: -1;
	if (n < 0 || memchr(base64, '=', len - pads) != NULL)
		return complain("--metadata", "isn't base64");
	n -= (int)pads;
	if (n > USER_METADATA_MAX)
		return complain("--metadata", "longer than 733 bytes");
	memcpy(ret_bytes, bytes, (size_t)n);
	return n;
}

static int make_metadata(const char *base64, uint8_t ret_bytes[OVPN_WKC_METADATA_MAX])
{
	int n;

	if (base64 == NULL) {
		ret_bytes[0] = OVPN_WKC_METADATA_TIME;
		ovpn_put_be64(ret_bytes + 1, (uint64_t)time(NULL));
		return 9;
	}
	ret_bytes[0] = OVPN_WKC_METADATA_USER;
	n = decode_metadata(base64, ret_bytes + 1);
	return n < 0 ? n : n + 1;
}

// ---- Keys ------------------------------------------------------------------------------------

static int static_text(char text[OVPN_KEY_TEXT_MAX])
{
	struct ovpn_static_key key;
	int rc = ovpn_static_key_generate(&key);

	if (rc == 0)
		rc = ovpn_static_key_format(&key, text, OVPN_KEY_TEXT_MAX);
	ovpn_static_key_wipe(&key);
	return rc;
}

// The two server keys have the same size and differ by their label alone.
static int server_text(bool token, char text[OVPN_KEY_TEXT_MAX])
{
	struct ovpn_v2_server_key key;
	int rc = ovpn_v2_server_key_generate(&key);

	if (rc == 0 && token)
		rc = ovpn_auth_token_key_format(key.bytes, text, OVPN_KEY_TEXT_MAX);
	else if (rc == 0)
		rc = ovpn_v2_server_key_format(&key, text, OVPN_KEY_TEXT_MAX);
	ovpn_v2_server_key_wipe(&key);
	return rc;
}

// Returns 0, a negative errno, or 1 when the reason was said already.
static int client_text(const struct arguments *args, char text[OVPN_KEY_TEXT_MAX])
{
	uint8_t metadata[OVPN_WKC_METADATA_MAX];
	struct ovpn_v2_server_key server;
	struct ovpn_v2_client_key key;
	int len = make_metadata(args->metadata, metadata);
	int rc;

	if (len < 0 || read_server_key(args->server_key, &server) < 0)
		return 1;
	rc = ovpn_v2_client_key_generate(&server, metadata, (size_t)len, &key);
	if (rc == 0)
		rc = ovpn_v2_client_key_format(&key, text, OVPN_KEY_TEXT_MAX);
	ovpn_v2_server_key_wipe(&server);
	ovpn_v2_client_key_wipe(&key);
	return rc;
}

static int make_text(const struct arguments *args, char text[OVPN_KEY_TEXT_MAX])
{
	int rc;

	if (strcmp(args->kind, "tls-crypt-v2-client") == 0)
		rc = client_text(args, text);
	else if (strcmp(args->kind, "tls-crypt-v2-server") == 0)
		rc = server_text(false, text);
	else if (strcmp(args->kind, "auth-token") == 0)
		rc = server_text(true, text);
	else
		rc = static_text(text);
	if (rc < 0)
		(void)complain(args->kind, strerror(-rc));
	return rc == 0 ? 0 : -1;
}

// ---- What comes out --------------------------------------------------------------------------

static int write_all(int fd, const char *text)
{
	size_t len = strlen(text);

	while (len > 0) {
		ssize_t n = write(fd, text, len);

		if (n < 0 && errno == EINTR)
			continue;
		if (n < 0)
			return -errno;
		text += n;
		len -= (size_t)n;
	}
	return 0;
}

// A new file that only its owner may read, complete or not there at all.
static int write_file(const char *path, const char *text)
{
	int fd = open(path, O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC, 0600);
	int rc;

	if (fd < 0)
		return complain(path,
			errno == EEXIST ? "exists already, and a key is never written over"
					: strerror(errno));
	rc = write_all(fd, text);
	if (rc == 0 && fsync(fd) < 0 && errno != EINVAL && errno != EROFS)
		rc = -errno;
	if (close(fd) < 0 && rc == 0)
		rc = -errno;
	if (rc == 0)
		return 0;
	(void)unlink(path); // half a key is of no use; the first error is the one that counts
	return complain(path, strerror(-rc));
}

int vispctl_genkey(int argc, char **argv)
{
	struct arguments args = { 0 };
	char text[OVPN_KEY_TEXT_MAX];
	int rc = parse_arguments(argc, argv, &args);

	if (rc != 0)
		return rc < 0 ? 2 : 0;
	rc = make_text(&args, text);
	if (rc == 0 && args.file != NULL) {
		rc = write_file(args.file, text);
	} else if (rc == 0) {
		rc = write_all(STDOUT_FILENO, text);
		if (rc < 0)
			(void)complain("standard output", strerror(-rc));
	}
	explicit_bzero(text, sizeof(text));
	return rc == 0 ? 0 : 1;
}
