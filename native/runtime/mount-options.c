/*
 * The option list of a mount, split into flags of this mount, recursive flags, propagation, and
 * options of the file system. Words: OCI runtime-spec config.md ("Linux mount options") and
 * mount(8), and `subpath=PATH` of our own: what is mounted is PATH below the source, and no link can
 * lead out of that. A bind mount takes no file-system options: what has the form key=value is left
 * out with a warning, as the kernel does; any other word is refused, because it may be a flag
 * misspelt.
 */
#include <linux/mount.h>
#include <stdio.h>
#include <string.h>

#include "config.h"
#include "log.h"

#ifndef MOUNT_ATTR_NOSYMFOLLOW
#define MOUNT_ATTR_NOSYMFOLLOW 0x00200000
#endif

struct flag_word {
	const char *word;
	uint64_t set, clear; /* MOUNT_ATTR_* */
};

/* Setting an atime mode clears the whole field first: it is a number, not a bit. */
static const struct flag_word flag_words[] = {
    {"ro", MOUNT_ATTR_RDONLY, 0},
    {"rw", 0, MOUNT_ATTR_RDONLY},
    {"nosuid", MOUNT_ATTR_NOSUID, 0},
    {"suid", 0, MOUNT_ATTR_NOSUID},
    {"nodev", MOUNT_ATTR_NODEV, 0},
    {"dev", 0, MOUNT_ATTR_NODEV},
    {"noexec", MOUNT_ATTR_NOEXEC, 0},
    {"exec", 0, MOUNT_ATTR_NOEXEC},
    {"nosymfollow", MOUNT_ATTR_NOSYMFOLLOW, 0},
    {"symfollow", 0, MOUNT_ATTR_NOSYMFOLLOW},
    {"nodiratime", MOUNT_ATTR_NODIRATIME, 0},
    {"diratime", 0, MOUNT_ATTR_NODIRATIME},
    {"noatime", MOUNT_ATTR_NOATIME, MOUNT_ATTR__ATIME},
    {"atime", MOUNT_ATTR_RELATIME, MOUNT_ATTR__ATIME},
    {"relatime", MOUNT_ATTR_RELATIME, MOUNT_ATTR__ATIME},
    {"norelatime", MOUNT_ATTR_STRICTATIME, MOUNT_ATTR__ATIME},
    {"strictatime", MOUNT_ATTR_STRICTATIME, MOUNT_ATTR__ATIME},
    {"nostrictatime", MOUNT_ATTR_RELATIME, MOUNT_ATTR__ATIME},
    {"defaults", 0, 0},
};

static const struct {
	const char *word;
	unsigned long flag;
	bool recursive;
} propagation_words[] = {
    {"shared", MS_SHARED, false},	  {"rshared", MS_SHARED, true},
    {"slave", MS_SLAVE, false},		  {"rslave", MS_SLAVE, true},
    {"private", MS_PRIVATE, false},	  {"rprivate", MS_PRIVATE, true},
    {"unbindable", MS_UNBINDABLE, false}, {"runbindable", MS_UNBINDABLE, true},
};

/* Words that mount(8) handles itself: they say when to mount, not how. */
static const char *const ignored_words[] = {"auto",    "noauto", "user",  "nouser", "users",
					    "_netdev", "nofail", "group", "silent", "loud"};

static bool apply_flag(struct mount_options *out, const char *word)
{
	for (size_t i = 0; i < sizeof(flag_words) / sizeof(flag_words[0]); i++) {
		const struct flag_word *f = &flag_words[i];

		if (strcmp(word, f->word) == 0) {
			out->attr_set = (out->attr_set & ~f->clear) | f->set;
			out->attr_clear = (out->attr_clear & ~f->set) | f->clear;
			return true;
		}
		if (word[0] == 'r' && strcmp(word + 1, f->word) == 0) {
			out->rec_set = (out->rec_set & ~f->clear) | f->set;
			out->rec_clear = (out->rec_clear & ~f->set) | f->clear;
			return true;
		}
	}
	return false;
}

static bool apply_word(struct mount_options *out, const char *word)
{
	for (size_t i = 0; i < sizeof(propagation_words) / sizeof(propagation_words[0]); i++)
		if (strcmp(word, propagation_words[i].word) == 0) {
			out->propagation = propagation_words[i].flag;
			out->propagation_recursive = propagation_words[i].recursive;
			return true;
		}
	for (size_t i = 0; i < sizeof(ignored_words) / sizeof(ignored_words[0]); i++)
		if (strcmp(word, ignored_words[i]) == 0)
			return true;
	if (strcmp(word, "bind") == 0)
		out->bind = true;
	else if (strcmp(word, "rbind") == 0)
		out->bind = out->rbind = true;
	else if (strcmp(word, "remount") == 0)
		out->remount = true;
	else if (strcmp(word, "tmpcopyup") == 0)
		out->copy_up = true;
	else if (strcmp(word, "idmap") == 0)
		out->idmap = true;
	else if (strcmp(word, "ridmap") == 0)
		out->idmap = out->idmap_recursive = true;
	else
		return apply_flag(out, word);
	return true;
}

int mount_options_parse(struct ts_json_doc *doc, const char *const *list, size_t count, bool bind,
			const char *where, struct mount_options *out, struct ts_err *err)
{
	out->super = ts_json_alloc(doc, (count + 1) * sizeof(*out->super));
	for (size_t i = 0; i < count; i++) {
		if (!*list[i] || apply_word(out, list[i]))
			continue;
		if (bind && strncmp(list[i], "subpath=", 8) == 0) {
			out->subpath = list[i] + 8;
			continue;
		}
		if (bind && strchr(list[i], '=')) {
			log_warn("%s.options: \"%.64s\" means nothing to a bind mount, left out",
				 where, list[i]);
			continue;
		}
		if (bind)
			return config_invalid(err, where,
					      "%s.options: \"%s\" is not an option of a bind mount",
					      where, list[i]);
		out->super[out->super_count++] = list[i];
	}
	return 0;
}
