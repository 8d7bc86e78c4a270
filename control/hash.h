// SPDX-License-Identifier: BSD-3-Clause
// Hash tables whose keys strangers choose: uthash with a keyed hash (SipHash-2-4) instead of its
// own, which anybody could fill with collisions.
#pragma once

#include <stddef.h>
#include <stdint.h>

// Draw the secret of this process; before the first table is used. Returns 0 or -EIO.
int ctl_hash_seed(void);

// Hash of len bytes under the secret.
unsigned ctl_hash(const void *bytes, size_t len);

#define HASH_FUNCTION(keyptr, keylen, hashv) ((hashv) = ctl_hash((keyptr), (keylen)))
#include <uthash.h>
