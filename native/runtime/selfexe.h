/* Keeping the runtime's own executable out of a container's reach (CVE-2019-5736). */
#ifndef RUNTIME_SELFEXE_H
#define RUNTIME_SELFEXE_H

#include "err.h"

/*
 * Makes sure that this process runs from an executable that nobody can write through
 * /proc/self/exe; executes itself again from a read-only detached mount if it must (then does not
 * return). Must be called before any process of ours enters a container.
 */
int selfexe_seal(char **argv, struct ts_err *err);

#endif
