// SPDX-License-Identifier: BSD-3-Clause
// Messages of the kernel as the client reads them: they are not hostile, but the attributes'
// lengths are checked all the same.
#include <libmnl/libmnl.h>
#include <linux/if.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "client/path.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct vc_path_state st = { .tun_ifindex = 9 };
	struct vc_path path = { 0 };
	char text[VC_PATH_TEXT];
	char *copy = malloc(size + 1); // aligned, as libmnl's buffers are
	struct nlmsghdr *nlh = (struct nlmsghdr *)copy;

	if (copy == NULL)
		return 0;
	memcpy(copy, data, size);
	// The kernel frames its messages and pads them to four bytes; what is in them is the input.
	if (size >= sizeof(*nlh)) {
		nlh->nlmsg_len = (uint32_t)(size & ~(size_t)3);
		if (vc_path_from_route(nlh, 9, &path) == 0) {
			(void)vc_path_text(&path, text);
			st.path = path;
		}
		(void)vc_path_hint(&st, nlh);
		nlh->nlmsg_type = (uint16_t)(nlh->nlmsg_type + data[0] % 8);
		(void)vc_path_hint(&st, nlh);
		(void)vc_path_judge(&st.path, &path);
	}
	free(copy);
	return 0;
}
