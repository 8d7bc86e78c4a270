// SPDX-License-Identifier: BSD-3-Clause
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "tests/protocol/vector.h"

#define PCAP_HEAD 24u
#define PCAP_RECORD 16u
#define ETHER_HEAD 14u
#define UDP_HEAD 8u

const char *const vec_tls_names[] = {
	"tls12_plain_aes256gcm",
	"tls_auth_failed",
	"tls_auth_sha1_aes256cbc",
	"tls_auth_sha256_bidir_chacha",
	"tls_complzo_client24",
	"tls_crypt_aes128gcm",
	"tls_crypt_reneg_dyncrypt",
	"tls_crypt_v2_aes256gcm",
	"tls_epoch_27",
	"tls_float_v2",
	"tls_occ_probe",
	"tls_plain_aes128cbc_sha512",
	"tls_plain_aes256cfb_sha1",
	"tls_plain_aes256gcm",
	"tls_plain_aes256ofb_sha256",
	"tls_plain_bfcbc_sha1",
	"tls_plain_none_sha256",
	"tls_prf_v1_client24_nopeerinfo_cbc",
	"tls_prf_v2_client24_gcm",
	"tls_prf_v2_client25",
	"tls_push_continuation",
	"tls_reneg_dyncrypt",
	"tls_server24_client26",
	"tls_server25_client26",
	"tls_server26_client27",
	"tls_server27_client26",
	"tls_stubv2_pushed",
	"tls_userpass_token",
	"tls_v1_addrchange",
	NULL,
};

static void fail(const char *what, const char *name)
{
	fprintf(stderr, "test vector %s: %s\n", name, what);
	exit(1);
}

static void path_of(const char *name, const char *suffix, char *path, size_t size)
{
	const char *dir = getenv("VISP_VECTORS");

	if (dir == NULL)
		dir = VECTORS_DIR;
	if (snprintf(path, size, "%s/%s%s", dir, name, suffix) >= (int)size)
		fail("path too long", name);
}

static uint8_t *read_file(const char *name, const char *suffix, size_t *ret_len)
{
	uint8_t *data = NULL;
	size_t len = 0;
	char path[512];
	FILE *f;

	path_of(name, suffix, path, sizeof(path));
	f = fopen(path, "rbe");
	if (f == NULL)
		fail("can't open", path);
	for (;;) {
		size_t n;

		data = realloc(data, len + 65536);
		if (data == NULL)
			fail("no memory", path);
		n = fread(data + len, 1, 65536, f);
		len += n;
		if (n == 0)
			break;
	}
	(void)fclose(f); // read only: nothing can be lost
	*ret_len = len;
	return data;
}

json_t *vec_load_json(const char *name)
{
	json_error_t error;
	char path[512];
	json_t *json;

	path_of(name, ".json", path, sizeof(path));
	// Texts of vectors end with their NUL.
	json = json_load_file(path, JSON_ALLOW_NUL, &error);
	if (json == NULL)
		fail(error.text, path);
	return json;
}

// Captures were written on a little-endian machine.
static size_t get_le32(const uint8_t *p)
{
	return (size_t)p[0] | (size_t)p[1] << 8 | (size_t)p[2] << 16 | (size_t)p[3] << 24;
}

// Find the UDP payload of an Ethernet frame with IPv4.
static void parse_frame(const char *name, const uint8_t *frame, size_t len, struct vec_packet *p)
{
	size_t head = ETHER_HEAD;

	if (len < ETHER_HEAD + 20)
		fail("short frame", name);
	head += (frame[ETHER_HEAD] & 0x0fu) * 4u + UDP_HEAD;
	if (len < head)
		fail("short frame", name);
	// The length of the UDP header, unless only a fragment was captured.
	p->len = (size_t)(frame[head - 4] << 8 | frame[head - 3]) - UDP_HEAD;
	if (p->len > len - head)
		p->len = len - head;
	p->data = frame + head;
}

struct vec *vec_load(const char *name)
{
	struct vec *v = calloc(1, sizeof(*v));
	json_t *packets;
	size_t at = PCAP_HEAD;
	size_t len;

	if (v == NULL)
		fail("no memory", name);
	v->json = vec_load_json(name);
	v->file = read_file(name, ".pcap", &len);
	packets = json_object_get(v->json, "packets");
	v->packet = calloc(json_array_size(packets) + 1, sizeof(*v->packet));
	if (v->packet == NULL)
		fail("no memory", name);
	for (; at + PCAP_RECORD <= len; v->count++) {
		size_t n = get_le32(v->file + at + 8);

		at += PCAP_RECORD;
		if (n > len - at || v->count >= json_array_size(packets))
			fail("capture and JSON file don't fit together", name);
		parse_frame(name, v->file + at, n, &v->packet[v->count]);
		v->packet[v->count].json = json_array_get(packets, v->count);
		v->packet[v->count].c2s =
			strcmp(vec_str(v->packet[v->count].json, "dir"), "c2s") == 0;
		at += n;
	}
	if (v->count != json_array_size(packets))
		fail("capture and JSON file don't fit together", name);
	return v;
}

void vec_free(struct vec *v)
{
	if (v == NULL)
		return;
	json_decref(v->json);
	free(v->packet);
	free(v->file);
	free(v);
}

static unsigned digit(char c)
{
	if (c >= '0' && c <= '9')
		return (unsigned)(c - '0');
	if (c >= 'a' && c <= 'f')
		return (unsigned)(c - 'a') + 10;
	return 16;
}

size_t vec_unhex(const char *hex, uint8_t *buf, size_t size)
{
	size_t n = 0;

	for (; hex[0] != '\0'; hex += 2) {
		unsigned high = digit(hex[0]);
		unsigned low = hex[1] != '\0' ? digit(hex[1]) : 16;

		if (high > 15 || low > 15 || n == size)
			fail("bad hex digits", hex);
		buf[n++] = (uint8_t)(high << 4 | low);
	}
	return n;
}

const char *vec_str(const json_t *object, const char *key)
{
	const char *s = json_string_value(json_object_get(object, key));

	return s != NULL ? s : "";
}

long long vec_int(const json_t *object, const char *key, long long fallback)
{
	const json_t *number = json_object_get(object, key);

	return json_is_integer(number) ? json_integer_value(number) : fallback;
}

size_t vec_hex(const json_t *object, const char *key, uint8_t *buf, size_t size)
{
	return vec_unhex(vec_str(object, key), buf, size);
}
