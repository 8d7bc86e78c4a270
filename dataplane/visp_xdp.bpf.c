// SPDX-License-Identifier: BSD-3-Clause
// XDP program of an af_xdp port: datagrams to our UDP addresses go to the dataplane, everything
// else (ARP, ICMP, ssh, routing protocols) stays the kernel's, as does all while control hasn't
// said which addresses are ours.
#include <linux/bpf.h>
#include <linux/if_ether.h>
#include <linux/in.h>
#include <linux/ip.h>
#include <linux/ipv6.h>
#include <linux/udp.h>

#include <bpf/bpf_endian.h>
#include <bpf/bpf_helpers.h>

#include "dataplane/xdp_listens.h"

// The driver of DPDK looks for this name and puts its sockets in.
struct {
	__uint(type, BPF_MAP_TYPE_XSKMAP);
	__uint(max_entries, 64);
	__type(key, __u32);
	__type(value, __u32);
} xsks_map SEC(".maps");

struct {
	__uint(type, BPF_MAP_TYPE_ARRAY);
	__uint(map_flags, BPF_F_MMAPABLE);
	__uint(max_entries, 1);
	__type(key, __u32);
	__type(value, struct dp_xdp_listens);
} visp_listens SEC(".maps");

#define IP_OFFSET_MASK 0x1fff
#define IP6_FRAGMENT 44

struct target {
	__u16 family;
	__be16 port; // 0: a later fragment, whose ports nobody knows
	const __u8 *addr;
	__u32 addr_len;
};

static __always_inline int same(const __u8 *a, const __u8 *b, __u32 len)
{
	for (__u32 i = 0; i < len; i++) {
		if (a[i] != b[i])
			return 0;
	}
	return 1;
}

static __always_inline int in_list(
	const struct dp_xdp_listen *listen, __u32 n, const struct target *t)
{
	for (__u32 i = 0; i < DP_XDP_LISTENS; i++) {
		const struct dp_xdp_listen *l = &listen[i];

		if (i >= n)
			break;
		if (l->family != t->family || (t->port != 0 && l->port != t->port))
			continue;
		// Fragments need an address of ours: all others' would come here as well.
		if (l->any != 0 ? t->port != 0 : same(l->addr, t->addr, t->addr_len))
			return 1;
	}
	return 0;
}

static __always_inline int is_ours(const struct dp_xdp_listens *all, const struct target *t)
{
	const struct dp_xdp_listen *l;
	__u32 at;

	if (in_list(all->listen, all->n, t))
		return 1;
	if (t->port == 0)
		return in_list(all->addr, all->addrs, t);
	at = all->of_port[t->port];
	if (at == 0 || at > DP_XDP_TUNNELS)
		return 0;
	l = &all->tunnel[at - 1];
	return l->family == t->family && (l->any != 0 || same(l->addr, t->addr, t->addr_len));
}

static __always_inline int take(struct xdp_md *ctx, const struct target *t)
{
	__u32 zero = 0;
	const struct dp_xdp_listens *all = bpf_map_lookup_elem(&visp_listens, &zero);

	if (all == NULL || !is_ours(all, t))
		return XDP_PASS;
	return bpf_redirect_map(&xsks_map, ctx->rx_queue_index, XDP_PASS);
}

static __always_inline int ipv4(struct xdp_md *ctx, void *at, void *end)
{
	struct target t = { .family = 4, .addr_len = 4 };
	struct iphdr *ip = at;
	struct udphdr *udp;

	if ((void *)(ip + 1) > end || ip->protocol != IPPROTO_UDP)
		return XDP_PASS;
	t.addr = (const __u8 *)&ip->daddr;
	if ((ip->frag_off & bpf_htons(IP_OFFSET_MASK)) == 0) {
		udp = at + ip->ihl * 4;
		if ((void *)(udp + 1) > end)
			return XDP_PASS;
		t.port = udp->dest;
	}
	return take(ctx, &t);
}

static __always_inline int ipv6(struct xdp_md *ctx, void *at, void *end)
{
	struct target t = { .family = 6, .addr_len = 16 };
	struct ipv6hdr *ip = at;
	struct udphdr *udp = (struct udphdr *)(ip + 1);

	if ((void *)(ip + 1) > end)
		return XDP_PASS;
	t.addr = (const __u8 *)&ip->daddr;
	if (ip->nexthdr == IP6_FRAGMENT)
		return take(ctx, &t);
	if (ip->nexthdr != IPPROTO_UDP || (void *)(udp + 1) > end)
		return XDP_PASS;
	t.port = udp->dest;
	return take(ctx, &t);
}

SEC("xdp")
int visp_xdp(struct xdp_md *ctx)
{
	void *data = (void *)(long)ctx->data;
	void *end = (void *)(long)ctx->data_end;
	struct ethhdr *eth = data;

	if ((void *)(eth + 1) > end)
		return XDP_PASS;
	if (eth->h_proto == bpf_htons(ETH_P_IP))
		return ipv4(ctx, eth + 1, end);
	if (eth->h_proto == bpf_htons(ETH_P_IPV6))
		return ipv6(ctx, eth + 1, end);
	return XDP_PASS;
}

char visp_license[] SEC("license") = "BSD-3-Clause";
