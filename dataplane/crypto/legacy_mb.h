// SPDX-License-Identifier: BSD-3-Clause
// IPsec-MB's manager of a struct dp_legacy_crypto. Private to this folder.
#pragma once

#include <intel-ipsec-mb.h>
#include <stdbool.h>
#include <stdint.h>

#include "dataplane/crypto/legacy.h"

IMB_MGR *dp_legacy_mb(struct dp_legacy_crypto *c);

// One packet of ChaCha20-Poly1305 in place by a job that is finished at return. tag: 16 bytes, out.
void dp_legacy_chacha(IMB_MGR *mb, const uint8_t *key, const uint8_t *nonce, const uint8_t *aad,
	uint8_t aad_len, uint8_t *text, uint16_t len, bool seal, uint8_t *tag);
