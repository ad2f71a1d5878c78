/* SPDX-License-Identifier: Apache-2.0 */
/*
 * plan - struct oci_config to the ordered steps of a start; pure, printable
 *
 * A start is decided before anything is done: plan_make looks at the configuration and at a few
 * facts, and gives the steps that the new process walks (steps.c, without allocating) and the steps
 * of its maker (maker_steps.c). plan_print gives them as text, which is how their order is
 * reviewed.
 *
 * Lifetime:  steps point into the configuration and live in the arena.
 * Tests:     tests/unit/runtime/container/test_plan.c with the texts in plans/
 */
#ifndef MR_CONTAINER_PLAN_H
#define MR_CONTAINER_PLAN_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "runtime/base/attr.h"

struct arena;
struct buf;
struct err;
struct oci_config;
struct oci_process;

enum step_kind {
    /* of the maker */
    STEP_CGROUP_MAKE,   /* index: enum cgroup_part */
    STEP_CGROUP_LIMITS, /* index: enum limits_part */
    STEP_CGROUP_DEVICES,
    STEP_RDT_MAKE,
    STEP_OPEN_ROOT,
    STEP_OPEN_SOURCE, /* index: of the mount */
    STEP_DEVICE_NODE, /* index: of the device; for a user namespace, which may make none */
    STEP_COMPILE_FILTER,
    STEP_NETDEV_LOOK, /* index: of the network device */
    STEP_CLONE,
    STEP_GO,
    STEP_MAKE_MOUNT, /* index */
    STEP_HAND_MOUNTS,
    STEP_ID_MAPS,
    STEP_CGROUP_ADMIT,
    STEP_CGROUP_ENTER,
    STEP_OOM_SCORE,
    STEP_RAISE_RLIMITS,
    STEP_IDMAP,   /* index: of the mount */
    STEP_NETWORK, /* the helper is started, and the network is up */
    STEP_RDT_ENTER,
    STEP_NETDEV_MOVE, /* index */
    /* of the new process */
    STEP_UNSHARE,
    STEP_JOIN, /* index: enum oci_ns_kind */
    STEP_BECOME_ROOT,
    STEP_ENTER_PID, /* of others: by another process, when the host has been left */
    STEP_SESSION,
    STEP_KEYRING,
    STEP_UNSHARE_CGROUP,
    STEP_UNSHARE_TIME,
    STEP_LOOPBACK,
    STEP_NETDEV_SETTLE, /* index */
    STEP_HOSTNAME,
    STEP_DOMAINNAME,
    STEP_PROPAGATION,
    STEP_ROOT,
    STEP_TAKE_MOUNTS,
    STEP_MOUNT,          /* index */
    STEP_MOUNT_WRITABLE, /* index; STEP_MOUNT_READONLY follows */
    STEP_UNMOUNT,        /* index */
    STEP_CHECK_DEV,
    STEP_DEVICE,      /* index into the default devices, or beyond them those of the config */
    STEP_DEVICE_BIND, /* the same, in a user namespace */
    STEP_LINK,        /* index */
    STEP_TERMINAL,
    STEP_HOOKS_RUNTIME,   /* prestart and createRuntime, by the maker */
    STEP_HOOKS_CONTAINER, /* createContainer */
    STEP_SYSCTL,          /* index */
    STEP_MAKE_CWD,
    STEP_MOUNT_READONLY, /* index: of a mount that was given content first */
    STEP_ROOT_READONLY,
    STEP_PIVOT,
    STEP_MOVE_ROOT,
    STEP_MASK,     /* index */
    STEP_READONLY, /* index */
    STEP_ROOT_PROPAGATION,
    STEP_LEAVE, /* of a container that shares the runtime's mount namespace */
    STEP_CPUS,
    STEP_HOME,
    STEP_STDIO,
    STEP_RLIMIT, /* index */
    STEP_PERSONALITY,
    STEP_SCHEDULER,
    STEP_IOPRIO,
    STEP_MEMPOLICY,
    STEP_LABEL,
    STEP_CWD,
    STEP_LOOK,   /* once, here or below */
    STEP_FILTER, /* the same */
    STEP_BOUNDING,
    STEP_USER,
    STEP_CAPS,
    STEP_NO_NEW_PRIVS,
    STEP_READY,
    STEP_WAIT,
    STEP_HOOKS_START,
    STEP_DESCRIPTORS,
    STEP_EXEC,
    STEP_END, /* of a process that was made to do something in a container */
    STEP_KINDS
};

struct step {
    enum step_kind kind;
    size_t index;
};

#define PLAN_AHEAD_MAX 8 /* file systems that the maker makes for the child */

struct plan_facts {
    const char *rootfs; /* absolute path of the root; NULL: unknown */
    bool root;          /* the caller is user 0 of its user namespace: it may open what it mounts */
    bool cgroup;        /* a group is made */
    /* Making the many of v1, or loading the device program of v2, takes as long as the mounts. */
    bool slow_cgroups;
    bool unified; /* there is v2 alone */
    bool scope;   /* systemd makes the group, with its limits */
    bool no_pivot;
    bool no_new_keyring;
    bool network;      /* a helper connects the network namespace, which must be there by then */
    bool wait;         /* for `start`, else for the maker's word */
    bool exec_user_ns; /* of an exec: the container has a user namespace of its own */
    bool exec_filter;  /* and a system call filter */
    /* CPUs of its own, which count from when it is in the cgroup: the maker puts it in */
    bool exec_cpus;
    bool exec_mempolicy;   /* and a memory policy */
    bool exec_personality; /* and a personality */
    bool exec_rdt;         /* and a group of resctrl */
};

struct plan {
    struct step *maker;
    size_t maker_n;
    struct step *child;
    size_t child_n;
    struct step *entered; /* of the maker, when the child says that it has entered late */
    size_t entered_n;
    uint64_t clone_flags;   /* the new namespaces that clone3 makes */
    uint64_t begin_flags;   /* those the child makes first of all */
    uint64_t unshare_flags; /* those the child makes later */
    bool side_by_side; /* the child makes namespaces and mounts while its maker sees to cgroups */
    bool mounts_ahead; /* and to some of the file systems */
    bool user_ns;      /* in a new or joined one */
    bool new_user_ns;
    bool enters_late; /* the pid namespace, by one more process; see join_hides */
    bool leaves;      /* the mounts are made in a namespace that is left for the runtime's own */
};

must_check int plan_make(struct arena *a, const struct oci_config *c, const struct plan_facts *f,
                         struct plan *out, struct err *err);
/* The steps of one more process in a container: from the join on. Those of its maker are not walked
 * but written out in exec.c, where some depend on each other's outcome. */
must_check int plan_make_exec(struct arena *a, const struct oci_process *p,
                              const struct plan_facts *f, struct plan *out, struct err *err);

/* A process that enters a container, takes n steps of the kind (mount, unmount), and ends. */
must_check int plan_make_mounts(struct arena *a, enum step_kind kind, size_t n,
                                const struct plan_facts *f, struct plan *out, struct err *err);

/* "mount /proc (proc)": the step with what it works on. config may be NULL for an exec. */
void plan_print_step(const struct oci_config *c, const struct oci_process *p,
                     const struct step *step, struct buf *out);
void plan_print(const struct oci_config *c, const struct oci_process *p, const struct plan *plan,
                struct buf *out);

/* The devices and links that every container has. */
struct plan_device {
    const char *path;
    char type;
    uint32_t major;
    uint32_t minor;
};

#define PLAN_DEVICES 6
extern const struct plan_device plan_devices[PLAN_DEVICES];

struct plan_link {
    const char *path;
    const char *target;
};

#define PLAN_LINKS 6
extern const struct plan_link plan_links[PLAN_LINKS];

#endif
