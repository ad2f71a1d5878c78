/* SPDX-License-Identifier: Apache-2.0 */
/*
 * hooks - the programs that config.json names for points of the life cycle
 *
 * (OCI runtime specification, "POSIX-platform Hooks" in config.md and "Lifecycle" in runtime.md.)
 * Each gets the container's state on its standard input and has its own time; what it writes to
 * standard output and error is kept (the first HOOK_OUTPUT_MAX bytes) for the message of a failure.
 *
 * Memory:    hooks_run allocates nothing, for some hooks are run between fork and exec.
 * Tests:     tests/unit/runtime/container/test_hooks.c, tests/oci/test_hooks.py
 */
#ifndef MR_CONTAINER_HOOKS_H
#define MR_CONTAINER_HOOKS_H

#include <sys/types.h>

#include "runtime/base/attr.h"
#include "runtime/base/str.h"
#include "runtime/spec/oci.h"

struct container_env;
struct container_state;
struct err;

#define HOOK_OUTPUT_MAX 512
#define HOOK_FAILED     4096 /* the err->code of hooks_run: beyond all error numbers */

/* The state as JSON, with gaps for the status and the pid: head STATUS middle PID tail. */
struct hook_state {
    struct str head;
    struct str middle;
    struct str tail;
};

must_check int hook_state_make(struct arena *a, const struct container_state *s,
                               struct hook_state *out, struct err *err);

/* Where annotations want what hooks print to go; -1: into the message of a failure. */
struct hook_files {
    int out_fd;
    int err_fd;
};

#define HOOK_FILES_NONE ((struct hook_files){-1, -1})

/* Opens, and makes where it is missing, what the configuration names; *out is HOOK_FILES_NONE if
 * that is nothing, or on failure. To be done in the host's tree, before there is a container. */
must_check int hook_files_open(const struct oci_config *c, struct hook_files *out, struct err *err);
void hook_files_close(struct hook_files *f);

struct hook_moment {
    const struct hook_state *state;
    const char *status; /* "creating" */
    pid_t pid;
    const char *dir;                /* working directory, or NULL: the caller's */
    const struct hook_files *files; /* or NULL: none */
    const char *const *env;         /* of those that have none; NULL: ours */
};

/* All of the kind, whatever fails; failures are warnings. */
void hooks_run_all(const struct oci_config *c, enum oci_hook_kind kind, const struct hook_moment *m,
                   const struct container_env *env);
/* All of the kind, in order; the first failure ends it. */
must_check int hooks_run(const struct oci_config *c, enum oci_hook_kind kind,
                         const struct hook_moment *m, struct err *err);

#endif
