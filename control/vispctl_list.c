// SPDX-License-Identifier: BSD-3-Clause
#include "control/vispctl_list.h"

#include <errno.h>
#include <string.h>

void vispctl_list_init(struct vispctl_list *l, vispctl_value_fn *fn, void *arg)
{
	memset(l, 0, sizeof(*l));
	l->fn = fn;
	l->arg = arg;
}

// Depth at which the objects lie that are handed out.
static unsigned object_depth(const struct vispctl_list *l)
{
	return l->in_array ? 3 : 2;
}

static int put_outer(struct vispctl_list *l, char c)
{
	if (l->outer_len == sizeof(l->outer) - 1)
		return -EMSGSIZE;
	l->outer[l->outer_len++] = c;
	return 0;
}

// One session more leaves no trace in what is around.
static int end_value(struct vispctl_list *l)
{
	int rc = l->fn(l->arg, !l->in_array, l->value, l->len);

	l->len = 0;
	if (rc < 0 || l->in_array)
		return rc;
	rc = put_outer(l, '{');
	return rc < 0 ? rc : put_outer(l, '}');
}

static int put(struct vispctl_list *l, char c)
{
	if (l->depth >= object_depth(l)) {
		if (l->len == sizeof(l->value))
			return -EMSGSIZE;
		l->value[l->len++] = c;
		return 0;
	}
	if (l->depth == 2 && l->in_array) // commas between sessions
		return c == ',' || c == ' ' || c == '\n' ? 0 : -EPROTO;
	return put_outer(l, c);
}

static int opens(struct vispctl_list *l, char c)
{
	int rc;

	if (l->depth == 0 && c != '{')
		return -EPROTO;
	if (l->depth == 1 && c == '[') {
		l->in_array = true;
		l->depth++;
		return put_outer(l, c);
	}
	if (l->depth == 2 && l->in_array && c != '{')
		return -EPROTO;
	l->depth++;
	rc = put(l, c);
	return rc;
}

static int closes(struct vispctl_list *l, char c)
{
	bool value = l->depth == object_depth(l);
	int rc;

	if (l->depth == 0)
		return -EPROTO;
	if (l->depth == 2 && l->in_array) {
		l->in_array = false;
		l->depth--;
		return c == ']' ? put_outer(l, c) : -EPROTO;
	}
	rc = put(l, c);
	l->depth--;
	l->done = l->depth == 0;
	return rc == 0 && value ? end_value(l) : rc;
}

static int in_string(struct vispctl_list *l, char c)
{
	if (l->escaped)
		l->escaped = false;
	else if (c == '\\')
		l->escaped = true;
	else if (c == '"')
		l->in_string = false;
	return put(l, c);
}

static int take(struct vispctl_list *l, char c)
{
	if (l->in_string)
		return in_string(l, c);
	switch (c) {
	case '{':
	case '[': return opens(l, c);
	case '}':
	case ']': return closes(l, c);
	case '"': l->in_string = true; break;
	default: break;
	}
	if (l->depth == 0)
		return c == ' ' || c == '\n' ? 0 : -EPROTO;
	return put(l, c);
}

int vispctl_list_feed(struct vispctl_list *l, const char *bytes, size_t len)
{
	int rc = 0;

	for (size_t i = 0; i < len && rc == 0 && !l->done; i++)
		rc = take(l, bytes[i]);
	return rc;
}
