// SPDX-License-Identifier: BSD-3-Clause
// What the generator sends: which client's turn it is, how long the packet is, who moves, and what
// hostile neighbours add.
#pragma once

#include <stdbool.h>
#include <stdint.h>

#include <rte_mbuf.h>

#include "bench/fleet.h"

#define PG_LOAD_BURST 32u
#define PG_REPLAYS 64u // frames kept to be sent a second time
#define PG_FORGED 1023u // different forged frames, as many of each kind
#define PG_LOAD_ROOM 1800u // bytes of the longest frame

enum pg_direction {
	PG_UP = 1u << 0, // from clients
	PG_DOWN = 1u << 1, // to clients
};

struct pg_load_options {
	uint16_t size; // bytes of inner packets; 0: a mix of 64, 576 and 1400 as 7 to 4 to 1
	unsigned direction; // enum pg_direction
	bool in_turn; // clients in turn
	bool zipf; // clients by Zipf's law with exponent 1, else uniform
	bool float_only; // moving clients send no reconfiguration Ping
	bool sealed; // packets are encrypted; a forwarder doesn't care and the generator is faster
	double hostile; // frames of others for each good one
};

// A finished frame.
struct pg_kept {
	uint16_t len;
	uint8_t frame[PG_LOAD_ROOM];
};

struct pg_load {
	struct pg_load_options o;
	struct pg_fleet *fleet;
	uint64_t random;
	double hostile_due;
	unsigned hostile_kind;
	uint32_t next_mover;
	uint32_t next_turn;
	uint64_t *moved_tsc; // when a client moved, 0: answered
	struct pg_kept replay[PG_REPLAYS];
	unsigned replays;
	struct pg_kept *forged; // PG_FORGED, made before the clock runs; NULL: nobody is hostile
	// Counted since the last pg_load_clear().
	uint64_t moves;
};

// moves: clients will move. Returns 0 or -ENOMEM.
int pg_load_init(
	struct pg_load *l, struct pg_fleet *fleet, const struct pg_load_options *o, bool moves);
void pg_load_done(struct pg_load *l);
void pg_load_clear(struct pg_load *l);

// Fill n <= PG_LOAD_BURST empty packets with good ones of one direction, stamped now.
void pg_load_good(struct pg_load *l, struct rte_mbuf **pkt, unsigned n, bool up, uint64_t tsc);

// No frame of the last pg_load_good() was sent: none of it is there to be replayed.
void pg_load_unsent(struct pg_load *l);

// How many hostile frames belong to n good ones that were sent.
unsigned pg_load_hostile_due(struct pg_load *l, unsigned n);
void pg_load_hostile(struct pg_load *l, struct rte_mbuf *m);

// The next client moves: m becomes its reconfiguration Ping from the new address. Returns false
// when it sends none, as its next data packet is to show where it is; m stays empty.
bool pg_load_move(struct pg_load *l, struct rte_mbuf *m, uint64_t tsc);

// A finished frame of the load in plain memory, for captures. Returns its length.
uint32_t pg_load_frame(struct pg_load *l, bool up, uint8_t frame[PG_LOAD_ROOM]);
