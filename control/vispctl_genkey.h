// SPDX-License-Identifier: BSD-3-Clause
// vispctl genkey: new keys for wrapping the control channel, in the formats of `openvpn --genkey`.
// Talks to no server.
#pragma once

// argc, argv: from the word "genkey" on. Messages go to standard error, the key to its file or to
// standard output.
// Returns the exit status: 0, 1 when something failed (nothing is left behind), 2 for wrong
// arguments.
int vispctl_genkey(int argc, char **argv);
