// SPDX-License-Identifier: BSD-3-Clause
#include "protocol/opcode.h"

const char *ovpn_opcode_name(uint8_t opcode)
{
	static const char *const names[] = {
		[OVPN_P_CONTROL_HARD_RESET_CLIENT_V1] = "P_CONTROL_HARD_RESET_CLIENT_V1",
		[OVPN_P_CONTROL_HARD_RESET_SERVER_V1] = "P_CONTROL_HARD_RESET_SERVER_V1",
		[OVPN_P_CONTROL_SOFT_RESET_V1] = "P_CONTROL_SOFT_RESET_V1",
		[OVPN_P_CONTROL_V1] = "P_CONTROL_V1",
		[OVPN_P_ACK_V1] = "P_ACK_V1",
		[OVPN_P_DATA_V1] = "P_DATA_V1",
		[OVPN_P_CONTROL_HARD_RESET_CLIENT_V2] = "P_CONTROL_HARD_RESET_CLIENT_V2",
		[OVPN_P_CONTROL_HARD_RESET_SERVER_V2] = "P_CONTROL_HARD_RESET_SERVER_V2",
		[OVPN_P_DATA_V2] = "P_DATA_V2",
		[OVPN_P_CONTROL_HARD_RESET_CLIENT_V3] = "P_CONTROL_HARD_RESET_CLIENT_V3",
		[OVPN_P_CONTROL_WKC_V1] = "P_CONTROL_WKC_V1",
	};

	if (opcode >= sizeof(names) / sizeof(names[0]) || names[opcode] == NULL)
		return "P_UNKNOWN";
	return names[opcode];
}
