// SPDX-License-Identifier: BSD-3-Clause
#include "shm/table.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/memfd.h>
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/random.h>
#include <sys/stat.h>
#include <unistd.h>

#define SMALL_PAGE 4096u
#define HUGE_PAGE (2u << 20)
#define POPULATE_STEP (64u << 20)
#define SEALS (F_SEAL_SHRINK | F_SEAL_GROW | F_SEAL_SEAL)
#define KIND_SESSIONS 0u
#define KIND_KEYS 1u

static const struct shm_table empty = { .sessions_fd = -1, .keys_fd = -1 };

static size_t round_up(size_t n, size_t to)
{
	return (n + to - 1) / to * to;
}

// Offsets within `sessions`: header, saved greeting, directory, heads.
static size_t dir_offset(void)
{
	return sizeof(struct shm_table_header) + SMALL_PAGE;
}

static size_t session_offset(uint32_t sessions)
{
	return dir_offset() + round_up(sessions * sizeof(struct shm_dir), SMALL_PAGE);
}

size_t shm_sessions_bytes(uint32_t sessions)
{
	return session_offset(sessions) + sessions * sizeof(struct shm_session);
}

size_t shm_keys_bytes(uint32_t sessions)
{
	return sizeof(struct shm_table_header) + sessions * sizeof(struct shm_keys);
}

// Map a whole memfd. Without MAP_NORESERVE, so that a lack of huge pages is an error here and not
// a signal later.
static int map_fd(int fd, size_t bytes, int prot, void **ret_map)
{
	void *map = mmap(NULL, bytes, prot, MAP_SHARED, fd, 0);

	if (map == MAP_FAILED)
		return -errno;
	// Neither core dumps nor children get the memory; a kernel that refuses the advice refuses
	// the whole table, as keys would leak.
	if (madvise(map, bytes, MADV_DONTDUMP) < 0 || madvise(map, bytes, MADV_DONTFORK) < 0) {
		int rc = -errno;

		(void)munmap(map, bytes); // undoing the call above
		return rc;
	}
	*ret_map = map;
	return 0;
}

// A sealed memfd of mode 0600 and its mapping.
static int make_memfd(const char *name, size_t bytes, bool huge, int *ret_fd, void **ret_map)
{
	unsigned flags = MFD_CLOEXEC | MFD_ALLOW_SEALING | (huge ? MFD_HUGETLB | MFD_HUGE_2MB : 0);
	int fd, rc;

	fd = memfd_create(name, flags);
	if (fd < 0)
		return -errno;
	if (fchmod(fd, 0600) < 0 || ftruncate(fd, (off_t)bytes) < 0 ||
		fcntl(fd, F_ADD_SEALS, SEALS) < 0) {
		rc = -errno;
		goto close_fd;
	}
	rc = map_fd(fd, bytes, PROT_READ | PROT_WRITE, ret_map);
	if (rc < 0)
		goto close_fd;
	*ret_fd = fd;
	return 0;

close_fd:
	(void)close(fd); // the first error is the one to report
	return rc;
}

// The write lock dies with the process, unlike flock() on a descriptor that was passed on.
static int lock_keys(int fd)
{
	struct flock lock = { .l_type = F_WRLCK, .l_whence = SEEK_SET };

	if (fcntl(fd, F_SETLK, &lock) == 0)
		return 0;
	return errno == EACCES || errno == EAGAIN ? -EBUSY : -errno;
}

static void set_pointers(struct shm_table *t)
{
	t->saved = (struct shm_saved *)((uint8_t *)t->header + sizeof(struct shm_table_header));
	t->dir = (struct shm_dir *)((uint8_t *)t->header + dir_offset());
	t->session = (struct shm_session *)((uint8_t *)t->header + session_offset(t->sessions));
	t->keys = (struct shm_keys *)((uint8_t *)t->keys_header + sizeof(struct shm_table_header));
}

static void fill_header(struct shm_table_header *h, const struct shm_table *t,
	const uint8_t instance[16], bool keys)
{
	h->version = SHM_LAYOUT_VERSION;
	h->layout_hash = shm_layout_hash();
	memcpy(h->instance, instance, sizeof(h->instance));
	h->sessions = t->sessions;
	h->kind = keys ? KIND_KEYS : KIND_SESSIONS;
	h->dir_offset = keys ? 0 : dir_offset();
	h->session_offset = keys ? 0 : session_offset(t->sessions);
	h->keys_offset = keys ? sizeof(*h) : 0;
	h->saved_offset = keys ? 0 : sizeof(*h);
	h->size = keys ? t->keys_bytes : t->sessions_bytes;
	atomic_thread_fence(memory_order_release); // the magic last: half a header has none
	h->magic = SHM_MAGIC;
}

static int create_with(uint32_t sessions, bool huge, struct shm_table *ret_table)
{
	struct shm_table t = empty;
	uint8_t instance[16];
	void *map;
	int rc;

	t.sessions = sessions;
	t.huge = huge;
	t.sessions_bytes = round_up(shm_sessions_bytes(sessions), huge ? HUGE_PAGE : SMALL_PAGE);
	t.keys_bytes = round_up(shm_keys_bytes(sessions), huge ? HUGE_PAGE : SMALL_PAGE);
	if (getrandom(instance, sizeof(instance), 0) != (ssize_t)sizeof(instance))
		return -EIO;
	rc = make_memfd("visp-sessions", t.sessions_bytes, huge, &t.sessions_fd, &map);
	if (rc < 0)
		return rc;
	t.header = map;
	rc = make_memfd("visp-keys", t.keys_bytes, huge, &t.keys_fd, &map);
	if (rc < 0)
		goto done;
	t.keys_header = map;
	rc = lock_keys(t.keys_fd);
	if (rc < 0)
		goto done;
	set_pointers(&t);
	fill_header(t.keys_header, &t, instance, true);
	fill_header(t.header, &t, instance, false);
	*ret_table = t;
	return 0;

done:
	shm_table_done(&t);
	return rc;
}

int shm_table_create(uint32_t sessions, enum shm_pages pages, struct shm_table *ret_table)
{
	int rc;

	if (sessions == 0 || sessions > SHM_SESSIONS_MAX)
		return -EINVAL;
	if (pages != SHM_PAGES_SMALL) {
		rc = create_with(sessions, true, ret_table);
		if (rc == 0 || pages == SHM_PAGES_HUGE)
			return rc;
	}
	return create_with(sessions, false, ret_table);
}

struct progress {
	void (*fn)(void *arg, size_t done, size_t total);
	void *arg;
	size_t done;
	size_t total;
};

static int populate(void *map, size_t bytes, struct progress *p)
{
	for (size_t at = 0; at < bytes; at += POPULATE_STEP) {
		size_t n = bytes - at < POPULATE_STEP ? bytes - at : POPULATE_STEP;

		if (madvise((uint8_t *)map + at, n, MADV_POPULATE_WRITE) < 0)
			return -ENOMEM;
		p->done += n;
		if (p->fn != NULL)
			p->fn(p->arg, p->done, p->total);
	}
	return 0;
}

int shm_table_populate(
	struct shm_table *table, void (*progress)(void *arg, size_t done, size_t total), void *arg)
{
	struct progress p = {
		.fn = progress, .arg = arg, .total = table->sessions_bytes + table->keys_bytes
	};
	int rc = populate(table->header, table->sessions_bytes, &p);

	return rc < 0 ? rc : populate(table->keys_header, table->keys_bytes, &p);
}

// Open the file behind a descriptor again with other rights.
static int reopen(int fd, int flags)
{
	char path[40];
	int new_fd;

	(void)snprintf(path, sizeof(path), "/proc/self/fd/%d", fd); // always fits
	new_fd = open(path, flags | O_CLOEXEC);
	return new_fd < 0 ? -errno : new_fd;
}

// Is this descriptor the file that the record names, with owner and mode as we made it? Asked
// before anything is opened: opening a stranger's file could block or act.
static bool file_agrees(int fd, uint64_t dev, uint64_t ino, uint64_t bytes)
{
	struct stat st;

	return fstat(fd, &st) == 0 && S_ISREG(st.st_mode) && (st.st_mode & 07777) == 0600 &&
		st.st_uid == geteuid() && (uint64_t)st.st_size == bytes && st.st_dev == dev &&
		st.st_ino == ino;
}

static bool header_agrees(const struct shm_table_header *h, const struct shm_record *r, bool keys)
{
	size_t need = keys ? shm_keys_bytes(r->sessions) : shm_sessions_bytes(r->sessions);
	uint64_t bytes = keys ? r->keys_bytes : r->sessions_bytes;

	return h->magic == SHM_MAGIC && h->version == SHM_LAYOUT_VERSION &&
		h->layout_hash == shm_layout_hash() && h->sessions == r->sessions &&
		memcmp(h->instance, r->instance, sizeof(h->instance)) == 0 &&
		h->kind == (keys ? KIND_KEYS : KIND_SESSIONS) && h->size == bytes && bytes >= need;
}

static bool record_ok(const struct shm_record *r)
{
	return r->magic == SHM_MAGIC && r->version == SHM_LAYOUT_VERSION &&
		r->layout_hash == shm_layout_hash() && r->sessions > 0 &&
		r->sessions <= SHM_SESSIONS_MAX &&
		r->sessions_bytes >= sizeof(struct shm_table_header) &&
		r->keys_bytes >= sizeof(struct shm_table_header);
}

// Reopen one memfd for writing, check its seals, map it, and compare its header.
static int adopt_one(int fd, const struct shm_record *r, bool keys, int *ret_fd, void **ret_map)
{
	size_t bytes = keys ? r->keys_bytes : r->sessions_bytes;
	void *map;
	int own, rc;

	if (!file_agrees(fd, keys ? r->keys_dev : r->sessions_dev,
		    keys ? r->keys_ino : r->sessions_ino, bytes))
		return -ESTALE;
	own = reopen(fd, O_RDWR);
	if (own < 0)
		return own;
	rc = keys ? lock_keys(own) : 0;
	if (rc < 0)
		goto close_own;
	rc = -ESTALE;
	if (fcntl(own, F_GET_SEALS) != SEALS)
		goto close_own;
	rc = map_fd(own, bytes, PROT_READ | PROT_WRITE, &map);
	if (rc < 0)
		goto close_own;
	if (!header_agrees(map, r, keys)) {
		rc = -ESTALE;
		goto unmap;
	}
	*ret_fd = own;
	*ret_map = map;
	return 0;

unmap:
	(void)munmap(map, bytes); // undoing map_fd
close_own:
	(void)close(own); // gives the lock back, too
	return rc;
}

int shm_table_adopt(
	int sessions_fd, int keys_fd, const struct shm_record *record, struct shm_table *ret_table)
{
	struct shm_table t = empty;
	void *map;
	int rc;

	if (!record_ok(record))
		return -ESTALE;
	t.sessions = record->sessions;
	t.sessions_bytes = record->sessions_bytes;
	t.keys_bytes = record->keys_bytes;
	// The keys first: the lock is taken before anything of the table is looked at.
	rc = adopt_one(keys_fd, record, true, &t.keys_fd, &map);
	if (rc < 0)
		return rc;
	t.keys_header = map;
	rc = adopt_one(sessions_fd, record, false, &t.sessions_fd, &map);
	if (rc < 0) {
		shm_table_done(&t);
		return rc;
	}
	t.header = map;
	t.huge = t.keys_bytes % HUGE_PAGE == 0 && t.sessions_bytes % HUGE_PAGE == 0;
	set_pointers(&t);
	*ret_table = t;
	return 0;
}

int shm_table_record(const struct shm_table *table, struct shm_record *ret_record)
{
	struct shm_record r = {
		.magic = SHM_MAGIC,
		.version = SHM_LAYOUT_VERSION,
		.layout_hash = shm_layout_hash(),
		.sessions = table->sessions,
		.sessions_bytes = table->sessions_bytes,
		.keys_bytes = table->keys_bytes,
	};
	struct stat st;

	memcpy(r.instance, table->header->instance, sizeof(r.instance));
	if (fstat(table->sessions_fd, &st) < 0)
		return -errno;
	r.sessions_dev = st.st_dev;
	r.sessions_ino = st.st_ino;
	if (fstat(table->keys_fd, &st) < 0)
		return -errno;
	r.keys_dev = st.st_dev;
	r.keys_ino = st.st_ino;
	*ret_record = r;
	return 0;
}

int shm_table_open_readonly(const struct shm_table *table)
{
	return reopen(table->sessions_fd, O_RDONLY);
}

int shm_table_open_path(const struct shm_table *table)
{
	return reopen(table->keys_fd, O_PATH);
}

void shm_table_done(struct shm_table *table)
{
	if (table == NULL)
		return;
	if (table->header != NULL)
		(void)munmap(table->header, table->sessions_bytes); // fails for bad arguments only
	if (table->keys_header != NULL)
		(void)munmap(table->keys_header, table->keys_bytes);
	if (table->sessions_fd >= 0)
		(void)close(table->sessions_fd); // memory, nothing to flush
	if (table->keys_fd >= 0)
		(void)close(table->keys_fd);
	*table = empty;
}

void shm_saved_write(struct shm_saved *saved, const struct shm_hello *hello)
{
	uint32_t index = atomic_load_explicit(&saved->index, memory_order_relaxed) + 1;

	saved->copy[index & 1] = *hello;
	saved->copy[index & 1].tunnels = 0;
	atomic_store_explicit(&saved->index, index == 0 ? 2 : index, memory_order_release);
}

int shm_saved_read(const struct shm_saved *saved, struct shm_hello *ret_hello)
{
	// Loaded only; the cast is for the type of C17's atomic load.
	struct shm_saved *shared = (struct shm_saved *)(uintptr_t)saved;
	uint32_t index = atomic_load_explicit(&shared->index, memory_order_acquire);
	struct shm_hello copy;
	int rc;

	if (index == 0)
		return -ENOENT;
	copy = saved->copy[index & 1];
	rc = shm_hello_check(&copy, sizeof(copy));
	if (rc == 0)
		*ret_hello = copy;
	return rc;
}

int shm_view_map(int sessions_fd, const struct shm_welcome *welcome, struct shm_view *ret_view)
{
	const struct shm_table_header *h;
	struct stat st;
	void *map;

	if (fstat(sessions_fd, &st) < 0)
		return -errno;
	if (st.st_size < (off_t)shm_sessions_bytes(welcome->sessions))
		return -EINVAL;
	map = mmap(NULL, (size_t)st.st_size, PROT_READ, MAP_SHARED, sessions_fd, 0);
	if (map == MAP_FAILED)
		return -errno;
	h = map;
	if (h->magic != SHM_MAGIC || h->version != SHM_LAYOUT_VERSION ||
		h->layout_hash != shm_layout_hash() || h->sessions != welcome->sessions ||
		memcmp(h->instance, welcome->instance, sizeof(h->instance)) != 0) {
		(void)munmap(map, (size_t)st.st_size); // undoing the call above
		return -EINVAL;
	}
	*ret_view = (struct shm_view){
		.header = h,
		.dir = (const struct shm_dir *)((const uint8_t *)map + dir_offset()),
		.session = (const struct shm_session *)((const uint8_t *)map +
			session_offset(welcome->sessions)),
		.sessions = welcome->sessions,
		.bytes = (size_t)st.st_size,
	};
	return 0;
}

void shm_view_done(struct shm_view *view)
{
	if (view == NULL || view->header == NULL)
		return;
	(void)munmap((void *)(uintptr_t)view->header, view->bytes); // fails for bad arguments only
	*view = (struct shm_view){ 0 };
}
