// SPDX-License-Identifier: BSD-3-Clause
#include "control/request.h"

#include <errno.h>
#include <jansson.h>
#include <string.h>

static int find_kind(const char *command, enum ctl_request_kind *ret_kind)
{
	static const char *const names[] = {
		[CTL_REQUEST_STATUS] = "status",
		[CTL_REQUEST_SHOW] = "show",
		[CTL_REQUEST_KICK] = "kick",
		[CTL_REQUEST_COUNTERS] = "counters",
	};

	for (size_t i = 0; i < sizeof(names) / sizeof(names[0]); i++) {
		if (strcmp(command, names[i]) == 0) {
			*ret_kind = (enum ctl_request_kind)i;
			return 0;
		}
	}
	return -EINVAL;
}

static const char *fill(const json_t *o, struct ctl_request *r)
{
	const char *command = json_string_value(json_object_get(o, "command"));
	const json_t *peer = json_object_get(o, "peer");

	*r = (struct ctl_request){ 0 };
	if (command == NULL || find_kind(command, &r->kind) < 0)
		return "no such command";
	r->halt = json_is_true(json_object_get(o, "halt"));
	if (r->kind != CTL_REQUEST_SHOW && r->kind != CTL_REQUEST_KICK)
		return NULL;
	if (!json_is_string(peer) || json_string_length(peer) == 0)
		return "peer is missing";
	if (json_string_length(peer) >= sizeof(r->peer))
		return "peer is too long";
	memcpy(r->peer, json_string_value(peer), json_string_length(peer));
	return NULL;
}

int ctl_request_parse(
	const char *line, size_t len, struct ctl_request *ret_request, const char **ret_error)
{
	json_t *o = json_loadb(line, len, JSON_REJECT_DUPLICATES, NULL);
	struct ctl_request r;

	*ret_error = json_is_object(o) ? fill(o, &r) : "not a JSON object";
	json_decref(o);
	if (*ret_error != NULL)
		return -EINVAL;
	*ret_request = r;
	return 0;
}
