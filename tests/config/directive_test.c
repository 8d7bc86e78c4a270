// SPDX-License-Identifier: BSD-3-Clause
#include "config/directive.h"

#include <stdio.h>
#include <stdlib.h>

#include "config/client_apply.h"
#include "config/option_tables.h"
#include "config/server_apply.h"
#include "tests/config/manual_names.h"
#include "tests/gtc.h"

static bool has(const struct cfg_option *table, const char *name)
{
	for (; table->name != NULL; table++) {
		if (strcmp(table->name, name) == 0)
			return true;
	}
	return false;
}

// Is there a setter for a directive in that place?
static bool settable(const char *name, enum cfg_where where)
{
	switch (where) {
	case CFG_SERVER:
		return has(cfg_server_options, name) || has(cfg_tls_options, name) ||
			has(cfg_wrap_options, name) || has(cfg_auth_options, name);
	case CFG_CLIENT:
		return has(cfg_client_options, name) || has(cfg_remote_options, name) ||
			has(cfg_tls_options, name) || has(cfg_wrap_options, name) ||
			has(cfg_tunnel_options, name);
	case CFG_CONNECTION: return has(cfg_remote_options, name) || has(cfg_wrap_options, name);
	case CFG_PUSHED: return has(cfg_pushed_options, name) || has(cfg_tunnel_options, name);
	case CFG_CCD: return has(cfg_ccd_options, name);
	case CFG_DATAPLANE: return has(cfg_dataplane_options, name);
	}
	return false;
}

GTC_TEST(cfg_directive, whatever_works_has_a_setter)
{
	const struct cfg_directive *d;

	for (size_t i = 0; (d = cfg_directive_at(i)) != NULL; i++) {
		if (strcmp(d->name, "config") == 0)
			continue; // the lexer's
		for (unsigned w = 0; w < CFG_WHERE_COUNT; w++) {
			if ((d->works & 1u << w) != 0 && !settable(d->name, 1u << w))
				GTC_FAIL("'%s' works in %s but has no setter", d->name,
					cfg_where_name(1u << w));
		}
	}
}

// A setter that the table doesn't know could never be reached.
static void all_known(const struct cfg_option *table, unsigned places)
{
	for (; table->name != NULL; table++) {
		if ((cfg_directive_places(table->name) & places) == 0)
			GTC_FAIL("'%s' has a setter but no row", table->name);
	}
}

GTC_TEST(cfg_directive, every_setter_has_a_row)
{
	all_known(cfg_server_options, CFG_SERVER);
	all_known(cfg_tls_options, CFG_SERVER | CFG_CLIENT);
	all_known(cfg_auth_options, CFG_SERVER);
	all_known(cfg_wrap_options, CFG_SERVER | CFG_CLIENT | CFG_CONNECTION);
	all_known(cfg_client_options, CFG_CLIENT);
	all_known(cfg_remote_options, CFG_CLIENT | CFG_CONNECTION);
	all_known(cfg_tunnel_options, CFG_CLIENT | CFG_PUSHED);
	all_known(cfg_pushed_options, CFG_PUSHED);
	all_known(cfg_ccd_options, CFG_CCD);
	all_known(cfg_dataplane_options, CFG_DATAPLANE);
}

GTC_TEST(cfg_directive, rows_are_consistent)
{
	const struct cfg_directive *d, *e;

	for (size_t i = 0; (d = cfg_directive_at(i)) != NULL; i++) {
		unsigned n = (d->works != 0) + (d->ignored != 0) + (d->refused != 0);

		if (n != 1)
			GTC_FAIL("'%s': a row has one status", d->name);
		if (d->min_args > d->max_args)
			GTC_FAIL("'%s': arity", d->name);
		if (d->works != 0 ? d->help == NULL : d->why == NULL)
			GTC_FAIL("'%s': no text", d->name);
		for (size_t j = 0; j < i; j++) {
			unsigned places = d->works | d->ignored | d->refused;

			e = cfg_directive_at(j);
			if (strcmp(d->name, e->name) == 0 &&
				(places & (e->works | e->ignored | e->refused)) != 0)
				GTC_FAIL("'%s': two rows for one place", d->name);
		}
	}
}

// Every option of the manual of OpenVPN 2.6 is known somewhere.
GTC_TEST(cfg_directive, manual_is_covered)
{
	for (size_t i = 0; i < sizeof(manual_names) / sizeof(manual_names[0]); i++) {
		if (cfg_directive_places(manual_names[i]) == 0)
			GTC_FAIL("'%s' of the manual is unknown", manual_names[i]);
	}
}

GTC_TEST(cfg_directive, nearest)
{
	GTC_EXPECT_STR(cfg_directive_nearest("prot", CFG_SERVER), "port");
	GTC_EXPECT_STR(cfg_directive_nearest("keepallive", CFG_SERVER), "keepalive");
	GTC_EXPECT_STR(cfg_directive_nearest("data-cipher", CFG_CLIENT), "data-ciphers");
	GTC_EXPECT_STR(cfg_directive_nearest("oute", CFG_DATAPLANE), "outer");
	GTC_EXPECT(cfg_directive_nearest("xyzzy-frobnicate", CFG_SERVER) == NULL);
	GTC_EXPECT(cfg_directive_nearest("q", CFG_SERVER) == NULL);
}

// docs/compatibility.md is the output of cfg-table.
GTC_TEST(cfg_directive, document_is_current)
{
	const char *table = getenv("CFG_TABLE");
	const char *doc = getenv("CFG_DOC");
	char command[1024];
	FILE *a, *b;
	int x, y;
	unsigned line = 1;

	if (table == NULL || doc == NULL)
		GTC_SKIP("CFG_TABLE and CFG_DOC are set by meson test");
	snprintf(command, sizeof(command), "'%s'", table);
	a = popen(command, "r");
	b = fopen(doc, "r");
	GTC_EXPECT(a != NULL && b != NULL);
	if (a != NULL && b != NULL) {
		do {
			x = getc(a);
			y = getc(b);
			line += x == '\n';
		} while (x == y && x != EOF);
		if (x != y)
			GTC_FAIL("%s differs in line %u; make it anew with %s", doc, line, table);
	}
	if (b != NULL)
		fclose(b);
	if (a != NULL)
		pclose(a);
}
