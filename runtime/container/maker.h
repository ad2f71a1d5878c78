/* SPDX-License-Identifier: Apache-2.0 */
/*
 * maker - the caller's side of a new process: clone, what is done to it from outside, hand-shake
 *
 * create.c, restore.c, exec.c and mounts.c prepare a struct maker each in its way; what follows is
 * alike. Its parts are in maker_*.c.
 *
 * Lifetime:  a maker lives for one call; its arena holds all that is derived from configuration and
 *            options. A failure of its functions leaves what was done to maker_abort (the process),
 *            maker_undo (all of a new container) and maker_done.
 *
 * Tests:     tests/oci/test_run.py, tests/oci/test_userns.py
 */
#ifndef MR_CONTAINER_MAKER_H
#define MR_CONTAINER_MAKER_H

#include <stdbool.h>

#include "runtime/base/attr.h"
#include "runtime/base/str.h"
#include "runtime/container/container.h"
#include "runtime/container/init.h"
#include "runtime/container/plan.h"
#include "runtime/container/state.h"
#include "runtime/kernel/idmap.h"
#include "runtime/kernel/rdt.h"
#include "runtime/kernel/scope.h"

struct arena;
struct err;

#define MAKER_ARENA_MAX (96U << 20) /* a configuration, its plan, and what is derived from it */

struct maker {
    const struct container_env *env;
    const struct container_create *create; /* NULL in an exec */
    struct arena *arena;
    const struct oci_config *config; /* NULL in an exec */
    const struct container_io *io;
    const struct oci_seccomp *seccomp;
    struct oci_idmaps uid_maps; /* of a new user namespace */
    struct oci_idmaps gid_maps;
    struct plan plan;
    struct plan_facts facts;
    struct state state;
    struct cgroup cgroup;
    struct scope scope;
    pid_t placeholder;                   /* keeps the scope until the container is in it; 0: none */
    const struct usernet_kind *net_kind; /* NULL: no helper is wanted */
    const char *net_program;
    struct rdt rdt;
    bool rdt_made;
    struct hook_state hook_state;
    struct hook_files hook_files;
    struct init init;
    struct container_child child;
    int sync_fd;       /* our end */
    int cgroup_fd;     /* of the v2 group, or -1 */
    bool cgroup_begun; /* of the groups the v2 one is made, the others are to follow */
    bool attach;       /* it may not be put into the group by us, but by systemd, which made it */
    bool inside;       /* the caller is in a user namespace that somebody made */
    bool groups_denied;
    bool groups_denied_to_us; /* by the namespace of the caller */
    bool groups_kept;
    bool hooks_ran; /* some of those of the runtime: what they did is to be taken back */
    bool patient;   /* waits for a group that stands still to go on */
    bool entered;   /* the process that stays is in the pid namespace, where others are */
    bool gone;      /* the child was told to go on */
    bool ready;
};

/* --- maker.c: what all of them need ----------------------------------------------------------- */

must_check int maker_init(struct maker *m, struct err *err);
/* What was opened for a child, once there is none to come: to undo a start needs descriptors, too.
 */
void maker_close(struct maker *m);
/* Everything closed and freed that is not the child's: its pidfd, its terminal, its notify socket
 * go to the caller. Only after a maker_init, whatever that returned. */
void maker_done(struct maker *m);

/* Checks descriptors that are to be handed in, before any other is opened. */
must_check int maker_check_io(struct maker *m, const struct container_io *io, struct err *err);
/* The environment of the process, with room for INIT_ENV_SPARE more. */
must_check int maker_env(struct maker *m, const struct oci_process *p, struct err *err);
/* The mappings of a new user namespace: those of the configuration, or the caller alone as root. */
must_check int maker_decide_ids(struct maker *m, struct err *err);
/* In the arena; none where that is full. */
struct idmaps maker_idmaps(const struct maker *m, const struct oci_idmaps *from);

/* A process that is to be confined by a label needs a kernel that knows it. One exception: what the
 * container has as its AppArmor profile (NULL: none) is only warned of, by create; nobody is
 * confined there, and OCI's validation suite wants such a container started. */
must_check int maker_check_labels(const struct oci_process *p, const char *profile_of_container,
                                  struct err *err);

void maker_warn(const struct maker *m, const char *text);
/* Of labels that confine nobody on this kernel. */
void maker_warn_labels(const struct maker *m);
/* Of capabilities that the process will not have because this one has not. */
void maker_warn_caps(const struct maker *m, const struct oci_process *p);
/* Of the ambient ones that the kernel cannot give. */
void maker_warn_ambient(const struct maker *m, const struct oci_process *p);
/* Of a limit of locked memory that this process may not grant, and that is lowered. */
void maker_warn_memlock(const struct maker *m, const struct oci_process *p);

must_check int maker_enter_cgroup(struct maker *m, struct err *err);
must_check int maker_oom_score(struct maker *m, struct err *err);
/* Tells the caller's peers of the process: pid file, pidfd socket. */
must_check int maker_publish(struct maker *m, struct err *err);
/* Ends and reaps a child whose start failed. */
void maker_abort(struct maker *m);

/* --- of a new container ----------------------------------------------------------------------- */

/* maker_prepare.c: everything that is decided before the id is reserved; *text is what is kept as
 * the container's config.json, in the arena. */
must_check int maker_prepare(struct maker *m, struct str *text, struct err *err);
/* maker_steps.c: walks the maker's steps of the plan; a failure says which one. */
must_check int maker_walk(struct maker *m, struct err *err);
/* The same of those that wait for the process that stays, where another one makes it. */
must_check int maker_walk_entered(struct maker *m, struct err *err);
/* Removes the names of the nodes that STEP_DEVICE_NODE made, once the child has attached them. */
void maker_forget_nodes(const struct maker *m);

/* create.c: the files of the state, and taking back what a failure left; of create and restore. */
must_check int maker_write_config(const struct maker *m, struct str text, struct err *err);
must_check int maker_write_state(struct maker *m, struct err *err);
/* What hooks that the maker runs are told. */
struct hook_moment maker_moment(const struct maker *m, const char *status);
void maker_undo(struct maker *m);

/* maker_scope.c: the group as a scope of systemd, in which a placeholder keeps the place. */
must_check int maker_make_scope(struct maker *m, struct err *err);
void maker_end_placeholder(struct maker *m);

/* maker_network.c: whether a network's helper may and can be there; STEP_NETWORK. */
must_check int maker_decide_network(struct maker *m, struct err *err);
must_check int maker_network(struct maker *m, struct err *err);

/* --- maker_clone.c: STEP_CLONE ---------------------------------------------------------------- */

/* Fills in m->child; the child waits for our word on m->sync_fd. */
must_check int maker_clone(struct maker *m, struct err *err);
/* The same for a process that joins a container: it can be seen from inside before it is of inside.
 */
must_check int maker_clone_undumpable(struct maker *m, struct err *err);
/* What becomes of the additional groups, as far as it is known by now. */
enum init_groups maker_groups(const struct maker *m);

/* --- maker_serve.c: the conversation with the child ------------------------------------------- */

/* Says go, if that was not done before: what the child does from then on and what its maker still
 * has to do go side by side. */
must_check int maker_go(struct maker *m, struct err *err);
/* Says go and serves the child until it is ready (create) or has executed (run, exec). */
must_check int maker_serve(struct maker *m, struct err *err);

#endif
