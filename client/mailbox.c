// SPDX-License-Identifier: BSD-3-Clause
#include "client/mailbox.h"

#include <stddef.h>

void vc_mailbox_init(struct vc_mailbox *box)
{
	(void)pthread_mutex_init(&box->lock, NULL); // never fails with default attributes
	box->first = NULL;
	box->end = &box->first;
	atomic_init(&box->n, 0);
}

void vc_mailbox_done(struct vc_mailbox *box)
{
	(void)pthread_mutex_destroy(&box->lock);
}

void vc_mailbox_put(struct vc_mailbox *box, struct vc_mail *mail)
{
	mail->next = NULL;
	(void)pthread_mutex_lock(&box->lock);
	*box->end = mail;
	box->end = &mail->next;
	atomic_fetch_add_explicit(&box->n, 1, memory_order_relaxed);
	(void)pthread_mutex_unlock(&box->lock);
}

struct vc_mail *vc_mailbox_take(struct vc_mailbox *box)
{
	struct vc_mail *first;

	(void)pthread_mutex_lock(&box->lock);
	first = box->first;
	box->first = NULL;
	box->end = &box->first;
	atomic_store_explicit(&box->n, 0, memory_order_relaxed);
	(void)pthread_mutex_unlock(&box->lock);
	return first;
}
