// SPDX-License-Identifier: BSD-3-Clause
#include "control/tunnel.h"

#include <errno.h>
#include <openssl/rand.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>

#include "config/client.h"
#include "config/server.h"
#include "control/clock.h"
#include "control/ctl.h"
#include "control/log.h"
#include "control/peer.h"
#include "protocol/data_size.h"
#include "protocol/tls/data_legacy.h"

#define RETRY_MS 1000u

enum tunnel_step {
	TUNNEL_ABSENT,
	TUNNEL_MAKING, // commands are under way
	TUNNEL_UP,
};

struct ctl_tunnel {
	const struct cfg_client *cfg;
	struct ovpn_direction_key send;
	struct ovpn_direction_key receive;
	enum tunnel_step step;
	uint32_t slot; // SHM_SLOT_NONE: none
	uint16_t generation;
	uint64_t retry_ms;
};

static const char *name_of(const struct ctl_tunnel *t)
{
	return t->cfg->tls.secret.file;
}

static int load_one(struct ctl_tunnel *t, const struct cfg_client *cfg)
{
	struct ovpn_key_error why = { 0 };
	struct ovpn_static_key key;
	struct cfg_error err;
	char *text;
	size_t len;
	int rc = cfg_blob_read(&cfg->tls.secret, 0, &text, &len, &err);

	if (rc < 0) {
		ctl_log(CTL_ERROR, "%s", err.text);
		return rc;
	}
	rc = ovpn_static_key_parse(text, len, &key, &why);
	cfg_secret_free(text, len);
	if (rc < 0) {
		ctl_log(CTL_ERROR, "%s:%u: secret: %s", cfg->tls.secret.file, cfg->tls.secret.line,
			why.reason);
		return rc;
	}
	t->cfg = cfg;
	t->slot = SHM_SLOT_NONE;
	rc = ovpn_static_keys_cut(&key, cfg->tls.wrap.key_direction, &t->send, &t->receive);
	ovpn_static_key_wipe(&key);
	return rc;
}

int ctl_tunnels_load(struct ctl *ctl)
{
	const struct cfg_server *cfg = ctl->cfg;
	int rc = 0;

	if (cfg->n_tunnels == 0)
		return 0;
	ctl->tunnels = calloc(cfg->n_tunnels, sizeof(*ctl->tunnels));
	if (ctl->tunnels == NULL)
		return -ENOMEM;
	for (size_t i = 0; i < cfg->n_tunnels && rc == 0; i++)
		rc = load_one(&ctl->tunnels[i], cfg->tunnels[i]);
	return rc;
}

void ctl_tunnels_done(struct ctl *ctl)
{
	if (ctl->tunnels != NULL)
		explicit_bzero(ctl->tunnels, ctl->cfg->n_tunnels * sizeof(*ctl->tunnels));
	free(ctl->tunnels);
	ctl->tunnels = NULL;
}

static void put_addr(struct shm_addr *dst, const struct cfg_addr *src)
{
	*dst = (struct shm_addr){ .family = src->family };
	memcpy(dst->bytes, src->bytes, sizeof(dst->bytes));
}

// Our own address of a tunnel: its `local`, or the server's.
static void local_of(const struct ctl *ctl, const struct ctl_tunnel *t, struct shm_addr *ret_addr)
{
	const struct cfg_remote *r = &t->cfg->remotes[0];

	put_addr(ret_addr, r->local.family != AF_UNSPEC ? &r->local : &ctl->cfg->listens[0].addr);
}

void ctl_tunnels_listen(const struct ctl *ctl, struct shm_greeting *said)
{
	for (size_t i = 0; ctl->tunnels != NULL && i < ctl->cfg->n_tunnels; i++) {
		struct shm_listen *l;

		if (said->hello.tunnels == SHM_TUNNELS_MAX)
			return; // config has checked that there is room
		l = &said->tunnel[said->hello.tunnels++];
		local_of(ctl, &ctl->tunnels[i], &l->addr);
		l->port_be = __builtin_bswap16(ctl->cfg->tunnels[i]->remotes[0].lport);
	}
}

static int send_route(
	struct ctl *ctl, const struct ctl_tunnel *t, const struct cfg_addr *net, uint8_t prefix)
{
	struct shm_cmd cmd = {
		.kind = SHM_CMD_IROUTE_ADD, .slot = t->slot, .generation = t->generation
	};

	put_addr(&cmd.iroute.addr, net);
	cmd.iroute.prefix_len = prefix;
	return ctl_command_send(ctl, &cmd, 0, NULL, NULL);
}

// What lies behind the peer.
static int send_routes(struct ctl *ctl, const struct ctl_tunnel *t)
{
	const struct cfg_tunnel *tun = &t->cfg->tunnel;
	int rc = send_route(ctl, t, &tun->ifconfig_peer, 32);

	for (size_t i = 0; i < tun->n_routes && rc == 0; i++) {
		if (tun->routes[i].net.family == AF_INET)
			rc = send_route(ctl, t, &tun->routes[i].net, tun->routes[i].net.prefix);
	}
	return rc;
}

void ctl_tunnels_check(struct ctl *ctl)
{
	for (size_t i = 0; ctl->tunnels != NULL && i < ctl->cfg->n_tunnels; i++) {
		struct ctl_tunnel *t = &ctl->tunnels[i];
		struct shm_dir *d; // loaded only

		if (t->step != TUNNEL_UP || t->slot >= ctl->table.slots) {
			t->step = TUNNEL_ABSENT;
			continue;
		}
		d = (struct shm_dir *)(uintptr_t)ctl_link_dir(&ctl->link, t->slot);
		if (atomic_load(&d->state) == SHM_STATE_LIVE &&
			atomic_load(&d->generation) == t->generation &&
			send_routes(ctl, t) == 0) // which a new dataplane doesn't know
			continue;
		t->step = TUNNEL_ABSENT;
	}
}

static struct ctl_tunnel *by_slot(struct ctl *ctl, uint32_t slot)
{
	for (size_t i = 0; ctl->tunnels != NULL && i < ctl->cfg->n_tunnels; i++) {
		if (ctl->tunnels[i].slot == slot)
			return &ctl->tunnels[i];
	}
	return NULL;
}

static void on_made(struct ctl *ctl, struct ctl_peer *peer, const struct shm_cmd *cmd, int status)
{
	struct ctl_tunnel *t = by_slot(ctl, cmd->slot);

	(void)peer;
	if (t == NULL || t->step != TUNNEL_MAKING || t->generation != cmd->generation)
		return;
	if (status < 0) {
		ctl_log(CTL_WARN, "static-key tunnel isn't up yet file=%s error=%s", name_of(t),
			strerrorname_np(-status));
		if (cmd->kind == SHM_CMD_KEY)
			ctl_session_remove(ctl, t->slot, t->generation);
		else
			ctl_slots_put(&ctl->slots, t->slot, ctl_now_ms() + CTL_SLOT_REST_MS);
		t->slot = SHM_SLOT_NONE;
		t->step = TUNNEL_ABSENT;
		t->retry_ms = ctl_now_ms() + RETRY_MS;
		return;
	}
	if (cmd->kind != SHM_CMD_KEY)
		return;
	t->step = TUNNEL_UP;
	ctl_log(CTL_INFO, "static-key tunnel is up file=%s slot=%u port=%u cipher=%s auth=%s",
		name_of(t), t->slot, t->cfg->remotes[0].lport, t->cfg->tls.cipher,
		t->cfg->tls.auth);
}

// IP and UDP headers around a tunnel's datagrams; our own address says the family, as the peer's
// may be unknown.
static uint32_t outer_headers(const struct shm_addr *local)
{
	return local->family == AF_INET6 ? 48 : 28;
}

static void fill_install(
	const struct ctl *ctl, const struct ctl_tunnel *t, struct shm_cmd_install *in)
{
	const struct cfg_remote *r = &t->cfg->remotes[0];
	struct ovpn_data_shape shape = { .static_key = true,
		.compress = (enum ovpn_compress)t->cfg->tunnel.comp,
		.fragment = r->fragment != 0 };
	struct cfg_addr remote;
	uint32_t mss = r->mssfix;

	(void)ovpn_cipher_by_name(t->cfg->tls.cipher, strlen(t->cfg->tls.cipher), &shape.cipher);
	(void)ovpn_digest_by_name(t->cfg->tls.auth, strlen(t->cfg->tls.auth), &shape.digest);
	local_of(ctl, t, &in->endpoint.local);
	in->endpoint.local_port_be = __builtin_bswap16(r->lport);
	if (r->host != NULL && cfg_addr_parse(r->host, &remote) == 0) {
		put_addr(&in->endpoint.remote, &remote);
		in->endpoint.remote_port_be = __builtin_bswap16(r->port);
	}
	in->dir_flags = SHM_DIR_STATIC | SHM_DIR_LEGACY;
	if (t->cfg->floats || r->host == NULL)
		in->dir_flags |= SHM_DIR_MOBILITY;
	in->compress = (uint8_t)shape.compress;
	in->fragment_max = (uint16_t)(r->fragment -
		(r->fragment_mtu ? outer_headers(&in->endpoint.local) : 0));
	in->ping_interval_ms = t->cfg->tunnel.ping_s * 1000;
	in->tun_mtu = (uint16_t)r->tun_mtu;
	if (mss != 0 && !r->mssfix_fixed)
		mss = ovpn_data_mss(
			&shape, mss, r->mssfix_mtu ? outer_headers(&in->endpoint.local) : 0);
	in->mss4 = (uint16_t)mss;
	in->mss6 = (uint16_t)(mss > 20 ? mss - 20 : 0);
	(void)snprintf(in->name, sizeof(in->name), "static-key port %u", r->lport);
}

static int send_key(struct ctl *ctl, const struct ctl_tunnel *t)
{
	struct shm_cmd cmd = { .kind = SHM_CMD_KEY, .slot = t->slot, .generation = t->generation };
	enum ovpn_cipher cipher = OVPN_CIPHER_NONE;
	enum ovpn_digest digest = OVPN_DIGEST_NONE;
	int rc;

	(void)ovpn_cipher_by_name(t->cfg->tls.cipher, strlen(t->cfg->tls.cipher), &cipher);
	(void)ovpn_digest_by_name(t->cfg->tls.auth, strlen(t->cfg->tls.auth), &digest);
	cmd.key.cipher = (uint8_t)cipher;
	cmd.key.digest = (uint8_t)digest;
	cmd.key.age = 1;
	cmd.key.net_time = (uint32_t)ctl_wall_s();
	memcpy(cmd.key.rx.cipher_key, t->receive.cipher_key, sizeof(cmd.key.rx.cipher_key));
	memcpy(cmd.key.rx.hmac_key, t->receive.hmac_key, sizeof(cmd.key.rx.hmac_key));
	memcpy(cmd.key.tx.cipher_key, t->send.cipher_key, sizeof(cmd.key.tx.cipher_key));
	memcpy(cmd.key.tx.hmac_key, t->send.hmac_key, sizeof(cmd.key.tx.hmac_key));
	rc = ctl_command_send(ctl, &cmd, 0, NULL, on_made);
	explicit_bzero(&cmd, sizeof(cmd));
	return rc;
}

static void make(struct ctl *ctl, struct ctl_tunnel *t)
{
	struct shm_cmd cmd = { .kind = SHM_CMD_INSTALL };
	struct shm_dir *d; // loaded only
	int rc;

	if (ctl_slots_take(&ctl->slots, ctl_now_ms(), &t->slot) < 0) {
		t->slot = SHM_SLOT_NONE; // all rest after a restart: later
		return;
	}
	d = (struct shm_dir *)(uintptr_t)ctl_link_dir(&ctl->link, t->slot);
	t->generation = (uint16_t)(atomic_load(&d->generation) + 1);
	t->step = TUNNEL_MAKING;
	cmd.slot = t->slot;
	cmd.generation = t->generation;
	fill_install(ctl, t, &cmd.install);
	// Nobody sends them, but a session has some.
	if (RAND_bytes(cmd.install.server_sid, SHM_SID_LEN) != 1 ||
		RAND_bytes(cmd.install.client_sid, SHM_SID_LEN) != 1)
		return;
	rc = ctl_command_send(ctl, &cmd, 0, NULL, on_made);
	if (rc == 0)
		rc = send_key(ctl, t);
	if (rc == 0)
		rc = send_routes(ctl, t);
	if (rc < 0)
		ctl_log(CTL_ERROR, "out of memory, a tunnel is missing file=%s", name_of(t));
}

void ctl_tunnels_tick(struct ctl *ctl, uint64_t now_ms)
{
	if (ctl->tunnels == NULL || !ctl_link_is_up(&ctl->link) || ctl->table.slots == 0 ||
		ctl->stopping)
		return;
	for (size_t i = 0; i < ctl->cfg->n_tunnels; i++) {
		struct ctl_tunnel *t = &ctl->tunnels[i];

		if (t->step == TUNNEL_ABSENT && now_ms >= t->retry_ms)
			make(ctl, t);
	}
}

void ctl_tunnels_down(struct ctl *ctl)
{
	for (size_t i = 0; ctl->tunnels != NULL && i < ctl->cfg->n_tunnels; i++) {
		struct ctl_tunnel *t = &ctl->tunnels[i];

		if (t->step != TUNNEL_ABSENT && t->slot != SHM_SLOT_NONE)
			ctl_session_remove(ctl, t->slot, t->generation);
		t->step = TUNNEL_ABSENT;
		t->slot = SHM_SLOT_NONE;
	}
}
