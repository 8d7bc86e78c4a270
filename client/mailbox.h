// SPDX-License-Identifier: BSD-3-Clause
// A queue of messages from one thread to another: unbounded for what must not be lost, bounded for
// what the network can make. The lock is held for a few instructions, and never per packet of data:
// messages are about keys, sockets, control packets. How the receiver is woken is its own affair.
#pragma once

#include <pthread.h>
#include <stdatomic.h>
#include <stdbool.h>

// First member of every message, which comes from malloc.
struct vc_mail {
	struct vc_mail *next;
};

struct vc_mailbox {
	pthread_mutex_t lock;
	struct vc_mail *first;
	struct vc_mail **end;
	atomic_uint n; // messages in it; read without the lock as a hint
};

void vc_mailbox_init(struct vc_mailbox *box);

// The messages that are left are the caller's (vc_mailbox_take).
void vc_mailbox_done(struct vc_mailbox *box);

// Append a message. Any thread.
void vc_mailbox_put(struct vc_mailbox *box, struct vc_mail *mail);

// Take all messages, in order, as a list. Any thread. NULL when there are none.
struct vc_mail *vc_mailbox_take(struct vc_mailbox *box);

// How many there are now. Any thread.
static inline unsigned vc_mailbox_n(struct vc_mailbox *box)
{
	return atomic_load_explicit(&box->n, memory_order_relaxed);
}
