// SPDX-License-Identifier: BSD-3-Clause
#include "client/dns.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <sys/socket.h>
#include <systemd/sd-bus.h>
#include <unistd.h>

#include "client/log.h"

#define VC_DNS_MARK "# Written by visp-client while its tunnel is up; the original is kept.\n"
#define VC_DNS_AGAIN_MS 500 // others may rewrite the file several times in a row
#define VC_RESOLVED "org.freedesktop.resolve1"

static bool is_domain(const char *type)
{
	return strcasecmp(type, "DOMAIN") == 0 || strcasecmp(type, "DOMAIN-SEARCH") == 0 ||
		strcasecmp(type, "ADAPTER_DOMAIN_SUFFIX") == 0 ||
		strcasecmp(type, "DOMAIN-ROUTE") == 0;
}

void vc_dns_collect(const struct cfg_tunnel *tunnel, struct vc_dns_set *ret_set)
{
	memset(ret_set, 0, sizeof(*ret_set));
	for (size_t i = 0; i < tunnel->n_dhcp; i++) {
		const struct cfg_dhcp_option *o = &tunnel->dhcp[i];
		struct cfg_addr addr;

		if (strcasecmp(o->type, "DNS") == 0 || strcasecmp(o->type, "DNS6") == 0) {
			if (ret_set->n_servers < VC_DNS_SERVERS &&
				cfg_addr_parse(o->value, &addr) == 0)
				ret_set->server[ret_set->n_servers++] = addr;
		} else if (is_domain(o->type) && ret_set->n_domains < VC_DNS_DOMAINS &&
			o->value[0] != '\0') {
			ret_set->route_only[ret_set->n_domains] =
				strcasecmp(o->type, "DOMAIN-ROUTE") == 0;
			ret_set->domain[ret_set->n_domains++] = o->value;
		}
	}
}

// Appends to a buffer and remembers when it was too small.
struct out {
	char *buf;
	size_t size, len;
	bool full;
};

static void put(struct out *o, const char *text, size_t len)
{
	if (o->full || len > o->size - o->len) {
		o->full = true;
		return;
	}
	memcpy(o->buf + o->len, text, len);
	o->len += len;
}

static void put_text(struct out *o, const char *text)
{
	put(o, text, strlen(text));
}

// A name that may stand in resolv.conf: what came from the server must not begin a new line.
static bool domain_ok(const char *name)
{
	for (const char *p = name; *p != '\0'; p++) {
		if (!((*p >= 'a' && *p <= 'z') || (*p >= 'A' && *p <= 'Z') ||
			    (*p >= '0' && *p <= '9') || *p == '.' || *p == '-' || *p == '_'))
			return false;
	}
	return name[0] != '\0' && strlen(name) < 254;
}

size_t vc_dns_text(
	const struct vc_dns_set *set, const char *old, size_t old_len, char *buf, size_t size)
{
	struct out o = { .buf = buf, .size = size };
	char text[CFG_ADDR_TEXT];
	bool search = false;

	put_text(&o, VC_DNS_MARK);
	for (size_t i = 0; i < set->n_domains; i++) {
		if (!domain_ok(set->domain[i]) || set->route_only[i])
			continue;
		put_text(&o, search ? " " : "search ");
		put_text(&o, set->domain[i]);
		search = true;
	}
	if (search)
		put_text(&o, "\n");
	for (size_t i = 0; i < set->n_servers; i++) {
		put_text(&o, "nameserver ");
		put_text(&o, cfg_addr_text(&set->server[i], false, text));
		put_text(&o, "\n");
	}
	for (size_t at = 0; at < old_len;) {
		const char *line = old + at;
		const char *end = memchr(line, '\n', old_len - at);
		size_t len = end != NULL ? (size_t)(end - line) + 1 : old_len - at;

		if (len > 8 && strncmp(line, "options ", 8) == 0) {
			put(&o, line, len);
			if (end == NULL)
				put_text(&o, "\n");
		}
		at += len;
	}
	return o.full ? 0 : o.len;
}

static int read_file(const char *path, char **ret_text, size_t *ret_len)
{
	int fd = open(path, O_RDONLY | O_CLOEXEC);
	char *text;
	ssize_t n;

	*ret_text = NULL;
	*ret_len = 0;
	if (fd < 0)
		return -errno;
	text = malloc(VC_DNS_FILE_MAX);
	n = text != NULL ? read(fd, text, VC_DNS_FILE_MAX) : -1;
	close(fd);
	if (n < 0 || n == VC_DNS_FILE_MAX) {
		free(text);
		return n < 0 ? -EIO : -EFBIG;
	}
	*ret_text = text;
	*ret_len = (size_t)n;
	return 0;
}

// Write in place: resolv.conf may be a mount of its own, where a rename over it fails.
static int write_file(const char *path, const char *text, size_t len, mode_t mode)
{
	int fd = open(path, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, mode);
	int rc = 0;

	if (fd < 0)
		return -errno;
	if (write(fd, text, len) != (ssize_t)len)
		rc = errno != 0 ? -errno : -EIO;
	if (close(fd) < 0 && rc == 0)
		rc = -errno;
	return rc;
}

static bool is_ours(const char *text, size_t len)
{
	size_t mark = strlen(VC_DNS_MARK);

	return len >= mark && memcmp(text, VC_DNS_MARK, mark) == 0;
}

int vc_dns_repair(const char *backup)
{
	char *old, *now;
	size_t old_len, now_len;
	int rc = read_file(backup, &old, &old_len);

	if (rc < 0)
		return -ENOENT;
	rc = -ENOENT;
	if (read_file(VC_DNS_RESOLV_CONF, &now, &now_len) == 0) {
		if (is_ours(now, now_len))
			rc = write_file(VC_DNS_RESOLV_CONF, old, old_len, 0644);
		free(now);
	}
	free(old);
	(void)unlink(backup);
	return rc;
}

// Somebody else (a DHCP client at the new hotspot) rewrote the file: theirs becomes the original,
// and ours goes in again.
static void take_back(uv_timer_t *timer)
{
	struct vc_dns *dns = timer->data;
	char *now;
	size_t len;

	if (!dns->file || read_file(VC_DNS_RESOLV_CONF, &now, &len) < 0)
		return;
	if (!is_ours(now, len)) {
		(void)write_file(dns->backup, now, len, 0600);
		(void)write_file(VC_DNS_RESOLV_CONF, dns->ours, dns->ours_len, 0644);
		vc_log(VC_DETAIL, "resolv.conf was rewritten, taken back");
	}
	free(now);
}

static void on_change(uv_fs_event_t *handle, const char *name, int events, int status)
{
	struct vc_dns *dns = handle->data;

	(void)name;
	(void)events;
	if (status == 0 && !uv_is_active((uv_handle_t *)&dns->again))
		(void)uv_timer_start(&dns->again, take_back, VC_DNS_AGAIN_MS, 0);
}

static void watch(struct vc_dns *dns, uv_loop_t *loop)
{
	if (dns->watching)
		return;
	if (uv_timer_init(loop, &dns->again) < 0 || uv_fs_event_init(loop, &dns->watch) < 0)
		return;
	dns->watch.data = dns;
	dns->again.data = dns;
	dns->watching = true;
	(void)uv_fs_event_start(&dns->watch, on_change, VC_DNS_RESOLV_CONF, 0);
}

static int apply_file(
	struct vc_dns *dns, uv_loop_t *loop, const struct vc_dns_set *set, const char *backup)
{
	char *old = NULL, *ours = malloc(VC_DNS_FILE_MAX);
	size_t old_len = 0, len;
	int rc = -ENOMEM;

	if (ours == NULL)
		return rc;
	rc = read_file(VC_DNS_RESOLV_CONF, &old, &old_len);
	if (rc < 0 && rc != -ENOENT)
		goto err;
	len = vc_dns_text(set, old, old_len, ours, VC_DNS_FILE_MAX);
	rc = len == 0 ? -EFBIG : 0;
	if (rc == 0 && !is_ours(old != NULL ? old : "", old_len))
		rc = write_file(backup, old != NULL ? old : "", old_len, 0600);
	if (rc == 0)
		rc = write_file(VC_DNS_RESOLV_CONF, ours, len, 0644);
	if (rc < 0)
		goto err;
	free(old);
	free(dns->ours);
	dns->ours = ours;
	dns->ours_len = len;
	dns->backup = backup;
	dns->file = true;
	watch(dns, loop);
	return 0;

err:
	free(old);
	free(ours);
	return rc;
}

// --- systemd-resolved ---

static int call(sd_bus *bus, const char *method, sd_bus_message *m)
{
	sd_bus_error error = SD_BUS_ERROR_NULL;
	int rc = sd_bus_call(bus, m, 2000000, &error, NULL);

	if (rc < 0)
		vc_log(VC_DETAIL, "systemd-resolved: %s: %s", method,
			error.message != NULL ? error.message : strerror(-rc));
	sd_bus_error_free(&error);
	return rc < 0 ? rc : 0;
}

static int begin(sd_bus *bus, const char *method, sd_bus_message **ret_m)
{
	return sd_bus_message_new_method_call(bus, ret_m, VC_RESOLVED, "/org/freedesktop/resolve1",
		"org.freedesktop.resolve1.Manager", method);
}

static int set_servers(sd_bus *bus, const struct vc_dns_set *set, int ifindex)
{
	sd_bus_message *m = NULL;
	int rc = begin(bus, "SetLinkDNS", &m);

	if (rc >= 0)
		rc = sd_bus_message_append(m, "i", ifindex);
	if (rc >= 0)
		rc = sd_bus_message_open_container(m, 'a', "(iay)");
	for (size_t i = 0; rc >= 0 && i < set->n_servers; i++) {
		rc = sd_bus_message_open_container(m, 'r', "iay");
		if (rc >= 0)
			rc = sd_bus_message_append(m, "i", (int)set->server[i].family);
		if (rc >= 0)
			rc = sd_bus_message_append_array(
				m, 'y', set->server[i].bytes, cfg_addr_bits(&set->server[i]) / 8);
		if (rc >= 0)
			rc = sd_bus_message_close_container(m);
	}
	if (rc >= 0)
		rc = sd_bus_message_close_container(m);
	if (rc >= 0)
		rc = call(bus, "SetLinkDNS", m);
	sd_bus_message_unref(m);
	return rc;
}

static int set_domains(sd_bus *bus, const struct vc_dns_set *set, int ifindex, bool route_all)
{
	sd_bus_message *m = NULL;
	int rc = begin(bus, "SetLinkDomains", &m);

	if (rc >= 0)
		rc = sd_bus_message_append(m, "i", ifindex);
	if (rc >= 0)
		rc = sd_bus_message_open_container(m, 'a', "(sb)");
	for (size_t i = 0; rc >= 0 && i < set->n_domains; i++) {
		if (domain_ok(set->domain[i]))
			rc = sd_bus_message_append(
				m, "(sb)", set->domain[i], (int)set->route_only[i]);
	}
	if (rc >= 0 && route_all)
		rc = sd_bus_message_append(m, "(sb)", ".", 1);
	if (rc >= 0)
		rc = sd_bus_message_close_container(m);
	if (rc >= 0)
		rc = call(bus, "SetLinkDomains", m);
	sd_bus_message_unref(m);
	return rc;
}

static int apply_resolved(const struct vc_dns_set *set, int ifindex, bool route_all)
{
	sd_bus *bus = NULL;
	int rc = sd_bus_open_system(&bus);

	if (rc >= 0)
		rc = set_servers(bus, set, ifindex);
	if (rc >= 0)
		rc = set_domains(bus, set, ifindex, route_all);
	sd_bus_flush_close_unref(bus);
	return rc < 0 ? rc : 0;
}

int vc_dns_apply(struct vc_dns *dns, uv_loop_t *loop, const struct vc_dns_set *set, int ifindex,
	bool route_all, const char *backup)
{
	// Its settings belong to the link: they survive moves and go with the device.
	dns->resolved = apply_resolved(set, ifindex, route_all) == 0;
	dns->ifindex = ifindex;
	if (dns->resolved)
		return 0;
	return apply_file(dns, loop, set, backup);
}

void vc_dns_undo(struct vc_dns *dns)
{
	const struct vc_dns_set none = { 0 };

	if (dns->resolved)
		(void)apply_resolved(&none, dns->ifindex, false); // else they go with the device
	dns->resolved = false;
	if (dns->watching) {
		uv_close((uv_handle_t *)&dns->watch, NULL);
		uv_close((uv_handle_t *)&dns->again, NULL);
		dns->watching = false;
	}
	if (dns->file)
		(void)vc_dns_repair(dns->backup);
	dns->file = false;
	free(dns->ours);
	dns->ours = NULL;
}
