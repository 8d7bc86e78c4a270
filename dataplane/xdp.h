// SPDX-License-Identifier: BSD-3-Clause
// The XDP program of an af_xdp port and the list of our UDP addresses inside it. Main only.
#pragma once

#include <stddef.h>

#include "shm/message.h"

struct dp_xdp;

// Where the program lies: beside the executable, else in the library folder. Returns 0 with a path
// that can be read, or -ENOENT.
int dp_xdp_program(char *path, size_t size);

// Take a program of ours off an interface, which a dataplane that was killed has left there.
// Returns 0 when there is none of ours any more, or -errno.
int dp_xdp_remove_left(unsigned ifindex);

// Find the list inside the program that the driver attached to an interface, and map it. Needs the
// rights of BPF (before privileges are dropped). Returns NULL with errno; ENOENT: the program
// there isn't ours.
struct dp_xdp *dp_xdp_open(unsigned ifindex);

// From now on these are ours and all else is the kernel's. No system call.
void dp_xdp_set_listens(
	struct dp_xdp *xdp, const struct shm_hello *hello, const struct shm_listen *tunnel);

// Unmap. The program goes with its port. Returns NULL.
struct dp_xdp *dp_xdp_close(struct dp_xdp *xdp);
