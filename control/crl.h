// SPDX-License-Identifier: BSD-3-Clause
// crl-verify: reread the file when it changes, but only if it is a good list; else the last good
// one stays in force, which is said once per change. Event loop only.
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "config/blob.h"

#define CTL_CRL_TEXT 512

struct ctl_crl;
struct ovpn_tls_ctx;

enum ctl_crl_result {
	CTL_CRL_SAME, // nothing happened
	CTL_CRL_LOADED, // the new list is in force
	CTL_CRL_KEPT, // the file is missing, broken or expired; the old list stays; see text
};

// Start with the list that ctx was created with.
//
// blob: cfg->tls.crl, borrowed. now_s: unix time in seconds.
// Returns NULL with errno: EINVAL when the list can't be read (the text says why; CTL_CRL_TEXT
// bytes, may be NULL), ENOMEM.
struct ctl_crl *ctl_crl_create(const struct cfg_blob *blob, int64_t now_s, char *ret_text);

// NULL is fine. Returns NULL.
struct ctl_crl *ctl_crl_free(struct ctl_crl *crl);

// Has the file changed (device, inode, size, times)? Then read, check and load it into ctx (NULL:
// only check). Cheap when nothing changed: one stat. Call it every second or before a handshake.
// text: CTL_CRL_TEXT bytes, one clause for the log unless the result is CTL_CRL_SAME.
enum ctl_crl_result ctl_crl_poll(
	struct ctl_crl *crl, struct ovpn_tls_ctx *ctx, int64_t now_s, char *ret_text);

// Is a serial number (hex, any case, leading zeros allowed) on one of the lists in force?
// For dropping sessions whose certificate was revoked meanwhile.
bool ctl_crl_revoked(const struct ctl_crl *crl, const char *serial);

// `crl-verify DIR dir`: has a folder a file named by that serial number (hex), in decimal? What
// can't be found out counts as revoked.
bool ctl_crl_dir_revoked(const char *dir, const char *serial);

// Seconds until the first of the lists is due for renewal; negative when it is overdue;
// INT64_MAX when none says.
int64_t ctl_crl_seconds_left(const struct ctl_crl *crl, int64_t now_s);

// Number of revoked certificates on the lists in force.
size_t ctl_crl_count(const struct ctl_crl *crl);
