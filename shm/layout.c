// SPDX-License-Identifier: BSD-3-Clause
#include "shm/layout.h"

#include <stddef.h>

#include "shm/message.h"
#include "shm/ring.h"

// One number a fact; adding a field in the middle of a struct changes one of them.
static const uint64_t facts[] = {
	SHM_LAYOUT_VERSION,
	SHM_KEY_SLOTS,
	SHM_REPLAY_BITS,
	SHM_KEY_CELL,
	SHM_CONTROL_RECORD_MAX,
	sizeof(struct shm_addr),
	sizeof(struct shm_endpoint),
	offsetof(struct shm_endpoint, local),
	offsetof(struct shm_endpoint, remote_port_be),
	offsetof(struct shm_endpoint, next_hop),
	sizeof(struct shm_dir),
	offsetof(struct shm_dir, state),
	offsetof(struct shm_dir, flags),
	offsetof(struct shm_dir, owner),
	offsetof(struct shm_dir, tx_owner),
	sizeof(struct shm_rx_key),
	offsetof(struct shm_rx_key, age),
	offsetof(struct shm_rx_key, key_id),
	offsetof(struct shm_rx_key, installed),
	offsetof(struct shm_rx_key, digest),
	sizeof(struct shm_tx_key),
	offsetof(struct shm_tx_key, key_id),
	offsetof(struct shm_tx_key, digest),
	offsetof(struct shm_tx_key, age),
	sizeof(struct shm_session),
	offsetof(struct shm_session, endpoint_index),
	offsetof(struct shm_session, source4_be),
	offsetof(struct shm_session, endpoint),
	offsetof(struct shm_session, rx_key),
	offsetof(struct shm_session, rx_packets),
	offsetof(struct shm_session, last_rx_ms),
	offsetof(struct shm_session, handovers),
	offsetof(struct shm_session, bytes_since_move),
	offsetof(struct shm_session, window),
	offsetof(struct shm_session, tx_key),
	offsetof(struct shm_session, tx_slot),
	offsetof(struct shm_session, tx_packets),
	offsetof(struct shm_session, last_tx_ms),
	offsetof(struct shm_session, tx_switch_ms),
	offsetof(struct shm_session, server_sid),
	offsetof(struct shm_session, client_sid),
	offsetof(struct shm_session, tunnel4),
	offsetof(struct shm_session, tunnel6),
	offsetof(struct shm_session, ping_interval_ms),
	offsetof(struct shm_session, timeout_ms),
	offsetof(struct shm_session, tun_mtu),
	offsetof(struct shm_session, installed_ms),
	offsetof(struct shm_session, name),
	offsetof(struct shm_session, fragment_max),
	offsetof(struct shm_session, compress),
	offsetof(struct shm_session, reconf_len),
	sizeof(struct shm_raw_key),
	sizeof(struct shm_key_slot),
	offsetof(struct shm_key_slot, tx_cell),
	offsetof(struct shm_key_slot, rx_raw),
	offsetof(struct shm_key_slot, tx_raw),
	offsetof(struct shm_key_slot, stamp),
	offsetof(struct shm_key_slot, cipher),
	offsetof(struct shm_key_slot, digest),
	offsetof(struct shm_key_slot, flags),
	sizeof(struct shm_keys),
	sizeof(struct shm_table_header),
	offsetof(struct shm_table_header, instance),
	offsetof(struct shm_table_header, saved_offset),
	sizeof(struct shm_ring_mem),
	sizeof(struct shm_listen),
	sizeof(struct shm_subnet),
	sizeof(struct shm_hello),
	offsetof(struct shm_hello, listen),
	offsetof(struct shm_hello, subnet),
	offsetof(struct shm_hello, occ),
	sizeof(struct shm_saved),
	sizeof(struct shm_rings_header),
	offsetof(struct shm_rings_header, worker_sleeps),
	SHM_RING_KINDS,
	sizeof(struct shm_welcome),
	offsetof(struct shm_welcome, entries),
	offsetof(struct shm_welcome, control_size),
	sizeof(struct shm_cmd),
	offsetof(struct shm_cmd, install),
	sizeof(struct shm_cmd_install),
	offsetof(struct shm_cmd_install, tunnel4),
	offsetof(struct shm_cmd_install, dir_flags),
	offsetof(struct shm_cmd_install, compress),
	offsetof(struct shm_cmd_install, fragment_max),
	sizeof(struct shm_cmd_key),
	offsetof(struct shm_cmd_key, digest),
	offsetof(struct shm_cmd_key, tx_delay_ms),
	offsetof(struct shm_cmd_key, net_time),
	offsetof(struct shm_cmd_key, rx),
	sizeof(struct shm_cmd_iroute),
	sizeof(struct shm_event),
	offsetof(struct shm_event, endpoint),
	offsetof(struct shm_event, at_ms),
	sizeof(struct shm_punt),
	offsetof(struct shm_punt, from),
	offsetof(struct shm_punt, data),
	sizeof(struct shm_inject),
	offsetof(struct shm_inject, to),
	offsetof(struct shm_inject, data),
};

uint64_t shm_layout_hash(void)
{
	uint64_t hash = 0xcbf29ce484222325u;

	for (size_t i = 0; i < sizeof(facts) / sizeof(facts[0]); i++) {
		for (unsigned shift = 0; shift < 64; shift += 8) {
			hash ^= facts[i] >> shift & 0xff;
			hash *= 0x100000001b3u;
		}
	}
	return hash;
}
