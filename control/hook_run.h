// SPDX-License-Identifier: BSD-3-Clause
// Inside the helper process: one program at work, its temporary files, and what it said.
#pragma once

#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>

#include "control/hook_msg.h"

struct cfg_server;

#define CTL_HOOK_PATH 256
#define CTL_HOOK_ANSWER_MAX CTL_HOOK_CONFIG_MAX // room for what is read of a program's file
#define CTL_HOOK_TEXT_MAX 4096u // ... and as much of it is read where it is for people

// The temporary files of a program, each "" when it has none.
struct ctl_hook_files {
	char userpass[CTL_HOOK_PATH]; // via-file: user name and password
	char control[CTL_HOOK_PATH]; // auth_control_file
	char pending[CTL_HOOK_PATH]; // auth_pending_file
	char reason[CTL_HOOK_PATH]; // auth_failed_reason_file
	char config[CTL_HOOK_PATH]; // client_connect_config_file
	char verdict[CTL_HOOK_PATH]; // client_connect_deferred_file
};

// One request being worked at.
struct ctl_hook_job {
	bool used;
	bool deferred; // the program has ended and will answer through its file
	bool told_pending;
	uint64_t id;
	uint32_t kind; // enum ctl_hook_kind
	uint64_t deadline_ms; // monotonic
	pid_t pid; // also its process group; 0: has ended
	struct ctl_hook_files files;
};

// Start the program of a request. daemon_pid, start_s: of visp-control, for the environment.
// Returns 0 (job->pid is set) or a negative errno; its files are gone then.
int ctl_hook_run(const struct cfg_server *cfg, const struct ctl_hook_message *m, pid_t daemon_pid,
	uint64_t start_s, struct ctl_hook_job *job);

// The program has ended with that status of waitpid(). Fills ret_answer and returns true when that
// decides; false when it is deferred, perhaps with a CTL_HOOK_PENDING to be sent (what != 0).
// text: room for the answer's strings, CTL_HOOK_ANSWER_MAX bytes.
bool ctl_hook_ended(
	struct ctl_hook_job *job, int status, char *text, struct ctl_hook_message *ret_answer);

// Has a deferred one decided meanwhile? As above.
bool ctl_hook_look(struct ctl_hook_job *job, char *text, struct ctl_hook_message *ret_answer);

// Make a CTL_HOOK_PENDING of the three lines of auth_pending_file: seconds, method, text, none of
// them checked. Its arguments point into text, which is cut up. Returns false when there are fewer.
bool ctl_hook_split_pending(char *text, struct ctl_hook_message *ret_answer);

// Remove its files.
void ctl_hook_clear(struct ctl_hook_job *job);

// In hook_pam.c, in a process of its own: ask PAM. Returns the exit status: 0 yes, 1 no, 3 PAM
// can't be asked.
int ctl_hook_pam(const struct cfg_server *cfg, const struct ctl_hook_message *m);
