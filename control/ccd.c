// SPDX-License-Identifier: BSD-3-Clause
#include "control/ccd.h"

#include <dirent.h>
#include <errno.h>
#include <limits.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

bool ctl_ccd_name_ok(const char *cn)
{
	size_t len = strlen(cn);

	if (len == 0 || len > NAME_MAX || cn[0] == '.')
		return false;
	for (const char *p = cn; *p != '\0'; p++) {
		if (*p == '/' || (unsigned char)*p < ' ' || *p == 0x7f)
			return false;
	}
	return true;
}

static int file_path(const char *dir, const char *name, char path[PATH_MAX], struct cfg_error *err)
{
	int len = snprintf(path, PATH_MAX, "%s/%s", dir, name);

	if (len >= 0 && len < PATH_MAX)
		return 0;
	cfg_error_set(err, dir, 0, "the name of a file in it is too long");
	return -ENAMETOOLONG;
}

// Read dir/name. Returns 0, -ENOENT when there is none, -ENAMETOOLONG, or the file's error.
static int file_load(const char *dir, const char *name, struct cfg_notes *notes,
	struct cfg_ccd **ret_ccd, struct cfg_error *err)
{
	char path[PATH_MAX];
	int rc = file_path(dir, name, path, err);

	return rc < 0 ? rc : cfg_ccd_load(path, notes, ret_ccd, err);
}

int ctl_ccd_lookup(const char *dir, bool exclusive, const char *cn, struct cfg_notes *notes,
	struct cfg_ccd **ret_ccd, struct cfg_error *err)
{
	struct cfg_ccd *ccd = NULL;
	int rc = -ENOENT;

	if (dir == NULL) {
		*ret_ccd = NULL;
		return 0;
	}
	if (ctl_ccd_name_ok(cn))
		rc = file_load(dir, cn, notes, &ccd, err);
	if (rc == -ENOENT && exclusive) {
		cfg_error_set(err, dir, 0, "no file for this client, which ccd-exclusive asks for");
		return -EACCES;
	}
	if (rc == -ENOENT)
		rc = file_load(dir, CTL_CCD_DEFAULT, notes, &ccd, err);
	if (rc < 0 && rc != -ENOENT)
		return rc;
	if (ccd != NULL && ccd->disable) {
		cfg_error_set(err, dir, 0, "the client's file says disable");
		cfg_ccd_free(ccd);
		return -EACCES;
	}
	*ret_ccd = ccd;
	return 0;
}

static int add_file(
	struct cfg_lines *lines, const char *dir, const char *name, struct cfg_error *err)
{
	char path[PATH_MAX];
	int rc = file_path(dir, name, path, err);

	return rc < 0 ? rc : cfg_lines_add_file(lines, path, err);
}

int ctl_ccd_extend(const char *dir, const char *cn, const char *text, struct cfg_notes *notes,
	struct cfg_ccd **ret_ccd, struct cfg_error *err)
{
	struct cfg_ccd *ccd = NULL;
	struct cfg_lines lines;
	int rc = cfg_lines_init(&lines);

	if (rc < 0) {
		cfg_error_set(err, "client-connect", 0, "out of memory");
		return rc;
	}
	rc = dir != NULL && ctl_ccd_name_ok(cn) ? add_file(&lines, dir, cn, err) : -ENOENT;
	if (rc == -ENOENT && dir != NULL)
		rc = add_file(&lines, dir, CTL_CCD_DEFAULT, err);
	if (rc == 0 || rc == -ENOENT)
		rc = cfg_lines_add_text(&lines, "client-connect", 1, text, strlen(text), err);
	if (rc == 0)
		rc = cfg_ccd_parse(&lines, notes, &ccd, err);
	cfg_lines_done(&lines);
	if (rc < 0)
		return rc;
	if (ccd->disable) {
		cfg_error_set(err, "client-connect", 0, "the client is refused by disable");
		cfg_ccd_free(ccd);
		return -EACCES;
	}
	*ret_ccd = ccd;
	return 0;
}

int ctl_ccd_fixed(const char *dir,
	int (*fn)(void *arg, const char *cn, const struct cfg_addr *addr), void *arg,
	struct cfg_notes *notes)
{
	const struct dirent *entry;
	DIR *d = opendir(dir);
	int rc = 0;

	if (d == NULL)
		return -errno;
	while (rc >= 0 && (entry = readdir(d)) != NULL) {
		struct cfg_ccd *ccd = NULL;
		struct cfg_error err;

		if (!ctl_ccd_name_ok(entry->d_name) || strcmp(entry->d_name, CTL_CCD_DEFAULT) == 0)
			continue;
		if (file_load(dir, entry->d_name, NULL, &ccd, &err) < 0) {
			(void)cfg_notes_add_error(notes, &err); // a remark may be lost
			continue;
		}
		if (ccd->ifconfig.family != 0)
			rc = fn(arg, entry->d_name, &ccd->ifconfig);
		if (rc >= 0 && ccd->ifconfig6.family != 0)
			rc = fn(arg, entry->d_name, &ccd->ifconfig6);
		cfg_ccd_free(ccd);
	}
	closedir(d);
	return rc < 0 ? rc : 0;
}
