/*
 * The seccomp filter of a container: from linux.seccomp to a BPF program, from the cache when the
 * same profile was compiled before, and loading it as the last step before execve.
 */
#ifndef RUNTIME_SECCOMP_H
#define RUNTIME_SECCOMP_H

#include <linux/filter.h>
#include <stddef.h>

#include "err.h"
#include "json.h"

struct seccomp_program {
	struct sock_filter *insns; /* NULL = no filter */
	size_t count;
	unsigned flags; /* SECCOMP_FILTER_FLAG_* */
};

/*
 * Makes the program for linux.seccomp. `root_fd`: the state root, where the cache lives (-1: no
 * cache). A broken or foreign cache entry is ignored and written again.
 */
int seccomp_prepare(const struct ts_json *seccomp, int root_fd, struct seccomp_program *out,
		    struct ts_err *err);

/* Compiles with libseccomp; 11 ms for Docker's profile, which is why there is a cache. */
int seccomp_compile(const struct ts_json *seccomp, struct seccomp_program *out, struct ts_err *err);

/* Puts the filter on the calling thread. */
int seccomp_install(const struct seccomp_program *program, struct ts_err *err);

void seccomp_free(struct seccomp_program *program);

/* Names of what the profile may say, for `features`. */
extern const char *const seccomp_action_names[],
    *const seccomp_operator_names[], *const seccomp_arch_names[], *const seccomp_flag_names[];

#endif
