// SPDX-License-Identifier: BSD-3-Clause
// Several clients may run on one host: each takes a number, and from it its mark, routing table
// and rule priorities. A locked file holds the number; what it says helps the next start to clean
// up after a client that was killed.
#pragma once

#include <stdbool.h>
#include <stdint.h>

#include "client/nl.h"

#define VC_INSTANCE_DIR "/run/visp-client"
#define VC_INSTANCES 100
// Marks of all instances, so that no instance's datagrams go through another one's tunnel.
#define VC_INSTANCE_MARK 0x56530000u
#define VC_INSTANCE_MASK 0xFFFF0000u
// First rule priority and table of instance 0; each instance has VC_PLAN_RULES of them.
#define VC_INSTANCE_PRIORITY 20000u

struct vc_instance {
	int fd; // the locked file; -1: none
	unsigned number; // below VC_INSTANCES
	uint32_t mark;
	uint32_t mask;
	uint32_t table;
	uint32_t priority;
	bool rules; // the file says that rules and routes may exist
	char path[64];
	char dns_path[64]; // where the original resolv.conf is kept while ours is in place
};

// Take a free number and clean up what killed clients of this network namespace left (rules,
// routes, resolv.conf). mark: the profile's `mark`, 0: one of ours.
// Returns 0, -EUSERS when all numbers are taken, or another -errno.
int vc_instance_take(struct vc_instance *inst, struct vc_nl *nl, uint32_t mark);

// Give it back and remove its files.
void vc_instance_release(struct vc_instance *inst);

// Read an instance file. Pure; text needs no NUL. Returns 0 or -EINVAL.
struct vc_instance_note {
	uint64_t netns; // inode of the network namespace
	uint32_t pid;
};
int vc_instance_parse(const char *text, size_t len, struct vc_instance_note *ret_note);
