// SPDX-License-Identifier: BSD-3-Clause
// Reads a test vector: NAME.pcap and NAME.json of tests/vectors. Tests only: it allocates, and ends
// the program when a file can't be read.
#pragma once

#include <jansson.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

// One datagram of the capture beside its entry in the JSON file.
struct vec_packet {
	const uint8_t *data; // UDP payload
	size_t len; // bytes of it that were captured
	json_t *json; // entry of packets[]
	bool c2s; // from the client to the server
};

struct vec {
	json_t *json;
	uint8_t *file; // the whole pcap
	struct vec_packet *packet;
	size_t count;
};

// Load a vector by its name, without suffix. Never returns NULL. The environment variable
// VISP_VECTORS names the folder in place of the one known at compile time.
struct vec *vec_load(const char *name);

// Load a JSON file of the folder alone ("mobility_reconfig").
json_t *vec_load_json(const char *name);

void vec_free(struct vec *v);

// Names of all captures in TLS mode, ending with NULL.
extern const char *const vec_tls_names[];

// Decode hex digits into buf of size bytes. Returns the number of bytes; ends the program when it
// isn't hex or doesn't fit.
size_t vec_unhex(const char *hex, uint8_t *buf, size_t size);

// Member of an object: a string ("" when absent), a number (fallback when absent), hex digits
// (returns the number of bytes, 0 when absent).
const char *vec_str(const json_t *object, const char *key);
long long vec_int(const json_t *object, const char *key, long long fallback);
size_t vec_hex(const json_t *object, const char *key, uint8_t *buf, size_t size);
