// SPDX-License-Identifier: BSD-3-Clause
#include "client/engine.h"

#include <errno.h>
#include <linux/udp.h>
#include <netinet/in.h>
#include <semaphore.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/eventfd.h>
#include <unistd.h>

#include "client/engine_priv.h"
#include "client/event.h"
#include "protocol/mobility.h"

enum order_kind {
	ORDER_KEY,
	ORDER_RENEGOTIATE,
	ORDER_WIPE,
	ORDER_SOCK,
	ORDER_CLOSE,
	ORDER_USE,
	ORDER_WATCH,
	ORDER_SEND,
	ORDER_DEVICE,
	ORDER_READ,
	ORDER_INNER,
	ORDER_SETTLE,
	ORDER_STOP,
};

struct message {
	uint8_t buf[VC_DATA_HEADROOM + VC_ENGINE_MESSAGE_MAX + VC_DATA_TAILROOM];
	size_t len;
	bool has_sid;
	uint8_t sid[OVPN_SID_LEN];
};

struct order {
	struct vc_mail mail; // first, so that a mail is an order
	enum order_kind kind;
	uint32_t sock;
	bool on;
	unsigned mss;
	uint64_t ms;
	struct vc_key *key;
	struct vc_esock *esock;
	struct vc_tun tun;
	sem_t *done;
	struct message message;
};

struct note_mail {
	struct vc_mail mail;
	struct vc_note note;
	uint8_t bytes[];
};

// --- From the event loop ---

static struct order *order_new(enum order_kind kind)
{
	struct order *o = calloc(1, sizeof(*o));

	// Orders are few and small; a machine without them is beyond repair, and a key or a
	// socket that isn't taken over would be a leak of another kind.
	if (o == NULL)
		abort();
	o->kind = kind;
	return o;
}

static void put(struct vc_engine *e, struct order *o)
{
	const uint64_t one = 1;

	vc_mailbox_put(&e->orders, &o->mail);
	(void)!write(e->order_fd, &one, sizeof(one)); // can only fail when it is readable anyway
}

const struct vc_engine_stats *vc_engine_stats(const struct vc_engine *e)
{
	return &e->stats;
}

void vc_engine_notes(struct vc_engine *e, vc_engine_note_fn *fn, void *arg)
{
	struct vc_mail *mail = vc_mailbox_take(&e->notes);

	while (mail != NULL) {
		struct note_mail *m = (struct note_mail *)mail;

		mail = mail->next;
		if (fn != NULL)
			fn(arg, &m->note);
		free(m);
	}
}

void vc_engine_settle(struct vc_engine *e)
{
	struct order *o = order_new(ORDER_SETTLE);
	sem_t done;

	(void)sem_init(&done, 0, 0); // can't fail with these arguments
	o->done = &done;
	put(e, o);
	while (sem_wait(&done) < 0)
		; // a signal
	(void)sem_destroy(&done);
}

void vc_engine_key(struct vc_engine *e, struct vc_key *key, uint64_t retire_ms)
{
	struct order *o = order_new(ORDER_KEY);

	o->key = key;
	o->ms = retire_ms;
	put(e, o);
}

void vc_engine_renegotiate(struct vc_engine *e, uint64_t late_ms)
{
	struct order *o = order_new(ORDER_RENEGOTIATE);

	o->ms = late_ms;
	put(e, o);
}

void vc_engine_wipe(struct vc_engine *e)
{
	put(e, order_new(ORDER_WIPE));
}

int vc_engine_sock_add(struct vc_engine *e, uint32_t sock, int fd)
{
	struct vc_esock *s = calloc(1, sizeof(*s));
	struct order *o;
	const int on = 1;

	if (s == NULL)
		return -ENOMEM;
	s->id = sock;
	s->fd = fd;
	s->segment = true; // until the path refuses
	s->segment_max = SIZE_MAX;
	// A kernel that doesn't know it gives datagrams one by one.
	(void)setsockopt(fd, IPPROTO_UDP, UDP_GRO, &on, sizeof(on));
	o = order_new(ORDER_SOCK);
	o->esock = s;
	put(e, o);
	return 0;
}

void vc_engine_sock_close(struct vc_engine *e, uint32_t sock)
{
	struct order *o = order_new(ORDER_CLOSE);

	o->sock = sock;
	put(e, o);
}

void vc_engine_use(struct vc_engine *e, uint32_t sock)
{
	struct order *o = order_new(ORDER_USE);

	o->sock = sock;
	put(e, o);
}

void vc_engine_watch(struct vc_engine *e, uint32_t sock)
{
	struct order *o = order_new(ORDER_WATCH);

	o->sock = sock;
	put(e, o);
}

int vc_engine_send(
	struct vc_engine *e, uint32_t sock, const uint8_t *plain, size_t len, const uint8_t *sid)
{
	struct order *o;

	if (len > VC_ENGINE_MESSAGE_MAX)
		return -EMSGSIZE;
	o = order_new(ORDER_SEND);
	o->sock = sock;
	o->message.len = len;
	memcpy(o->message.buf + VC_DATA_HEADROOM, plain, len);
	if (sid != NULL) {
		o->message.has_sid = true;
		memcpy(o->message.sid, sid, OVPN_SID_LEN);
	}
	put(e, o);
	return 0;
}

void vc_engine_device(struct vc_engine *e, const struct vc_tun *tun)
{
	struct order *o = order_new(ORDER_DEVICE);

	o->tun.fd = -1;
	if (tun != NULL)
		o->tun = *tun;
	put(e, o);
}

void vc_engine_read(struct vc_engine *e, bool on)
{
	struct order *o = order_new(ORDER_READ);

	o->on = on;
	put(e, o);
}

void vc_engine_inner(struct vc_engine *e, bool deliver, unsigned mss)
{
	struct order *o = order_new(ORDER_INNER);

	o->on = deliver;
	o->mss = mss;
	put(e, o);
}

// --- Data thread ---

void vc_engine_note(struct vc_engine *e, const struct vc_note *note)
{
	struct note_mail *m;

	// What proves a path and what ends the process is rare and always goes through.
	if (note->kind != VC_NOTE_HEARD && note->kind != VC_NOTE_DEVICE &&
		vc_mailbox_n(&e->notes) >= VC_NOTES_MAX)
		return;
	if (note->kind == VC_NOTE_HEARD && vc_mailbox_n(&e->notes) >= 2 * VC_NOTES_MAX)
		return;
	m = malloc(sizeof(*m) + note->len);
	if (m == NULL)
		return; // as if the network had lost it
	m->note = *note;
	m->note.bytes = note->len > 0 ? m->bytes : NULL;
	if (note->len > 0)
		memcpy(m->bytes, note->bytes, note->len);
	vc_mailbox_put(&e->notes, &m->mail);
	e->wake(e->wake_arg);
}

static void publish(atomic_ullong *to, uint64_t value)
{
	atomic_store_explicit(to, value, memory_order_relaxed);
}

void vc_engine_publish(struct vc_engine *e)
{
	const struct vc_key *key = e->data.key[0];

	publish(&e->stats.payload_bytes, e->payload_bytes);
	publish(&e->stats.tx_packets, e->data.tx_packets);
	publish(&e->stats.rx_packets, e->data.rx_packets);
	publish(&e->stats.bad, e->data.bad_tag);
	publish(&e->stats.replayed, e->data.replayed);
	publish(&e->stats.dropped, e->dropped);
	publish(&e->stats.bursts, e->bursts);
	publish(&e->stats.joined, e->joined);
	publish(&e->stats.key_age, key != NULL ? key->age : 0);
	publish(&e->stats.key_packets, key != NULL ? key->packets : 0);
	publish(&e->stats.key_bytes, key != NULL ? key->bytes : 0);
	publish(&e->stats.key_next_id, key != NULL ? key->next_id : 0);
}

static struct vc_esock *sock_by_id(struct vc_engine *e, uint32_t id)
{
	for (struct vc_esock *s = e->socks; s != NULL; s = s->next) {
		if (s->id == id)
			return s;
	}
	return NULL;
}

static void listen_to(struct vc_engine *e, struct vc_esock *sock, int op)
{
	struct epoll_event ev = { .events = EPOLLIN, .data.ptr = sock };

	if (e->blocked == sock)
		ev.events |= EPOLLOUT;
	(void)epoll_ctl(e->epoll, op, sock->fd, &ev); // its memory is all that can be missing
}

void vc_engine_poll_device(struct vc_engine *e)
{
	struct epoll_event ev = { .events = EPOLLIN, .data.ptr = &e->tun };
	bool want = e->tun.fd >= 0 && e->read && e->blocked == NULL;

	for (struct vc_esock *s = e->socks; s != NULL; s = s->next)
		listen_to(e, s, EPOLL_CTL_MOD);
	if (want == e->polling)
		return;
	e->polling = want;
	(void)epoll_ctl(e->epoll, want ? EPOLL_CTL_ADD : EPOLL_CTL_DEL, e->tun.fd, &ev);
}

static void set_device(struct vc_engine *e, const struct vc_tun *tun)
{
	bool read = e->read;

	e->read = false;
	vc_engine_poll_device(e);
	e->read = read;
	e->cutting = false;
	e->pieces.n = 0;
	e->tun = *tun;
	e->gro.tcp = tun->tso;
	e->gro.udp = tun->uso;
	vc_engine_poll_device(e);
}

static void use(struct vc_engine *e, uint32_t id)
{
	e->cur = sock_by_id(e, id);
	// What waited for room elsewhere leaves here.
	if (e->blocked != NULL)
		vc_engine_unblock(e);
}

static void sock_close(struct vc_engine *e, struct vc_esock *sock)
{
	if (sock == NULL)
		return;
	for (struct vc_esock **at = &e->socks; *at != NULL; at = &(*at)->next) {
		if (*at == sock) {
			*at = sock->next;
			break;
		}
	}
	if (e->cur == sock)
		e->cur = NULL;
	close(sock->fd); // leaves the epoll set, too
	if (e->blocked == sock)
		vc_engine_unblock(e);
	free(sock);
}

static void send_message(struct vc_engine *e, uint32_t sock, struct message *m)
{
	struct vc_esock *s = sock_by_id(e, sock);
	uint8_t framed[VC_ENGINE_MESSAGE_MAX + OVPN_COMPRESS_OVERHEAD_MAX];
	struct vc_pieces pieces = { .buf = framed, .room = sizeof(framed) };
	uint8_t *plain = m->buf + VC_DATA_HEADROOM, *dgram;
	uint64_t now = vc_now_ms();
	size_t len;

	if (s == NULL || vc_data_cut(&e->data, now, plain, m->len, &pieces) < 0)
		return;
	while (vc_pieces_left(&pieces)) { // never a Ping
		if (vc_data_seal_piece(&e->data, now, &pieces, plain, &dgram, &len) == 0)
			(void)vc_engine_send_one(e, s, dgram, len);
	}
	if (pieces.n > 0 || vc_data_seal(&e->data, now, plain, m->len, &dgram, &len) < 0)
		return;
	if (m->has_sid)
		len = ovpn_reconf_append(
			dgram, len, (size_t)(m->buf + sizeof(m->buf) - dgram), m->sid);
	(void)vc_engine_send_one(e, s, dgram, len); // an error was noted
}

static void carry_out(struct vc_engine *e, struct order *o)
{
	struct vc_esock *sock;

	switch (o->kind) {
	case ORDER_KEY: vc_data_add(&e->data, o->key, o->ms); break;
	case ORDER_RENEGOTIATE: vc_data_renegotiate(&e->data, o->ms); break;
	case ORDER_WIPE: vc_data_wipe(&e->data); break;
	case ORDER_SOCK:
		o->esock->next = e->socks;
		e->socks = o->esock;
		listen_to(e, o->esock, EPOLL_CTL_ADD);
		break;
	case ORDER_CLOSE: sock_close(e, sock_by_id(e, o->sock)); break;
	case ORDER_USE: use(e, o->sock); break;
	case ORDER_WATCH:
		sock = sock_by_id(e, o->sock);
		if (sock != NULL)
			sock->watched = true;
		break;
	case ORDER_SEND: send_message(e, o->sock, &o->message); break;
	case ORDER_DEVICE: set_device(e, &o->tun); break;
	case ORDER_READ:
		e->read = o->on;
		vc_engine_poll_device(e);
		break;
	case ORDER_INNER:
		e->deliver = o->on;
		e->mss = o->mss;
		break;
	case ORDER_SETTLE: break;
	case ORDER_STOP: e->stop = true; break;
	}
}

static void take_orders(struct vc_engine *e)
{
	struct vc_mail *mail = vc_mailbox_take(&e->orders);

	while (mail != NULL) {
		struct order *o = (struct order *)mail;

		mail = mail->next;
		carry_out(e, o);
		vc_engine_publish(e);
		if (o->done != NULL)
			(void)sem_post(o->done);
		free(o);
	}
}

static void serve(struct vc_engine *e, const struct epoll_event *ev)
{
	struct vc_esock *sock = ev->data.ptr;
	struct vc_note gone = { .kind = VC_NOTE_DEVICE };

	if (ev->data.ptr == &e->tun) {
		if ((ev->events & (EPOLLERR | EPOLLHUP)) != 0) {
			e->read = false;
			vc_engine_poll_device(e);
			vc_engine_note(e, &gone);
			return;
		}
		vc_engine_up(e);
		return;
	}
	if ((ev->events & EPOLLOUT) != 0 && e->blocked == sock)
		vc_engine_unblock(e);
	if ((ev->events & (EPOLLIN | EPOLLERR)) != 0)
		vc_engine_down(e, sock);
}

static void *run(void *arg)
{
	struct vc_engine *e = arg;
	struct epoll_event ev[16];

	while (!e->stop) {
		// Retired keys are wiped within a second of their time.
		int wait_ms = vc_engine_unfinished(e) ? 0 : e->data.n_keys > 1 ? 1000 : -1;
		int n = epoll_wait(e->epoll, ev, 16, wait_ms);
		bool orders = false;
		uint64_t count;

		for (int i = 0; i < n; i++) {
			if (ev[i].data.ptr == e)
				orders = true;
			else
				serve(e, &ev[i]);
		}
		// The device says nothing of a packet that has been read already.
		if (vc_engine_unfinished(e))
			vc_engine_up(e);
		if (e->data.n_keys > 1)
			vc_data_expire(&e->data, vc_now_ms());
		vc_engine_publish(e);
		// Last: an order may close a socket that this round has an event of.
		if (orders && read(e->order_fd, &count, sizeof(count)) > 0)
			take_orders(e);
	}
	return NULL;
}

// --- Start and end ---

static int start_thread(struct vc_engine *e)
{
	sigset_t all, before;
	int rc;

	// Signals are the event loop's.
	(void)sigfillset(&all);
	(void)pthread_sigmask(SIG_SETMASK, &all, &before);
	rc = pthread_create(&e->thread, NULL, run, e);
	(void)pthread_sigmask(SIG_SETMASK, &before, NULL);
	return -rc;
}

static void free_memory(struct vc_engine *e)
{
	if (e->epoll >= 0)
		close(e->epoll);
	if (e->order_fd >= 0)
		close(e->order_fd);
	vc_mailbox_done(&e->orders);
	vc_mailbox_done(&e->notes);
	free(e->tx_mem);
	free(e->large);
	free(e->pieces.buf);
	free(e->rx_mem);
	free(e->scratch);
	vc_data_done(&e->data);
	free(e);
}

struct vc_engine *vc_engine_create(size_t packet_max, vc_engine_wake_fn *wake, void *arg)
{
	struct vc_engine *e = calloc(1, sizeof(*e));
	struct epoll_event ev = { .events = EPOLLIN, .data.ptr = e };
	int rc = -ENOMEM;

	if (e == NULL)
		return NULL;
	vc_mailbox_init(&e->orders);
	vc_mailbox_init(&e->notes);
	e->wake = wake;
	e->wake_arg = arg;
	e->tun.fd = -1;
	e->gro.write = vc_engine_write;
	e->gro.arg = e;
	e->slot = (packet_max + VC_DATA_HEADROOM + VC_DATA_TAILROOM + 63) & ~(size_t)63;
	e->epoll = epoll_create1(EPOLL_CLOEXEC);
	e->order_fd = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
	e->tx_mem = malloc(e->slot * VC_TX_SLOTS);
	e->large = malloc(packet_max + 65536);
	e->pieces.room = packet_max + OVPN_COMPRESS_OVERHEAD_MAX;
	e->pieces.buf = malloc(e->pieces.room);
	e->rx_mem = malloc((size_t)VC_RX_SLOT * VC_RX_SLOTS);
	e->scratch = malloc(65536);
	if (e->epoll < 0 || e->order_fd < 0 || e->tx_mem == NULL || e->large == NULL ||
		e->pieces.buf == NULL || e->rx_mem == NULL || e->scratch == NULL ||
		vc_data_defrag_init(&e->data, packet_max) < 0)
		goto err;
	if (epoll_ctl(e->epoll, EPOLL_CTL_ADD, e->order_fd, &ev) < 0) {
		rc = -errno;
		goto err;
	}
	rc = start_thread(e);
	if (rc == 0)
		return e;

err:
	free_memory(e);
	errno = -rc;
	return NULL;
}

struct vc_engine *vc_engine_free(struct vc_engine *e)
{
	if (e == NULL)
		return NULL;
	put(e, order_new(ORDER_STOP));
	(void)pthread_join(e->thread, NULL); // it exists and nobody else joins it
	vc_engine_notes(e, NULL, NULL);
	while (e->socks != NULL)
		sock_close(e, e->socks);
	free_memory(e);
	return NULL;
}
