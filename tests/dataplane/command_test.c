// SPDX-License-Identifier: BSD-3-Clause
// Control's commands: keys come, switch and go, sessions are replaced and removed, and a control
// that lost its mind breaks nothing but its own sessions.
#include <stdlib.h>
#include <string.h>

#include "dataplane/index_addr.h"
#include "dataplane/index_iroute.h"
#include "dataplane/index_tunnel.h"
#include "dataplane/path.h"
#include "dataplane/sid_index.h"
#include "harness.h"
#include "tests/gtc.h"

#define OUTSIDE 0xc0000263u

static bool all_zero(const void *p, size_t len)
{
	const uint8_t *b = p;

	for (size_t i = 0; i < len; i++) {
		if (b[i] != 0)
			return false;
	}
	return true;
}

// Key id of the next packet that goes down to a client, -1 when none goes.
static int down_key_id(struct h *h, uint32_t slot)
{
	uint8_t inner[60];
	struct h_datagram d;

	h_inner_in(h, 0, inner, h_inner(inner, OUTSIDE, H_TUNNEL(slot), 60, false));
	h_run(h);
	return h_datagram_out(h, &d) ? d.data[0] & 7 : -1;
}

static int key_drop(struct h *h, struct h_client *c, uint16_t which)
{
	struct shm_cmd cmd = { .kind = SHM_CMD_KEY_DROP,
		.slot = c->slot,
		.generation = c->generation,
		.which = which };

	return h_cmd(h, atomic_load(&h->core.dir[c->slot].owner), &cmd);
}

GTC_TEST(command, keys_switch)
{
	struct h *h = h_create(2, 0);
	uint8_t wire[H_FRAME_MAX];
	struct h_client c, old;
	struct shm_event ev;

	GTC_ASSERT_INT(h_install(h, 1, NULL, &c), 0);
	while (h_event(h, 0, &ev))
		;
	GTC_EXPECT_INT(down_key_id(h, 1), 0);
	old = c;
	GTC_ASSERT_INT(h_key(h, &c, 1, 1, 2, 60000), 0);
	GTC_EXPECT_INT(down_key_id(h, 1), 0); // not yet
	h_from(h, 0, &c, wire, h_ping(&c, wire)); // both are accepted
	h_from(h, 0, &old, wire, h_ping(&old, wire));
	h_run(h);
	GTC_EXPECT_INT(h_count(h, DP_COUNT_pings_received), 2);
	h_pass(h, 59000);
	GTC_EXPECT_INT(down_key_id(h, 1), 0);
	h_pass(h, 1100);
	GTC_EXPECT_INT(down_key_id(h, 1), 1);
	GTC_ASSERT(h_event(h, 0, &ev));
	GTC_EXPECT_INT(ev.kind, SHM_EVENT_TX_SWITCHED);
	GTC_EXPECT_INT(ev.which, 1);
	// The next one takes the place of the first; nobody may replace the one in use.
	GTC_EXPECT_INT(h_key(h, &c, 1, 2, 3, 0), -EBUSY);
	GTC_ASSERT_INT(h_key(h, &c, 0, 2, 3, 0), 0);
	GTC_EXPECT_INT(down_key_id(h, 1), 2);
	h_from(h, 0, &old, wire, h_ping(&old, wire));
	h_run(h);
	GTC_EXPECT_INT(h_drops(h, DP_DROP_no_key), 1);
	GTC_EXPECT_INT(h_all_drops(h), 1);
	h_destroy(h);
}

// Both owners are different workers: the switch is planned by one and done by the other.
GTC_TEST(command, keys_switch_elsewhere)
{
	struct h *h = h_create(2, 0);
	struct h_client c;

	GTC_ASSERT_INT(h_install(h, 1, NULL, &c), 0);
	atomic_store(&h->core.dir[1].tx_owner, 1);
	GTC_EXPECT_INT(down_key_id(h, 1), 0);
	GTC_ASSERT_INT(h_key(h, &c, 1, 1, 2, 5000), 0);
	GTC_EXPECT_INT(down_key_id(h, 1), 0);
	h_pass(h, 5000);
	h_pass(h, 1100); // by the sweep, without traffic
	GTC_EXPECT_INT(atomic_load(&h->core.session[1].tx_slot), 1);
	GTC_EXPECT_INT(down_key_id(h, 1), 1);
	h_destroy(h);
}

GTC_TEST(command, keys_drop)
{
	struct h *h = h_create(2, 0);
	struct h_client c;

	GTC_ASSERT_INT(h_install(h, 1, NULL, &c), 0);
	GTC_ASSERT_INT(h_key(h, &c, 1, 1, 2, 60000), 0);
	// The key in use goes early: the other one takes over at once.
	GTC_EXPECT_INT(key_drop(h, &c, 0), 0);
	GTC_EXPECT(all_zero(&h->core.keys[1].key[0], sizeof(struct shm_key_slot)));
	GTC_EXPECT_INT(down_key_id(h, 1), 1);
	GTC_EXPECT_INT(key_drop(h, &c, 0), 0); // again: nothing to do
	GTC_EXPECT_INT(key_drop(h, &c, 1), 0);
	GTC_EXPECT(all_zero(&h->core.keys[1], sizeof(struct shm_keys)));
	GTC_EXPECT_INT(down_key_id(h, 1), -1);
	GTC_EXPECT_INT(h_drops(h, DP_DROP_no_tx_key), 1);
	GTC_ASSERT_INT(h_key(h, &c, 0, 2, 3, 60000), 0); // a first key is used at once
	GTC_EXPECT_INT(down_key_id(h, 1), 2);
	h_destroy(h);
}

// After an in-place reset both keys have id 0 until control drops the old one (C6).
GTC_TEST(command, twin_keys)
{
	struct h *h = h_create(1, SHM_HELLO_MOBILITY);
	uint8_t wire[H_FRAME_MAX];
	struct h_client c, old;

	GTC_ASSERT_INT(h_install(h, 1, NULL, &c), 0);
	old = c;
	GTC_ASSERT_INT(h_key(h, &c, 1, 0, 2, 60000), 0);
	for (unsigned i = 0; i < 10; i++) {
		h_from(h, 0, &old, wire, h_ping(&old, wire));
		h_from(h, 0, &c, wire, h_ping(&c, wire));
	}
	h_run(h);
	GTC_EXPECT_INT(h_count(h, DP_COUNT_pings_received), 20);
	h_outer(h, 0, 0xcb007101, 9, wire, h_reconf(&c, wire));
	h_run(h);
	GTC_EXPECT_INT(h_endpoint(h, 1), H_AT(0xcb007101, 9));
	GTC_EXPECT_INT(h_all_drops(h), 0);
	h_destroy(h);
}

GTC_TEST(command, key_limits)
{
	struct h *h = h_create(1, 0);
	struct h_client c;
	struct shm_event ev;
	struct shm_session *s;

	GTC_ASSERT_INT(h_install(h, 1, NULL, &c), 0);
	s = &h->core.session[1];
	while (h_event(h, 0, &ev))
		;
	atomic_store(&s->tx_key[0].next, OVPN_PACKET_ID_REKEY);
	GTC_EXPECT_INT(down_key_id(h, 1), 0);
	GTC_ASSERT(h_event(h, 0, &ev));
	GTC_EXPECT_INT(ev.kind, SHM_EVENT_REKEY);
	atomic_store(&s->tx_key[0].next, OVPN_PACKET_ID_MAX);
	GTC_EXPECT_INT(down_key_id(h, 1), 0); // the last one
	GTC_EXPECT_INT(down_key_id(h, 1), -1);
	GTC_EXPECT_INT(h_drops(h, DP_DROP_tx_id_exhausted), 1);
	GTC_EXPECT_INT(h_key(h, &c, 1, 1, 1, 0), -EINVAL); // not younger than the other
	h_destroy(h);
}

GTC_TEST(command, remove)
{
	struct h *h = h_create(3, 0);
	uint8_t wire[H_FRAME_MAX];
	struct h_client_opt opt = { .v1 = true };
	struct h_client c, again;

	GTC_ASSERT_INT(h_install(h, 1, &opt, &c), 0);
	GTC_EXPECT_INT(dp_sid_index_count(h->core.sid), 1);
	GTC_EXPECT_INT(h_remove(h, &c), 0);
	GTC_EXPECT_INT(atomic_load(&h->core.dir[1].state), SHM_STATE_FREE);
	GTC_EXPECT(all_zero(&h->core.keys[1], sizeof(struct shm_keys)));
	GTC_EXPECT_INT(dp_addr_index_count(h->core.addr), 0);
	GTC_EXPECT_INT(dp_sid_index_count(h->core.sid), 0);
	GTC_EXPECT_INT(down_key_id(h, 1), -1);
	GTC_EXPECT_INT(h_drops(h, DP_DROP_inner_no_session), 1);
	h_from(h, 0, &c, wire, h_ping(&c, wire));
	h_run(h);
	GTC_EXPECT_INT(h_drops(h, DP_DROP_no_session), 1);
	GTC_EXPECT_INT(h_remove(h, &c), -ESTALE); // it is gone
	GTC_ASSERT_INT(h_install(h, 1, NULL, &again), 0);
	GTC_EXPECT_INT(down_key_id(h, 1), 0);
	h_destroy(h);
}

// A removal waits until every worker has passed a quiescent state; a sleeping one doesn't count.
GTC_TEST(command, grace_period)
{
	struct h *h = h_create(2, 0);
	struct shm_cmd cmd = { .kind = SHM_CMD_REMOVE, .slot = 1, .seq = 1000 };
	struct dp_worker *w0, *w1;
	struct h_client c;

	GTC_ASSERT_INT(h_install(h, 1, NULL, &c), 0);
	w0 = h->core.worker[0];
	w1 = h->core.worker[1];
	dp_worker_iterate(w1);
	cmd.generation = c.generation;
	GTC_ASSERT_INT(shm_ring_put(&h->ctl[0][SHM_RING_COMMAND], &cmd, sizeof(cmd)), 0);
	for (unsigned i = 0; i < 100; i++)
		dp_worker_iterate(w0);
	GTC_EXPECT_INT(atomic_load(&h->core.dir[1].state), SHM_STATE_DYING);
	GTC_EXPECT(!all_zero(&h->core.keys[1], sizeof(struct shm_keys)));
	GTC_EXPECT(dp_pending_has(w0, 1));
	dp_worker_iterate(w1);
	dp_worker_iterate(w0);
	GTC_EXPECT_INT(atomic_load(&h->core.dir[1].state), SHM_STATE_FREE);
	GTC_EXPECT(all_zero(&h->core.keys[1], sizeof(struct shm_keys)));
	h_destroy(h);
}

// Same slot, same generation: an in-place reset. Endpoint, keys and addresses stay.
GTC_TEST(command, replace)
{
	struct h *h = h_create(2, SHM_HELLO_MOBILITY);
	struct shm_cmd cmd = { .kind = SHM_CMD_INSTALL, .slot = 1 };
	struct shm_session *s;
	uint8_t wire[H_FRAME_MAX];
	struct h_client c;

	GTC_ASSERT_INT(h_install(h, 1, NULL, &c), 0);
	s = &h->core.session[1];
	cmd.generation = c.generation;
	cmd.install.endpoint = s->endpoint[0];
	memset(cmd.install.server_sid, 0x33, 8);
	memset(cmd.install.client_sid, 0x44, 8);
	cmd.install.tunnel4 = s->tunnel4;
	cmd.install.tun_mtu = 1400;
	GTC_EXPECT_INT(h_cmd(h, 1, &cmd), -EAGAIN); // not the owner
	GTC_EXPECT_INT(h_cmd(h, 0, &cmd), 0);
	GTC_EXPECT_INT(dp_sid_index_count(h->core.sid), 1);
	GTC_EXPECT_INT(s->tun_mtu, 1400);
	GTC_EXPECT_INT(down_key_id(h, 1), 0);
	memset(c.sid, 0x33, 8);
	h_outer(h, 0, 0xcb007101, 9, wire, h_reconf(&c, wire));
	h_run(h);
	GTC_EXPECT_INT(h_endpoint(h, 1), H_AT(0xcb007101, 9));
	h_destroy(h);
}

GTC_TEST(command, install_refused)
{
	struct h *h = h_create(1, 0);
	struct h_client c, d;
	struct shm_cmd good = { .kind = SHM_CMD_INSTALL, .slot = 2, .generation = 1 }, cmd;
	struct shm_session *s;

	GTC_ASSERT_INT(h_install(h, 1, NULL, &c), 0);
	s = &h->core.session[1];
	good.install.endpoint = s->endpoint[0];
	good.install.endpoint.remote_port_be = 7;
	memset(good.install.server_sid, 1, 8);
	memset(good.install.client_sid, 2, 8);
	good.install.tunnel4 = s->tunnel4;
	good.install.tun_mtu = 1500;
	cmd = good; // address of somebody else
	GTC_EXPECT_INT(h_cmd(h, 0, &cmd), -EEXIST);
	good.install.tunnel4.bytes[3] = 0x77;
	cmd = good;
	cmd.generation = 5;
	GTC_EXPECT_INT(h_cmd(h, 0, &cmd), -ESTALE);
	cmd = good;
	memset(cmd.install.server_sid, 0, 8);
	GTC_EXPECT_INT(h_cmd(h, 0, &cmd), -EINVAL);
	cmd = good;
	cmd.install.tunnel4.bytes[3] = 1; // the server's own
	GTC_EXPECT_INT(h_cmd(h, 0, &cmd), -ENOENT);
	cmd = good;
	cmd.install.tunnel4.bytes[0] = 11; // no subnet
	GTC_EXPECT_INT(h_cmd(h, 0, &cmd), -ENOENT);
	cmd = good;
	cmd.install.endpoint.local.bytes[3] = 77; // not our address
	GTC_EXPECT_INT(h_cmd(h, 0, &cmd), -EINVAL);
	cmd = good;
	cmd.install.endpoint.remote.bytes[0] = 127;
	GTC_EXPECT_INT(h_cmd(h, 0, &cmd), -EINVAL);
	cmd = good;
	GTC_EXPECT_INT(h_cmd(h, 0, &cmd), 0);
	// The same server session id a second time: no entry for it (C18), it works all the same.
	GTC_ASSERT_INT(h_install(h, 3, NULL, &d), 0);
	cmd = good;
	cmd.slot = 4;
	cmd.install.tunnel4.bytes[3] = 0x78;
	memcpy(cmd.install.server_sid, d.sid, 8);
	GTC_EXPECT_INT(h_cmd(h, 0, &cmd), 0);
	GTC_EXPECT(atomic_load(&h->core.dir[4].flags) & SHM_DIR_NO_SID);
	GTC_EXPECT((atomic_load(&h->core.dir[3].flags) & SHM_DIR_NO_SID) == 0);
	h_destroy(h);
}

GTC_TEST(command, iroutes)
{
	struct h *h = h_create(2, SHM_HELLO_CLIENT_TO_CLIENT);
	struct shm_cmd cmd = { .kind = SHM_CMD_IROUTE_ADD, .slot = 1 };
	uint8_t inner[60], wire[H_FRAME_MAX], got[H_FRAME_MAX];
	struct h_datagram d;
	struct h_client a, b;

	GTC_ASSERT_INT(h_install(h, 1, NULL, &a), 0);
	GTC_ASSERT_INT(h_install(h, 2, NULL, &b), 0);
	cmd.generation = a.generation;
	cmd.iroute.addr = h->core.session[1].tunnel4;
	memcpy(cmd.iroute.addr.bytes, (uint8_t[]){ 172, 16, 5, 0 }, 4);
	cmd.iroute.prefix_len = 24;
	GTC_EXPECT_INT(h_cmd(h, 0, &cmd), 0);
	cmd.slot = 2;
	cmd.generation = b.generation;
	GTC_EXPECT_INT(h_cmd(h, 0, &cmd), -EEXIST);
	cmd.iroute.addr.bytes[2] = 0;
	cmd.iroute.prefix_len = 16;
	GTC_EXPECT_INT(h_cmd(h, 0, &cmd), 0);
	// Longest match, down and between clients; sources behind a client are its own.
	h_inner_in(h, 0, inner, h_inner(inner, OUTSIDE, 0xac100507, 60, false));
	h_inner_in(h, 0, inner, h_inner(inner, OUTSIDE, 0xac100607, 60, false));
	h_run(h);
	GTC_ASSERT(h_datagram_out(h, &d));
	GTC_EXPECT_INT(h_open(&a, &d, got), 60);
	GTC_ASSERT(h_datagram_out(h, &d));
	GTC_EXPECT_INT(h_open(&b, &d, got), 60);
	h_from(h, 0, &a, wire,
		h_seal(&a, inner, h_inner(inner, 0xac100507, OUTSIDE, 60, false), wire));
	h_from(h, 0, &b, wire,
		h_seal(&b, inner, h_inner(inner, 0xac100507, OUTSIDE, 60, false), wire));
	h_run(h);
	GTC_EXPECT_INT(h_inner_out(h, got), 60);
	GTC_EXPECT_INT(h_drops(h, DP_DROP_inner_source), 1);
	cmd.kind = SHM_CMD_IROUTE_DEL;
	GTC_EXPECT_INT(h_cmd(h, 0, &cmd), 0);
	GTC_EXPECT_INT(h_cmd(h, 0, &cmd), -ENOENT);
	GTC_EXPECT_INT(h_remove(h, &a), 0);
	h_inner_in(h, 0, inner, h_inner(inner, OUTSIDE, 0xac100507, 60, false));
	h_run(h);
	GTC_EXPECT_INT(h_drops(h, DP_DROP_inner_no_session), 1);
	h_destroy(h);
}

// Control-channel datagrams: known ones and others, with their limits; and what control sends.
GTC_TEST(command, punt_and_inject)
{
	struct h *h = h_create(1, 0);
	uint8_t data[1472] = { 4 << 3 };
	struct shm_inject in = { .slot = 1, .len = 30 };
	struct h_datagram d;
	struct shm_punt p;
	struct h_client c;

	GTC_ASSERT_INT(h_install(h, 1, NULL, &c), 0);
	memcpy(data + 1, c.client_sid, 8);
	h_from(h, 0, &c, data, 60);
	h_outer(h, 0, 0xcb007101, 9, data, 60); // the right id from the wrong place
	data[1] ^= 1;
	h_from(h, 0, &c, data, 60); // and the other way round
	h_run(h);
	GTC_ASSERT_INT(shm_ring_get(&h->ctl[0][SHM_RING_PUNT_KNOWN], &p, sizeof(p)), 1);
	GTC_EXPECT_INT(shm_punt_check(&p, H_SESSIONS), 0);
	GTC_EXPECT_INT(p.slot, 1);
	GTC_EXPECT_INT(p.len, 60);
	GTC_EXPECT_INT(p.from.remote_port_be, rte_cpu_to_be_16(c.port));
	for (unsigned i = 0; i < 2; i++) {
		GTC_ASSERT_INT(shm_ring_get(&h->ctl[0][SHM_RING_PUNT_NEW], &p, sizeof(p)), 1);
		GTC_EXPECT_INT(p.slot, SHM_SLOT_NONE);
		GTC_EXPECT_INT(shm_punt_check(&p, H_SESSIONS), 0);
	}
	memset(data + 1, 0, 8);
	h_from(h, 0, &c, data, 60);
	h_from(h, 0, &c, data, 9);
	h_run(h);
	GTC_EXPECT_INT(h_drops(h, DP_DROP_punt_malformed), 2);
	memset(data + 1, 7, 8);
	for (unsigned i = 0; i < 600; i++) {
		h_outer(h, 0, 0xcb007100 + i % 256, 9, data, 60); // one prefix
		h_run(h);
		(void)shm_ring_get(&h->ctl[0][SHM_RING_PUNT_NEW], &p, sizeof(p));
	}
	GTC_EXPECT(h_drops(h, DP_DROP_punt_limit) > 150);
	for (unsigned i = 0; i < 300; i++)
		h_outer(h, 0, 0x0b000000 + i * 256, 9, data, 60); // many prefixes: the ring is full
	h_run(h);
	GTC_EXPECT_INT(h_drops(h, DP_DROP_punt_full), 300 - 256);
	while (shm_ring_get(&h->ctl[0][SHM_RING_PUNT_NEW], &p, sizeof(p)) > 0)
		;

	in.generation = c.generation;
	memset(in.data, 0x28, 30);
	GTC_ASSERT_INT(shm_ring_put(&h->ctl[0][SHM_RING_INJECT], &in, sizeof(in)), 0);
	in.slot = SHM_SLOT_NONE;
	in.to = h->core.session[1].endpoint[0];
	in.to.remote_port_be = rte_cpu_to_be_16(4444);
	GTC_ASSERT_INT(shm_ring_put(&h->ctl[0][SHM_RING_INJECT], &in, sizeof(in)), 0);
	in.to.local.bytes[3] = 99; // not from our address
	GTC_ASSERT_INT(shm_ring_put(&h->ctl[0][SHM_RING_INJECT], &in, sizeof(in)), 0);
	in.slot = 1;
	in.generation++; // of a session that isn't there any more
	GTC_ASSERT_INT(shm_ring_put(&h->ctl[0][SHM_RING_INJECT], &in, sizeof(in)), 0);
	h_run(h);
	GTC_ASSERT(h_datagram_out(h, &d));
	GTC_EXPECT_INT(d.len, 30);
	GTC_EXPECT_INT(H_AT(d.addr, d.port), H_AT(c.addr, c.port));
	GTC_ASSERT(h_datagram_out(h, &d));
	GTC_EXPECT_INT(H_AT(d.addr, d.port), H_AT(c.addr, 4444));
	GTC_EXPECT(!h_datagram_out(h, &d));
	GTC_EXPECT_INT(h_drops(h, DP_DROP_inject_invalid), 2);
	h_destroy(h);
}

// Whatever lies in its rings: the dataplane lives, and other sessions work.
GTC_TEST(command, hostile_control)
{
	struct h *h = h_create(2, SHM_HELLO_MOBILITY);
	struct h_client c;
	struct shm_event ev;
	uint8_t wire[H_FRAME_MAX];
	struct h_frame f;

	srandom(7);
	GTC_ASSERT_INT(h_install(h, 63, NULL, &c), 0);
	for (unsigned round = 0; round < 20000; round++) {
		union {
			struct shm_cmd cmd;
			struct shm_inject in;
			uint8_t b[sizeof(struct shm_inject)];
		} u;
		uint16_t w = (uint16_t)(random() % 2);
		unsigned kind = (unsigned)random() % 2;

		for (size_t i = 0; i < sizeof(u.b); i++)
			u.b[i] = random() % 3 ? 0 : (uint8_t)random();
		if (kind == 0) {
			u.cmd.kind = (uint32_t)random() % 8;
			u.cmd.slot = (uint32_t)random() % (random() % 8 ? 8 : 80);
			u.cmd.which = (uint16_t)(random() % 3);
			if (u.cmd.slot == 63)
				continue; // its own session it may end
			u.cmd.generation =
				(uint16_t)(atomic_load(&h->core.dir[u.cmd.slot % 64].generation) +
					random() % 2);
			if (u.cmd.kind == SHM_CMD_INSTALL && random() % 2) {
				u.cmd.install.endpoint = h->core.session[63].endpoint[0];
				u.cmd.install.tunnel4 = h->core.session[63].tunnel4;
				u.cmd.install.tunnel4.bytes[3] = (uint8_t)random();
				memset(&u.cmd.install.tunnel6, 0, sizeof(u.cmd.install.tunnel6));
				// Any format but that of static keys, which may take the port.
				u.cmd.install.dir_flags &=
					random() % 2 ? 3 : 0xff & ~SHM_DIR_STATIC;
				u.cmd.install.compress %= 4;
				u.cmd.install.fragment_max = 0;
				if ((u.cmd.install.dir_flags & SHM_DIR_LEGACY) == 0)
					u.cmd.install.compress = 0;
				u.cmd.install.tun_mtu = 1500;
				u.cmd.install.reserved = 0;
				memset(u.cmd.install.name, 'x', 8);
				u.cmd.install.name[8] = 0;
			}
			if (u.cmd.kind == SHM_CMD_KEY) {
				u.cmd.key.which = (uint8_t)(random() % 2);
				u.cmd.key.key_id = (uint8_t)(random() % 8);
				u.cmd.key.cipher = (uint8_t)(random() % OVPN_CIPHER_COUNT);
				u.cmd.key.digest = (uint8_t)(random() % OVPN_DIGEST_COUNT);
				if (ovpn_cipher_is_aead((enum ovpn_cipher)u.cmd.key.cipher))
					u.cmd.key.digest = 0;
			}
			(void)shm_ring_put(&h->ctl[w][SHM_RING_COMMAND], &u.cmd, sizeof(u.cmd));
		} else {
			u.in.slot = (uint32_t)random() % 70;
			u.in.len = (uint16_t)(random() % 4 ? random() % 1500 : random());
			u.in.generation = 1;
			(void)shm_ring_put(&h->ctl[w][SHM_RING_INJECT], &u.in, sizeof(u.in));
		}
		if (round % 16 == 0) {
			h_run(h);
			while (h_frame_out(h, 0, &f))
				;
		}
		if (round % 64 == 0) {
			while (shm_ring_get(&h->ctl[0][SHM_RING_EVENT], &ev, sizeof(ev)) > 0 ||
				shm_ring_get(&h->ctl[1][SHM_RING_EVENT], &ev, sizeof(ev)) > 0)
				;
		}
	}
	h_run(h);
	GTC_EXPECT(h_count(h, DP_COUNT_commands) > 100);
	GTC_EXPECT(h_count(h, DP_COUNT_commands_refused) > 100);
	h_from(h, 0, &c, wire, h_ping(&c, wire));
	h_run(h);
	GTC_EXPECT_INT(h_count(h, DP_COUNT_pings_received), 1);
	// And rings whose indexes can't be: the worker says so, and goes on.
	atomic_store(&((struct shm_ring_mem *)h->ring_mem[0][SHM_RING_COMMAND])->head, 0x7fffffff);
	atomic_store(&((struct shm_ring_mem *)h->ring_mem[0][SHM_RING_EVENT])->tail, 0x7fffffff);
	h_run(h);
	h_outer(h, 0, 0xcb007101, 9, wire, h_ping(&c, wire)); // an event that finds no ring
	h_run(h);
	GTC_EXPECT_INT(atomic_load(&h->core.worker[0]->control_broken), 1);
	GTC_EXPECT_INT(h_count(h, DP_COUNT_pings_received), 2);
	h_destroy(h);
}

// A table that an earlier process left, with every kind of half-made slot.
GTC_TEST(command, restore)
{
	struct h *h = h_create(2, SHM_HELLO_MOBILITY);
	struct h_client_opt v1 = { .v1 = true, .worker = 1 };
	uint8_t wire[H_FRAME_MAX];
	struct h_client a, b, c, d;
	uint64_t next;

	GTC_ASSERT_INT(h_install(h, 1, NULL, &a), 0);
	GTC_ASSERT_INT(h_install(h, 2, &v1, &b), 0);
	GTC_ASSERT_INT(h_install(h, 3, NULL, &c), 0);
	GTC_ASSERT_INT(h_install(h, 4, NULL, &d), 0);
	GTC_EXPECT_INT(down_key_id(h, 1), 0);
	h_from(h, 0, &a, wire, h_ping(&a, wire));
	h_run(h);

	// The process dies: all that isn't in the table is lost.
	next = atomic_load(&h->core.session[1].tx_key[0].next);
	dp_tunnel_index_free(h->config.tunnel);
	h->config.tunnel = dp_tunnel_index_create(h->config.subnet, 1);
	dp_addr_index_free(h->core.addr);
	h->core.addr = dp_addr_index_create(H_SESSIONS, 99);
	dp_sid_index_free(h->core.sid);
	h->core.sid = dp_sid_index_create(&h->core, &h->grace);
	atomic_store(&h->core.dir[1].owner, 9); // of a dataplane with more workers
	atomic_store(&h->core.dir[1].tx_owner, 9);
	h->core.keys[2].key[0].stamp ^= 1; // of another library
	memset(h->core.keys[2].key[0].rx_cell, 0xee, SHM_KEY_CELL);
	atomic_store(&h->core.dir[3].state, SHM_STATE_DYING);
	h->core.keys[4].key[0].cipher = 99; // torn
	atomic_store(&h->core.dir[5].state, 77);
	GTC_EXPECT_INT(dp_restore(&h->core), 3);

	GTC_EXPECT_INT(atomic_load(&h->core.dir[1].owner), 1);
	GTC_EXPECT_INT(atomic_load(&h->core.session[1].tx_key[0].next), next + 64);
	GTC_EXPECT_INT(atomic_load(&h->core.dir[3].state), SHM_STATE_FREE);
	GTC_EXPECT(all_zero(&h->core.keys[3], sizeof(struct shm_keys)));
	GTC_EXPECT(all_zero(&h->core.keys[4].key[0], sizeof(struct shm_key_slot)));
	GTC_EXPECT_INT(atomic_load(&h->core.dir[5].state), SHM_STATE_FREE);
	h_from(h, 0, &a, wire, h_ping(&a, wire));
	h_from(h, 0, &b, wire, h_ping(&b, wire)); // by address, on the wrong worker
	h_run(h);
	GTC_EXPECT_INT(h_count(h, DP_COUNT_pings_received), 3);
	h_outer(h, 0, 0xcb007101, 9, wire, h_reconf(&b, wire)); // by session id
	h_run(h);
	GTC_EXPECT_INT(h_endpoint(h, 2), H_AT(0xcb007101, 9));
	GTC_EXPECT_INT(h_all_drops(h), 0);
	h_expect_ping(h, &b, 0xcb007101, 9);
	GTC_EXPECT_INT(down_key_id(h, 1), 0);
	h_destroy(h);
}
