// SPDX-License-Identifier: BSD-3-Clause
// ifconfig-pool-persist: who had which address, one line each, in the order in which addresses
// would be given to others.
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "control/pool_private.h"

#define LINE_LEN_MAX 1024

// One of the two addresses of a line. Returns 0, -EINVAL, -ERANGE, -ENOMEM.
static int word_read(struct ctl_pool *pool, const char *name, const char *word, uint16_t family)
{
	struct cfg_addr addr;

	if (*word == '\0')
		return 0;
	if (cfg_addr_parse(word, &addr) < 0)
		return -EINVAL;
	if (pool == NULL)
		return 0;
	return addr.family == family ? ctl_pool_remember(pool, name, &addr) : -ERANGE;
}

// "NAME,ADDRESS,ADDRESS6". Returns 0, -EINVAL, -ERANGE, -ENOMEM.
static int line_read(struct ctl_pool *pool, struct ctl_pool *pool6, char *line)
{
	char *comma, *more;
	int rc, rc6 = 0;

	line[strcspn(line, "\r\n")] = '\0';
	if (line[0] == '\0' || line[0] == '#' || line[0] == ';')
		return 0;
	comma = strchr(line, ',');
	if (comma == NULL || comma == line)
		return -EINVAL;
	*comma++ = '\0';
	more = strchr(comma, ',');
	if (more != NULL)
		*more++ = '\0';
	if (*comma == '\0' && (more == NULL || *more == '\0'))
		return -EINVAL;
	rc = word_read(pool, line, comma, AF_INET);
	if (more != NULL)
		rc6 = word_read(pool6, line, more, AF_INET6);
	return rc < 0 && rc != -ERANGE ? rc : rc6 < 0 ? rc6 : rc;
}

int ctl_pool_read(struct ctl_pool *pool, struct ctl_pool *pool6, const char *path,
	unsigned *ret_skipped, struct cfg_error *err)
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
			rc = line_read(pool, pool6, line);
		skipped += rc == -ERANGE;
		if (rc == -ERANGE)
			rc = 0;
		if (rc == -EINVAL)
			cfg_error_set(err, path, number, "this isn't \"NAME,ADDRESS,ADDRESS6\"");
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
	if (pool6 != NULL)
		pool6->changed = false;
	return rc;
}

bool ctl_pool_changed(const struct ctl_pool *pool)
{
	return pool->changed;
}

void ctl_pool_unsaved(struct ctl_pool *pool)
{
	pool->changed = true;
}

// Where the name has an address in the other pool, or had one last; false: nowhere.
static bool other_address(const struct ctl_pool *pool, const char *name, struct cfg_addr *ret_addr)
{
	const struct ctl_pool_entry *e = pool != NULL ? ctl_pool_memory(pool, name) : NULL;

	if (e == NULL || e->state == CTL_POOL_FIXED)
		return false;
	*ret_addr = ctl_pool_address(pool, (uint32_t)(e - pool->entries));
	return true;
}

// Names that the format can't hold are left out.
static void line_write(const struct ctl_pool *pool, const struct ctl_pool *pool6, FILE *f,
	uint32_t index, bool is6)
{
	const char *name = (is6 ? pool6 : pool)->entries[index].name;
	struct cfg_addr addr = ctl_pool_address(is6 ? pool6 : pool, index), addr6;
	char text[CFG_ADDR_TEXT] = "", text6[CFG_ADDR_TEXT] = "";

	if (name[0] == '\0' || strpbrk(name, ",\r\n") != NULL || name[0] == '#' || name[0] == ';' ||
		strlen(name) > LINE_LEN_MAX / 2)
		return;
	(void)cfg_addr_text(&addr, false, is6 ? text6 : text);
	if (!is6 && other_address(pool6, name, &addr6))
		(void)cfg_addr_text(&addr6, false, text6);
	fprintf(f, "%s,%s%s%s\n", name, text, pool6 != NULL ? "," : "", text6);
}

// Is this where its name was last, and what the other pool's lines don't say already?
static bool is_said(const struct ctl_pool *p, const struct ctl_pool *other, uint32_t i)
{
	const struct ctl_pool_entry *e = &p->entries[i];
	struct cfg_addr said;

	return ctl_pool_memory(p, e->name) == e &&
		(other == NULL || !other_address(other, e->name, &said));
}

// The free ones in the order of their queue, then those in use by address; fixed ones are in files
// already. Of the second pool only what wasn't said along with the first.
static void all_write(const struct ctl_pool *pool, const struct ctl_pool *pool6, FILE *f, bool is6)
{
	const struct ctl_pool *p = is6 ? pool6 : pool;
	const struct ctl_pool *other = is6 ? pool : NULL;

	for (uint32_t i = p->head; i != 0; i = p->entries[i].next) {
		if (is_said(p, other, i))
			line_write(pool, pool6, f, i, is6);
	}
	for (uint32_t i = 0; i < p->touched; i++) {
		if (p->entries[i].state == CTL_POOL_LEASED && is_said(p, other, i))
			line_write(pool, pool6, f, i, is6);
	}
}

int ctl_pool_text(struct ctl_pool *pool, struct ctl_pool *pool6, char **ret_text, size_t *ret_len)
{
	char *text = NULL;
	size_t len = 0;
	FILE *f = open_memstream(&text, &len);

	if (f == NULL)
		return -ENOMEM;
	all_write(pool, pool6, f, false);
	if (pool6 != NULL)
		all_write(pool, pool6, f, true);
	if (fclose(f) != 0) {
		free(text);
		return -ENOMEM;
	}
	pool->changed = false;
	if (pool6 != NULL)
		pool6->changed = false;
	*ret_text = text;
	*ret_len = len;
	return 0;
}

static int write_all(int fd, const char *text, size_t len)
{
	while (len > 0) {
		ssize_t n = write(fd, text, len);

		if (n < 0 && errno == EINTR)
			continue;
		if (n < 0)
			return -errno;
		text += n;
		len -= (size_t)n;
	}
	return 0;
}

int ctl_pool_store(const char *path, const char *text, size_t len)
{
	char *beside = NULL;
	int rc, fd;

	if (asprintf(&beside, "%s.new", path) < 0)
		return -ENOMEM;
	fd = open(beside, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC | O_NOFOLLOW, 0600);
	if (fd < 0) {
		rc = -errno;
		goto free_name;
	}
	rc = write_all(fd, text, len);
	if (rc == 0 && fsync(fd) < 0)
		rc = -errno;
	if (close(fd) < 0 && rc == 0)
		rc = -errno;
	if (rc == 0 && rename(beside, path) < 0)
		rc = -errno;
	if (rc < 0)
		(void)unlink(beside); // the error that counts is the first
free_name:
	free(beside);
	return rc;
}
