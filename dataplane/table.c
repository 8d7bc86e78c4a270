// SPDX-License-Identifier: BSD-3-Clause
#include "dataplane/table.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#include "dataplane/log.h"

#define LOCK_TRIES 40
#define LOCK_PAUSE_MS 50 // together the 2 s of D8

// Make the folder of a path. It is ours alone to write; others may pass through to the socket.
// Returns 1 when it was made, 0 when it was there, -errno.
static int make_folder(const char *path)
{
	char folder[DP_STATE_PATH_MAX];
	const char *slash = strrchr(path, '/');

	if (slash == NULL || slash == path)
		return 0;
	memcpy(folder, path, (size_t)(slash - path));
	folder[slash - path] = '\0';
	if (mkdir(folder, 0711) == 0)
		return 1;
	return errno == EEXIST ? 0 : -errno;
}

// Remove the folder of a path if it is empty.
static void remove_folder(const char *path)
{
	char folder[DP_STATE_PATH_MAX];
	const char *slash = strrchr(path, '/');

	memcpy(folder, path, (size_t)(slash - path));
	folder[slash - path] = '\0';
	(void)rmdir(folder); // others may have put something in
}

static int state_path(const char *socket_path, char *path)
{
	const char *slash = strrchr(socket_path, '/');
	int folder = slash == NULL ? 0 : (int)(slash - socket_path) + 1;
	int n = snprintf(path, DP_STATE_PATH_MAX, "%.*sdataplane.state", folder, socket_path);

	return n < 0 || n >= DP_STATE_PATH_MAX ? -ENAMETOOLONG : 0;
}

static int lock_once(int fd)
{
	struct flock lock = { .l_type = F_WRLCK, .l_whence = SEEK_SET };

	if (fcntl(fd, F_SETLK, &lock) == 0)
		return 0;
	return errno == EACCES || errno == EAGAIN ? -EBUSY : -errno;
}

static int lock_file(int fd)
{
	const struct timespec pause = { .tv_nsec = LOCK_PAUSE_MS * 1000000L };
	int rc = -EBUSY;

	for (int i = 0; i < LOCK_TRIES && rc == -EBUSY; i++) {
		rc = lock_once(fd);
		if (rc == -EBUSY)
			(void)nanosleep(&pause, NULL); // a shorter pause is fine
	}
	return rc;
}

// Is the file that we locked still the one at that path? An ending dataplane removes it.
static bool still_there(int fd, const char *path)
{
	struct stat a, b;

	return fstat(fd, &a) == 0 && lstat(path, &b) == 0 && a.st_ino == b.st_ino &&
		a.st_dev == b.st_dev;
}

static int open_locked(const char *path, int *ret_fd)
{
	int fd, rc;

	for (;;) {
		fd = open(path, O_RDWR | O_CREAT | O_CLOEXEC | O_NOFOLLOW, 0600);
		if (fd < 0)
			return -errno;
		rc = lock_file(fd);
		if (rc == 0 && still_there(fd, path)) {
			*ret_fd = fd;
			return 0;
		}
		(void)close(fd); // nothing was written
		if (rc < 0)
			return rc;
	}
}

int dp_state_open(const char *socket_path, struct dp_state_file *ret_state)
{
	struct dp_state_file s = { .fd = -1 };
	struct stat st;
	int rc;

	rc = state_path(socket_path, s.path);
	if (rc == 0)
		rc = make_folder(s.path);
	s.made_folder = rc == 1;
	if (rc >= 0)
		rc = open_locked(s.path, &s.fd);
	if (rc == -EBUSY) {
		dp_log(DP_LOG_ERROR, "another visp-dataplane serves %s", socket_path);
		return rc;
	}
	if (rc < 0) {
		dp_log(DP_LOG_ERROR, "%s: %s", s.path, strerror(-rc));
		return rc;
	}
	// A record that others could have written isn't believed.
	s.found = fstat(s.fd, &st) == 0 && st.st_uid == geteuid() && (st.st_mode & 0077) == 0 &&
		pread(s.fd, &s.old, sizeof(s.old), 0) == (ssize_t)sizeof(s.old);
	s.made_folder |= s.found && s.old.made_folder == 1;
	if (s.made_folder && !s.found) {
		// A process that is killed before it has a table leaves this much.
		const struct dp_state first = { .made_folder = 1 };

		(void)dp_state_write(&s, &first); // the worst is an empty folder that stays
	}
	*ret_state = s;
	return 0;
}

int dp_state_write(struct dp_state_file *state, const struct dp_state *content)
{
	if (pwrite(state->fd, content, sizeof(*content), 0) != (ssize_t)sizeof(*content))
		return errno != 0 ? -errno : -EIO;
	return 0;
}

void dp_state_close(struct dp_state_file *state, bool keep)
{
	if (state->fd < 0)
		return;
	if (!keep)
		(void)unlink(state->path); // a file that is gone already is fine
	if (!keep && state->made_folder)
		remove_folder(state->path);
	(void)close(state->fd);
	state->fd = -1;
}

bool dp_table_expect_adoption(const struct dp_state_file *state)
{
	const struct shm_record *r = &state->old.record;

	return state->found && r->magic == SHM_MAGIC && r->layout_hash == shm_layout_hash() &&
		r->control_pid > 0 && (kill(r->control_pid, 0) == 0 || errno == EPERM);
}

static void say_progress(void *arg, size_t done, size_t total)
{
	size_t *said = arg;

	// One line a GiB; smaller tables are there at once.
	if (done >> 30 == *said)
		return;
	*said = done >> 30;
	dp_log(DP_LOG_NOTICE, "preparing memory: %zu of %zu MiB", done >> 20, total >> 20);
}

int dp_table_make(const struct cfg_dataplane *cfg, bool huge, struct shm_table *ret_table)
{
	enum shm_pages pages = SHM_PAGES_SMALL;
	struct shm_table t;
	size_t said = 0;
	int rc;

	if (huge)
		pages = cfg->hugepages == CFG_HUGEPAGES_ON ? SHM_PAGES_HUGE : SHM_PAGES_AUTO;
	rc = shm_table_create(cfg->sessions, pages, &t);
	if (rc == 0) {
		rc = shm_table_populate(&t, say_progress, &said);
		if (rc < 0)
			shm_table_done(&t);
	}
	if (rc < 0) {
		dp_log(DP_LOG_ERROR, "no memory for %u sessions (%zu MiB%s): %s", cfg->sessions,
			(shm_sessions_bytes(cfg->sessions) + shm_keys_bytes(cfg->sessions)) >> 20,
			pages == SHM_PAGES_HUGE ? " of huge pages" : "", strerror(-rc));
		return rc;
	}
	dp_log(DP_LOG_INFO, "table of %u sessions, %zu MiB of %s pages", t.sessions,
		(t.sessions_bytes + t.keys_bytes) >> 20, t.huge ? "2 MiB" : "4 KiB");
	*ret_table = t;
	return 0;
}

int dp_table_take(const struct dp_state_file *state, int sessions_fd, int keys_fd,
	struct shm_table *ret_table)
{
	int rc = state->found ? shm_table_adopt(sessions_fd, keys_fd, &state->old.record, ret_table)
			      : -ESTALE;

	if (rc < 0)
		dp_log(DP_LOG_NOTICE,
			"the earlier table can't be taken over (%s): all sessions are "
			"lost, starting with an empty one",
			rc == -ESTALE ? "it doesn't agree with dataplane.state" : strerror(-rc));
	return rc;
}
