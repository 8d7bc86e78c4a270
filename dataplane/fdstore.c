// SPDX-License-Identifier: BSD-3-Clause
#include "dataplane/fdstore.h"

#include <stdlib.h>
#include <string.h>

#include <systemd/sd-daemon.h>

#define NAME_SESSIONS "visp-sessions"
#define NAME_KEYS "visp-keys"

void dp_systemd_ready(const char *status)
{
	(void)sd_notifyf(0, "READY=1\nSTATUS=%s", status); // nobody may be listening
}

void dp_systemd_stopping(void)
{
	(void)sd_notify(0, "STOPPING=1"); // nobody may be listening
}

void dp_fdstore_put(int sessions_fd, int keys_fd)
{
	(void)sd_pid_notify_with_fds(
		0, 0, "FDSTORE=1\nFDNAME=" NAME_SESSIONS, &sessions_fd, 1); // as above
	(void)sd_pid_notify_with_fds(0, 0, "FDSTORE=1\nFDNAME=" NAME_KEYS, &keys_fd, 1);
}

bool dp_fdstore_get(int *ret_sessions_fd, int *ret_keys_fd)
{
	int sessions = -1, keys = -1;
	char **names = NULL;
	int n = sd_listen_fds_with_names(1, &names);

	for (int i = 0; i < n; i++) {
		if (strcmp(names[i], NAME_SESSIONS) == 0)
			sessions = SD_LISTEN_FDS_START + i;
		else if (strcmp(names[i], NAME_KEYS) == 0)
			keys = SD_LISTEN_FDS_START + i;
		free(names[i]);
	}
	free(names);
	if (sessions < 0 || keys < 0)
		return false;
	*ret_sessions_fd = sessions;
	*ret_keys_fd = keys;
	return true;
}
