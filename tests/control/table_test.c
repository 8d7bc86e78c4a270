// SPDX-License-Identifier: BSD-3-Clause
#include "control/table.h"

#include <arpa/inet.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>

#include "control/peer.h"
#include "tests/gtc.h"

#define SHARERS 1000u

static struct shm_endpoint at(uint16_t port)
{
	struct shm_endpoint e = { .remote = { .family = AF_INET, .bytes = { 192, 0, 2, 1 } } };

	e.remote_port_be = htons(port);
	return e;
}

static unsigned asked;

// ctl_set_same_fn: any peer of the endpoint's port.
static bool same_port(const void *elem, const void *key)
{
	asked++;
	return ((const struct ctl_peer *)elem)->endpoint.remote_port_be == *(const uint16_t *)key;
}

static struct ctl_peer *find(const struct ctl_table *t, const char *cn, uint16_t port)
{
	struct shm_endpoint where = at(port);

	return ctl_table_name_at(t, cn, &where, same_port, &where.remote_port_be);
}

// Of all who share a name only those at the endpoint are looked at, also after a move.
GTC_TEST(table, name_at)
{
	struct ctl_table t = { 0 };
	struct ctl_peer *peer = calloc(SHARERS, sizeof(*peer));
	struct shm_endpoint elsewhere = at(9);

	GTC_ASSERT(peer != NULL);
	for (unsigned i = 0; i < SHARERS; i++) {
		peer[i].endpoint = at((uint16_t)(1000 + i));
		strcpy(peer[i].id.cn, "guest");
		memcpy(peer[i].ch.remote_sid, &i, sizeof(i));
		GTC_EXPECT_INT(ctl_table_add(&t, &peer[i]), 0);
		GTC_EXPECT_INT(ctl_table_name_add(&t, &peer[i]), 0);
	}
	for (unsigned i = 0; i < SHARERS; i++)
		GTC_EXPECT(find(&t, "guest", (uint16_t)(1000 + i)) == &peer[i]);
	GTC_EXPECT(asked < SHARERS + 10); // hashes of 32 bits may be equal once
	GTC_EXPECT(find(&t, "host", 1000) == NULL);
	GTC_EXPECT(find(&t, "guest", 9) == NULL);

	GTC_EXPECT_INT(ctl_table_move(&t, &peer[7], &elsewhere), 0);
	GTC_EXPECT(find(&t, "guest", 1007) == NULL);
	GTC_EXPECT(find(&t, "guest", 9) == &peer[7]);

	// Whatever becomes of its name or address, a peer that goes is found no more.
	strcpy(peer[7].id.cn, "other");
	peer[8].endpoint = at(10);
	for (unsigned i = 0; i < SHARERS; i++)
		ctl_table_name_del(&t, &peer[i]);
	GTC_EXPECT(find(&t, "guest", 9) == NULL && find(&t, "guest", 1008) == NULL);
	GTC_EXPECT_INT(t.by_place.count, 0);
	GTC_EXPECT_INT(t.by_cn.count, 0);
	for (unsigned i = 0; i < SHARERS; i++)
		ctl_table_del(&t, &peer[i]);
	ctl_table_done(&t);
	free(peer);
}
