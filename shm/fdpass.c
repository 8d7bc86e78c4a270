// SPDX-License-Identifier: BSD-3-Clause
#include "shm/fdpass.h"

#include <errno.h>
#include <stdint.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

static int unix_address(const char *path, struct sockaddr_un *ret_sa)
{
	size_t len = strlen(path);

	if (len == 0 || len >= sizeof(ret_sa->sun_path))
		return -ENAMETOOLONG;
	*ret_sa = (struct sockaddr_un){ .sun_family = AF_UNIX };
	memcpy(ret_sa->sun_path, path, len);
	return 0;
}

int shm_socket_connect(const char *path)
{
	struct sockaddr_un sa;
	int fd, rc;

	rc = unix_address(path, &sa);
	if (rc < 0)
		return rc;
	fd = socket(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0);
	if (fd < 0)
		return -errno;
	if (connect(fd, (struct sockaddr *)&sa, sizeof(sa)) < 0) {
		rc = -errno;
		(void)close(fd); // nothing was sent, so there is nothing to lose
		return rc;
	}
	return fd;
}

// Remove a socket file that its process left behind; anything else at that path is kept.
static int remove_stale(const char *path)
{
	struct stat st;
	int fd;

	if (lstat(path, &st) < 0)
		return errno == ENOENT ? 0 : -errno;
	if (!S_ISSOCK(st.st_mode))
		return -EEXIST;
	fd = shm_socket_connect(path);
	if (fd >= 0) {
		(void)close(fd); // it was opened only to see whether anybody listens
		return -EADDRINUSE;
	}
	if (fd != -ECONNREFUSED)
		return fd;
	return unlink(path) < 0 && errno != ENOENT ? -errno : 0;
}

int shm_socket_listen(const char *path, mode_t mode)
{
	struct sockaddr_un sa;
	mode_t mask;
	int fd, rc;

	rc = unix_address(path, &sa);
	if (rc < 0)
		return rc;
	rc = remove_stale(path);
	if (rc < 0)
		return rc;
	fd = socket(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
	if (fd < 0)
		return -errno;
	mask = umask(0777 & ~mode); // so there is no instant with a wider mode
	rc = bind(fd, (struct sockaddr *)&sa, sizeof(sa)) < 0 ? -errno : 0;
	(void)umask(mask); // never fails
	if (rc < 0)
		goto close_fd;
	if (listen(fd, 8) < 0) {
		rc = -errno;
		goto unlink_path;
	}
	return fd;

unlink_path:
	(void)unlink(path); // the first error is the one to report
close_fd:
	(void)close(fd);
	return rc;
}

int shm_peer_cred(int sock, struct shm_cred *ret_cred)
{
	struct ucred cred;
	socklen_t len = sizeof(cred);

	if (getsockopt(sock, SOL_SOCKET, SO_PEERCRED, &cred, &len) < 0)
		return -errno;
	if (len != sizeof(cred))
		return -EINVAL;
	*ret_cred = (struct shm_cred){ .pid = cred.pid, .uid = cred.uid, .gid = cred.gid };
	return 0;
}

// Room for the descriptors of one message, aligned as the kernel wants it.
union control_space {
	struct cmsghdr align;
	char bytes[CMSG_SPACE(SHM_FDS_MAX * sizeof(int))];
};

int shm_send(int sock, const void *msg, size_t len, const int *fds, unsigned n)
{
	union control_space space;
	struct iovec iov = { .iov_base = (void *)(uintptr_t)msg, .iov_len = len };
	struct msghdr mh = { .msg_iov = &iov, .msg_iovlen = 1 };
	struct cmsghdr *cmsg;
	ssize_t sent;

	if (n > SHM_FDS_MAX || len == 0)
		return -EMSGSIZE;
	if (n > 0) {
		memset(&space, 0, sizeof(space));
		mh.msg_control = space.bytes;
		mh.msg_controllen = CMSG_SPACE(n * sizeof(int));
		cmsg = CMSG_FIRSTHDR(&mh);
		cmsg->cmsg_level = SOL_SOCKET;
		cmsg->cmsg_type = SCM_RIGHTS;
		cmsg->cmsg_len = CMSG_LEN(n * sizeof(int));
		memcpy(CMSG_DATA(cmsg), fds, n * sizeof(int));
	}
	do {
		sent = sendmsg(sock, &mh, MSG_NOSIGNAL | MSG_DONTWAIT);
	} while (sent < 0 && errno == EINTR);
	if (sent < 0)
		return -errno;
	return (size_t)sent == len ? 0 : -EMSGSIZE;
}

// Move all descriptors out of a message; the ones beyond max are closed. Returns how many came.
static unsigned take_fds(struct msghdr *mh, int *fds, unsigned max)
{
	unsigned n = 0;

	for (struct cmsghdr *c = CMSG_FIRSTHDR(mh); c != NULL; c = CMSG_NXTHDR(mh, c)) {
		size_t bytes = c->cmsg_len - CMSG_LEN(0);

		if (c->cmsg_level != SOL_SOCKET || c->cmsg_type != SCM_RIGHTS)
			continue;
		for (size_t at = 0; at + sizeof(int) <= bytes; at += sizeof(int), n++) {
			int fd;

			memcpy(&fd, CMSG_DATA(c) + at, sizeof(fd));
			if (n < max)
				fds[n] = fd;
			else
				(void)close(fd); // the message is refused as a whole
		}
	}
	return n;
}

int shm_recv(
	int sock, void *buf, size_t size, size_t *ret_len, int *fds, unsigned max, unsigned *ret_n)
{
	union control_space space;
	struct iovec iov = { .iov_base = buf, .iov_len = size };
	struct msghdr mh = {
		.msg_iov = &iov,
		.msg_iovlen = 1,
		.msg_control = space.bytes,
		.msg_controllen = sizeof(space.bytes),
	};
	unsigned n;
	ssize_t got;

	memset(&space, 0, sizeof(space));
	do {
		got = recvmsg(sock, &mh, MSG_CMSG_CLOEXEC);
	} while (got < 0 && errno == EINTR);
	if (got < 0)
		return -errno;
	n = take_fds(&mh, fds, max);
	if (n > max || (mh.msg_flags & (MSG_TRUNC | MSG_CTRUNC)) != 0) {
		shm_close_all(fds, n < max ? n : max);
		return -EMSGSIZE;
	}
	if (got == 0) {
		shm_close_all(fds, n);
		return -ECONNRESET;
	}
	*ret_len = (size_t)got;
	*ret_n = n;
	return 0;
}

void shm_close_all(const int *fds, unsigned n)
{
	for (unsigned i = 0; i < n; i++) {
		if (fds[i] >= 0)
			(void)close(fds[i]); // received descriptors have nothing to flush
	}
}
