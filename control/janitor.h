// SPDX-License-Identifier: BSD-3-Clause
// Removes the files of a clean end that visp-control itself may not remove any more: a child that
// was made before the rights were dropped, can do nothing but wait and unlink, and leaves when
// visp-control does.
#pragma once

#define CTL_JANITOR_FILES 2

struct ctl_janitor {
	int fd; // writing one byte has the files removed; closing it alone does not; -1: no child
};

// Make the child if the process is root. files: up to CTL_JANITOR_FILES paths, NULL ends them; read
// before this returns. Returns 0 or a negative errno.
int ctl_janitor_start(struct ctl_janitor *janitor, const char *const *files);

// Clean up now; waits until it is done.
void ctl_janitor_clean(struct ctl_janitor *janitor);
