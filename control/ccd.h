// SPDX-License-Identifier: BSD-3-Clause
// client-config-dir: the file for a common name, and the addresses that such files fix. Reads small
// local files; event loop only.
#pragma once

#include <stdbool.h>

#include "config/ccd.h"
#include "config/report.h"

#define CTL_CCD_DEFAULT "DEFAULT" // for clients without a file of their own

// May a common name be the name of a file? Not when it is empty, begins with a dot, is longer than
// 255 bytes, or holds a slash or a control character.
bool ctl_ccd_name_ok(const char *cn);

// Find and read the file for a common name: its own, else DEFAULT.
//
// dir: NULL means that there is no folder. exclusive: a file of its own is required.
// *ret_ccd is NULL when there is no file; else free it with cfg_ccd_free.
// Returns 0; -EACCES when the client is to be refused (exclusive and no file, or `disable`), with
// err saying which; -EINVAL and other errors of the file, with err naming file and line: refuse it
// too, since the file may hold its limits.
int ctl_ccd_lookup(const char *dir, bool exclusive, const char *cn, struct cfg_notes *notes,
	struct cfg_ccd **ret_ccd, struct cfg_error *err);

// As ctl_ccd_lookup with no `exclusive`, and behind the file, which may be missing, the directives
// that client-connect has written, text; messages call them "client-connect". *ret_ccd is never
// NULL.
int ctl_ccd_extend(const char *dir, const char *cn, const char *text, struct cfg_notes *notes,
	struct cfg_ccd **ret_ccd, struct cfg_error *err);

// Call fn for each ifconfig-push and ifconfig-ipv6-push (DEFAULT left out), so that the pools can
// set those addresses aside. Files that can't be read or parsed are remarks in notes and don't stop
// it; fn stops it by returning a negative number. Returns 0, fn's number, or the errno of the
// folder.
int ctl_ccd_fixed(const char *dir,
	int (*fn)(void *arg, const char *cn, const struct cfg_addr *addr), void *arg,
	struct cfg_notes *notes);
