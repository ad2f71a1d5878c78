/* SPDX-License-Identifier: Apache-2.0 */
/*
 * container - the OCI life cycle as a library: create, start, state, kill, exec, delete
 *
 * The verbs are those of the OCI runtime specification ("Lifecycle", "Operations" in runtime.md)
 * and of runc's command line.
 *
 * A container is known by its id beneath a root directory, where its state is kept
 * (ROOT/ID/state.json). Functions block for the milliseconds the kernel needs; they start no thread
 * and print nothing. The process a call makes is a direct child of the caller, who gets its pid and
 * pidfd and may wait for it; a caller that exits leaves it to its subreaper, as runc does.
 *
 * Errors:    one sentence with the step that failed; a failure inside the new process and the
 *            stderr of a hook travel back into it. A failed create or run leaves nothing behind.
 * Lifetime:  structs of options are read during the call only.
 * Tests:     tests/unit/runtime/container/, tests/oci/
 */
#ifndef MR_CONTAINER_CONTAINER_H
#define MR_CONTAINER_CONTAINER_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

#include "runtime/base/attr.h"
#include "runtime/base/str.h"

struct arena;
struct buf;
struct err;
struct jw;
struct oci_config;
struct oci_mount;
struct oci_process;
struct oci_resources;
struct publish;
struct seccomp_program;

#define CONTAINER_ID_MAX  1024 /* bytes of an id */
#define CONTAINER_FDS_MAX 64   /* descriptors handed in by number */

enum container_cgroups {
    CONTAINER_CGROUPFS,
    CONTAINER_SYSTEMD,         /* systemd is asked for the group: SLICE:PREFIX:NAME */
    CONTAINER_CGROUPS_DISABLED /* no group is made; a configuration that wants limits is refused */
};

/* May a container for which the kernel lets us make no cgroup, and that asks for no limit, go
 * without? */
enum container_rootless {
    CONTAINER_ROOTLESS_AUTO, /* an ordinary user's may */
    CONTAINER_ROOTLESS_YES,
    CONTAINER_ROOTLESS_NO
};

/* Where containers live and how they are made: the same for all calls. */
struct container_env {
    const char *root;    /* "/run/mailbox-run"; made (0700) at the first create */
    const char *session; /* where root is beneath it: nobody else may write there; or NULL */
    enum container_cgroups cgroups;
    enum container_rootless rootless;
    const char *filters; /* beneath it compiled system call filters are kept; NULL: nowhere */
    /* Told of what a container asks for and goes without, as the specification wants it: one
     * sentence each. May be NULL. */
    void (*warn)(void *ctx, const char *text);
    void *warn_ctx;
};

/* The descriptor `fd` of the caller becomes number `at` (>= 0) in the container. */
struct container_fd {
    int fd;
    int at;
};

enum container_flag {
    CONTAINER_NO_PIVOT = 1,       /* MS_MOVE and chroot, for a host whose root is an initramfs */
    CONTAINER_NO_NEW_KEYRING = 2, /* keep the caller's session keyring */
    CONTAINER_LISTEN_PID = 4,     /* sets LISTEN_PID to the pid the process sees of itself */
    CONTAINER_IGNORE_PAUSED = 8   /* exec: the process starts when a paused container goes on */
};

/* What a new process gets from its maker, in create, run and exec alike. CONTAINER_IO_INIT is the
 * default: zero, and -1 for stdio. */
struct container_io {
    int stdio[3];               /* become 0, 1, 2; -1: the caller's own. Not with a terminal. */
    const char *console_socket; /* the pty's master is sent there; NULL: returned to the caller */
    const char *pid_file;       /* the pid in the caller's namespace is written there; or NULL */
    const char *pidfd_socket;   /* the pidfd is sent there; or NULL */
    const char *notify_host;    /* socket of the service manager that waits for READY=1; or NULL */
    unsigned preserve_fds;      /* of the caller's descriptors 3 .. 3 + n - 1 those are kept that
                                   are open and not close-on-exec */
    const struct container_fd *fds; /* more, by number; none of them closed in the caller */
    size_t fds_n;
};

#define CONTAINER_IO_INIT       \
    {                           \
        .stdio = { -1, -1, -1 } \
    }

/* A configuration, and the program of its system call rules where these are known by their text and
 * were not read (else NULL). */
struct container_loaded {
    struct oci_config *config;
    const struct seccomp_program *filter;
};

/* oci_load_str for a start: it costs little where env->filters remembers the rules. All is in the
 * arena, but `text` must live as long. */
must_check int container_load(const struct container_env *env, struct arena *a, struct str text,
                              const char *name, struct container_loaded *out, struct err *err);

/* Who connects the container's own network namespace, without privilege, to what the caller sees.
 */
enum container_network {
    CONTAINER_NETWORK_CONFIG, /* nobody but config.json */
    CONTAINER_NETWORK_PASTA,
    CONTAINER_NETWORK_SLIRP4NETNS,
    CONTAINER_NETWORK_AUTO /* pasta where it is installed, else slirp4netns */
};

struct container_create {
    const char *id;                       /* see container_id_check */
    const char *bundle;                   /* directory of config.json; roots are relative to it */
    const struct oci_config *config;      /* NULL: BUNDLE/config.json is loaded and checked */
    struct str text;                      /* what config was loaded from; STR_NONE: it is dumped */
    const struct seccomp_program *filter; /* of container_load, where its rules were skipped */
    unsigned flags;                       /* enum container_flag */
    struct container_io io;
    enum container_network network;
    const struct publish *ports; /* of the host that lead to it; with a network of those alone */
    size_t ports_n;
};

/* A process that was made. The caller closes the descriptors. */
struct container_child {
    pid_t pid;      /* in the caller's pid namespace */
    int pid_fd;     /* readable when it has ended; waitid(P_PIDFD) reaps it */
    int console_fd; /* master of its terminal where no console_socket took it; else -1 */
    int notify_fd;  /* of run with io.notify_host: where the container says READY=1; else -1 */
    const char *notify_host;
};

enum container_status {
    CONTAINER_CREATING,
    CONTAINER_CREATED,
    CONTAINER_RUNNING,
    CONTAINER_PAUSED,
    CONTAINER_STOPPED
};

extern const char *const container_status_names[]; /* "creating", "created", ... NULL */

struct container_pair {
    const char *key;
    const char *value;
};

struct container_state {
    const char *id;
    const char *bundle;  /* absolute */
    const char *rootfs;  /* absolute */
    const char *cgroup;  /* as config.json or the default has it; "" where disabled */
    const char *created; /* RFC 3339, UTC */
    uid_t owner;
    enum container_status status;
    pid_t pid;          /* of its init; 0 when stopped */
    uint64_t pid_start; /* clock ticks from boot to its start, as /proc/PID/stat has it */
    bool own_pid_ns;    /* killing the init kills all */
    struct container_pair *annotations;
    size_t annotations_n;
};

/* An id is letters, digits and "_+-.", 1 to CONTAINER_ID_MAX bytes, not beginning with a dot. */
must_check int container_id_check(const char *id, struct err *err);

/* create: everything up to the point where the process waits for `start`. run: create and start in
 * one, cheaper than the two. On success *child is filled in. */
must_check int container_create(const struct container_env *env, const struct container_create *c,
                                struct container_child *child, struct err *err);
must_check int container_run(const struct container_env *env, const struct container_create *c,
                             struct container_child *child, struct err *err);

/* Lets a created container execute its process; an execve that fails is an error here.
 * With notify_host (else NULL) it returns when the process has said READY=1, which the service
 * manager is told, or has ended. The container must have been created with one, too. */
must_check int container_start(const struct container_env *env, const char *id,
                               const char *notify_host, struct err *err);

/* How a container is shown its socket for READY=1: run and create with io.notify_host want this
 * mount and environment in their configuration. The source lies in the state. */
#define CONTAINER_NOTIFY_TARGET "/run/notify"
const char *container_notify_source(const struct container_env *env, const char *id,
                                    struct arena *a);
/* Of a detached run: waits until the process has said it, or has ended. */
must_check int container_notify_wait(const struct container_child *child, struct err *err);

/* Everything in *out lives in the arena. */
must_check int container_state(const struct container_env *env, const char *id, struct arena *a,
                               struct container_state *out, struct err *err);
/* The same; one that is just being created is waited for, up to wait_ms: who starts `create` in the
 * background and asks for the state wants to know when it is done. */
must_check int container_state_settled(const struct container_env *env, const char *id,
                                       unsigned wait_ms, struct arena *a,
                                       struct container_state *out, struct err *err);
/* The members of the state as the OCI specification has them, and those of runc, but "owner": for
 * `list`, which knows the owner's name. */
void container_state_members(struct jw *w, const struct container_state *s);
/* The state as the `state` verb prints it, without a final newline. */
void container_state_format(const struct container_state *s, struct buf *out);

/* Ids, sorted, in the arena: *ids has *n members. An absent root has none. */
must_check int container_list(const struct container_env *env, struct arena *a, const char ***ids,
                              size_t *n, struct err *err);

enum container_whom {
    CONTAINER_INIT,
    CONTAINER_ALL /* every process of the container, found by its cgroup */
};

/* Sends the signal. To the init of a container that is stopped it is an error. */
must_check int container_kill(const struct container_env *env, const char *id, int signo,
                              enum container_whom whom, struct err *err);

enum container_force {
    CONTAINER_GENTLE, /* a running container is an error */
    /* It is killed, and an absent one is no error. One whose making was cut off, or whose state is
     * damaged, goes with what is in the groups that were made for it. */
    CONTAINER_FORCE
};

/* Ends what is left of it and removes it: processes, cgroup, state; then the poststop hooks run (a
 * failing one is a warning). */

must_check int container_delete(const struct container_env *env, const char *id,
                                enum container_force force, struct err *err);

/* A container as it was found, its state and configuration, for calls that follow: to look once is
 * cheaper. Everything lives in the arena. */
struct container_view;

must_check int container_look(const struct container_env *env, const char *id, struct arena *a,
                              struct container_view **out, struct err *err);
const struct container_state *container_view_state(const struct container_view *v);
/* Its own process section, to be changed by options (`exec ID args`); NULL: it has none. */
const struct oci_process *container_view_process(const struct container_view *v);

/* One more process in a running container. */
struct container_exec {
    const char *id;
    const struct container_view *view; /* of the same container; NULL: it is looked at anew */
    /* Complete: args, env, cwd, user, caps ... as exec --process gives it, or as
     * container_view_process gives the container's own. */
    const struct oci_process *process;
    /* Sub-groups that exist beneath the container's: "path" in all hierarchies that have it, or
     * "memory,pids:path" in those of the controllers. Without any: the container's own. */
    const char *const *cgroups;
    size_t cgroups_n;
    unsigned flags; /* CONTAINER_LISTEN_PID, CONTAINER_IGNORE_PAUSED */
    struct container_io io;
};

/* A container that is paused, also while this is under way, or whose group for the process is
 * frozen, is an error. */
must_check int container_exec(const struct container_env *env, const struct container_exec *e,
                              struct container_child *child, struct err *err);

enum container_mounts {
    CONTAINER_MOUNTS_ADD,
    CONTAINER_MOUNTS_REMOVE /* of each mount only the destination matters */
};

/* Mounts or unmounts in a running container; mounts: as of oci_load_mounts_file. */

must_check int container_mounts(const struct container_env *env, const char *id,
                                enum container_mounts how, struct oci_mount *mounts, size_t n,
                                struct err *err);

/* For criu(8): the members are its options. checkpoint has it write the processes to image_path,
 * which ends them unless they are left running; the container is deleted then. restore makes a
 * container of what was written. */
struct container_checkpoint {
    const char *criu;       /* path; NULL: as $PATH has it */
    const char *image_path; /* absolute; made where it is missing */
    const char *work_path;  /* for logs; NULL: the same */
    /* These as criu has them; NULL: its default. */
    const char *manage_cgroups; /* "soft" (where NULL), "full", "strict" or "ignore" */
    const char *network_lock;
    bool tcp_established;
    bool ext_unix_sk;
    bool shell_job;
    bool file_locks;
    bool lazy_pages;
    bool auto_dedup;
    bool empty_net; /* the network namespace is made, its devices and rules are not */
    /* Of a checkpoint. */
    const char *parent_path; /* of a pre-dump; relative to image_path */
    const char *page_server; /* address, with page_server_port */
    const char *page_server_port;
    const char *status_fd; /* open and inherited: criu says there that the lazy server is ready */
    bool pre_dump;         /* memory only; the container goes on */
    bool leave_running;
    bool link_remap;
    bool skip_in_flight;
    /* Of a restore. */
    const char *lsm_profile;
    const char *lsm_mount_context;
    bool tcp_close;
};

must_check int container_checkpoint(const struct container_env *env, const char *id,
                                    const struct container_checkpoint *c, struct err *err);
/* create: id, bundle and io of the container to be; its process is that of the images. */
must_check int container_restore(const struct container_env *env,
                                 const struct container_create *create,
                                 const struct container_checkpoint *c,
                                 struct container_child *child, struct err *err);

/* Processes of the container, in the caller's pid namespace, ascending; array in the arena. */
must_check int container_pids(const struct container_env *env, const char *id, struct arena *a,
                              pid_t **pids, size_t *n, struct err *err);

/* Freezing and thawing by the cgroup; they return when the kernel has done it. update writes the
 * limits that *r has, and leaves the others as they are. */
must_check int container_pause(const struct container_env *env, const char *id, struct err *err);
must_check int container_resume(const struct container_env *env, const char *id, struct err *err);
must_check int container_update(const struct container_env *env, const char *id,
                                const struct oci_resources *r, struct err *err);

/* New lines for the schemata of its resctrl group. */
must_check int container_update_rdt(const struct container_env *env, const char *id,
                                    const char *const *lines, size_t n, struct err *err);

/* Figures of the cgroup; a value that the kernel does not give is UINT64_MAX. */
struct container_number {
    const char *key;
    uint64_t value;
};

struct container_io_figure {
    uint64_t major;
    uint64_t minor;
    const char *op; /* "Read", "Write" ... */
    uint64_t value;
};

struct container_io_list {
    struct container_io_figure *v;
    size_t n;
};

struct container_huge {
    const char *size; /* "2MB" */
    uint64_t bytes;
    uint64_t peak;
    uint64_t fails;
};

struct container_stats {
    uint64_t memory_bytes;
    uint64_t memory_limit; /* UINT64_MAX: none */
    uint64_t memory_peak;
    uint64_t memory_fails;
    uint64_t memory_cache;
    uint64_t swap_bytes; /* v1: together with memory */
    uint64_t swap_limit;
    uint64_t kernel_bytes;
    uint64_t tcp_bytes;
    uint64_t cpu_ns;
    uint64_t cpu_user_ns;
    uint64_t cpu_system_ns;
    uint64_t periods;
    uint64_t throttled_periods;
    uint64_t throttled_ns;
    uint64_t pids;
    uint64_t pids_limit;
    uint64_t oom_kills;
    struct container_number *memory_raw; /* memory.stat */
    size_t memory_raw_n;
    uint64_t *percpu; /* ns; v1 only */
    size_t percpu_n;
    struct container_io_list io_bytes;
    struct container_io_list io_ops;
    struct container_huge *huge;
    size_t huge_n;
};

/* Without the lists. */
must_check int container_stats(const struct container_env *env, const char *id,
                               struct container_stats *out, struct err *err);
/* With them; they live in the arena. */
must_check int container_stats_all(const struct container_env *env, const char *id, struct arena *a,
                                   struct container_stats *out, struct err *err);
/* A descriptor that becomes readable when the container has run out of memory; what can be read of
 * it is of no interest but must be read before the next wait. On v1 it also becomes readable when
 * the group is removed, on v2 with any event of its memory. */
must_check int container_oom_fd(const struct container_env *env, const char *id, struct err *err);

/* Keeps the program's own file out of reach of containers: executes the program again from a
 * read-only detached mount (or a sealed copy) unless it already runs from one, or cannot be written
 * to by this user. Call it first thing in verbs that make processes; argv as of main. Returns 0
 * when nothing needs to be done; does not return when it executed. */
must_check int container_protect_self(char *const *argv, struct err *err);

/* Signals that come from now on wait for container_attend. To be called before the process is made:
 * one that comes as soon as it runs would otherwise end the caller and leave it behind. */
void container_hold_signals(void);

/* Waits for the child, in the foreground: signals the caller gets are forwarded to it, its terminal
 * (console_fd >= 0) is copied to and from the caller's descriptors 0 and 1, with the caller's
 * terminal in raw mode and its size followed. *status is as of waitpid. */
must_check int container_attend(const struct container_child *child, int *status, struct err *err);

/* The plan of a start as text, one step a line, as --debug logs it before anything is done. */
must_check int container_plan_text(const struct container_env *env,
                                   const struct container_create *c, struct buf *out,
                                   struct err *err);

#endif
