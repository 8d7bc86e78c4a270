// SPDX-License-Identifier: BSD-3-Clause
// Fills a dataplane with connected sessions as visp-control would have, without their handshakes:
// installed through the rings, with a data key each, and with records, so that a visp-control with
// the same configuration adopts them. Then it ends as if it had been killed. For measurements of
// what a control with many sessions takes.
//
// usage: ctl-populate CONFIG SESSIONS [KEY_AGE_S]
//
// The sessions are those of 2.6 clients: certificate, AES-256-GCM, P_DATA_V2, a dynamic tls-crypt
// key of their own. Names are client0000001 and so on; endpoints and session ids are unique, keys
// are drawn at random. KEY_AGE_S: how old the keys pretend to be.
#include <arpa/inet.h>
#include <errno.h>
#include <openssl/rand.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "config/server.h"
#include "control/clock.h"
#include "control/ctl.h"
#include "control/hash.h"
#include "control/log.h"
#include "control/peer.h"
#include "control/policy.h"
#include "control/tls_setup.h"
#include "protocol/mobility.h"
#include "shm/session.h"

#define UNDER_WAY_MAX 512u // commands that wait for their answer
#define SETTLE_MS 500u // until the dataplane has the records, which have no answer

struct populate {
	struct ctl ctl;
	uv_loop_t loop;
	uv_timer_t timer;
	uint32_t want, made;
	uint64_t key_age_ms;
	uint64_t begin_ms, done_ms;
	int failed; // first error
};

static struct populate p;

static void on_done(struct ctl *ctl, struct ctl_peer *peer, const struct shm_cmd *cmd, int status)
{
	(void)ctl;
	(void)peer;
	if (status < 0 && p.failed == 0) {
		(void)fprintf(
			stderr, "populate: slot %u is refused: %s\n", cmd->slot, strerror(-status));
		p.failed = status;
	}
}

static void random_bytes(void *buf, size_t len)
{
	if (RAND_bytes(buf, (int)len) != 1)
		p.failed = -EIO;
}

static struct shm_endpoint endpoint(uint32_t n)
{
	struct shm_endpoint e = { .remote.family = AF_INET,
		.local.family = AF_INET,
		.remote_port_be = htons((uint16_t)(1024 + n % 60000)),
		.local_port_be = htons(1194) };
	uint32_t addr = htonl(0x64400000u + n / 16); // 100.64.0.0/10, 16 clients behind each

	memcpy(e.remote.bytes, &addr, sizeof(addr));
	(void)inet_pton(AF_INET, "198.51.100.1", e.local.bytes); // well-formed
	return e;
}

static int set_channel(struct ctl_peer *peer)
{
	struct ovpn_static_key key;
	uint8_t sid[OVPN_SID_LEN];

	random_bytes(sid, sizeof(sid));
	ovpn_channel_init(
		&peer->ch, &p.ctl.channel4, true, sid, &p.ctl.wrap.tls_crypt, ctl_wall_s());
	random_bytes(peer->ch.remote_sid, sizeof(peer->ch.remote_sid));
	peer->ch.flags |= OVPN_CHANNEL_REMOTE_KNOWN;
	ovpn_channel_established(&peer->ch);
	peer->wrap = SHM_RECORD_WRAP_TLS_CRYPT;
	peer->dynamic = calloc(1, sizeof(*peer->dynamic));
	if (peer->dynamic == NULL)
		return -ENOMEM;
	random_bytes(key.bytes, sizeof(key.bytes));
	ovpn_wrap_keys_tls_crypt(&key, true, peer->dynamic);
	ovpn_channel_set_dynamic(&peer->ch, peer->dynamic, ctl_wall_s());
	ovpn_static_key_wipe(&key);
	return 0;
}

static void set_identity(struct ctl_peer *peer, uint32_t n)
{
	peer->id.has_cert = true;
	(void)snprintf(peer->id.cn, sizeof(peer->id.cn), "client%07u", n + 1);
	(void)snprintf(peer->id.serial, sizeof(peer->id.serial), "%040X", n + 1);
	random_bytes(peer->id.chain_hash, sizeof(peer->id.chain_hash));
	peer->flags = CTL_PEER_NCP | CTL_PEER_PUSHED;
	peer->agreed = CTL_PUSH_PEER_ID | CTL_PUSH_CC_EXIT | CTL_PUSH_TLS_EKM |
		CTL_PUSH_DYN_TLS_CRYPT | CTL_PUSH_TUN_MTU;
	peer->format.cipher = OVPN_CIPHER_AES_256_GCM;
}

static int send_key(const struct ctl_peer *peer)
{
	struct shm_cmd cmd = {
		.kind = SHM_CMD_KEY, .slot = peer->slot, .generation = peer->generation
	};

	cmd.key.cipher = peer->format.cipher;
	cmd.key.age = 1;
	random_bytes(cmd.key.rx.cipher_key, 32);
	random_bytes(cmd.key.rx.hmac_key, 8);
	random_bytes(cmd.key.tx.cipher_key, 32);
	random_bytes(cmd.key.tx.hmac_key, 8);
	return ctl_command_send(&p.ctl, &cmd, peer->worker, NULL, on_done);
}

static int get_place(struct ctl_peer *peer)
{
	struct ctl *ctl = &p.ctl;
	struct shm_dir *d; // loaded only
	const char *why = "";
	int rc = ctl_policy_grant(ctl->policy, peer->id.cn, NULL, NULL, &peer->grant, &why);

	if (rc == 0)
		rc = ctl_slots_take(&ctl->slots, ctl_now_ms(), &peer->slot);
	if (rc < 0)
		return rc;
	d = (struct shm_dir *)(uintptr_t)ctl_link_dir(&ctl->link, peer->slot);
	peer->generation = (uint16_t)(atomic_load(&d->generation) + 1);
	peer->tunnel4 = ctl_policy_tunnel(&peer->grant->address);
	peer->tunnel6 = ctl_policy_tunnel(&peer->grant->address6);
	ctl_table_set_slot(&ctl->table, peer->slot, peer);
	return 0;
}

static int make_session(uint32_t n)
{
	struct shm_endpoint e = endpoint(n);
	struct ctl_peer *peer = ctl_peer_create(&p.ctl, &e);
	uint64_t now = ctl_now_ms();
	int rc;

	if (peer == NULL)
		return -ENOMEM;
	set_identity(peer, n);
	rc = set_channel(peer);
	if (rc == 0)
		rc = get_place(peer);
	if (rc < 0)
		return rc;
	peer->worker = (uint16_t)(n % p.ctl.link.workers);
	peer->age = 1;
	peer->keys[0] = (struct ctl_key){ .valid = true, .age = 1, .made_ms = now - p.key_age_ms };
	peer->connected_ms = now - p.key_age_ms;
	peer->connected_wall_s = ctl_wall_s();
	peer->pushed_ms = peer->connected_ms;
	peer->state = CTL_PEER_CONNECTED;
	ctl_rekey_plan(&p.ctl, peer);
	rc = ctl_connect_install(&p.ctl, peer, false);
	if (rc == 0)
		rc = send_key(peer);
	if (rc == 0)
		ctl_peer_save(&p.ctl, peer);
	return rc;
}

static void on_timer(uv_timer_t *timer)
{
	struct ctl *ctl = &p.ctl;

	if (!ctl_link_is_up(&ctl->link))
		return;
	if (p.begin_ms == 0)
		p.begin_ms = ctl_now_ms();
	ctl_command_tick(ctl);
	while (p.failed == 0 && p.made < p.want && ctl->commands.count < UNDER_WAY_MAX) {
		p.failed = make_session(p.made++);
		if (p.failed < 0)
			(void)fprintf(
				stderr, "populate: session %u: %s\n", p.made, strerror(-p.failed));
	}
	ctl_link_flush(&ctl->link);
	if (p.done_ms == 0 && (p.failed < 0 || (p.made == p.want && ctl->commands.count == 0)))
		p.done_ms = ctl_now_ms();
	if (p.done_ms != 0 && ctl_now_ms() - p.done_ms >= SETTLE_MS) {
		(void)uv_timer_stop(timer); // it is running
		uv_stop(ctl->loop);
	}
}

static int set_up(const char *config, struct cfg_server **ret_cfg)
{
	struct cfg_notes notes = { 0 };
	struct cfg_error err = { 0 };
	struct ctl *ctl = &p.ctl;
	int rc = cfg_server_load(config, &notes, ret_cfg, &err);

	cfg_notes_done(&notes);
	if (rc < 0) {
		(void)fprintf(stderr, "populate: %s\n", err.text);
		return rc;
	}
	ctl->cfg = *ret_cfg;
	ctl->loop = &p.loop;
	rc = uv_loop_init(&p.loop);
	if (rc == 0)
		rc = ctl_hash_seed();
	if (rc == 0)
		rc = ctl_tls_setup(ctl);
	if (rc == 0)
		rc = ctl_policy_create(ctl->cfg, &ctl->policy);
	if (rc == 0 && !ctl->wrap.tls_crypt_set)
		rc = -ENOKEY;
	ctl->channel4 = (struct ovpn_channel_config){ .max_packet = OVPN_CONTROL_MTU_DEFAULT,
		.retransmit_ms = 2000 };
	return rc < 0 ? rc : ctl_link_init(&ctl->link, ctl);
}

int main(int argc, char **argv)
{
	struct cfg_server *cfg;
	int rc;

	if (argc < 3 || argc > 4) {
		(void)fprintf(stderr, "usage: %s CONFIG SESSIONS [KEY_AGE_S]\n", argv[0]);
		return 2;
	}
	p.want = (uint32_t)strtoul(argv[2], NULL, 10);
	p.key_age_ms = argc > 3 ? strtoul(argv[3], NULL, 10) * 1000 : 0;
	rc = set_up(argv[1], &cfg);
	if (rc < 0) {
		(void)fprintf(stderr, "populate: set-up: %s\n", strerror(-rc));
		return 1;
	}
	(void)uv_timer_init(&p.loop, &p.timer); // fails only for NULL
	(void)uv_timer_start(&p.timer, on_timer, 1, 1);
	ctl_link_start(&p.ctl.link);
	(void)uv_run(&p.loop, UV_RUN_DEFAULT); // ended by on_timer
	if (p.failed == 0)
		(void)printf(
			"%u sessions in %.1f s\n", p.made, (double)(p.done_ms - p.begin_ms) / 1000);
	(void)fflush(stdout);
	_exit(p.failed == 0 ? 0 : 1); // as after a kill: nothing is removed
}
