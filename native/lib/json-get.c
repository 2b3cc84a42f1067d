/*
 * Typed access to a parsed JSON tree. Absent and null mean the same, as in Go's reader, which OCI
 * configurations are written for; a wrong type is an error that names the field.
 */
#include "json.h"

#include <stdio.h>
#include <string.h>

struct ts_json *ts_json_get(const struct ts_json *obj, const char *key)
{
	struct ts_json *found = NULL;

	if (!obj || obj->type != TS_JSON_OBJECT)
		return NULL;
	for (struct ts_json *m = obj->child; m; m = m->next)
		if (strcmp(m->key, key) == 0)
			found = m;
	return found && found->type != TS_JSON_NULL ? found : NULL;
}

static int wrong(struct ts_err *err, const char *where, const char *key, const char *want)
{
	char path[256];

	snprintf(path, sizeof(path), "%s%s%s", where, *where ? "." : "", key);
	return ts_fail(err, TS_E_INVALID, 0, "config", path, "%s: must be %s", path, want);
}

int ts_json_opt_node(const struct ts_json *obj, const char *key, const char *where,
		     enum ts_json_type type, const struct ts_json **out, struct ts_err *err)
{
	static const char *const names[] = {"null",	"true or false", "a number",
					    "a string", "an array",	 "an object"};
	const struct ts_json *node = ts_json_get(obj, key);

	if (!node)
		return 0;
	if (node->type != type)
		return wrong(err, where, key, names[type]);
	*out = node;
	return 1;
}

int ts_json_opt_str(const struct ts_json *obj, const char *key, const char *where, const char **out,
		    struct ts_err *err)
{
	const struct ts_json *node = NULL;
	int rc = ts_json_opt_node(obj, key, where, TS_JSON_STRING, &node, err);

	if (rc > 0)
		*out = node->str;
	return rc;
}

int ts_json_opt_bool(const struct ts_json *obj, const char *key, const char *where, bool *out,
		     struct ts_err *err)
{
	const struct ts_json *node = NULL;
	int rc = ts_json_opt_node(obj, key, where, TS_JSON_BOOL, &node, err);

	if (rc > 0)
		*out = node->boolean;
	return rc;
}

int ts_json_opt_i64(const struct ts_json *obj, const char *key, const char *where, int64_t *out,
		    struct ts_err *err)
{
	const struct ts_json *node = NULL;
	uint64_t limit;
	int rc = ts_json_opt_node(obj, key, where, TS_JSON_NUMBER, &node, err);

	if (rc <= 0)
		return rc;
	limit = (uint64_t)INT64_MAX + (node->negative ? 1 : 0);
	if (!node->integer || node->magnitude > limit)
		return wrong(err, where, key, "a 64-bit integer");
	*out = node->negative ? (int64_t)(0 - node->magnitude) : (int64_t)node->magnitude;
	return 1;
}

int ts_json_opt_u64(const struct ts_json *obj, const char *key, const char *where, uint64_t *out,
		    struct ts_err *err)
{
	const struct ts_json *node = NULL;
	int rc = ts_json_opt_node(obj, key, where, TS_JSON_NUMBER, &node, err);

	if (rc <= 0)
		return rc;
	if (!node->integer || (node->negative && node->magnitude != 0))
		return wrong(err, where, key, "an unsigned 64-bit integer");
	*out = node->magnitude;
	return 1;
}

int ts_json_opt_u32(const struct ts_json *obj, const char *key, const char *where, uint32_t *out,
		    struct ts_err *err)
{
	uint64_t v = 0;
	int rc = ts_json_opt_u64(obj, key, where, &v, err);

	if (rc <= 0)
		return rc;
	if (v > UINT32_MAX)
		return wrong(err, where, key, "an unsigned 32-bit integer");
	*out = (uint32_t)v;
	return 1;
}

int ts_json_opt_strv(struct ts_json_doc *doc, const struct ts_json *obj, const char *key,
		     const char *where, const char *const **out, size_t *count, struct ts_err *err)
{
	const struct ts_json *node = NULL;
	const char **vec;
	size_t n = 0;
	int rc = ts_json_opt_node(obj, key, where, TS_JSON_ARRAY, &node, err);

	if (rc <= 0)
		return rc;
	vec = ts_json_alloc(doc, (node->len + 1) * sizeof(*vec));
	ts_json_each (item, node) {
		if (item->type != TS_JSON_STRING)
			return wrong(err, where, key, "an array of strings");
		vec[n++] = item->str;
	}
	*out = vec;
	*count = n;
	return 1;
}
