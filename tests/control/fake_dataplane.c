// SPDX-License-Identifier: BSD-3-Clause
// A dataplane without data: it speaks the greeting and the rings, keeps a real session table, and
// relays control-channel datagrams between one UDP socket and visp-control. Data packets are
// counted and dropped. With it the whole control channel runs against stock clients without DPDK.
//
// usage: ctl-fake-dataplane SOCKET ADDRESS PORT SESSIONS [DELAY_MS [LOSS_PERCENT]]
//
// Delay and loss count each way, for handshakes that can be interrupted in every phase.
#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/eventfd.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#include "protocol/opcode.h"
#include "shm/fdpass.h"
#include "shm/message.h"
#include "shm/ring.h"
#include "shm/session.h"
#include "shm/table.h"

static const uint32_t entries[SHM_RING_KINDS] = { 1024, 1024, 512, 512, 512 };

#define HELD_MAX 4096u

// A datagram on its slow way: towards control as a punt, towards the client as an inject.
struct held {
	uint64_t due_ms;
	bool up;
	union {
		struct shm_punt punt;
		struct shm_inject inject;
	};
};

struct fake {
	struct held *held; // first in, first out
	unsigned held_first, held_count;
	unsigned delay_ms;
	unsigned loss_percent;
	struct shm_table table;
	int listener, conn, udp;
	int sessions_fd, keys_fd, control_fd;
	int rings_fd, wake_fd, worker_fd;
	uint64_t control_size;
	size_t rings_bytes;
	struct shm_rings_header *rings;
	struct shm_ring ring[SHM_RING_KINDS];
	struct shm_endpoint self; // local address and port
	unsigned long data_packets;
};

static volatile sig_atomic_t stop;

static void on_signal(int signum)
{
	(void)signum;
	stop = 1;
}

static void die(const char *what)
{
	(void)fprintf(stderr, "fake dataplane: %s: %s\n", what, strerror(errno));
	exit(1);
}

static uint64_t now_ms(void)
{
	struct timespec ts;

	(void)clock_gettime(CLOCK_MONOTONIC, &ts); // cannot fail
	return (uint64_t)ts.tv_sec * 1000 + (uint64_t)ts.tv_nsec / 1000000;
}

static void wake_control(struct fake *f)
{
	if (f->rings != NULL && shm_wake_needed(&f->rings->control_sleeps))
		(void)eventfd_write(f->wake_fd, 1); // control looks every 100 ms anyway
}

// ---- Commands --------------------------------------------------------------------------------

static int install(struct fake *f, const struct shm_cmd *c)
{
	struct shm_dir *d = &f->table.dir[c->slot];
	struct shm_session *s = &f->table.session[c->slot];
	bool live = d->state == SHM_STATE_LIVE;
	uint16_t generation = d->generation;

	if (live ? c->generation != generation : c->generation != (uint16_t)(generation + 1))
		return -ESTALE;
	if (!live) {
		memset(s, 0, sizeof(*s));
		s->tx_slot = 0xff;
		shm_endpoint_write(s, &c->install.endpoint);
		s->installed_ms = now_ms();
		d->generation = c->generation;
		d->owner = 0;
		d->tx_owner = 0;
	}
	memcpy(s->server_sid, c->install.server_sid, SHM_SID_LEN);
	memcpy(s->client_sid, c->install.client_sid, SHM_SID_LEN);
	shm_session_set_tunnel4(s, &c->install.tunnel4);
	s->tunnel6 = c->install.tunnel6;
	s->timeout_ms = c->install.timeout_ms;
	memcpy(s->name, c->install.name, SHM_NAME_LEN);
	d->flags = c->install.dir_flags;
	d->state = SHM_STATE_LIVE;
	return 0;
}

static int carry_out(struct fake *f, const struct shm_cmd *c)
{
	struct shm_dir *d = &f->table.dir[c->slot];
	struct shm_session *s = &f->table.session[c->slot];

	if (c->kind == SHM_CMD_INSTALL)
		return install(f, c);
	if (d->state != SHM_STATE_LIVE || d->generation != c->generation)
		return -ESTALE;
	switch (c->kind) {
	case SHM_CMD_KEY:
		if (s->tx_slot == c->key.which)
			return -EBUSY;
		s->rx_key[c->key.which].age = c->key.age;
		s->rx_key[c->key.which].key_id = c->key.key_id;
		s->rx_key[c->key.which].cipher = c->key.cipher;
		s->rx_key[c->key.which].installed = 1;
		s->tx_key[c->key.which].cipher = c->key.cipher;
		s->tx_key[c->key.which].key_id = c->key.key_id;
		s->tx_slot = c->key.which;
		return 0;
	case SHM_CMD_KEY_DROP: s->rx_key[c->which & 1].installed = 0; return 0;
	case SHM_CMD_REMOVE: d->state = SHM_STATE_FREE; return 0;
	default: return 0;
	}
}

static void commands(struct fake *f)
{
	struct shm_cmd c;

	while (shm_ring_get(&f->ring[SHM_RING_COMMAND], &c, sizeof(c)) > 0) {
		struct shm_event ev = { .kind = SHM_EVENT_ACK,
			.seq = c.seq,
			.slot = c.slot,
			.generation = c.generation,
			.at_ms = now_ms() };

		ev.status = shm_cmd_check(&c, f->table.sessions);
		if (ev.status == 0)
			ev.status = carry_out(f, &c);
		if (ev.status != 0)
			(void)fprintf(stderr, "fake dataplane: command %u slot %u: %s\n", c.kind,
				c.slot, strerror(-ev.status));
		(void)shm_ring_put(&f->ring[SHM_RING_EVENT], &ev, sizeof(ev));
	}
}

// ---- Datagrams -------------------------------------------------------------------------------

static void deliver_down(struct fake *f, const struct shm_inject *m)
{
	struct sockaddr_in to = { .sin_family = AF_INET };
	struct shm_endpoint e = m->to;

	if (m->slot != SHM_SLOT_NONE && shm_endpoint_read(&f->table.session[m->slot], &e) < 0)
		return;
	to.sin_port = e.remote_port_be;
	memcpy(&to.sin_addr, e.remote.bytes, 4);
	(void)sendto(f->udp, m->data, m->len, 0, (struct sockaddr *)&to, sizeof(to));
}

// Room for a datagram that is due later; NULL when it is lost on its way.
static struct held *hold(struct fake *f, bool up)
{
	struct held *h;

	if ((unsigned)(random() % 100) < f->loss_percent || f->held_count == HELD_MAX)
		return NULL;
	h = &f->held[(f->held_first + f->held_count++) % HELD_MAX];
	h->due_ms = now_ms() + f->delay_ms;
	h->up = up;
	return h;
}

static void injects(struct fake *f)
{
	struct shm_inject m;
	struct held *h;

	while (shm_ring_get(&f->ring[SHM_RING_INJECT], &m, sizeof(m)) > 0) {
		if (shm_inject_check(&m, f->table.sessions) < 0) {
			(void)fprintf(stderr, "fake dataplane: bad inject\n");
			continue;
		}
		h = hold(f, false);
		if (h != NULL)
			h->inject = m;
	}
}

static bool is_known(struct fake *f, struct shm_punt *p)
{
	struct shm_endpoint e;

	for (uint32_t i = 0; i < f->table.sessions; i++) {
		const struct shm_session *s = &f->table.session[i];

		if (f->table.dir[i].state != SHM_STATE_LIVE ||
			memcmp(s->client_sid, p->data + 1, SHM_SID_LEN) != 0 ||
			shm_endpoint_read(s, &e) < 0)
			continue;
		if (e.remote_port_be == p->from.remote_port_be &&
			memcmp(&e.remote, &p->from.remote, sizeof(e.remote)) == 0) {
			p->slot = i;
			p->generation = f->table.dir[i].generation;
			return true;
		}
	}
	return false;
}

static void datagrams(struct fake *f)
{
	struct shm_punt p;
	struct sockaddr_in from;
	struct held *h;

	for (;;) {
		socklen_t len = sizeof(from);
		ssize_t n;

		memset(&p, 0, sizeof(p));
		n = recvfrom(f->udp, p.data, sizeof(p.data), MSG_DONTWAIT, (struct sockaddr *)&from,
			&len);
		if (n < 0)
			return;
		if (n < 9 || ovpn_opcode_is_data(ovpn_opcode_of(p.data[0]))) {
			f->data_packets++;
			continue;
		}
		p.slot = SHM_SLOT_NONE;
		p.len = (uint16_t)n;
		p.from = f->self;
		p.from.remote.family = AF_INET;
		memcpy(p.from.remote.bytes, &from.sin_addr, 4);
		p.from.remote_port_be = from.sin_port;
		p.at_ms = now_ms();
		h = hold(f, true);
		if (h != NULL)
			h->punt = p;
	}
}

static void deliver_up(struct fake *f, struct shm_punt *p)
{
	if (f->rings == NULL)
		return;
	(void)shm_ring_put(
		&f->ring[is_known(f, p) ? SHM_RING_PUNT_KNOWN : SHM_RING_PUNT_NEW], p, sizeof(*p));
}

static void deliver(struct fake *f)
{
	while (f->held_count > 0 && f->held[f->held_first].due_ms <= now_ms()) {
		struct held *h = &f->held[f->held_first];

		if (h->up)
			deliver_up(f, &h->punt);
		else
			deliver_down(f, &h->inject);
		f->held_first = (f->held_first + 1) % HELD_MAX;
		f->held_count--;
	}
}

// ---- Greeting --------------------------------------------------------------------------------

static void make_rings(struct fake *f)
{
	f->rings_bytes = shm_rings_bytes(1, entries);
	f->rings_fd = memfd_create("fake-rings", MFD_CLOEXEC | MFD_ALLOW_SEALING);
	if (f->rings_fd < 0 || ftruncate(f->rings_fd, (off_t)f->rings_bytes) < 0)
		die("rings");
	f->rings = mmap(NULL, f->rings_bytes, PROT_READ | PROT_WRITE, MAP_SHARED, f->rings_fd, 0);
	if (f->rings == MAP_FAILED)
		die("mmap");
	for (int k = 0; k < SHM_RING_KINDS; k++) {
		uint32_t elem = shm_ring_elem_size((enum shm_ring_kind)k);

		if (shm_ring_attach(&f->ring[k],
			    (uint8_t *)f->rings +
				    shm_rings_offset(0, (enum shm_ring_kind)k, entries),
			    shm_ring_bytes(entries[k], elem), entries[k], elem,
			    k != SHM_RING_COMMAND && k != SHM_RING_INJECT) < 0)
			die("attach");
	}
	f->wake_fd = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
	f->worker_fd = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
}

static void drop_connection(struct fake *f)
{
	if (f->rings != NULL) {
		commands(f);
		(void)munmap(f->rings, f->rings_bytes);
		(void)close(f->rings_fd);
		(void)close(f->wake_fd);
		(void)close(f->worker_fd);
	}
	f->rings = NULL;
	if (f->conn >= 0)
		(void)close(f->conn);
	f->conn = -1;
}

static void take_hello(struct fake *f)
{
	static struct shm_greeting h;
	struct stat st;
	int fds[3];
	unsigned n = 0;
	size_t len;

	if (shm_recv(f->conn, &h, sizeof(h), &len, fds, 3, &n) < 0 ||
		shm_greeting_check(&h, len) < 0) {
		drop_connection(f);
		return;
	}
	if ((h.hello.flags & SHM_HELLO_HAS_CONTROL) != 0 && n > 0) {
		if (f->control_fd >= 0)
			(void)close(f->control_fd);
		f->control_fd = fds[0];
		fds[0] = -1;
		if (fstat(f->control_fd, &st) == 0)
			f->control_size = (uint64_t)st.st_size;
	}
	shm_close_all(fds, n);
	if (f->rings != NULL)
		return; // a second greeting
	make_rings(f);
	struct shm_welcome w = { .kind = SHM_WELCOME,
		.version = SHM_LAYOUT_VERSION,
		.layout_hash = shm_layout_hash(),
		.sessions = f->table.sessions,
		.workers = 1,
		.rings_size = f->rings_bytes,
		.has_control = f->control_fd >= 0,
		.control_size = f->control_fd >= 0 ? f->control_size : 0 };
	int out[6] = { f->sessions_fd, f->keys_fd, f->rings_fd, f->wake_fd, f->worker_fd,
		f->control_fd };

	memcpy(w.instance, f->table.header->instance, sizeof(w.instance));
	memcpy(w.entries, entries, sizeof(entries));
	if (shm_send(f->conn, &w, sizeof(w), out, f->control_fd >= 0 ? 6 : 5) < 0)
		drop_connection(f);
}

static void open_udp(struct fake *f, const char *address, const char *port)
{
	struct sockaddr_in a = { .sin_family = AF_INET, .sin_port = htons((uint16_t)atoi(port)) };

	if (inet_pton(AF_INET, address, &a.sin_addr) != 1)
		die(address);
	f->udp = socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
	if (f->udp < 0 || bind(f->udp, (struct sockaddr *)&a, sizeof(a)) < 0)
		die("udp socket");
	f->self.local.family = AF_INET;
	memcpy(f->self.local.bytes, &a.sin_addr, 4);
	f->self.local_port_be = a.sin_port;
}

static void loop(struct fake *f)
{
	while (!stop) {
		struct pollfd p[4] = { { .fd = f->listener, .events = POLLIN },
			{ .fd = f->udp, .events = POLLIN }, { .fd = f->conn, .events = POLLIN },
			{ .fd = f->rings != NULL ? f->worker_fd : -1, .events = POLLIN } };
		eventfd_t value;

		if (f->rings != NULL) {
			shm_sleep_begin(&f->rings->worker_sleeps[0]);
			if (shm_ring_count(&f->ring[SHM_RING_COMMAND]) > 0 ||
				shm_ring_count(&f->ring[SHM_RING_INJECT]) > 0)
				(void)eventfd_write(f->worker_fd, 1);
		}
		(void)poll(p, 4, f->held_count > 0 ? 2 : 100);
		if (f->rings != NULL)
			shm_sleep_end(&f->rings->worker_sleeps[0]);
		if ((p[0].revents & POLLIN) != 0) {
			int fd = accept4(f->listener, NULL, NULL, SOCK_CLOEXEC | SOCK_NONBLOCK);

			drop_connection(f);
			f->conn = fd;
			continue;
		}
		if (p[2].revents != 0)
			take_hello(f);
		if (f->rings != NULL) {
			(void)eventfd_read(f->worker_fd, &value);
			commands(f);
			injects(f);
		}
		datagrams(f);
		deliver(f);
		wake_control(f);
	}
}

int main(int argc, char **argv)
{
	struct fake f = { .conn = -1, .control_fd = -1 };
	struct sigaction sa = { .sa_handler = on_signal };

	if (argc < 5 || argc > 7) {
		(void)fprintf(stderr,
			"usage: %s SOCKET ADDRESS PORT SESSIONS [DELAY_MS [LOSS_PERCENT]]\n",
			argv[0]);
		return 2;
	}
	f.delay_ms = argc > 5 ? (unsigned)atoi(argv[5]) : 0;
	f.loss_percent = argc > 6 ? (unsigned)atoi(argv[6]) : 0;
	f.held = calloc(HELD_MAX, sizeof(*f.held));
	if (f.held == NULL)
		die("memory");
	(void)sigaction(SIGTERM, &sa, NULL);
	(void)sigaction(SIGINT, &sa, NULL);
	errno = -shm_table_create((uint32_t)atoi(argv[4]), SHM_PAGES_SMALL, &f.table);
	if (errno != 0)
		die("table");
	f.sessions_fd = shm_table_open_readonly(&f.table);
	f.keys_fd = shm_table_open_path(&f.table);
	open_udp(&f, argv[2], argv[3]);
	f.listener = shm_socket_listen(argv[1], 0666);
	if (f.listener < 0)
		die("socket");
	loop(&f);
	drop_connection(&f);
	(void)unlink(argv[1]);
	(void)printf("data packets %lu\n", f.data_packets);
	shm_table_done(&f.table);
	free(f.held);
	return 0;
}
