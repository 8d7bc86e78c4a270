// SPDX-License-Identifier: BSD-3-Clause
#include "client/pace.h"

#include "client/mobility.h"
#include "tests/gtc.h"

GTC_TEST(pace, probes)
{
	static const uint32_t at[] = { 0, 20, 40, 80, 160 };
	uint32_t t = 0;

	for (unsigned n = 0; n < 5; n++) {
		t += vc_pace_probe_ms(n);
		GTC_EXPECT_INT(t, at[n]);
	}
	for (unsigned n = 5; n < 25; n++)
		GTC_EXPECT_INT(vc_pace_probe_ms(n), 250);
	GTC_EXPECT_INT(vc_pace_probe_ms(25), 1000);
	GTC_EXPECT_INT(vc_pace_probe_ms(26), 5000);
	GTC_EXPECT_INT(vc_pace_probe_ms(27), 15000);
	GTC_EXPECT_INT(vc_pace_probe_ms(1000000), 15000);
}

GTC_TEST(pace, retry)
{
	GTC_EXPECT_INT(vc_pace_retry_ms(0, 1, 300, 0), 750);
	GTC_EXPECT_INT(vc_pace_retry_ms(0, 1, 300, 0x80000000u), 1000);
	GTC_EXPECT(vc_pace_retry_ms(0, 1, 300, UINT32_MAX) < 1250);
	GTC_EXPECT_INT(vc_pace_retry_ms(3, 1, 300, 0x80000000u), 8000);
	GTC_EXPECT_INT(vc_pace_retry_ms(40, 1, 300, 0x80000000u), 300000);
	GTC_EXPECT(vc_pace_retry_ms(UINT32_MAX, UINT32_MAX, UINT32_MAX, UINT32_MAX) > 0);
}

GTC_TEST(pace, kind_of_probe)
{
	GTC_EXPECT_INT(vc_probe_kind(true, true, true), VC_PROBE_RECONF);
	GTC_EXPECT_INT(vc_probe_kind(true, false, true), VC_PROBE_RECONF);
	GTC_EXPECT_INT(vc_probe_kind(false, true, true), VC_PROBE_OCC);
	GTC_EXPECT_INT(vc_probe_kind(false, false, true), VC_PROBE_RECONF);
	GTC_EXPECT_INT(vc_probe_kind(true, true, false), VC_PROBE_NONE);
	GTC_EXPECT_INT(vc_probe_kind(false, false, false), VC_PROBE_NONE);
}
