// SPDX-License-Identifier: BSD-3-Clause
#include "config/lexer.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include "tests/gtc.h"

// Cut one line and compare it with words joined by '|', or with the error's text.
static void split_is(const char *text, const char *want)
{
	struct cfg_mem *mem = cfg_mem_create();
	const char *words[CFG_WORDS_MAX + 1];
	char got[512] = "";
	const char *why;
	int n = cfg_split(mem, text, strlen(text), words, &why);

	for (int i = 0; i < n; i++) {
		strcat(got, i > 0 ? "|" : "");
		strcat(got, words[i]);
	}
	GTC_EXPECT_STR(n < 0 ? why : got, want);
	cfg_mem_free(mem);
}

GTC_TEST(cfg_lexer, words)
{
	split_is("", "");
	split_is("   \t ", "");
	split_is("# comment", "");
	split_is("; comment", "");
	split_is("port 1194", "port|1194");
	split_is("  port\t1194  # the usual one", "port|1194");
	split_is("port 1194;no comment",
		"port|1194;no"
		"|comment");
	split_is("push \"route 10.0.0.0 255.0.0.0\"", "push|route 10.0.0.0 255.0.0.0");
	split_is("push 'dhcp-option DNS 10.8.0.1'", "push|dhcp-option DNS 10.8.0.1");
	split_is("a \"b\"c", "a|b|c");
	split_is("a b\"c d", "a|b\"c|d");
	split_is("a \"\" ''", "a||");
	split_is("a \"b # c\"", "a|b # c");
	split_is("a \"b \\\" c\\\\\"", "a|b \" c\\");
	split_is("a 'b \\ c'", "a|b \\ c");
	split_is("ca C:\\\\Program\\ Files\\\\ca.crt", "ca|C:\\Program Files\\ca.crt");
	split_is("a\r", "a");
}

GTC_TEST(cfg_lexer, bad_words)
{
	split_is("a \"b", "no closing double quote");
	split_is("a 'b", "no closing single quote");
	split_is("a b\\",
		"a backslash may stand only before a blank, a double quote or a backslash");
	split_is("a \\n",
		"a backslash may stand only before a blank, a double quote or a backslash");
	split_is("1 2 3 4 5 6 7 8 9 0 1 2 3 4 5 6 7 8 9 0 1 2 3 4 5", "too many words");
}

// Lex a text named "f" and give its error, or a print of all lines.
static const char *lex(const char *text, size_t len)
{
	static char out[2 * CFG_LINE_MAX];
	struct cfg_lines lines;
	struct cfg_error err = { 0 };
	size_t at = 0;

	GTC_EXPECT_INT(cfg_lines_init(&lines), 0);
	out[0] = '\0';
	if (cfg_lines_add_text(&lines, "f", 1, text, len, &err) < 0) {
		snprintf(out, sizeof(out), "%s", err.text);
	} else {
		for (size_t i = 0; i < lines.n; i++) {
			const struct cfg_line *l = &lines.list[i];

			at += (size_t)snprintf(out + at, sizeof(out) - at, "%u:", l->line);
			for (unsigned w = 0; w < l->argc; w++)
				at += (size_t)snprintf(
					out + at, sizeof(out) - at, " %s", l->argv[w]);
			if (l->text != NULL)
				at += (size_t)snprintf(out + at, sizeof(out) - at, " @%u{%s}",
					l->text_line, l->text);
			at += (size_t)snprintf(out + at, sizeof(out) - at, "\n");
		}
	}
	cfg_lines_done(&lines);
	return out;
}

#define LEX_IS(text, want) GTC_EXPECT_STR(lex(text, sizeof(text) - 1), want)

GTC_TEST(cfg_lexer, lines)
{
	LEX_IS("", "");
	LEX_IS("client\nport 1\n", "1: client\n2: port 1\n");
	LEX_IS("client", "1: client\n");
	LEX_IS("client\r\n\r\nport 1\r\n", "1: client\n3: port 1\n");
	LEX_IS("\xEF\xBB\xBF"
	       "client\n",
		"1: client\n");
	LEX_IS("--client\n--port 1\n", "1: client\n2: port 1\n");
	LEX_IS("<ca>\nAAA\nBBB\n</ca>\nclient\n", "1: ca [inline] @2{AAA\nBBB\n}\n5: client\n");
	LEX_IS("x\n\n  <ca>  \r\nAAA\r\n  </ca>\r\n", "1: x\n3: ca [inline] @4{AAA\n}\n");
	LEX_IS("<ca>\n</ca>", "1: ca [inline] @2{}\n");
	LEX_IS("<ca>\n# not a comment\n<cert>\n</ca>\n",
		"1: ca [inline] @2{# not a comment\n"
		"<cert>\n}\n");
}

GTC_TEST(cfg_lexer, errors)
{
	static char longline[CFG_LINE_MAX + 2];

	LEX_IS("client\npush \"x\n", "f:2: no closing double quote");
	LEX_IS("client\n\n<ca>\nAAA\n", "f:3: '<ca>' has no '</ca>'");
	LEX_IS("client\n</ca>\n", "f:2: '</ca>' closes nothing");
	LEX_IS("client\0\n", "f:1: a NUL byte; is this a text file?");
	LEX_IS("\"\" x\n", "f:1: the name of a directive is empty");
	LEX_IS("config other.conf\n", "f:1: 'config' can't be used here");
	memset(longline, 'a', sizeof(longline) - 1);
	GTC_EXPECT_STR(
		lex(longline, sizeof(longline) - 1), "f:1: the line is longer than 4096 bytes");
	GTC_EXPECT_INT(strlen(lex(longline, CFG_LINE_MAX)), CFG_LINE_MAX + 4); // "1: " and "\n"
}

// A folder for files of one test.
static void path_make(char *path, size_t size, const char *dir, const char *name)
{
	snprintf(path, size, "%s/%s", dir, name);
}

static void file_write(const char *path, const char *text)
{
	FILE *f = fopen(path, "w");

	GTC_ASSERT(f != NULL);
	GTC_EXPECT(fputs(text, f) >= 0);
	GTC_EXPECT_INT(fclose(f), 0);
}

GTC_TEST(cfg_lexer, include)
{
	char dir[] = "/tmp/cfg-lexer-XXXXXX";
	char a[128], b[128], text[512], want[512];
	struct cfg_lines lines;
	struct cfg_error err;

	GTC_ASSERT(mkdtemp(dir) != NULL);
	path_make(a, sizeof(a), dir, "a.conf");
	path_make(b, sizeof(b), dir, "b.conf");
	snprintf(text, sizeof(text), "port 1\nconfig %s\nverb 3\n", b);
	file_write(a, text);
	file_write(b, "proto udp\n");
	GTC_ASSERT_INT(cfg_lines_init(&lines), 0);
	GTC_EXPECT_INT(cfg_lines_add_file(&lines, a, &err), 0);
	GTC_ASSERT_INT(lines.n, 3);
	GTC_EXPECT_STR(lines.list[1].argv[0], "proto");
	GTC_EXPECT_STR(lines.list[1].file, b);
	GTC_EXPECT_INT(lines.list[1].line, 1);
	GTC_EXPECT_STR(lines.list[2].file, a);
	GTC_EXPECT_INT(lines.list[2].line, 3);
	cfg_lines_done(&lines);

	// A file that includes itself ends at the limit.
	snprintf(text, sizeof(text), "\nconfig %s\n", b);
	file_write(b, text);
	GTC_ASSERT_INT(cfg_lines_init(&lines), 0);
	GTC_EXPECT_INT(cfg_lines_add_file(&lines, a, &err), -EINVAL);
	snprintf(want, sizeof(want), "%s:2: 'config' is nested deeper than 10 files", b);
	GTC_EXPECT_STR(err.text, want);
	cfg_lines_done(&lines);

	GTC_EXPECT_INT(unlink(b), 0);
	GTC_ASSERT_INT(cfg_lines_init(&lines), 0);
	GTC_EXPECT_INT(cfg_lines_add_file(&lines, a, &err), -ENOENT);
	snprintf(want, sizeof(want), "%s:2: config: can't read '%s': No such file or directory", a,
		b);
	GTC_EXPECT_STR(err.text, want);
	cfg_lines_done(&lines);

	GTC_EXPECT_INT(unlink(a), 0);
	GTC_ASSERT_INT(cfg_lines_init(&lines), 0);
	GTC_EXPECT_INT(cfg_lines_add_file(&lines, a, &err), -ENOENT);
	snprintf(want, sizeof(want), "%s: can't read: No such file or directory", a);
	GTC_EXPECT_STR(err.text, want);
	GTC_EXPECT_INT(cfg_lines_add_file(&lines, dir, &err), -EISDIR);
	cfg_lines_done(&lines);
	GTC_EXPECT_INT(rmdir(dir), 0);
}

static int cli(
	char *const argv[], struct cfg_lines *lines, struct cfg_cli *c, struct cfg_error *err)
{
	int argc = 0;

	while (argv[argc] != NULL)
		argc++;
	GTC_EXPECT_INT(cfg_lines_init(lines), 0);
	return cfg_lines_add_argv(lines, argc, argv, c, err);
}

GTC_TEST(cfg_lexer, command_line)
{
	char *const full[] = { "visp", "--verb", "4", "--push", "route 10.0.0.0", "--client",
		"--check", "--", "-l", "0", NULL };
	char *const help[] = { "visp", "--help", NULL };
	char *const none[] = { "visp", NULL };
	struct cfg_lines lines;
	struct cfg_error err;
	struct cfg_cli c;

	GTC_EXPECT_INT(cli(full, &lines, &c, &err), 0);
	GTC_EXPECT_INT(c.rest, 8);
	GTC_EXPECT(c.check && !c.help && !c.version && !c.has_config);
	GTC_ASSERT_INT(lines.n, 3);
	GTC_EXPECT_STR(lines.list[0].file, "[command line]");
	GTC_EXPECT_INT(lines.list[1].line, 3);
	GTC_EXPECT_STR(lines.list[1].argv[1], "route 10.0.0.0");
	GTC_EXPECT_INT(lines.list[2].argc, 1);
	cfg_lines_done(&lines);
	GTC_EXPECT_INT(cli(help, &lines, &c, &err), 0);
	GTC_EXPECT(c.help);
	GTC_EXPECT_INT(c.rest, 2);
	cfg_lines_done(&lines);
	GTC_EXPECT_INT(cli(none, &lines, &c, &err), 0);
	GTC_EXPECT_INT(lines.n, 0);
	cfg_lines_done(&lines);
}

GTC_TEST(cfg_lexer, command_line_errors)
{
	char *const stray[] = { "visp", "--verb", "4", "--check", "x", NULL };
	char *const word[] = { "visp", "a", "b", NULL };
	char *const missing[] = { "visp", "--config", "/nonexistent/x", NULL };
	char *const bare[] = { "visp", "--config", NULL };
	char *const file[] = { "visp", "/nonexistent/x", NULL };
	struct cfg_lines lines;
	struct cfg_error err;
	struct cfg_cli c;

	GTC_EXPECT_INT(cli(stray, &lines, &c, &err), -EINVAL);
	GTC_EXPECT_STR(err.text, "[command line]:3: '--check' takes 0 arguments, got 1");
	cfg_lines_done(&lines);
	GTC_EXPECT_INT(cli(word, &lines, &c, &err), -EINVAL);
	GTC_EXPECT_STR(err.text, "[command line]:1: 'a': an option begins with '--'");
	cfg_lines_done(&lines);
	GTC_EXPECT_INT(cli(missing, &lines, &c, &err), -ENOENT);
	GTC_EXPECT_STR(err.text,
		"[command line]:1: config: can't read '/nonexistent/x': "
		"No such file or directory");
	cfg_lines_done(&lines);
	GTC_EXPECT_INT(cli(bare, &lines, &c, &err), -EINVAL);
	GTC_EXPECT_STR(err.text, "[command line]:1: '--config' takes 1 argument, got 0");
	cfg_lines_done(&lines);
	GTC_EXPECT_INT(cli(file, &lines, &c, &err), -ENOENT);
	GTC_EXPECT_STR(err.text, "/nonexistent/x: can't read: No such file or directory");
	cfg_lines_done(&lines);
}
