// SPDX-License-Identifier: BSD-3-Clause
#include <errno.h>
#include <string.h>

#include "protocol/mobility.h"
#include "protocol/peer_info.h"

static bool name_is_good(const char *name, size_t len)
{
	if (len < 4 || (memcmp(name, "IV_", 3) != 0 && memcmp(name, "UV_", 3) != 0))
		return false;
	for (size_t i = 3; i < len; i++) {
		char c = name[i];

		if (!(c >= '0' && c <= '9') && !(c >= 'A' && c <= 'Z') && !(c >= 'a' && c <= 'z') &&
			c != '_')
			return false;
	}
	return true;
}

// Split a line at its first '='; false when a receiver must skip it.
static bool parse_line(const char *line, size_t len, struct ovpn_peer_var *ret_var)
{
	const char *equals;

	// A sender that ends its lines with CR LF means no CR.
	if (len > 0 && line[len - 1] == '\r')
		len--;
	if (len == 0 || len > OVPN_PEER_INFO_LINE_MAX)
		return false;
	equals = memchr(line, '=', len);
	if (equals == NULL || !name_is_good(line, (size_t)(equals - line)))
		return false;
	ret_var->name = line;
	ret_var->name_len = (size_t)(equals - line);
	ret_var->value = equals + 1;
	ret_var->value_len = len - ret_var->name_len - 1;
	return ovpn_text_is_printable(ret_var->value, ret_var->value_len);
}

bool ovpn_peer_info_next(const char *info, size_t len, size_t *pos, struct ovpn_peer_var *ret_var)
{
	while (*pos < len && info[*pos] != '\0') {
		const char *line = info + *pos;
		size_t left = strnlen(line, len - *pos);
		const char *end = memchr(line, '\n', left);
		size_t n = end != NULL ? (size_t)(end - line) : left;
		struct ovpn_peer_var var;

		*pos += end != NULL ? n + 1 : n;
		if (parse_line(line, n, &var)) {
			*ret_var = var;
			return true;
		}
	}
	return false;
}

bool ovpn_peer_info_find(
	const char *info, size_t len, const char *name, struct ovpn_peer_var *ret_var)
{
	struct ovpn_peer_var var;
	size_t pos = 0;

	while (ovpn_peer_info_next(info, len, &pos, &var)) {
		if (ovpn_text_equal(var.name, var.name_len, name)) {
			*ret_var = var;
			return true;
		}
	}
	return false;
}

int ovpn_peer_info_find_u64(
	const char *info, size_t len, const char *name, uint64_t max, uint64_t *ret_value)
{
	struct ovpn_peer_var var;

	if (!ovpn_peer_info_find(info, len, name, &var))
		return -ENOENT;
	return ovpn_parse_u64(var.value, var.value_len, max, ret_value);
}

// A variable that is a number, 0 when absent or malformed.
static uint32_t number(const char *info, size_t len, const char *name)
{
	uint64_t value = 0;

	if (ovpn_peer_info_find_u64(info, len, name, UINT32_MAX, &value) < 0)
		return 0;
	return (uint32_t)value;
}

void ovpn_peer_info_caps(const char *info, size_t len, struct ovpn_peer_caps *ret_caps)
{
	struct ovpn_peer_caps caps = { 0 };
	struct ovpn_mobility mobility = { 0 };
	struct ovpn_peer_var var;

	caps.iv_proto = number(info, len, "IV_PROTO");
	caps.ncp = number(info, len, "IV_NCP");
	caps.mtu = number(info, len, "IV_MTU");
	caps.lzo_stub = number(info, len, "IV_LZO_STUB") == 1;
	caps.lzo = number(info, len, "IV_LZO") == 1;
	caps.comp_stub = number(info, len, "IV_COMP_STUB") == 1;
	caps.comp_stub_v2 = number(info, len, "IV_COMP_STUBv2") == 1;
	if (ovpn_peer_info_find(info, len, "IV_CIPHERS", &var)) {
		caps.ciphers = var.value;
		caps.ciphers_len = var.value_len;
	}
	if (ovpn_peer_info_find(info, len, OVPN_MOBILITY_VAR, &var) &&
		ovpn_mobility_parse(var.value, var.value_len, &mobility) == 0)
		caps.mobility = mobility.version;
	*ret_caps = caps;
}

void ovpn_peer_info_add(struct ovpn_text *t, const char *name, const char *value)
{
	size_t name_len = strlen(name);
	size_t value_len = strlen(value);

	if (!name_is_good(name, name_len) || !ovpn_text_is_printable(value, value_len) ||
		name_len + 1 + value_len > OVPN_PEER_INFO_LINE_MAX) {
		t->full = true;
		return;
	}
	ovpn_text_add(t, name);
	ovpn_text_add(t, "=");
	ovpn_text_add(t, value);
	ovpn_text_add(t, "\n");
}

void ovpn_peer_info_add_u64(struct ovpn_text *t, const char *name, uint64_t value)
{
	struct ovpn_text digits;
	char buf[24];

	ovpn_text_init(&digits, buf, sizeof(buf));
	ovpn_text_add_u64(&digits, value);
	ovpn_peer_info_add(t, name, buf);
}
