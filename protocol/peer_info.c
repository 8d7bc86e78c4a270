// SPDX-License-Identifier: BSD-3-Clause
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

// A variable's number, 0 when it is malformed.
static uint32_t number(const struct ovpn_peer_var *var)
{
	uint64_t value = 0;

	if (ovpn_parse_u64(var->value, var->value_len, UINT32_MAX, &value) < 0)
		return 0;
	return (uint32_t)value;
}

static uint32_t mobility_version(const struct ovpn_peer_var *var)
{
	struct ovpn_mobility mobility = { 0 };

	return ovpn_mobility_parse(var->value, var->value_len, &mobility) == 0 ? mobility.version
									       : 0;
}

enum known_var { PROTO, NCP, MTU, LZO_STUB, LZO, COMP_STUB, COMP_STUB_V2, CIPHERS, MOBILITY, VARS };

static const char *const known_vars[VARS] = {
	[PROTO] = "IV_PROTO",
	[NCP] = "IV_NCP",
	[MTU] = "IV_MTU",
	[LZO_STUB] = "IV_LZO_STUB",
	[LZO] = "IV_LZO",
	[COMP_STUB] = "IV_COMP_STUB",
	[COMP_STUB_V2] = "IV_COMP_STUBv2",
	[CIPHERS] = "IV_CIPHERS",
	[MOBILITY] = OVPN_MOBILITY_VAR,
};

static void take_cap(
	struct ovpn_peer_caps *caps, enum known_var which, const struct ovpn_peer_var *var)
{
	switch (which) {
	case PROTO: caps->iv_proto = number(var); break;
	case NCP: caps->ncp = number(var); break;
	case MTU: caps->mtu = number(var); break;
	case LZO_STUB: caps->lzo_stub = number(var) == 1; break;
	case LZO: caps->lzo = number(var) == 1; break;
	case COMP_STUB: caps->comp_stub = number(var) == 1; break;
	case COMP_STUB_V2: caps->comp_stub_v2 = number(var) == 1; break;
	case CIPHERS:
		caps->ciphers = var->value;
		caps->ciphers_len = var->value_len;
		break;
	case MOBILITY: caps->mobility = mobility_version(var); break;
	default: break;
	}
}

void ovpn_peer_info_caps(const char *info, size_t len, struct ovpn_peer_caps *ret_caps)
{
	struct ovpn_peer_caps caps = { 0 };
	bool seen[VARS] = { false }; // the first of a name counts
	struct ovpn_peer_var var;
	size_t pos = 0;

	while (ovpn_peer_info_next(info, len, &pos, &var)) {
		for (unsigned i = 0; i < VARS; i++) {
			if (seen[i] || !ovpn_text_equal(var.name, var.name_len, known_vars[i]))
				continue;
			seen[i] = true;
			take_cap(&caps, i, &var);
			break;
		}
	}
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
