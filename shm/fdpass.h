// SPDX-License-Identifier: BSD-3-Clause
// Unix SOCK_SEQPACKET sockets that carry descriptors, with everything a hostile peer may choose
// bounded: message length, number of descriptors, and nothing is leaked when a message is refused.
#pragma once

#include <stddef.h>
#include <sys/types.h>

#define SHM_FDS_MAX 80 // 6 and one a worker, rounded up

struct shm_cred {
	pid_t pid;
	uid_t uid;
	gid_t gid;
};

// Make a listening socket at path (replacing a stale one that nobody listens on), mode as given.
// Not blocking, close-on-exec. Returns the descriptor; -EADDRINUSE when somebody listens there;
// -ENAMETOOLONG; else the error of the failed call.
int shm_socket_listen(const char *path, mode_t mode);

// Connect to path. The socket is blocking and close-on-exec. Returns the descriptor or -errno.
int shm_socket_connect(const char *path);

// Who opened the other end, as the kernel says (SO_PEERCRED). Returns 0 or -errno.
int shm_peer_cred(int sock, struct shm_cred *ret_cred);

// Send one message with n descriptors (n up to SHM_FDS_MAX), never blocking on a peer that
// doesn't read. Returns 0, -EMSGSIZE, -EAGAIN, or the error of the failed call.
int shm_send(int sock, const void *msg, size_t len, const int *fds, unsigned n);

// Receive one message of up to size bytes with up to max descriptors (close-on-exec; the caller
// owns them). Returns 0; -ECONNRESET at the end of the connection; -EMSGSIZE when message or
// descriptors were too many (all received descriptors are closed then); -EAGAIN; or the error of
// the failed call.
int shm_recv(
	int sock, void *buf, size_t size, size_t *ret_len, int *fds, unsigned max, unsigned *ret_n);

// Close n descriptors; negative ones are skipped.
void shm_close_all(const int *fds, unsigned n);
