// SPDX-License-Identifier: BSD-3-Clause
#include "client/client.h"

#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "client/creds.h"
#include "client/event.h"
#include "client/forward.h"
#include "client/log.h"
#include "client/notify.h"
#include "client/privs.h"
#include "client/setup.h"
#include "client/sibling.h"
#include "protocol/opcode.h"

#define VC_TICK_BUSY_MS 250 // while data is sent: silence is noticed after a second
#define VC_TICK_IDLE_MS 1000
#define VC_POKE_MS 5000 // the path is asked for this often while the downlink is silent
#define VC_SLEEP_MS 2000 // a jump of the boot clock over the monotonic one: the machine slept

uint64_t vc_boot_ms(void)
{
	struct timespec now;

	clock_gettime(CLOCK_BOOTTIME, &now);
	return (uint64_t)now.tv_sec * 1000 + (uint64_t)now.tv_nsec / 1000000;
}

static uint64_t counter(const atomic_ullong *value)
{
	return atomic_load_explicit(value, memory_order_relaxed);
}

void vc_client_alive(struct vc_client *c)
{
	c->last_rx_ms = vc_now_ms();
	c->last_rx_boot_ms = c->last_rx_ms + c->boot_offset_ms;
}

// --- Beginning again, giving up, leaving ---

static void drop_session(struct vc_client *c)
{
	vc_mobility_stop(c);
	vc_session_end(c);
	vc_link_close_all(&c->link);
	if (!c->session.is_static) {
		vc_engine_wipe(c->engine);
		c->session.have_keys = false;
	}
	vc_tunnel_pause(c);
	c->up_since_ms = 0;
}

static void on_later(uv_timer_t *timer)
{
	struct vc_client *c = timer->data;
	bool was_up = c->up_since_ms != 0;

	c->again_pending = false;
	if (c->phase == VC_PHASE_LEAVE)
		return;
	drop_session(c);
	c->phase = VC_PHASE_CONNECT;
	vc_notify("STATUS=Connecting");
	vc_connect_again(c, was_up, c->again_delay_s);
}

void vc_client_again(struct vc_client *c, const char *why, uint32_t delay_s)
{
	if (c->again_pending || c->phase == VC_PHASE_LEAVE)
		return;
	vc_log(VC_INFO, "connecting anew: %s session=%u", why, c->session.serial);
	vc_event("restart", NULL);
	c->again_pending = true;
	c->again_delay_s = delay_s;
	(void)uv_timer_start(&c->later, on_later, 0, 0);
}

void vc_client_fatal(struct vc_client *c, const char *why)
{
	vc_log(VC_ERROR, "giving up: %s", why);
	c->status = 1;
	c->phase = VC_PHASE_LEAVE;
	uv_stop(&c->loop);
}

void vc_client_tls_failed(struct vc_client *c, const char *why)
{
	if (c->was_up || vc_connect_more(c)) {
		vc_log(VC_ERROR, "TLS: %s", why);
		vc_client_again(c, "the TLS handshake failed", 0);
		return;
	}
	vc_log(VC_ERROR, "TLS: %s", why);
	vc_client_fatal(c, "the TLS handshake failed");
}

static void on_left(uv_timer_t *timer)
{
	struct vc_client *c = timer->data;
	const struct vc_slot *slot = c->session.active;

	vc_session_run(c);
	if (slot == NULL || slot->state == VC_SLOT_FAILED || ovpn_channel_all_acked(&slot->ch) ||
		vc_now_ms() >= c->leave_ms)
		uv_stop(&c->loop);
}

void vc_client_leave(struct vc_client *c, int status)
{
	const struct cfg_remote *remote = &c->cfg->remotes[c->connect.remote];
	struct vc_slot *slot = c->session.active;
	uint32_t n = remote->explicit_exit_notify;

	if (c->phase == VC_PHASE_LEAVE) {
		uv_stop(&c->loop); // asked twice: at once
		return;
	}
	c->status = status;
	if (c->session.pushed.tunnel.explicit_exit_notify > n)
		n = c->session.pushed.tunnel.explicit_exit_notify;
	if (c->phase != VC_PHASE_UP || n == 0 || c->link.cur == NULL ||
		(slot == NULL && !c->session.is_static)) {
		c->phase = VC_PHASE_LEAVE;
		uv_stop(&c->loop);
		return;
	}
	c->phase = VC_PHASE_LEAVE;
	c->leave_ms = vc_now_ms() + 1000ull * n;
	if ((c->session.pushed.protocol_flags & CFG_PF_CC_EXIT) != 0) {
		(void)vc_slot_say(slot, "EXIT", NULL);
		vc_session_run(c);
		(void)uv_timer_start(&c->later, on_left, 10, 10);
		return;
	}
	// Nobody acknowledges this form, so it goes out more than once.
	for (uint32_t i = 0; i <= n && i < 4; i++)
		(void)vc_tunnel_occ_exit(c);
	uv_stop(&c->loop);
}

// Traffic passes: say so once, and count from here.
static void announce(struct vc_client *c)
{
	const struct cfg_pushed *p = &c->session.pushed;
	char text[CFG_ADDR_TEXT], path[VC_PATH_TEXT], status[256];

	c->was_up = true;
	vc_connect_succeeded(c);
	vc_sibling_resolve(c);
	if (c->up_since_ms != 0)
		return;
	c->up_since_ms = vc_now_ms();
	c->last_payload_ms = c->up_since_ms;
	c->payload_bytes = counter(&vc_engine_stats(c->engine)->payload_bytes);
	vc_log(VC_INFO,
		"tunnel is up dev=%s address=%s cipher=%s %s mobility=%s path=%s session=%u",
		c->tunnel.tun.name, cfg_addr_text(&p->tunnel.ifconfig, true, text),
		ovpn_cipher_info(c->session.cipher)->name,
		c->session.is_static				       ? "static"
			: (p->protocol_flags & CFG_PF_AEAD_EPOCH) != 0 ? "epoch"
			: c->session.v2				       ? "v2"
								       : "v1",
		p->mobility ? "yes" : "no",
		c->link.cur != NULL ? vc_path_text(&c->link.cur->path, path) : "none",
		c->session.serial);
	// The line that scripts around OpenVPN clients wait for.
	vc_log(VC_INFO, "Initialization Sequence Completed");
	vc_event("up", "\"dev\": \"%s\", \"address\": \"%s\", \"handshakes\": %llu",
		c->tunnel.tun.name, text, (unsigned long long)c->session.handshakes);
	snprintf(status, sizeof(status), "READY=1\nSTATUS=Connected, %s on %s", text,
		c->tunnel.tun.name);
	vc_notify(status);
}

void vc_client_up(struct vc_client *c)
{
	if (vc_tunnel_up(c) < 0) {
		vc_client_fatal(c, "the tunnel can't be set up");
		return;
	}
	c->phase = VC_PHASE_UP;
	vc_client_alive(c);
	if (!c->session.is_static)
		announce(c);
}

void vc_client_heard(struct vc_client *c)
{
	if (c->session.is_static && c->phase == VC_PHASE_UP && c->up_since_ms == 0)
		announce(c);
}

// --- What the parts call back ---

static void on_notes(uv_async_t *async)
{
	struct vc_client *c = async->data;

	vc_forward_sync(c);
	vc_engine_notes(c->engine, vc_forward_note, c);
}

// Called by the data thread.
static void wake(void *arg)
{
	struct vc_client *c = arg;

	(void)uv_async_send(&c->notes); // never fails for a handle that is open
}

static void on_send_error(void *arg, struct vc_sock *sock, int error)
{
	struct vc_client *c = arg;

	(void)sock;
	switch (error) {
	case -ENETUNREACH:
	case -EHOSTUNREACH:
	case -EADDRNOTAVAIL:
	case -EINVAL:
	case -ENODEV:
	case -ENETDOWN: vc_watch_poke(&c->watch); break;
	case -ECONNREFUSED: vc_log(VC_DEBUG, "the server's port is closed"); break;
	default: vc_log(VC_DEBUG, "socket: %s", strerror(-error)); break;
	}
}

// How long the server keeps a silent session: it takes twice what it pushes.
static uint64_t patience_ms(const struct vc_client *c)
{
	const struct cfg_tunnel *t = &c->session.pushed.tunnel;
	uint64_t s = t->ping_restart_s != 0 ? t->ping_restart_s : t->ping_exit_s;

	if (s == 0)
		return UINT64_MAX;
	// Where the server can be asked again from anywhere, it is worth to wait until it must have
	// forgotten us.
	if (c->mobility.active || c->offline)
		s *= 2;
	return s * 1000;
}

static void on_path(void *arg, enum vc_path_verdict verdict, const struct vc_path *path)
{
	struct vc_client *c = arg;

	if (c->phase == VC_PHASE_LEAVE)
		return;
	if (c->phase == VC_PHASE_UP && !c->again_pending) {
		if (verdict == VC_PATH_LOST)
			vc_mobility_lost(c);
		else if (c->offline && vc_boot_ms() - c->last_rx_boot_ms >= patience_ms(c))
			vc_client_again(c, "away for too long", 0);
		else
			vc_mobility_moved(c, path);
		return;
	}
	if (verdict == VC_PATH_LOST)
		return;
	// A handshake can't move: its cookie is bound to the address. It begins again at once.
	if (!c->again_pending && (c->session.initial != NULL || c->session.active != NULL)) {
		vc_log(VC_INFO, "the address changed during the handshake");
		drop_session(c);
		vc_connect_now(c);
		return;
	}
	vc_connect_path(c);
}

// --- Tick ---

static void check_timeouts(struct vc_client *c, uint64_t now)
{
	const struct cfg_tunnel *t = &c->session.pushed.tunnel;
	uint64_t silent = vc_boot_ms() - c->last_rx_boot_ms;
	uint64_t payload = counter(&vc_engine_stats(c->engine)->payload_bytes);

	if (c->up_since_ms != 0 && t->session_timeout_s != 0 &&
		now - c->up_since_ms >= 1000ull * t->session_timeout_s) {
		vc_log(VC_INFO, "session-timeout");
		vc_client_leave(c, 0);
		return;
	}
	if (c->up_since_ms != 0 && t->inactive_s != 0 &&
		now - c->last_payload_ms >= 1000ull * t->inactive_s) {
		if (payload - c->payload_bytes <= t->inactive_bytes) {
			vc_log(VC_INFO, "no traffic for %u s (inactive)", t->inactive_s);
			vc_client_leave(c, 0);
			return;
		}
		c->last_payload_ms = now;
		c->payload_bytes = payload;
	}
	if (silent >= patience_ms(c) && !c->offline) {
		if (t->ping_exit_s != 0)
			vc_client_fatal(c, "the server is silent (ping-exit)");
		else
			vc_client_again(c, "the server is silent (ping-restart)", 0);
	}
}

// The machine slept: addresses may be the same and NATs have forgotten us all the same.
static void check_sleep(struct vc_client *c)
{
	uint64_t offset = vc_boot_ms() - vc_now_ms();
	uint64_t slept = offset > c->boot_offset_ms ? offset - c->boot_offset_ms : 0;

	c->boot_offset_ms = offset;
	if (slept < VC_SLEEP_MS)
		return;
	vc_log(VC_INFO, "woken up after %llu s", (unsigned long long)(slept / 1000));
	vc_event("resume", "\"slept_ms\": %llu", (unsigned long long)slept);
	vc_watch_poke(&c->watch);
	vc_mobility_probe_now(c);
	if (slept >= patience_ms(c))
		(void)vc_session_begin_in_place(c);
}

static void on_tick(uv_timer_t *timer)
{
	struct vc_client *c = timer->data;
	uint64_t now = vc_now_ms();
	bool busy;

	vc_forward_sync(c);
	busy = c->last_data_tx_ms > c->last_rx_ms;
	check_sleep(c);
	vc_link_expire(&c->link, now);
	vc_tunnel_tick(c, now);
	if (c->phase == VC_PHASE_UP && !c->again_pending) {
		uint32_t ping_s = c->session.pushed.tunnel.ping_s;

		if (c->session.knocks > 0) {
			c->session.knocks--;
			(void)vc_tunnel_ping(c);
		} else if (ping_s != 0 && now - c->last_tx_ms >= 1000ull * ping_s)
			(void)vc_tunnel_ping(c);
		vc_mobility_tick(c, now);
		check_timeouts(c, now);
	}
	if (now - c->last_rx_ms >= VC_POKE_MS && c->phase != VC_PHASE_LEAVE)
		vc_watch_poke(&c->watch);
	(void)uv_timer_start(timer, on_tick, busy ? VC_TICK_BUSY_MS : VC_TICK_IDLE_MS, 0);
}

// --- Start and end ---

static void on_signal(uv_signal_t *handle, int signum)
{
	struct vc_client *c = handle->data;
	const struct vc_engine_stats *stats = vc_engine_stats(c->engine);

	switch (signum) {
	case SIGHUP:
	case SIGUSR1: vc_client_again(c, "signal", 0); break;
	case SIGUSR2:
		vc_log(VC_ERROR,
			"status: moves=%llu probes=%llu answers=%llu handshakes=%llu rekeys=%llu "
			"sent=%llu received=%llu bad=%llu replayed=%llu bursts=%llu joined=%llu "
			"session=%u",
			(unsigned long long)c->mobility.moves,
			(unsigned long long)c->mobility.probes,
			(unsigned long long)c->mobility.answers,
			(unsigned long long)c->session.handshakes,
			(unsigned long long)c->session.rekeys,
			(unsigned long long)counter(&stats->tx_packets),
			(unsigned long long)counter(&stats->rx_packets),
			(unsigned long long)counter(&stats->bad),
			(unsigned long long)counter(&stats->replayed),
			(unsigned long long)counter(&stats->bursts),
			(unsigned long long)counter(&stats->joined), c->session.serial);
		break;
	default: vc_client_leave(c, 0); break;
	}
}

static int start_signals(struct vc_client *c)
{
	struct {
		uv_signal_t *handle;
		int signum;
	} all[] = { { &c->sig_term, SIGTERM }, { &c->sig_int, SIGINT }, { &c->sig_hup, SIGHUP },
		{ &c->sig_usr1, SIGUSR1 }, { &c->sig_usr2, SIGUSR2 } };

	(void)signal(SIGPIPE, SIG_IGN);
	for (unsigned i = 0; i < sizeof(all) / sizeof(all[0]); i++) {
		int rc = uv_signal_init(&c->loop, all[i].handle);

		if (rc == 0)
			rc = uv_signal_start(all[i].handle, on_signal, all[i].signum);
		if (rc < 0)
			return rc;
		all[i].handle->data = c;
	}
	return 0;
}

// Everything that may fail before the first packet is sent.
static int start(struct vc_client *c)
{
	const struct cfg_client *cfg = c->cfg;
	uint32_t mtu = cfg->tun_mtu > cfg->tun_mtu_max ? cfg->tun_mtu : cfg->tun_mtu_max;
	int rc = vc_tunnel_init(c);

	if (rc == 0)
		rc = uv_async_init(&c->loop, &c->notes, on_notes);
	if (rc < 0)
		return rc;
	c->notes.data = c;
	c->engine = vc_engine_create(mtu + 128, wake, c);
	if (c->engine == NULL)
		return -errno;
	c->link.engine = c->engine;
	c->link.on_error = on_send_error;
	c->link.arg = c;
	c->link.mark = c->instance.mark;
	c->link.sndbuf = cfg->tunnel.sndbuf;
	c->link.rcvbuf = cfg->tunnel.rcvbuf;
	rc = vc_watch_start(&c->watch, &c->loop, &c->nl, c->instance.mark, on_path, c);
	if (rc < 0) {
		vc_log(VC_ERROR, "can't listen to the kernel's routes: %s", strerror(-rc));
		return rc;
	}
	if (vc_connect_init(c) < 0 || vc_session_init(c) < 0 || vc_mobility_init(c) < 0 ||
		uv_timer_init(&c->loop, &c->tick) < 0 || uv_timer_init(&c->loop, &c->later) < 0 ||
		start_signals(c) < 0)
		return -ENOMEM;
	c->tick.data = c;
	c->later.data = c;
	c->boot_offset_ms = vc_boot_ms() - vc_now_ms();
	vc_client_alive(c);
	return uv_timer_start(&c->tick, on_tick, VC_TICK_IDLE_MS, 0);
}

static void close_all(uv_handle_t *handle, void *arg)
{
	(void)arg;
	if (!uv_is_closing(handle))
		uv_close(handle, NULL);
}

// Leave nothing behind, whatever had been reached.
static void finish(struct vc_client *c)
{
	vc_notify("STOPPING=1");
	vc_tunnel_down(c);
	if (c->engine != NULL) {
		vc_session_end(c);
		vc_link_close_all(&c->link);
		vc_watch_stop(&c->watch);
	}
	c->engine = vc_engine_free(c->engine); // before the loop ends, which it wakes
	if (c->connect.resolving)
		(void)uv_cancel((uv_req_t *)&c->connect.resolve);
	if (c->connect.aside_busy)
		(void)uv_cancel((uv_req_t *)&c->connect.aside);
	uv_walk(&c->loop, close_all, NULL);
	(void)uv_run(&c->loop, UV_RUN_DEFAULT);
	(void)uv_loop_close(&c->loop);
	vc_session_done(c);
	c->tls = ovpn_tls_ctx_unref(c->tls);
	vc_instance_release(&c->instance);
	vc_nl_close(&c->nl);
	vc_event("exit", "\"status\": %d, \"handshakes\": %llu", c->status,
		(unsigned long long)c->session.handshakes);
	explicit_bzero(&c->creds, sizeof(c->creds));
	explicit_bzero(&c->session, sizeof(c->session));
}

// From the first file that is made until the loop serves them, signals wait: one that ended the
// process in between would leave the file.
static void hold_signals(bool hold)
{
	sigset_t set;

	(void)sigemptyset(&set); // these never fail for signals that exist
	(void)sigaddset(&set, SIGTERM);
	(void)sigaddset(&set, SIGINT);
	(void)sigaddset(&set, SIGHUP);
	(void)pthread_sigmask(hold ? SIG_BLOCK : SIG_UNBLOCK, &set, NULL);
}

static int write_pid(const char *path)
{
	FILE *f;
	int rc = 0;

	if (path == NULL)
		return 0;
	f = fopen(path, "we");
	if (f == NULL || fprintf(f, "%d\n", (int)getpid()) < 0)
		rc = -errno;
	if (f != NULL && fclose(f) != 0 && rc == 0)
		rc = -errno;
	if (rc < 0)
		vc_log(VC_ERROR, "can't write %s: %s", path, strerror(-rc));
	return rc;
}

int vc_client_run(const struct cfg_client *cfg)
{
	static struct vc_client client; // too large for a stack
	struct vc_client *c = &client;
	bool pid_file = false;
	int rc;

	c->cfg = cfg;
	c->instance.fd = -1;
	c->tunnel.tun.fd = -1;
	rc = uv_loop_init(&c->loop);
	if (rc < 0)
		return 1;
	c->status = 1;
	if (vc_setup_tls(c) < 0 || vc_session_load(c) < 0 || vc_creds_get(c) < 0)
		goto done;
	hold_signals(true);
	if (write_pid(cfg->writepid) < 0) {
		c->status = 2;
		goto done;
	}
	pid_file = cfg->writepid != NULL;
	rc = vc_nl_open(&c->nl);
	if (rc == 0)
		rc = vc_instance_take(&c->instance, &c->nl, cfg->mark);
	if (rc < 0) {
		vc_log(VC_ERROR, "can't take an instance number in %s: %s", VC_INSTANCE_DIR,
			strerror(-rc));
		goto done;
	}
	rc = vc_privs_drop();
	if (rc < 0) {
		vc_log(VC_ERROR, "can't give up privileges: %s", strerror(-rc));
		goto done;
	}
	rc = start(c);
	if (rc < 0) {
		vc_log(VC_ERROR, "can't start: %s", strerror(-rc));
		goto done;
	}
	c->status = 0;
	vc_event("start", "\"instance\": %u, \"mark\": %u", c->instance.number, c->instance.mark);
	vc_connect_start(c);
	hold_signals(false);
	(void)uv_run(&c->loop, UV_RUN_DEFAULT);

done:
	finish(c);
	if (pid_file)
		(void)unlink(cfg->writepid); // somebody else may have done so
	return c->status;
}
