/* SPDX-License-Identifier: Apache-2.0 */
/*
 * init - the new process: walks its plan and becomes the container's program
 *
 * Everything it works with was prepared by its maker; between clone and execve nothing is
 * allocated, and a failure is one sentence sent to the maker.
 *
 * Tests:     tests/oci/test_run.py
 */
#ifndef MR_CONTAINER_INIT_H
#define MR_CONTAINER_INIT_H

#include <limits.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "runtime/base/attr.h"
#include "runtime/container/hooks.h"
#include "runtime/container/plan.h"
#include "runtime/kernel/cgroup.h"
#include "runtime/kernel/seccomp.h"
#include "runtime/kernel/tty.h"
#include "runtime/spec/oci.h"

struct container_io;
struct err;
struct netdev;

#define INIT_ENV_SPARE 2     /* HOME, LISTEN_PID */
#define INIT_KEEP_MAX  16384 /* descriptors that can be preserved */

/* What becomes of the additional groups. */
enum init_groups {
    INIT_GROUPS_SET,
    INIT_GROUPS_DENIED, /* by the user namespace: none can be asked for */
    INIT_GROUPS_KEPT /* the caller's, as an annotation wants; those of the process do not count */
};

struct init {
    const struct oci_config *config; /* NULL for an exec */
    const struct oci_process *process;
    const struct oci_memory_policy *memory_policy;
    unsigned long personality;
    const struct plan *plan;
    const struct container_io *io;
    const char *mount_label;     /* NULL: none, or nobody enforces it */
    const struct cgroup *cgroup; /* NULL: none */
    bool cgroup_made;            /* false: only found, the caller may make none */
    struct cgroup_doors doors;   /* by which the child enters it; none: the maker puts it in */
    int groups_fs_fd;            /* for the first mount that shows it: mount_prepare */
    bool in_v2;                  /* clone put it into the v2 group */
    bool no_pivot;
    int *device_fds; /* of each device of the config: a detached mount of its node, or -1 */
    const struct hook_state *hook_state;
    struct hook_files *hook_files;
    const char *id;
    const char *bundle;
    const char *rootfs;
    uint8_t keep[INIT_KEEP_MAX / 8]; /* bit i: descriptor 3 + i is preserved */
    bool listen_pid;

    int sync_fd;
    int listen_fd; /* -1: none */
    int proc_fd;
    int root_fd;            /* clone of the root's mounts; -1: the child makes it */
    int *source_fds;        /* of each mount: the same; not of a bind: mount_prepare */
    struct netdev *netdevs; /* of each network device */
    int ns_fds[OCI_NS_KINDS];
    int join_fd; /* of an exec: pidfd of the container's init */
    int join_flags;

    struct seccomp_program filter;
    unsigned filter_flags;
    bool filter_listens; /* its notify descriptor goes to the maker */

    /* The child's own. */
    enum init_groups groups;
    bool in_chroot;       /* the runtime's root is not that of its mount namespace */
    bool labelled;        /* the labels for execve are set */
    bool in_container;    /* after the pivot, or from the start in an exec */
    mode_t callers_umask; /* it is 0 while the plan is walked */
    bool cwd_later;
    int dev_fd;     /* /dev of the container while it is furnished, reached by no link */
    int mask_fs_fd; /* for what is put over directories: mount_prepare */
    int mask_fd;    /* its first mount */
    int null_fd;
    struct tty tty;
    const char **env; /* with INIT_ENV_SPARE places after env_n */
    size_t env_n;
    char home[PATH_MAX + 8];
    char listen_text[32];
};

/* Does not return. */
no_return void init_main(struct init *in);

/* One function a kind of step. */
typedef int init_step(struct init *in, size_t index, struct err *err);
extern init_step *const init_steps[STEP_KINDS];

/* Which groups it is still to enter, after the clone. */
enum cgroup_enter init_enters(const struct init *in);
/* Will the process have the right to detach mounts of its namespace? */
bool init_may_unmount(const struct init *in);

/* Is the program there, and may it be executed? The same answer as init_exec would give, as far as
 * looking at it tells. */
int init_look(struct init *in, struct err *err);

/* execve with the path looked up in the process's own PATH. Returns only on failure. */
int init_exec(struct init *in, struct err *err);

#endif
