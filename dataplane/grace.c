// SPDX-License-Identifier: BSD-3-Clause
#include "dataplane/grace.h"

#include <stdlib.h>

#include <rte_lcore.h>

struct dp_grace_item {
	struct dp_grace_item *next;
	uint64_t token;
	void (*fn)(void *arg);
	void *arg;
};

void dp_grace_init(struct dp_grace *grace, struct rte_rcu_qsbr *qsbr)
{
	*grace = (struct dp_grace){ .qsbr = qsbr };
}

void dp_grace_defer(struct dp_grace *grace, void (*fn)(void *arg), void *arg)
{
	struct dp_grace_item *item = malloc(sizeof(*item));

	if (item == NULL) {
		rte_rcu_qsbr_synchronize(grace->qsbr, RTE_QSBR_THRID_INVALID);
		fn(arg);
		return;
	}
	*item = (struct dp_grace_item){
		.token = rte_rcu_qsbr_start(grace->qsbr), .fn = fn, .arg = arg
	};
	if (grace->last != NULL)
		grace->last->next = item;
	else
		grace->first = item;
	grace->last = item;
}

bool dp_grace_poll(struct dp_grace *grace)
{
	struct dp_grace_item *item;

	while ((item = grace->first) != NULL) {
		if (rte_rcu_qsbr_check(grace->qsbr, item->token, false) == 0)
			return true;
		grace->first = item->next;
		if (grace->first == NULL)
			grace->last = NULL;
		item->fn(item->arg);
		free(item);
	}
	return false;
}

void dp_grace_drain(struct dp_grace *grace)
{
	if (grace->qsbr == NULL)
		return;
	rte_rcu_qsbr_synchronize(grace->qsbr, RTE_QSBR_THRID_INVALID);
	(void)dp_grace_poll(grace); // nothing can be left after that wait
}
