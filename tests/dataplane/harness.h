// SPDX-License-Identifier: BSD-3-Clause
// A dataplane without a process around it: one to four workers on net_ring ports, run in turn by
// the test's own thread, with control's ends of all rings in the test's hands. Clients speak
// through OpenSSL.
#pragma once

#include <stdbool.h>
#include <stdint.h>

#include "dataplane/dp.h"
#include "dataplane/grace.h"
#include "dataplane/worker.h"
#include "ossl.h"
#include "shm/message.h"

#define H_SESSIONS 64u
#define H_FRAME_MAX 2048
#define H_SERVER 0xc0000201u // 192.0.2.1
#define H_PORT 1194
#define H_KERNEL 0x0a080001u // 10.8.0.1, behind the inner port
#define H_TUNNEL(slot) (0x0a080010u + (slot)) // tunnel address of a slot

// The world around a dataplane.
struct h {
	struct dp_core core;
	struct dp_grace grace;
	struct dp_config config;
	struct dp_rings rings[SHM_WORKERS_MAX]; // the workers' ends
	struct shm_ring ctl[SHM_WORKERS_MAX][SHM_RING_KINDS]; // control's ends
	void *ring_mem[SHM_WORKERS_MAX][SHM_RING_KINDS];
	struct rte_ring *rx[DP_PORTS_MAX][SHM_WORKERS_MAX]; // to worker's queue
	struct rte_ring *tx[DP_PORTS_MAX][SHM_WORKERS_MAX]; // from it
	uint32_t seq;
};

// A client that was told to connect.
struct h_client {
	uint32_t slot;
	uint16_t generation;
	enum ovpn_cipher cipher;
	enum ovpn_digest digest;
	uint32_t net_time;
	bool v1;
	uint8_t key_id;
	uint32_t next_id; // of its next packet
	uint32_t addr; // host order
	uint16_t port;
	uint8_t sid[8]; // server session id
	uint8_t client_sid[8];
	struct shm_raw_key c2s;
	struct shm_raw_key s2c;
};

// What to make of a client, zero fields are defaults.
struct h_client_opt {
	enum ovpn_cipher cipher; // AES-256-GCM
	bool v1;
	uint8_t dir_flags; // besides V1
	uint32_t addr; // 198.51.100.(slot + 1)
	uint16_t port; // 40000 + slot
	uint16_t worker; // that installs it
	uint16_t mss4;
	uint16_t tun_mtu; // 1500
	uint32_t ping_ms;
	uint32_t timeout_ms;
	// Formats with SHM_DIR_LEGACY in dir_flags; packets of these are not h_seal's.
	bool legacy; // cipher as it is, none included
	enum ovpn_digest digest;
	uint32_t net_time;
	uint8_t compress; // enum ovpn_compress
	uint16_t fragment_max;
	uint16_t local_port; // H_PORT
	bool no_remote; // the peer isn't known yet
};

// A frame that was read back.
struct h_frame {
	uint16_t len;
	uint16_t worker; // whose queue
	uint8_t data[H_FRAME_MAX];
};

// An outer datagram that was read back.
struct h_datagram {
	uint32_t addr; // to
	uint16_t port;
	uint16_t worker;
	uint16_t len;
	uint8_t data[H_FRAME_MAX];
};

// Start EAL once a program. Then a dataplane of n workers; flags are those of config.
void h_eal(void);
struct h *h_create(uint16_t workers, uint32_t config_flags);
void h_destroy(struct h *h);

// Run all workers in turn, and what main would do, until nothing moves any more.
void h_run(struct h *h);
// Let so many milliseconds pass for all workers, then run.
void h_pass(struct h *h, uint64_t ms);

// Commands, and their acknowledgement's status. Events other than acknowledgements stay readable.
int h_cmd(struct h *h, uint16_t worker, struct shm_cmd *cmd);
int h_install(struct h *h, uint32_t slot, const struct h_client_opt *opt, struct h_client *ret_c);
// A new key in key slot `which`.
int h_key(struct h *h, struct h_client *c, uint8_t which, uint8_t key_id, uint32_t age,
	uint32_t tx_delay_ms);
int h_remove(struct h *h, struct h_client *c);
// Next event that is not an acknowledgement; false: none.
bool h_event(struct h *h, uint16_t worker, struct shm_event *ret_ev);

// A packet of the client with the next packet-id. Returns its length.
size_t h_seal(struct h_client *c, const uint8_t *plain, size_t len, uint8_t *out);
// A reconfiguration Ping with the next packet-id.
size_t h_reconf(struct h_client *c, uint8_t *out);
size_t h_ping(struct h_client *c, uint8_t *out);
// An inner IPv4 UDP packet of len bytes in all (28 at least), don't fragment if df.
size_t h_inner(uint8_t *out, uint32_t src, uint32_t dst, size_t len, bool df);

// Put an outer datagram from an address, or a raw frame, into a worker's queue.
void h_outer(struct h *h, uint16_t worker, uint32_t addr, uint16_t port, const uint8_t *data,
	size_t len);
void h_from(
	struct h *h, uint16_t worker, const struct h_client *c, const uint8_t *data, size_t len);
void h_frame_in(struct h *h, unsigned port, uint16_t worker, const uint8_t *frame, size_t len);
// Put an inner packet into a worker's queue, as the kernel sends it.
void h_inner_in(struct h *h, uint16_t worker, const uint8_t *packet, size_t len);

// Read back. False: there is none.
bool h_frame_out(struct h *h, unsigned port, struct h_frame *ret_f);
// Outer frames as datagrams, fragments put together. Checks IP and UDP headers.
bool h_datagram_out(struct h *h, struct h_datagram *ret_d);
// One inner packet, without its Ethernet header. Returns its length, 0: none.
size_t h_inner_out(struct h *h, uint8_t *out);
// Open what the server sent. Returns the length of the plaintext or -1.
int h_open(const struct h_client *c, const struct h_datagram *d, uint8_t *plain);
// The next datagram is a Ping to this address.
bool h_expect_ping(struct h *h, const struct h_client *c, uint32_t addr, uint16_t port);

// Sums over all workers.
uint64_t h_drops(struct h *h, enum dp_drop why);
uint64_t h_count(struct h *h, enum dp_count what);
uint64_t h_all_drops(struct h *h);
// Endpoint of a slot as (address, port) in host order.
uint64_t h_endpoint(struct h *h, uint32_t slot);
#define H_AT(addr, port) ((uint64_t)(addr) << 16 | (port))
