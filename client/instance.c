// SPDX-License-Identifier: BSD-3-Clause
#include "client/instance.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdio.h>
#include <string.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

#include "client/dns.h"
#include "client/log.h"
#include "client/plan.h"
#include "protocol/text.h"

static uint64_t own_netns(void)
{
	struct stat st;

	return stat("/proc/self/ns/net", &st) == 0 ? (uint64_t)st.st_ino : 0;
}

// "netns NUMBER pid NUMBER\n"
int vc_instance_parse(const char *text, size_t len, struct vc_instance_note *ret_note)
{
	const char *words[4];
	size_t lens[4];
	unsigned n = 0;
	size_t at = 0;
	uint64_t netns, pid;

	while (at < len && n < 4) {
		size_t start = at;

		while (at < len && text[at] != ' ' && text[at] != '\n')
			at++;
		words[n] = text + start;
		lens[n++] = at - start;
		at++;
	}
	if (n < 4 || !ovpn_text_equal(words[0], lens[0], "netns") ||
		!ovpn_text_equal(words[2], lens[2], "pid") ||
		ovpn_parse_u64(words[1], lens[1], UINT64_MAX, &netns) < 0 ||
		ovpn_parse_u64(words[3], lens[3], UINT32_MAX, &pid) < 0)
		return -EINVAL;
	ret_note->netns = netns;
	ret_note->pid = (uint32_t)pid;
	return 0;
}

static void fill(struct vc_instance *inst, unsigned number)
{
	inst->number = number;
	inst->priority = VC_INSTANCE_PRIORITY + number * VC_PLAN_RULES;
	inst->table = inst->priority;
	inst->mark = VC_INSTANCE_MARK | (number + 1);
	inst->mask = VC_INSTANCE_MASK;
	snprintf(inst->path, sizeof(inst->path), VC_INSTANCE_DIR "/%u", number);
	snprintf(inst->dns_path, sizeof(inst->dns_path), VC_INSTANCE_DIR "/%u.resolv", number);
}

// Open and lock the file of a number. Returns the descriptor, -EBUSY when somebody has it.
static int lock_number(const struct vc_instance *inst)
{
	for (unsigned tries = 0; tries < 8; tries++) {
		struct stat by_fd, by_name;
		int fd = open(inst->path, O_RDWR | O_CREAT | O_CLOEXEC | O_NOFOLLOW, 0600);

		if (fd < 0 && errno == ENOENT) {
			// The last client to end took the folder with it just now.
			(void)mkdir(VC_INSTANCE_DIR, 0700); // the next open says if it failed
			continue;
		}
		if (fd < 0)
			return -errno;
		if (flock(fd, LOCK_EX | LOCK_NB) < 0) {
			close(fd);
			return -EBUSY;
		}
		// Its owner may have removed the file between our open and our lock.
		if (fstat(fd, &by_fd) == 0 && stat(inst->path, &by_name) == 0 &&
			by_fd.st_ino == by_name.st_ino)
			return fd;
		close(fd);
	}
	return -EBUSY;
}

// Is there a process in a network namespace, or a name for it? Nobody else can say that it is gone.
static bool netns_exists(uint64_t netns)
{
	static const struct {
		const char *dir, *link;
	} places[] = { { "/run/netns", "" }, { "/proc", "/ns/net" } };
	bool found = false;

	for (unsigned i = 0; i < 2 && !found; i++) {
		DIR *dir = opendir(places[i].dir);
		struct dirent *entry;

		while (dir != NULL && !found && (entry = readdir(dir)) != NULL) {
			char path[320];
			struct stat st;

			if (entry->d_name[0] == '.')
				continue;
			snprintf(path, sizeof(path), "%s/%s%s", places[i].dir, entry->d_name,
				places[i].link);
			found = stat(path, &st) == 0 && (uint64_t)st.st_ino == netns;
		}
		if (dir != NULL)
			closedir(dir);
	}
	return found;
}

// Clean up after the last owner of a number that we hold the lock of.
// Returns false when it lived in another network namespace, which we can't reach.
static bool repair(struct vc_instance *inst, struct vc_nl *nl)
{
	struct vc_instance_note note;
	char text[128];
	ssize_t n = pread(inst->fd, text, sizeof(text), 0);
	int left;

	if (n <= 0 || vc_instance_parse(text, (size_t)n, &note) < 0)
		return true; // a new file
	if (vc_dns_repair(inst->dns_path) == 0)
		vc_log(VC_INFO, "resolv.conf restored after a client that was killed (pid %u)",
			note.pid);
	if (note.netns != own_netns())
		return !netns_exists(note.netns); // its rules went with it
	left = vc_nl_rules_flush(nl, inst->priority, inst->priority + VC_PLAN_RULES - 1) +
		vc_nl_table_flush(nl, inst->table);
	if (left > 0)
		vc_log(VC_INFO, "%d routes and rules removed that a killed client left (pid %u)",
			left, note.pid);
	return true;
}

static int take_number(struct vc_instance *inst, struct vc_nl *nl, unsigned number, bool foreign)
{
	char text[128];
	int n;

	fill(inst, number);
	inst->fd = lock_number(inst);
	if (inst->fd < 0)
		return inst->fd;
	if (!repair(inst, nl) && !foreign) {
		close(inst->fd);
		inst->fd = -1;
		return -EBUSY;
	}
	n = snprintf(
		text, sizeof(text), "netns %" PRIu64 " pid %u\n", own_netns(), (unsigned)getpid());
	if (ftruncate(inst->fd, 0) < 0 || pwrite(inst->fd, text, (size_t)n, 0) != n) {
		int rc = -errno;

		close(inst->fd);
		inst->fd = -1;
		return rc;
	}
	return 0;
}

// Clean up after every client that was killed, not only after the one whose number we get.
static void sweep(struct vc_nl *nl)
{
	struct vc_instance dead;

	for (unsigned i = 0; i < VC_INSTANCES; i++) {
		fill(&dead, i);
		if (access(dead.path, F_OK) < 0)
			continue;
		dead.fd = lock_number(&dead);
		if (dead.fd < 0)
			continue;
		if (repair(&dead, nl))
			(void)unlink(dead.path);
		close(dead.fd);
	}
}

int vc_instance_take(struct vc_instance *inst, struct vc_nl *nl, uint32_t mark)
{
	int rc = -EUSERS;

	memset(inst, 0, sizeof(*inst));
	inst->fd = -1;
	if (mkdir(VC_INSTANCE_DIR, 0700) < 0 && errno != EEXIST)
		return -errno;
	sweep(nl);
	// First pass: free numbers. Second: those that killed clients of other namespaces left
	// behind.
	for (unsigned pass = 0; pass < 2 && rc < 0; pass++) {
		for (unsigned i = 0; i < VC_INSTANCES && rc < 0; i++) {
			rc = take_number(inst, nl, i, pass == 1);
			if (rc < 0 && rc != -EBUSY)
				return rc;
		}
	}
	if (rc < 0)
		return -EUSERS;
	if (mark != 0) {
		inst->mark = mark;
		inst->mask = UINT32_MAX;
	}
	return 0;
}

void vc_instance_release(struct vc_instance *inst)
{
	if (inst->fd < 0)
		return;
	(void)unlink(inst->dns_path);
	(void)unlink(inst->path);
	(void)rmdir(VC_INSTANCE_DIR); // fails while others are at work, as it should
	close(inst->fd);
	inst->fd = -1;
}
