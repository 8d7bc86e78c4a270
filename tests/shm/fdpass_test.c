// SPDX-License-Identifier: BSD-3-Clause
#include "shm/fdpass.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <unistd.h>

#include "tests/gtc.h"

static unsigned open_fds(void)
{
	unsigned n = 0;

	for (int fd = 0; fd < 256; fd++)
		n += fcntl(fd, F_GETFD) >= 0;
	return n;
}

GTC_TEST(fdpass, message_with_descriptors)
{
	int sv[2], in[3] = { 0, 1, 2 }, out[3] = { -1, -1, -1 };
	char buf[16];
	unsigned n;
	size_t len;

	GTC_ASSERT_INT(socketpair(AF_UNIX, SOCK_SEQPACKET, 0, sv), 0);
	GTC_ASSERT_INT(shm_send(sv[0], "hello", 5, in, 3), 0);
	GTC_ASSERT_INT(shm_recv(sv[1], buf, sizeof(buf), &len, out, 3, &n), 0);
	GTC_EXPECT_INT(len, 5);
	GTC_EXPECT_INT(n, 3);
	GTC_EXPECT_MEM(buf, "hello", 5);
	GTC_EXPECT((fcntl(out[2], F_GETFD) & FD_CLOEXEC) != 0);
	shm_close_all(out, 3);
	GTC_ASSERT_INT(shm_send(sv[0], "x", 1, NULL, 0), 0);
	GTC_ASSERT_INT(shm_recv(sv[1], buf, sizeof(buf), &len, out, 3, &n), 0);
	GTC_EXPECT_INT(n, 0);
	(void)close(sv[0]);
	GTC_EXPECT_INT(shm_recv(sv[1], buf, sizeof(buf), &len, out, 3, &n), -ECONNRESET);
	(void)close(sv[1]);
}

GTC_TEST(fdpass, refused_message_leaks_no_descriptor)
{
	int sv[2], in[SHM_FDS_MAX], out[4];
	unsigned before, n;
	char buf[16];
	size_t len;

	GTC_ASSERT_INT(socketpair(AF_UNIX, SOCK_SEQPACKET, 0, sv), 0);
	for (unsigned i = 0; i < SHM_FDS_MAX; i++)
		in[i] = 0;
	before = open_fds();
	GTC_ASSERT_INT(shm_send(sv[0], "many", 4, in, SHM_FDS_MAX), 0);
	GTC_EXPECT_INT(shm_recv(sv[1], buf, sizeof(buf), &len, out, 4, &n), -EMSGSIZE);
	GTC_EXPECT_INT(open_fds(), before);
	GTC_ASSERT_INT(shm_send(sv[0], "longer than the buffer", 22, in, 2), 0);
	GTC_EXPECT_INT(shm_recv(sv[1], buf, sizeof(buf), &len, out, 4, &n), -EMSGSIZE);
	GTC_EXPECT_INT(open_fds(), before);
	GTC_EXPECT_INT(shm_send(sv[0], "more", 4, in, SHM_FDS_MAX + 1), -EMSGSIZE);
	(void)close(sv[0]);
	(void)close(sv[1]);
}

GTC_TEST(fdpass, peer_that_does_not_read_never_blocks_us)
{
	char big[4096] = { 0 };
	int sv[2], rc = 0;

	GTC_ASSERT_INT(socketpair(AF_UNIX, SOCK_SEQPACKET, 0, sv), 0);
	for (int i = 0; i < 100000 && rc == 0; i++)
		rc = shm_send(sv[0], big, sizeof(big), NULL, 0);
	GTC_EXPECT_INT(rc, -EAGAIN);
	(void)close(sv[0]);
	(void)close(sv[1]);
}

GTC_TEST(fdpass, listen_connect_credentials_and_stale_sockets)
{
	char dir[] = "/tmp/visp-fdpass-XXXXXX", path[64];
	struct shm_cred cred;
	struct stat st;
	int l, c, s;

	GTC_ASSERT(mkdtemp(dir) != NULL);
	(void)snprintf(path, sizeof(path), "%s/sock", dir);
	GTC_EXPECT_INT(shm_socket_connect(path), -ENOENT);
	l = shm_socket_listen(path, 0660);
	GTC_ASSERT(l >= 0);
	GTC_ASSERT_INT(stat(path, &st), 0);
	GTC_EXPECT_INT(st.st_mode & 0777, 0660);
	c = shm_socket_connect(path);
	GTC_ASSERT(c >= 0);
	s = accept4(l, NULL, NULL, SOCK_CLOEXEC);
	GTC_ASSERT(s >= 0);
	GTC_ASSERT_INT(shm_peer_cred(s, &cred), 0);
	GTC_EXPECT_INT(cred.pid, getpid());
	GTC_EXPECT_INT(cred.uid, geteuid());
	GTC_EXPECT_INT(shm_socket_listen(path, 0660), -EADDRINUSE);
	(void)close(c);
	(void)close(s);
	(void)close(l);
	// Its process is gone, the file is left: the next one takes the place.
	l = shm_socket_listen(path, 0600);
	GTC_EXPECT(l >= 0);
	(void)close(l);
	(void)unlink(path);
	// A file that isn't a socket is nobody's leftover.
	l = open(path, O_CREAT | O_WRONLY, 0600);
	(void)close(l);
	GTC_EXPECT_INT(shm_socket_listen(path, 0600), -EEXIST);
	(void)unlink(path);
	(void)rmdir(dir);
}

GTC_TEST(fdpass, long_paths_are_refused)
{
	char path[300];

	memset(path, 'a', sizeof(path) - 1);
	path[sizeof(path) - 1] = '\0';
	GTC_EXPECT_INT(shm_socket_listen(path, 0600), -ENAMETOOLONG);
	GTC_EXPECT_INT(shm_socket_connect(path), -ENAMETOOLONG);
	GTC_EXPECT_INT(shm_socket_connect(""), -ENAMETOOLONG);
}
