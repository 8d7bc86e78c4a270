// SPDX-License-Identifier: BSD-3-Clause
// Text on the wire without locale, allocation or overflow: a bounded builder, decimal numbers,
// comparisons of spans of ASCII.
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

// Appends text to a buffer of the caller and remembers whether it fitted, so that a chain of
// appends needs one check at its end. buf is NUL-terminated at all times if size > 0.
struct ovpn_text {
	char *buf;
	size_t size; // bytes of buf, terminating NUL included
	size_t len; // characters so far, without the NUL
	bool full; // something was left out; nothing is appended from then on
};

// Start with an empty text in buf of size bytes.
void ovpn_text_init(struct ovpn_text *t, char *buf, size_t size);

// Append a C string, len characters, or a decimal number. A piece that doesn't fit is left out
// whole and sets full.
void ovpn_text_add(struct ovpn_text *t, const char *s);
void ovpn_text_add_mem(struct ovpn_text *t, const char *s, size_t len);
void ovpn_text_add_u64(struct ovpn_text *t, uint64_t value);

// The end of a chain of appends. Writes the length without NUL to *ret_len (may be NULL).
// Returns 0, or -ENOBUFS when the text didn't fit.
int ovpn_text_done(const struct ovpn_text *t, size_t *ret_len);

// Parse an unsigned decimal number that fills s[0..len) completely: digits only, no sign, no
// space, at least one digit.
//
// Returns 0, -EINVAL when it isn't a number, -ERANGE when it is above max. *ret_value is
// written on success only.
int ovpn_parse_u64(const char *s, size_t len, uint64_t max, uint64_t *ret_value);

// True when the span s[0..len) is exactly the C string word; _nocase ignores the case of ASCII
// letters.
bool ovpn_text_equal(const char *s, size_t len, const char *word);
bool ovpn_text_equal_nocase(const char *s, size_t len, const char *word);

// True when s[0..len) starts with the C string word and the word ends there: end of text, or a
// character that is none of letters, digits and '_'.
bool ovpn_text_starts_with_word(const char *s, size_t len, const char *word);

// True when every character is printable ASCII (0x20 to 0x7e). An empty text is printable.
bool ovpn_text_is_printable(const char *s, size_t len);
