// SPDX-License-Identifier: BSD-3-Clause
#include "control/auth_env.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "control/peer.h"
#include "protocol/peer_info.h"

void ctl_env_remap(char *text)
{
	for (; *text != '\0'; text++) {
		if ((unsigned char)*text < 0x20 || (unsigned char)*text == 0x7f)
			*text = '_';
	}
}

int ctl_env_add(struct ctl_bytes *env, const char *name, const char *value)
{
	size_t before = env->len;

	if (ctl_bytes_add(env, name, strlen(name)) < 0 || ctl_bytes_add(env, "=", 1) < 0 ||
		ctl_bytes_add(env, value, strlen(value) + 1) < 0) {
		env->len = before;
		return -ENOMEM;
	}
	ctl_env_remap((char *)env->data + before);
	return 0;
}

int ctl_env_add_peer_info(struct ctl_bytes *env, const char *info, size_t len)
{
	char name[OVPN_PEER_INFO_LINE_MAX + 1], value[OVPN_PEER_INFO_LINE_MAX + 1];
	struct ovpn_peer_var var;
	size_t pos = 0;
	int rc = 0;

	while (rc == 0 && ovpn_peer_info_next(info, len, &pos, &var)) {
		memcpy(name, var.name, var.name_len);
		name[var.name_len] = '\0';
		memcpy(value, var.value, var.value_len);
		value[var.value_len] = '\0';
		rc = ctl_env_add(env, name, value);
	}
	return rc;
}

int ctl_env_add_endpoint(struct ctl_bytes *env, const char *name, const struct ctl_peer *peer)
{
	const char *six = peer->endpoint.remote.family == AF_INET6 ? "6" : "";
	char text[CTL_ENDPOINT_TEXT], variable[32];
	int rc;

	(void)snprintf(variable, sizeof(variable), "%s_ip%s", name, six); // fits
	rc = ctl_env_add(env, variable, ctl_addr_text(&peer->endpoint.remote, text));
	(void)snprintf(variable, sizeof(variable), "%s_port", name); // fits
	(void)snprintf(text, sizeof(text), "%u", __builtin_bswap16(peer->endpoint.remote_port_be));
	return rc < 0 ? rc : ctl_env_add(env, variable, text);
}

void ctl_env_point(const struct ctl_bytes *env, struct ctl_hook_message *m)
{
	size_t pos = 0;

	m->n_env = 0;
	while (pos < env->len && m->n_env < CTL_HOOK_ENV_MAX) {
		const char *text = (const char *)env->data + pos;

		m->env[m->n_env++] = text;
		pos += strlen(text) + 1;
	}
}

const char *ctl_env_find(const struct ctl_bytes *env, const char *name)
{
	size_t n = strlen(name);

	for (size_t pos = 0; pos < env->len;) {
		const char *text = (const char *)env->data + pos;

		if (strncmp(text, name, n) == 0 && text[n] == '=')
			return text + n + 1;
		pos += strlen(text) + 1;
	}
	return NULL;
}

void ctl_env_del(struct ctl_bytes *env, const char *name)
{
	const char *value = ctl_env_find(env, name);
	size_t at, end;

	if (value == NULL)
		return;
	at = (size_t)(value - (const char *)env->data) - strlen(name) - 1;
	end = at + strlen(name) + 1 + strlen(value) + 1;
	memmove(env->data + at, env->data + end, env->len - end);
	env->len -= end - at;
}
