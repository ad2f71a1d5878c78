/* SPDX-License-Identifier: Apache-2.0 */
/*
 * checkpoint - what checkpoint and restore tell criu, as arguments; pure
 *
 * criu, a program of its own, writes the processes of a container to files and makes them anew. It
 * is called where it is installed and says of itself that it can work with the running kernel.
 *
 * Tests:     tests/unit/runtime/container/test_checkpoint.c, tests/oci/test_checkpoint.py
 */
#ifndef MR_CONTAINER_CHECKPOINT_H
#define MR_CONTAINER_CHECKPOINT_H

#include <sys/types.h>

#include "runtime/base/attr.h"
#include "runtime/container/container.h"

struct arena;
struct err;

#define CHECKPOINT_ARGS_MAX  64
#define CHECKPOINT_STDIO     "descriptors.json" /* beside the images: what 0, 1 and 2 were */
#define CHECKPOINT_NET_KEY   "extRootNetNS"     /* names a joined network namespace to criu */
#define CHECKPOINT_LOG       "dump.log"         /* of criu, in work_path */
#define CHECKPOINT_LOG_AGAIN "restore.log"

struct checkpoint_args {
    const char *v[CHECKPOINT_ARGS_MAX + 1]; /* NULL at the end */
    size_t n;
};

struct checkpoint_dump {
    pid_t pid;
    ino_t net_ino;       /* of a network namespace that was joined; 0: it has one of its own */
    const char *freezer; /* the group's directory in the hierarchy that freezes; NULL: none */
};

must_check int checkpoint_dump_args(struct arena *a, const struct container_checkpoint *c,
                                    const struct checkpoint_dump *d, struct checkpoint_args *out,
                                    struct err *err);

struct checkpoint_restore {
    const char *root;     /* a mount point with the root file system */
    const char *pid_file; /* where criu writes the pid of the init */
    int net_fd;           /* of the network namespace to be joined, or -1 */
    const char *pipes[3]; /* "pipe:[7]" that 0, 1, 2 were and now are ours; NULL: no pipe */
};

must_check int checkpoint_restore_args(struct arena *a, const struct container_checkpoint *c,
                                       const struct checkpoint_restore *r,
                                       struct checkpoint_args *out, struct err *err);

/* Executes criu (path or name; NULL: "criu") and waits. A failure ends in the last error that its
 * log has, if there is one. prepare is called in the new process before. */
struct checkpoint_call {
    const char *criu;
    const struct checkpoint_args *args;
    const char *log; /* path */
    int (*prepare)(void *ctx, struct err *err);
    void *ctx;
};

/* criu writes its log through whatever is called so in the directory, which may have come with the
 * images from somebody else: a link to a file of the host. What is there goes. */
must_check int checkpoint_forget_log(const struct container_checkpoint *c, const char *name,
                                     struct err *err);
must_check int checkpoint_run(const struct checkpoint_call *c, struct err *err);
/* criu is there and able: else the reason. */
must_check int checkpoint_check(const char *criu, struct err *err);

#endif
