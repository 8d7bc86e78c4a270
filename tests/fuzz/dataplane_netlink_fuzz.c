// SPDX-License-Identifier: BSD-3-Clause
// Routes and neighbours as the dataplane reads them from the kernel: not hostile, but the
// attributes' lengths are checked all the same. What else it hears from the kernel (links,
// acknowledgements) has no contents that it looks at.
#include <libmnl/libmnl.h>
#include <linux/rtnetlink.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "dataplane/neigh.h"
#include "dataplane/route.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	static const uint16_t types[] = { RTM_NEWROUTE, RTM_NEWNEIGH, RTM_DELNEIGH };
	struct dp_routes routes = { .ifindex = { 2, 5 } };
	struct dp_neighbours neighbours = { 0 };
	// The kernel frames its messages and pads them to four bytes; what is in them is the input.
	size_t len = size & ~(size_t)3;
	struct nlmsghdr *nlh = malloc(len + 1); // aligned, as libmnl's buffers are

	if (nlh == NULL || len < sizeof(*nlh)) {
		free(nlh);
		return 0;
	}
	memcpy(nlh, data, len);
	nlh->nlmsg_len = (uint32_t)len;
	for (unsigned i = 0; i < sizeof(types) / sizeof(types[0]); i++) {
		nlh->nlmsg_type = types[i];
		(void)dp_route_apply(&routes, nlh);
		(void)dp_neigh_apply(&neighbours, nlh);
	}
	if (routes.n > 1 || neighbours.n != 0)
		abort(); // one route at most, and a neighbour that came and went
	dp_route_done(&routes);
	dp_neigh_done(&neighbours);
	free(nlh);
	return 0;
}
