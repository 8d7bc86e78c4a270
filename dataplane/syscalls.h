// SPDX-License-Identifier: BSD-3-Clause
// System calls that are left after start-up. Start-up only.
#pragma once

// Restrict all threads of the process to the list; other calls fail with EPERM. A kernel without
// seccomp is noted. Returns 0 or -errno, after logging why.
int dp_seccomp_apply(void);
