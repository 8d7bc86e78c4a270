// SPDX-License-Identifier: BSD-3-Clause
// Messages between visp-control and its helper process: one packet each, checked by whoever gets
// it. Numbers are in the machine's own order, for both are the same program.
//
//   head, then n_args + n_env strings, each with its NUL
#pragma once

#include <stddef.h>
#include <stdint.h>

#define CTL_HOOK_MESSAGE_MAX 65536u
#define CTL_HOOK_ARGS_MAX 8u
#define CTL_HOOK_ENV_MAX 512u
#define CTL_HOOK_TIMEOUT_MAX_MS 3600000u
#define CTL_HOOK_CONFIG_MAX 16384u // bytes of directives from client-connect, and a NUL

enum ctl_hook_kind {
	CTL_HOOK_USER = 1, // auth-user-pass-verify; args: user name, password
	CTL_HOOK_PAM, // args: user name, password, common name, remote address
	CTL_HOOK_TLS_VERIFY, // args: depth, subject
	CTL_HOOK_CONNECT, // client-connect; no args
	CTL_HOOK_DISCONNECT, // client-disconnect; no args
	CTL_HOOK_LEARN, // learn-address; args: "add" or "delete", address, common name
	CTL_HOOK_CANCEL, // nobody waits for this id any more
	CTL_HOOK_KIND_END,
};

enum ctl_hook_result {
	CTL_HOOK_OK = 1, // no args
	CTL_HOOK_REFUSED, // args: reason for the client, may be ""
	CTL_HOOK_ERROR, // args: what went wrong, for the log
	CTL_HOOK_PENDING, // not the last answer; args: seconds, method, text for the client
	CTL_HOOK_CONFIG, // as OK, of client-connect; args: what it wrote, as it is
	CTL_HOOK_RESULT_END,
};

// One message. Strings are borrowed.
struct ctl_hook_message {
	uint32_t what; // enum ctl_hook_kind of a request, enum ctl_hook_result of an answer
	uint64_t id; // of the request
	uint32_t timeout_ms; // of a request; 0 in an answer
	uint32_t n_args;
	uint32_t n_env; // 0 in an answer
	const char *args[CTL_HOOK_ARGS_MAX];
	const char *env[CTL_HOOK_ENV_MAX + 1]; // "NAME=VALUE", NULL behind the last
};

// Write a message to buf of size bytes. Returns 0 and the length, -ENOBUFS.
int ctl_hook_build(const struct ctl_hook_message *m, uint8_t *buf, size_t size, size_t *ret_len);

// Check a request that the helper got: numbers within their ranges, as many strings as that kind
// has, variables with a name of letters, digits and '_' which isn't the loader's.
// Returns 0 or -EBADMSG. ret_m points into buf.
int ctl_hook_parse_request(const uint8_t *buf, size_t len, struct ctl_hook_message *ret_m);

// Check an answer that control got: as many strings as that result has. What isn't printable ASCII
// in them is replaced, for the client and the log, but not in CTL_HOOK_CONFIG.
// Returns 0 or -EBADMSG.
int ctl_hook_parse_answer(uint8_t *buf, size_t len, struct ctl_hook_message *ret_m);
