// SPDX-License-Identifier: BSD-3-Clause
#include "client/crypt.h"

#include <errno.h>
#include <string.h>

int vc_crypt_init(struct vc_crypt *crypt, const struct vc_crypt_params *params, bool seal)
{
	const struct vc_crypt_ops *ops;
	int rc;

	memset(crypt, 0, sizeof(*crypt));
	if (params->epoch && !ovpn_cipher_is_aead(params->keys->cipher))
		return -ENOTSUP;
	switch (ovpn_cipher_info(params->keys->cipher)->mode) {
	case OVPN_MODE_AEAD: ops = params->epoch ? &vc_crypt_epoch : &vc_crypt_aead; break;
	default: ops = &vc_crypt_legacy; break;
	}
	crypt->seal = seal;
	crypt->v2 = params->v2;
	crypt->static_key = params->static_key;
	crypt->key_id = params->key_id;
	crypt->peer_id = params->peer_id;
	rc = ops->init(crypt, params);
	if (rc == 0)
		crypt->ops = ops;
	return rc;
}

void vc_crypt_done(struct vc_crypt *crypt)
{
	if (crypt->ops != NULL)
		crypt->ops->done(crypt);
	memset(crypt, 0, sizeof(*crypt));
}
