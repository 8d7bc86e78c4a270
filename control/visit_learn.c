// SPDX-License-Identifier: BSD-3-Clause
#define HASH_NONFATAL_OOM 1 // before anything that includes uthash
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "control/ctl.h"
#include "control/hash.h"
#include "control/policy.h"
#include "control/visit.h"

// An address or network that learn-address was told of, and whose it is.
struct ctl_learned {
	struct cfg_addr addr; // the key; unused bytes are zero
	struct ctl_visit *visit;
	UT_hash_handle hh;
};

bool ctl_visit_address(const struct ctl_grant *grant, size_t i, struct cfg_addr *ret_addr)
{
	const struct cfg_addr *tunnel[] = { &grant->address, &grant->address6 };

	for (size_t k = 0; k < sizeof(tunnel) / sizeof(tunnel[0]); k++) {
		if (tunnel[k]->family == 0)
			continue;
		if (i-- > 0)
			continue;
		*ret_addr = *tunnel[k];
		ret_addr->prefix = (uint8_t)cfg_addr_bits(tunnel[k]); // it stands for itself
		return true;
	}
	if (grant->ccd == NULL || i >= grant->ccd->n_iroutes)
		return false;
	*ret_addr = cfg_addr_network(&grant->ccd->iroutes[i]);
	return true;
}

const char *ctl_visit_address_text(const struct cfg_addr *addr, char *buf)
{
	return cfg_addr_text(addr, addr->prefix != cfg_addr_bits(addr), buf);
}

// Without what lies between the members, or behind an IPv4 address.
static struct cfg_addr key_of(const struct cfg_addr *addr)
{
	struct cfg_addr key;

	memset(&key, 0, sizeof(key));
	key.family = addr->family;
	key.prefix = addr->prefix;
	memcpy(key.bytes, addr->bytes, cfg_addr_bits(addr) / 8);
	return key;
}

static struct ctl_learned *find(const struct ctl *ctl, const struct cfg_addr *addr)
{
	const struct cfg_addr key = key_of(addr);
	struct ctl_learned *l;

	HASH_FIND(hh, ctl->visits.learned, &key, sizeof(key), l);
	return l;
}

struct ctl_visit *ctl_visit_owner(const struct ctl *ctl, const struct cfg_addr *addr)
{
	struct ctl_learned *l = find(ctl, addr);

	return l != NULL ? l->visit : NULL;
}

int ctl_visit_claim(struct ctl *ctl, struct ctl_visit *visit, const struct cfg_addr *addr)
{
	struct ctl_learned *l = calloc(1, sizeof(*l));

	if (l == NULL)
		return -ENOMEM;
	l->addr = key_of(addr);
	l->visit = visit;
	HASH_ADD(hh, ctl->visits.learned, addr, sizeof(l->addr), l);
	if (l->hh.tbl != NULL)
		return 0;
	free(l);
	return -ENOMEM;
}

void ctl_visit_unclaim(struct ctl *ctl, struct ctl_visit *visit, const struct cfg_addr *addr)
{
	struct ctl_learned *l = find(ctl, addr);

	if (l == NULL || l->visit != visit)
		return;
	HASH_DEL(ctl->visits.learned, l);
	free(l);
}

void ctl_visit_unclaim_all(struct ctl *ctl, struct ctl_visit *visit, const struct ctl_grant *grant)
{
	struct cfg_addr addr;

	for (size_t i = 0; i < visit->learned && ctl_visit_address(grant, i, &addr); i++)
		ctl_visit_unclaim(ctl, visit, &addr);
}
