// SPDX-License-Identifier: BSD-3-Clause
// Tells systemd how the daemon is doing. Without systemd: nothing happens.
#pragma once

// state: lines as sd_notify(3) takes them.
void vc_notify(const char *state);
