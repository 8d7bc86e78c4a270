// SPDX-License-Identifier: BSD-3-Clause
// Frames of the generator's clients are what the wire library reads.
#include <errno.h>
#include <stdlib.h>

#include "bench/fleet.h"
#include "protocol/mobility.h"
#include "tests/gtc.h"

static uint8_t frame[2048];

GTC_TEST(fleet, commands_are_valid)
{
	struct pg_fleet f;
	struct shm_hello hello;
	struct shm_cmd cmd;

	GTC_ASSERT_INT(pg_fleet_create(&f, 1500, OVPN_CIPHER_AES_256_GCM), 0);
	pg_fleet_hello(true, &hello);
	GTC_EXPECT_INT(shm_hello_check(&hello, sizeof(hello)), 0);
	for (uint32_t slot = 0; slot < f.n; slot += 499) {
		pg_fleet_install(&f, slot, &cmd);
		GTC_EXPECT_INT(shm_cmd_check(&cmd, f.n), 0);
		pg_fleet_key(&f, slot, &cmd);
		GTC_EXPECT_INT(shm_cmd_check(&cmd, f.n), 0);
		pg_fleet_remove(&f, slot, &cmd);
		GTC_EXPECT_INT(shm_cmd_check(&cmd, f.n), 0);
	}
	pg_fleet_done(&f);
}

GTC_TEST(fleet, uplink_frame)
{
	struct pg_fleet f;
	struct dp_crypto_op op;
	struct pg_stamp stamp;
	struct ovpn_data_packet p = { 0 };
	uint32_t len;

	GTC_ASSERT_INT(pg_fleet_create(&f, 8, OVPN_CIPHER_AES_256_GCM), 0);
	for (uint32_t id = 1; id <= 3; id++) {
		len = pg_frame_up(&f, 7, 300, 4711, frame, &op);
		GTC_EXPECT_INT(len, PG_UP_HEAD + 300);
		GTC_EXPECT_INT(dp_crypto_seal(f.crypto, &op, 1), 1);
		GTC_ASSERT_INT(ovpn_data_parse(OVPN_DATA_FORMAT_V2, frame + PG_OUTER_HEAD,
				       len - PG_OUTER_HEAD, &p),
			0);
		GTC_EXPECT_INT(p.packet_id, id);
		GTC_EXPECT_INT(p.hdr.peer_id, 7);
		GTC_EXPECT_INT(dp_crypto_open(f.crypto, &op, 1), 1);
		GTC_ASSERT_INT(pg_stamp_read(op.data, 300, &stamp), 0);
		GTC_EXPECT_INT(stamp.slot, 7);
		GTC_EXPECT_INT(stamp.seq, id);
		GTC_EXPECT_INT(stamp.tsc, 4711);
	}
	GTC_EXPECT_INT(pg_stamp_read(op.data, 47, &stamp), -EBADMSG);
	pg_fleet_done(&f);
}

GTC_TEST(fleet, reconfiguration_ping)
{
	struct pg_fleet f;
	struct dp_crypto_op op;
	uint8_t server[SHM_SID_LEN], client[SHM_SID_LEN];
	uint32_t before, len;

	GTC_ASSERT_INT(pg_fleet_create(&f, 8, OVPN_CIPHER_AES_256_GCM), 0);
	before = pg_client_addr(&f, 3);
	f.client[3].moves++;
	GTC_EXPECT(pg_client_addr(&f, 3) != before);
	len = pg_frame_ping(&f, 3, frame, &op);
	GTC_EXPECT_INT(dp_crypto_seal(f.crypto, &op, 1), 1);
	len = pg_frame_reconf_end(3, frame, len);
	GTC_EXPECT_INT(len - PG_OUTER_HEAD, ovpn_reconf_len_aead(OVPN_DATA_FORMAT_V2, 0));
	pg_client_sids(3, server, client);
	GTC_EXPECT_MEM(frame + len - SHM_SID_LEN, server, SHM_SID_LEN);
	pg_fleet_done(&f);
}

GTC_TEST(fleet, hostile_frames_draw_no_ids)
{
	struct pg_fleet f;
	struct dp_crypto_op op;

	GTC_ASSERT_INT(pg_fleet_create(&f, 8, OVPN_CIPHER_AES_256_GCM), 0);
	for (int kind = 0; kind < PG_HOSTILE_KINDS; kind++) {
		uint32_t len = pg_frame_hostile(
			&f, (enum pg_hostile)kind, 2, 200, 0x123456789abcdefull, frame);

		GTC_EXPECT(len > PG_OUTER_HEAD && len <= PG_UP_HEAD + 200);
	}
	(void)pg_frame_up(&f, 2, 200, 0, frame, &op);
	GTC_EXPECT_INT(op.packet_id, 1);
	pg_fleet_done(&f);
}

GTC_TEST(fleet, frame_of_the_server_is_read)
{
	struct pg_fleet f;
	struct pg_outer o;

	GTC_ASSERT_INT(pg_fleet_create(&f, 8, OVPN_CIPHER_AES_256_GCM), 0);
	for (uint32_t len = 0; len < PG_OUTER_HEAD + 25; len++)
		GTC_EXPECT_INT(
			pg_outer_read(&f, memset(frame, 0x45, sizeof(frame)), len, &o), -ENOENT);
	pg_fleet_done(&f);
}
