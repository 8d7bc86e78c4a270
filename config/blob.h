// SPDX-License-Identifier: BSD-3-Clause
// A file that a directive names, or its content given inline.
#pragma once

#include <stdbool.h>
#include <stddef.h>

#include "config/report.h"

#define CFG_BLOB_MAX (4u << 20) // default limit of cfg_blob_read in bytes

// Either path or text is set; neither means that the directive is absent. Strings belong to the
// configuration that holds the blob.
struct cfg_blob {
	const char *path; // name of the file; relative names follow `cd`
	const char *text; // inline content, NUL-terminated
	size_t len; // bytes of text
	const char *option; // the directive, for messages
	const char *file; // where it was said
	unsigned line;
};

// Was it given?
bool cfg_blob_set(const struct cfg_blob *blob);

// Can its file be read now? An inline one always can. Returns 0 or a negative errno with err set
// to "FILE:LINE: ca: can't read PATH: reason".
int cfg_blob_check(const struct cfg_blob *blob, struct cfg_error *err);

// Read the content (at most max bytes; 0 means CFG_BLOB_MAX).
//
// *ret_text is a NUL-terminated heap copy, to be given to cfg_secret_free; *ret_len (may be NULL)
// its length. Returns 0, -ENOENT when the directive is absent, -EFBIG, or a negative errno of the
// file; err is set.
int cfg_blob_read(const struct cfg_blob *blob, size_t max, char **ret_text, size_t *ret_len,
	struct cfg_error *err);

// Wipe and free a content got from cfg_blob_read. NULL is fine.
void cfg_secret_free(char *text, size_t len);

// First and second line of a user-name and password file (auth-user-pass).
// user and password have size bytes each. password is empty when the file has one line.
// Returns 0, -ERANGE when a line is too long, -EINVAL when there is no name, or as cfg_blob_read.
int cfg_blob_userpass(const struct cfg_blob *blob, char *user, char *password, size_t size,
	struct cfg_error *err);
