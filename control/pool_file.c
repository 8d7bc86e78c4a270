// SPDX-License-Identifier: BSD-3-Clause
// ifconfig-pool-persist: who had which address, one line each, in the order in which addresses
// would be given to others.
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "control/pool_private.h"

#define LINE_LEN_MAX 1024

// "NAME,ADDRESS[,ADDRESS6]". Returns 0, -EINVAL, -ERANGE, -ENOMEM.
static int line_read(struct ctl_pool *pool, char *line)
{
	struct cfg_addr addr;
	char *comma, *more;

	line[strcspn(line, "\r\n")] = '\0';
	if (line[0] == '\0' || line[0] == '#' || line[0] == ';')
		return 0;
	comma = strchr(line, ',');
	if (comma == NULL || comma == line)
		return -EINVAL;
	*comma++ = '\0';
	more = strchr(comma, ',');
	if (more != NULL)
		*more = '\0';
	// Only an IPv6 address was remembered.
	if (*comma == '\0' && more != NULL)
		return -ERANGE;
	if (cfg_addr_parse(comma, &addr) < 0)
		return -EINVAL;
	return ctl_pool_remember(pool, line, &addr);
}

int ctl_pool_read(
	struct ctl_pool *pool, const char *path, unsigned *ret_skipped, struct cfg_error *err)
{
	unsigned skipped = 0, number = 0;
	char line[LINE_LEN_MAX];
	FILE *f = fopen(path, "re");
	int rc = 0;

	if (f == NULL) {
		rc = errno == ENOENT ? 0 : -errno;
		if (rc < 0)
			cfg_error_set(err, path, 0, "can't read: %s", strerror(-rc));
	}
	while (f != NULL && rc == 0 && fgets(line, sizeof(line), f) != NULL) {
		number++;
		if (strchr(line, '\n') == NULL && !feof(f))
			rc = -EINVAL;
		else
			rc = line_read(pool, line);
		skipped += rc == -ERANGE;
		if (rc == -ERANGE)
			rc = 0;
		if (rc == -EINVAL)
			cfg_error_set(err, path, number, "this isn't \"NAME,ADDRESS\"");
		else if (rc < 0)
			cfg_error_set(err, path, number, "%s", strerror(-rc));
	}
	if (f != NULL && rc == 0 && ferror(f)) {
		rc = -EIO;
		cfg_error_set(err, path, 0, "can't read: %s", strerror(EIO));
	}
	if (f != NULL)
		fclose(f);
	if (rc == 0 && ret_skipped != NULL)
		*ret_skipped = skipped;
	pool->changed = false;
	return rc;
}

bool ctl_pool_changed(const struct ctl_pool *pool)
{
	return pool->changed;
}

// Names that the format can't hold are left out.
static void line_write(const struct ctl_pool *pool, FILE *f, uint32_t index)
{
	const char *name = pool->entries[index].name;
	struct cfg_addr addr = ctl_pool_address(pool, index);
	char text[CFG_ADDR_TEXT];

	if (name[0] == '\0' || strpbrk(name, ",\r\n") != NULL || name[0] == '#' || name[0] == ';' ||
		strlen(name) > LINE_LEN_MAX / 2)
		return;
	fprintf(f, "%s,%s\n", name, cfg_addr_text(&addr, false, text));
}

// The free ones in the order of their queue, then those in use; fixed ones are in files already.
static void all_write(const struct ctl_pool *pool, FILE *f)
{
	const struct ctl_pool_memory *m;

	for (uint32_t i = pool->head; i != 0; i = pool->entries[i].next) {
		HASH_FIND_STR(pool->memories, pool->entries[i].name, m);
		if (m != NULL && m->index == i)
			line_write(pool, f, i);
	}
	for (m = pool->memories; m != NULL; m = m->hh.next) {
		if (pool->entries[m->index].state == CTL_POOL_LEASED)
			line_write(pool, f, m->index);
	}
}

int ctl_pool_write(struct ctl_pool *pool, const char *path)
{
	char *beside = NULL;
	FILE *f = NULL;
	int rc = 0;
	int fd;

	if (asprintf(&beside, "%s.new", path) < 0)
		return -ENOMEM;
	fd = open(beside, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC | O_NOFOLLOW, 0600);
	if (fd < 0) {
		rc = -errno;
		goto free_name;
	}
	f = fdopen(fd, "w");
	if (f == NULL) {
		rc = -errno;
		close(fd);
		goto remove_file;
	}
	all_write(pool, f);
	if (fflush(f) != 0 || fsync(fd) < 0)
		rc = -errno;
	if (fclose(f) != 0 && rc == 0)
		rc = -errno;
	if (rc == 0 && rename(beside, path) < 0)
		rc = -errno;
	if (rc == 0)
		pool->changed = false;
remove_file:
	if (rc < 0)
		(void)unlink(beside); // the error that counts is the first
free_name:
	free(beside);
	return rc;
}
