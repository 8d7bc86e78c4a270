// SPDX-License-Identifier: BSD-3-Clause
#include "config/blob.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

bool cfg_blob_set(const struct cfg_blob *blob)
{
	return blob->path != NULL || blob->text != NULL;
}

static int blob_open(const struct cfg_blob *blob, struct cfg_error *err)
{
	struct stat st;
	int rc;
	// Nonblocking, so that a FIFO with no writer can't hold up the start.
	int fd = open(blob->path, O_RDONLY | O_CLOEXEC | O_NOCTTY | O_NONBLOCK);

	if (fd < 0) {
		rc = -errno;
	} else if (fstat(fd, &st) < 0) {
		rc = -errno;
	} else if (S_ISDIR(st.st_mode)) {
		rc = -EISDIR;
	} else {
		return fd;
	}
	cfg_error_set(err, blob->file, blob->line, "%s: can't read '%s': %s", blob->option,
		blob->path, strerror(-rc));
	if (fd >= 0)
		close(fd);
	return rc;
}

int cfg_blob_check(const struct cfg_blob *blob, struct cfg_error *err)
{
	int fd;

	if (blob->path == NULL)
		return 0;
	fd = blob_open(blob, err);
	if (fd < 0)
		return fd;
	close(fd);
	return 0;
}

// Read up to max bytes of fd into a heap buffer that is wiped when it moves.
static int blob_slurp(int fd, size_t max, char **ret_text, size_t *ret_len)
{
	size_t cap = 4096, len = 0;
	char *buf = malloc(cap);
	int rc = -ENOMEM;

	while (buf != NULL) {
		ssize_t n = read(fd, buf + len, cap - len - 1);
		char *bigger;

		if (n < 0 && errno == EINTR)
			continue;
		if (n < 0) {
			rc = -errno;
			break;
		}
		if (n == 0) {
			buf[len] = '\0';
			*ret_text = buf;
			*ret_len = len;
			return 0;
		}
		len += (size_t)n;
		if (len > max) {
			rc = -EFBIG;
			break;
		}
		if (cap - len > 1)
			continue;
		bigger = malloc(cap * 2);
		if (bigger == NULL)
			break;
		memcpy(bigger, buf, len);
		explicit_bzero(buf, cap);
		free(buf);
		buf = bigger;
		cap *= 2;
	}
	cfg_secret_free(buf, len);
	return rc;
}

int cfg_blob_read(const struct cfg_blob *blob, size_t max, char **ret_text, size_t *ret_len,
	struct cfg_error *err)
{
	size_t len = 0;
	int fd;
	int rc;

	if (max == 0)
		max = CFG_BLOB_MAX;
	if (blob->text != NULL) {
		char *copy;

		if (blob->len > max)
			return -EFBIG;
		copy = malloc(blob->len + 1);
		if (copy == NULL)
			return -ENOMEM;
		memcpy(copy, blob->text, blob->len);
		copy[blob->len] = '\0';
		*ret_text = copy;
		if (ret_len != NULL)
			*ret_len = blob->len;
		return 0;
	}
	if (blob->path == NULL)
		return -ENOENT;
	fd = blob_open(blob, err);
	if (fd < 0)
		return fd;
	rc = blob_slurp(fd, max, ret_text, &len);
	close(fd);
	if (rc < 0) {
		cfg_error_set(err, blob->file, blob->line, "%s: can't read '%s': %s", blob->option,
			blob->path, strerror(-rc));
		return rc;
	}
	if (ret_len != NULL)
		*ret_len = len;
	return 0;
}

void cfg_secret_free(char *text, size_t len)
{
	if (text == NULL)
		return;
	explicit_bzero(text, len);
	free(text);
}

// Copy the line at *at to out and move *at behind it. Returns its length or -ERANGE.
static int line_take(const char **at, char *out, size_t size)
{
	size_t len = strcspn(*at, "\r\n");
	const char *next = *at + len;

	if (len >= size)
		return -ERANGE;
	memcpy(out, *at, len);
	out[len] = '\0';
	if (*next == '\r')
		next++;
	if (*next == '\n')
		next++;
	*at = next;
	return (int)len;
}

int cfg_blob_userpass(
	const struct cfg_blob *blob, char *user, char *password, size_t size, struct cfg_error *err)
{
	const char *at;
	char *text;
	size_t len = 0;
	int rc = cfg_blob_read(blob, 16384, &text, &len, err);

	if (rc < 0)
		return rc;
	at = text;
	rc = line_take(&at, user, size);
	if (rc == 0)
		rc = -EINVAL;
	if (rc > 0)
		rc = line_take(&at, password, size);
	if (rc == -ERANGE)
		cfg_error_set(err, blob->file, blob->line, "%s: a line is longer than %zu bytes",
			blob->option, size - 1);
	else if (rc == -EINVAL)
		cfg_error_set(err, blob->file, blob->line, "%s: the first line must be a user name",
			blob->option);
	cfg_secret_free(text, len);
	if (rc >= 0)
		return 0;
	explicit_bzero(user, size);
	explicit_bzero(password, size);
	return rc;
}
