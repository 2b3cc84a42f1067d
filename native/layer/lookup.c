/*
 * lookup: which uid, gids and home folder a user specification means in an image.
 *
 * SPEC is "", USER, UID, USER:GROUP and so on, as in Dockerfiles. The image's own /etc/passwd and
 * /etc/group are read here, without any C library user database (it would load the host's).
 * A specification of digits only is a number: beyond 2^31-1 it is an error, and never tried as a
 * name (CVE-2024-40635). The supplementary groups always hold the primary one (CVE-2022-36109).
 * A missing file is an empty one; a file that is no regular file, or too large, is an error.
 */
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "cleanup.h"
#include "fs.h"
#include "json-write.h"
#include "layer.h"
#include "limits.h"

enum { GROUPS_MAX = 1024, GROUP_OPTIONS_MAX = 256, ID_MAX = 0x7fffffff };

struct found {
	uint32_t uid, gid;
	uint32_t gids[GROUPS_MAX];
	size_t gid_count;
	const char *home;
	const char *user_name; /* NULL: no line of passwd fits */
};

/* One line of passwd or group, cut at its colons. */
struct line {
	char *fields[7];
	size_t count;
};

static bool all_digits(const char *text)
{
	return text[0] != '\0' && text[strspn(text, "0123456789")] == '\0';
}

/* Parses a number of digits only. -1 when it is beyond what the kernel's users may be. */
static int parse_id(const char *text, uint32_t *id)
{
	uint64_t value = 0;

	for (const char *p = text; *p; p++) {
		value = value * 10 + (uint64_t)(*p - '0');
		if (value > ID_MAX)
			return -1;
	}
	*id = (uint32_t)value;
	return 0;
}

/* Takes the next line with at least `fields_min` fields off the text. */
static bool next_line(char **text, struct line *line, size_t fields_min)
{
	char *row;

	while ((row = strsep(text, "\n"))) {
		line->count = 0;
		size_t length = strlen(row);
		if (length > 0 && row[length - 1] == '\r')
			row[length - 1] = '\0';
		while (row && line->count < TS_ARRAY_LEN(line->fields))
			line->fields[line->count++] = strsep(&row, ":");
		if (line->count >= fields_min && line->fields[0][0] != '#')
			return true;
	}
	return false;
}

static int read_user_file(int root, const char *path, struct ts_buf *text, struct ts_err *err)
{
	struct stat st;

	ts_buf_puts(text, "");
	cleanup_fd int fd = ts_open_in_root(root, path, O_RDONLY | O_NONBLOCK | O_NOCTTY, 0);
	if (fd < 0 && (errno == ENOENT || errno == ENOTDIR))
		return 0;
	if (fd < 0 || fstat(fd, &st) < 0)
		return ts_fail_errno(err, "open", path, "cannot open %s of the image", path);
	if (!S_ISREG(st.st_mode))
		return ts_fail(err, TS_E_REFUSED, 0, "lookup", path, "%s of the image is no file",
			       path);
	if (ts_read_all(fd, text, USER_FILE_MAX_BYTES) < 0)
		return ts_fail_errno(err, "read", path, "cannot read %s of the image", path);
	return 0;
}

static int out_of_range(struct ts_err *err, const char *text)
{
	return ts_fail(err, TS_E_INVALID, 0, "lookup", text,
		       "\"%s\" is no user or group number: the largest is 2147483647", text);
}

/* Finds the user in passwd: by name, else by number. */
static int find_user(char *passwd, const char *user, struct found *found, struct ts_err *err)
{
	bool numeric = all_digits(user);
	uint32_t wanted = 0;
	struct line line;

	if (numeric && parse_id(user, &wanted) < 0)
		return out_of_range(err, user);
	found->uid = wanted;
	found->home = "/";
	while (next_line(&passwd, &line, 6)) {
		uint32_t uid, gid;
		if (!all_digits(line.fields[2]) || !all_digits(line.fields[3]) ||
		    parse_id(line.fields[2], &uid) < 0 || parse_id(line.fields[3], &gid) < 0)
			continue;
		bool fits = strcmp(line.fields[0], user) == 0 ||
			    ((numeric || user[0] == '\0') && uid == wanted);
		if (!fits)
			continue;
		found->uid = uid;
		found->gid = gid;
		found->user_name = line.fields[0];
		if (line.fields[5][0] == '/')
			found->home = line.fields[5];
		return 0;
	}
	if (!numeric && user[0] != '\0')
		return ts_fail(err, "no_such_user", 0, "lookup", user,
			       "unable to find user %s: no matching entries in passwd file", user);
	return 0;
}

static int add_gid(struct found *found, uint32_t gid, struct ts_err *err)
{
	for (size_t i = 0; i < found->gid_count; i++)
		if (found->gids[i] == gid)
			return 0;
	if (found->gid_count == GROUPS_MAX)
		return ts_fail(err, TS_E_INVALID, 0, "lookup", NULL,
			       "the user is in more than %d groups", GROUPS_MAX);
	found->gids[found->gid_count++] = gid;
	return 0;
}

/* Finds one group by name or number. A number needs no line in the file. */
static int find_group(const char *text, const char *group, uint32_t *gid, struct ts_err *err)
{
	struct ts_buf copy cleanup_buf = TS_BUF_INIT;
	bool numeric = all_digits(group);
	struct line line;

	if (numeric && parse_id(group, gid) < 0)
		return out_of_range(err, group);
	ts_buf_puts(&copy, text);
	char *rest = copy.data;
	while (next_line(&rest, &line, 3)) {
		uint32_t number;
		if (strcmp(line.fields[0], group) == 0 && all_digits(line.fields[2]) &&
		    parse_id(line.fields[2], &number) == 0) {
			*gid = number;
			return 0;
		}
	}
	if (numeric)
		return 0;
	return ts_fail(err, "no_such_group", 0, "lookup", group,
		       "unable to find group %s: no matching entries in group file", group);
}

static bool lists_member(char *members, const char *name)
{
	char *member;

	while ((member = strsep(&members, ",")))
		if (strcmp(member, name) == 0)
			return true;
	return false;
}

/* Adds the groups that name the user as a member. */
static int add_memberships(const char *text, struct found *found, struct ts_err *err)
{
	struct ts_buf copy cleanup_buf = TS_BUF_INIT;
	struct line line;

	ts_buf_puts(&copy, text);
	char *rest = copy.data;
	while (next_line(&rest, &line, 4)) {
		uint32_t gid;
		if (!all_digits(line.fields[2]) || parse_id(line.fields[2], &gid) < 0 ||
		    !lists_member(line.fields[3], found->user_name))
			continue;
		if (add_gid(found, gid, err) < 0)
			return -1;
	}
	return 0;
}

static void print_found(const struct found *found, struct ts_buf *out)
{
	ts_buf_printf(out, "{\"uid\":%u,\"gid\":%u,\"gids\":[", found->uid, found->gid);
	for (size_t i = 0; i < found->gid_count; i++)
		ts_buf_printf(out, "%s%u", i ? "," : "", found->gids[i]);
	ts_buf_puts(out, "],\"home\":");
	ts_json_put_str(out, found->home);
	ts_buf_puts(out, "}\n");
}

struct request {
	const char *root, *user;
	const char *groups[GROUP_OPTIONS_MAX];
	size_t group_count;
};

static int parse(char **arguments, struct request *request, struct ts_err *err)
{
	for (; *arguments; arguments++) {
		const char *option = *arguments, *value;
		if (strcmp(option, "--root") != 0 && strcmp(option, "--user") != 0 &&
		    strcmp(option, "--group-add") != 0)
			return option_unknown(option, err);
		if (!(value = option_value(&arguments, err)))
			return -1;
		if (strcmp(option, "--root") == 0)
			request->root = value;
		else if (strcmp(option, "--user") == 0)
			request->user = value;
		else if (request->group_count < GROUP_OPTIONS_MAX)
			request->groups[request->group_count++] = value;
		else
			return ts_fail(err, TS_E_BAD_REQUEST, 0, "options", option,
				       "too many --group-add");
	}
	if (option_required("--root", request->root, err) < 0)
		return -1;
	return option_required("--user", request->user, err);
}

/* Fills *found from the two files' texts; `passwd` is cut up. */
static int resolve(const struct request *request, char *passwd, const char *groups,
		   struct found *found, struct ts_err *err)
{
	struct ts_buf user cleanup_buf = TS_BUF_INIT;
	const char *colon = strchr(request->user, ':');
	uint32_t gid;

	ts_buf_add(&user, request->user,
		   colon ? (size_t)(colon - request->user) : strlen(request->user));
	if (find_user(passwd, user.data, found, err) < 0)
		return -1;
	bool own_group = colon && colon[1] != '\0';
	if (own_group && find_group(groups, colon + 1, &found->gid, err) < 0)
		return -1;
	if (add_gid(found, found->gid, err) < 0)
		return -1;
	if (!own_group && found->user_name && add_memberships(groups, found, err) < 0)
		return -1;
	for (size_t i = 0; i < request->group_count; i++)
		if (find_group(groups, request->groups[i], &gid, err) < 0 ||
		    add_gid(found, gid, err) < 0)
			return -1;
	return 0;
}

int verb_lookup(char **arguments, struct ts_err *err)
{
	struct ts_buf passwd cleanup_buf = TS_BUF_INIT;
	struct ts_buf group cleanup_buf = TS_BUF_INIT;
	struct ts_buf out cleanup_buf = TS_BUF_INIT;
	struct request request = {0};
	struct found found = {0};

	if (parse(arguments, &request, err) < 0)
		return -1;
	cleanup_fd int root = open(request.root, O_PATH | O_DIRECTORY | O_CLOEXEC);
	if (root < 0)
		return ts_fail_errno(err, "open", request.root, "cannot open the root folder");
	if (read_user_file(root, "etc/passwd", &passwd, err) < 0 ||
	    read_user_file(root, "etc/group", &group, err) < 0 ||
	    resolve(&request, passwd.data, group.data, &found, err) < 0)
		return -1;
	print_found(&found, &out);
	if (ts_write_all(STDOUT_FILENO, out.data, out.len) < 0)
		return ts_fail_errno(err, "write", NULL, "cannot print the result");
	return 0;
}
