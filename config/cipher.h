// SPDX-License-Identifier: BSD-3-Clause
// Names of data ciphers and digests.
#pragma once

#include <stdbool.h>

// The usual name of a cipher, whatever the case it was written in; NULL when it isn't known.
// *ret_works: the data channel can use it.
const char *cfg_cipher_normalise(const char *name, bool *ret_works);

// The usual name of a digest ("SHA256", also for "sha-256" and "RSA-SHA256"), "none", or NULL.
const char *cfg_digest_normalise(const char *name);
