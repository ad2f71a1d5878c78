/* SPDX-License-Identifier: Apache-2.0 */
/*
 * oci - config.json (OCI runtime-spec 1.3.0) as checked C structs; pure
 *
 * Loading turns the text into these structs once, at the edge: names have become numbers and masks,
 * mount options are resolved, ranges are checked. Whoever works with a container afterwards sees
 * structs only. What the kernel calls by a string (paths, arguments, sysctl values) is a terminated
 * `const char *` without embedded NUL; such a member is NULL where the document has none.
 *
 * Lifetime:  everything lives in the arena given to the loader; the JSON text and tree are not
 *            needed afterwards.
 * Errors:    one sentence with the JSON path: "$.process.user.uid: expected a number from 0 to
 *            4294967295, found a string".
 * Limits:    OCI_TEXT_MAX bytes of text, and the numbers of things below; larger is refused before
 *            memory is taken for it.
 * Unknown:   keys this version does not know are ignored, as the specification demands
 *            (extensions); unknown *values* of known keys are errors. Sections of other platforms
 *            (windows, vm, solaris, zos, freebsd) are ignored likewise.
 * Tests:     tests/unit/runtime/spec/test_oci_*.c
 * Fuzz:      tests/fuzz/runtime/spec/fuzz_oci.c
 */
#ifndef MR_SPEC_OCI_H
#define MR_SPEC_OCI_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

#include "runtime/base/arena.h"
#include "runtime/base/attr.h"
#include "runtime/base/str.h"

struct buf;
struct err;

#define OCI_VERSION "1.3.0" /* what the structs describe; any 1.x document is accepted */

/* Arguments and environment of a process are at most 2 MiB under the default stack limit, so 4 MiB
 * of JSON hold any config.json that can be executed. */
#define OCI_TEXT_MAX      (4U << 20)
#define OCI_ARENA_MAX     (32U << 20) /* for arena_new; a document of OCI_TEXT_MAX stays below it */
#define OCI_STRINGS_MAX   65536       /* args, env, names of a system call rule, ... each */
#define OCI_MOUNTS_MAX    4096
#define OCI_OPTIONS_MAX   256  /* options of one mount */
#define OCI_DATA_MAX      4095 /* bytes of a mount's data: the kernel takes one page */
#define OCI_IDMAP_MAX     340  /* UID_GID_MAP_MAX_EXTENTS of the kernel */
#define OCI_DEVICES_MAX   4096
#define OCI_HOOKS_MAX     256   /* of one kind */
#define OCI_GROUPS_MAX    65536 /* NGROUPS_MAX */
#define OCI_RLIMITS_MAX   64
#define OCI_PAIRS_MAX     4096 /* annotations, sysctl, unified, rdma, netDevices */
#define OCI_RULES_MAX     4096 /* seccomp entries; the names in all of them: OCI_STRINGS_MAX */
#define OCI_SCMP_ARGS_MAX 6
#define OCI_PATH_MAX      4096

/* Optional numbers: `v` has no meaning where `set` is false. */
struct oci_u64 {
    bool set;
    uint64_t v;
};

struct oci_i64 {
    bool set;
    int64_t v;
};

struct oci_strings { /* v[n] is NULL, so that v can be given to execve; v NULL: absent */
    const char **v;
    size_t n;
};

struct oci_pair {
    const char *key;
    const char *value;
};

struct oci_pairs {
    struct oci_pair *v;
    size_t n;
};

struct oci_idmap {
    uint32_t container_id;
    uint32_t host_id;
    uint32_t size; /* >= 1; container_id + size and host_id + size do not pass 2^32 */
};

struct oci_idmaps {
    struct oci_idmap *v;
    size_t n;
};

/* --- process ---------------------------------------------------------------------------------- */

struct oci_user {
    uint32_t uid;
    uint32_t gid;
    struct oci_u64 umask; /* 0 .. 0777 */
    uint32_t *gids;       /* additional groups */
    size_t gids_n;
};

enum oci_cap_set {
    OCI_CAP_BOUNDING,
    OCI_CAP_EFFECTIVE,
    OCI_CAP_INHERITABLE,
    OCI_CAP_PERMITTED,
    OCI_CAP_AMBIENT,
    OCI_CAP_SETS
};

struct oci_caps {
    bool set;                    /* the section is there; if not, the process has none */
    uint64_t mask[OCI_CAP_SETS]; /* bit CAP_X */
    struct oci_strings unknown;  /* names this program does not know: warn, as runc does */
};

struct oci_rlimit {
    int resource;     /* RLIMIT_x */
    const char *name; /* "RLIMIT_NOFILE" */
    uint64_t soft;
    uint64_t hard; /* >= soft; UINT64_MAX is RLIM_INFINITY */
};

struct oci_scheduler {
    bool set;
    int policy; /* SCHED_x */
    int32_t nice;
    uint32_t priority;
    uint64_t flags; /* SCHED_FLAG_x */
    uint64_t runtime;
    uint64_t deadline;
    uint64_t period;
};

struct oci_ioprio {
    bool set;
    int class;    /* 1 RT, 2 BE, 3 IDLE, as ioprio_set has them */
    int priority; /* 0 .. 7 */
};

struct oci_process {
    bool set; /* the section is there */
    bool terminal;
    uint16_t console_rows; /* 0: not given */
    uint16_t console_cols;
    struct oci_user user;
    struct oci_strings args; /* n >= 1 where set */
    struct oci_strings env;
    const char *cwd; /* absolute */
    struct oci_caps caps;
    struct oci_rlimit *rlimits; /* no resource twice */
    size_t rlimits_n;
    bool no_new_privs;
    const char *apparmor_profile;
    const char *selinux_label;
    struct oci_i64 oom_score_adj; /* -1000 .. 1000 */
    struct oci_scheduler scheduler;
    struct oci_ioprio ioprio;
    const char *cpus_initial; /* execCPUAffinity, lists as "0-3,7" */
    const char *cpus_final;
};

/* --- root, mounts ----------------------------------------------------------------------------- */

struct oci_root {
    const char *path; /* as written: relative to the bundle, or absolute */
    bool readonly;
};

enum oci_idmap_kind {
    OCI_MOUNT_NO_IDMAP,
    OCI_MOUNT_IDMAP,
    OCI_MOUNT_RIDMAP
};

/* What a bind mount does with a symbolic link: options that crun has, and podman uses. */
enum oci_link {
    OCI_LINK_SOURCE = 1, /* "src-nofollow": a source that is a link is bound itself */
    OCI_LINK_TARGET = 2, /* "dest-nofollow": so is what is mounted upon */
    OCI_LINK_COPY = 4    /* "copy-symlink": a source that is a link is made anew, not bound */
};

struct oci_mount {
    const char *destination; /* absolute (a relative one is read as beneath /, as runc does) */
    const char *type;        /* "" where absent; "bind" and "none" for bind mounts */
    const char *source;      /* NULL where absent */

    /* The options, resolved in their order: a later one wins over an earlier one. */
    unsigned long ms_set;       /* MS_RDONLY, MS_NOSUID, ... MS_BIND, MS_REC (rbind), MS_REMOUNT */
    unsigned long ms_clear;     /* flags named in their negative form: "rw", "suid", ... */
    unsigned long *propagation; /* MS_PRIVATE ... each with or without MS_REC, in order */
    size_t propagation_n;
    uint64_t attr_rec_set;   /* MOUNT_ATTR_x of "rro", "rnosuid" ...: whole tree, mount_setattr */
    uint64_t attr_rec_clear; /* of "rrw", "rsuid" ...; for atime: MOUNT_ATTR__ATIME */
    bool tmpcopyup;
    unsigned links; /* OCI_LINK_x, of a bind mount */
    enum oci_idmap_kind idmap;
    struct oci_idmaps uid_maps; /* none: those of the container */
    struct oci_idmaps gid_maps;
    const char *data; /* all other options, joined by commas; NULL where there are none */

    struct oci_strings options; /* as written, for oci_dump */
};

/* A mount that is not in the document: binds source, read-only, without set-user-id, devices and
 * programs. */
must_check int oci_bind_mount(struct arena *a, const char *source, const char *destination,
                              struct oci_mount *out, struct err *err);
/* MS_BIND was asked for by option or by type. */
bool oci_mount_is_bind(const struct oci_mount *m);
/* It asks for shared propagation. */
bool oci_mount_is_shared(const struct oci_mount *m);

/* --- hooks ------------------------------------------------------------------------------------ */

enum oci_hook_kind {
    OCI_HOOK_PRESTART,
    OCI_HOOK_CREATE_RUNTIME,
    OCI_HOOK_CREATE_CONTAINER,
    OCI_HOOK_START_CONTAINER,
    OCI_HOOK_POSTSTART,
    OCI_HOOK_POSTSTOP,
    OCI_HOOK_KINDS
};

struct oci_hook {
    const char *path;        /* absolute */
    struct oci_strings args; /* v NULL: argv is just the path */
    struct oci_strings env;  /* v NULL: empty environment */
    uint32_t timeout_s;      /* 0: none */
};

struct oci_hooks {
    struct oci_hook *v;
    size_t n;
};

extern const char *const oci_hook_names[OCI_HOOK_KINDS + 1]; /* "prestart", ... NULL */

/* --- linux ------------------------------------------------------------------------------------ */

enum oci_ns_kind {
    OCI_NS_USER, /* in the order of setns */
    OCI_NS_CGROUP,
    OCI_NS_IPC,
    OCI_NS_UTS,
    OCI_NS_NETWORK,
    OCI_NS_PID,
    OCI_NS_MOUNT,
    OCI_NS_TIME,
    OCI_NS_KINDS
};

enum oci_ns_mode {
    OCI_NS_HOST, /* not listed: the runtime's own */
    OCI_NS_NEW,
    OCI_NS_JOIN /* path */
};

struct oci_namespace {
    enum oci_ns_mode mode;
    const char *path; /* absolute; NULL unless OCI_NS_JOIN */
};

extern const char *const oci_ns_names[OCI_NS_KINDS + 1]; /* "user", "cgroup", ... NULL */
extern const uint64_t oci_ns_clone_flag[OCI_NS_KINDS];   /* CLONE_NEWUSER, ... */

struct oci_device {
    const char *path; /* absolute, in the container */
    char type;        /* 'c' (also for 'u'), 'b', 'p' */
    int64_t major;
    int64_t minor;
    struct oci_u64 mode; /* permission bits */
    struct oci_u64 uid;
    struct oci_u64 gid;
};

struct oci_net_device {
    const char *name;     /* on the host */
    const char *new_name; /* in the container; NULL: the same */
};

struct oci_time_offset {
    bool set;
    int64_t secs;
    uint32_t nanosecs;
};

struct oci_rdt {
    bool set;
    const char *clos_id;
    struct oci_strings schemata;
    const char *l3_cache_schema;
    const char *mem_bw_schema;
    bool enable_monitoring;
};

struct oci_memory_policy {
    bool set;
    int mode;          /* MPOL_x */
    unsigned flags;    /* MPOL_F_x */
    const char *nodes; /* a list as "0-3,7" */
};

/* --- linux.resources: as both cgroup versions need them --------------------------------------- */

enum {
    OCI_DEV_READ = 1,
    OCI_DEV_WRITE = 2,
    OCI_DEV_MKNOD = 4
};

struct oci_device_rule {
    bool allow;
    char type;     /* 'a', 'c', 'b' */
    int64_t major; /* -1: any */
    int64_t minor;
    unsigned access; /* OCI_DEV_x; 0: none was written */
};

struct oci_memory { /* bytes; -1 is "no limit" */
    struct oci_i64 limit;
    struct oci_i64 reservation;
    struct oci_i64 swap; /* memory + swap, as v1 counts */
    struct oci_i64 kernel;
    struct oci_i64 kernel_tcp;
    struct oci_u64 swappiness;          /* 0 .. 100 */
    struct oci_u64 disable_oom_killer;  /* 0, 1 */
    struct oci_u64 use_hierarchy;       /* 0, 1 */
    struct oci_u64 check_before_update; /* 0, 1 */
};

struct oci_cpu {
    struct oci_u64 shares;
    struct oci_i64 quota; /* us per period; -1 or 0: no limit */
    struct oci_u64 burst;
    struct oci_u64 period;
    struct oci_i64 rt_runtime;
    struct oci_u64 rt_period;
    const char *cpus; /* a list as "0-3,7" */
    const char *mems;
    struct oci_i64 idle; /* 0, 1 */
};

struct oci_blkio_device {
    int64_t major;
    int64_t minor;
    struct oci_u64 weight;
    struct oci_u64 leaf_weight;
    uint64_t rate; /* throttle lists */
};

struct oci_blkio_devices {
    struct oci_blkio_device *v;
    size_t n;
};

enum oci_throttle {
    OCI_THROTTLE_READ_BPS,
    OCI_THROTTLE_WRITE_BPS,
    OCI_THROTTLE_READ_IOPS,
    OCI_THROTTLE_WRITE_IOPS,
    OCI_THROTTLES
};

struct oci_blkio {
    struct oci_u64 weight; /* 10 .. 1000 */
    struct oci_u64 leaf_weight;
    struct oci_blkio_devices weight_devices;
    struct oci_blkio_devices throttle[OCI_THROTTLES];
};

struct oci_hugepage {
    const char *page_size; /* "2MB" */
    uint64_t limit;
};

struct oci_net_priority {
    const char *name;
    uint32_t priority;
};

struct oci_rdma {
    const char *name;
    struct oci_u64 hca_handles;
    struct oci_u64 hca_objects;
};

struct oci_resources {
    struct oci_device_rule *devices; /* in order */
    size_t devices_n;
    struct oci_memory memory;
    struct oci_cpu cpu;
    struct oci_i64 pids_limit; /* -1: no limit */
    struct oci_blkio blkio;
    struct oci_hugepage *hugepages;
    size_t hugepages_n;
    struct oci_u64 net_class_id;
    struct oci_net_priority *net_priorities;
    size_t net_priorities_n;
    struct oci_rdma *rdma;
    size_t rdma_n;
    struct oci_pairs unified; /* cgroup v2 files: names without '/' */
};

/* --- linux.seccomp ---------------------------------------------------------------------------- */

enum oci_scmp_action {
    OCI_SCMP_KILL, /* of the thread, as SCMP_ACT_KILL always was */
    OCI_SCMP_KILL_PROCESS,
    OCI_SCMP_KILL_THREAD,
    OCI_SCMP_TRAP,
    OCI_SCMP_ERRNO,
    OCI_SCMP_TRACE,
    OCI_SCMP_ALLOW,
    OCI_SCMP_LOG,
    OCI_SCMP_NOTIFY,
    OCI_SCMP_ACTIONS
};

enum oci_scmp_op {
    OCI_SCMP_NE,
    OCI_SCMP_LT,
    OCI_SCMP_LE,
    OCI_SCMP_EQ,
    OCI_SCMP_GE,
    OCI_SCMP_GT,
    OCI_SCMP_MASKED_EQ,
    OCI_SCMP_OPS
};

enum oci_scmp_arch {
    OCI_ARCH_X86,
    OCI_ARCH_X86_64,
    OCI_ARCH_X32,
    OCI_ARCH_ARM,
    OCI_ARCH_AARCH64,
    OCI_ARCH_MIPS,
    OCI_ARCH_MIPS64,
    OCI_ARCH_MIPS64N32,
    OCI_ARCH_MIPSEL,
    OCI_ARCH_MIPSEL64,
    OCI_ARCH_MIPSEL64N32,
    OCI_ARCH_PPC,
    OCI_ARCH_PPC64,
    OCI_ARCH_PPC64LE,
    OCI_ARCH_S390,
    OCI_ARCH_S390X,
    OCI_ARCH_PARISC,
    OCI_ARCH_PARISC64,
    OCI_ARCH_RISCV64,
    OCI_ARCH_LOONGARCH64,
    OCI_ARCH_M68K,
    OCI_ARCH_SH,
    OCI_ARCH_SHEB,
    OCI_ARCHES
};

extern const char *const oci_scmp_action_names[OCI_SCMP_ACTIONS + 1]; /* "SCMP_ACT_KILL" ... */
extern const char *const oci_scmp_op_names[OCI_SCMP_OPS + 1];
extern const char *const oci_scmp_arch_names[OCI_ARCHES + 1];

struct oci_scmp_arg {
    unsigned index; /* 0 .. 5 */
    enum oci_scmp_op op;
    uint64_t value; /* the mask of OCI_SCMP_MASKED_EQ */
    uint64_t value_two;
};

struct oci_scmp_rule {
    struct oci_strings names; /* n >= 1 */
    enum oci_scmp_action action;
    uint16_t data;             /* errno of ERRNO (EPERM where absent), message of TRACE */
    struct oci_u64 errno_ret;  /* as written */
    struct oci_scmp_arg *args; /* all must hold */
    size_t args_n;
};

struct oci_seccomp {
    bool set;
    enum oci_scmp_action default_action;
    uint16_t default_data;
    struct oci_u64 default_errno_ret; /* as written */
    enum oci_scmp_arch *arches;       /* beside the native one */
    size_t arches_n;
    bool flags_given; /* "flags" stands in the document, empty perhaps */
    unsigned flags;   /* SECCOMP_FILTER_FLAG_LOG, _SPEC_ALLOW, _WAIT_KILLABLE_RECV */
    const char *listener_path;
    const char *listener_metadata;
    struct oci_scmp_rule *rules;
    size_t rules_n;
    struct str rules_text; /* set by oci_load_but_rules; a view into the document */
    bool rules_skipped;    /* rules_n is 0, because they were not read */
};

/* A rule, which may be unread, asks another program (SCMP_ACT_NOTIFY): only then listenerPath
 * counts. */
bool oci_scmp_notifies(const struct oci_seccomp *s);

struct oci_linux {
    struct oci_namespace ns[OCI_NS_KINDS];
    struct oci_idmaps uid_maps;
    struct oci_idmaps gid_maps;
    struct oci_time_offset monotonic; /* timeOffsets */
    struct oci_time_offset boottime;
    struct oci_pairs sysctl;
    const char *cgroups_path;
    struct oci_resources resources;
    struct oci_device *devices;
    size_t devices_n;
    struct oci_net_device *net_devices;
    size_t net_devices_n;
    struct oci_seccomp seccomp;
    unsigned long rootfs_propagation; /* MS_x, with MS_REC for the r forms; 0: absent */
    struct oci_strings masked_paths;
    struct oci_strings readonly_paths;
    const char *mount_label;
    struct oci_rdt rdt;
    bool personality_set;
    unsigned long personality; /* PER_LINUX or PER_LINUX32 */
    struct oci_memory_policy memory_policy;
};

/* --- the whole -------------------------------------------------------------------------------- */

struct oci_config {
    const char *version; /* "ociVersion" */
    struct oci_root root;
    struct oci_process process; /* absent (process.set false): create works, start refuses */
    const char *hostname;
    const char *domainname;
    struct oci_mount *mounts;
    size_t mounts_n;
    struct oci_hooks hooks[OCI_HOOK_KINDS];
    struct oci_pairs annotations;
    struct oci_linux linux_;
    struct oci_strings warnings; /* sentences about what is odd but goes on; for the log */
};

/* Annotations that change what is done, by the names that podman gives them or its users know from
 * crun; all others are only passed on. */
enum oci_annotation {
    OCI_KEEP_GROUPS,     /* the caller's additional groups, instead of additionalGids */
    OCI_HOOKS_STDOUT,    /* absolute path of a file that what hooks print is added to */
    OCI_HOOKS_STDERR,    /* the same */
    OCI_STRICT_SYSCALLS, /* a system call that nobody knows is an error in the seccomp section */
    OCI_HANDLER,         /* something else than a process: what is known to be that is refused */
    OCI_ANNOTATIONS
};

extern const char *const oci_annotation_names[OCI_ANNOTATIONS];
/* The value, which lives as long as the configuration; NULL: it is not there. */
const char *oci_annotation(const struct oci_config *c, enum oci_annotation which);
/* It is there, and not "0". */
bool oci_annotation_is_on(const struct oci_config *c, enum oci_annotation which);

/* Loads, and checks each value by itself. `name` stands for the document in syntax errors. */
must_check int oci_load_str(struct arena *a, struct str text, const char *name,
                            struct oci_config **out, struct err *err);
/* The array of system call rules as it stands in the text, hundreds of names mostly: a view into
 * it. false: there is none where it is looked for, and nothing is said about the text. */
bool oci_find_rules(struct str text, struct str *rules);
/* As oci_load_str, but these rules (of oci_find_rules) are not read: for a caller who knows that
 * their text was loaded before, in a section with the same listenerPath or without SCMP_ACT_NOTIFY.
 * Then the whole document would load if this succeeds. `text` must live as long as *out. A syntax
 * error's line and column are not those of the text. oci_dump writes the rules as they stand. */
must_check int oci_load_but_rules(struct arena *a, struct str text, struct str rules,
                                  const char *name, struct oci_config **out, struct err *err);
/* The text of a bundle's configuration: a regular file of at most out->max bytes. */
must_check int oci_read_file(int dir_fd, const char *path, struct buf *out, struct err *err);
must_check int oci_load_file(struct arena *a, int dir_fd, const char *path, struct oci_config **out,
                             struct err *err);
/* A process object alone, as `exec --process` takes it. */
must_check int oci_load_process_file(struct arena *a, int dir_fd, const char *path,
                                     struct oci_process *out, struct err *err);
/* An array of mounts alone, as `mounts add` takes it. */
must_check int oci_load_mounts_file(struct arena *a, int dir_fd, const char *path,
                                    struct oci_mount **out, size_t *n, struct err *err);
/* A resources object alone, as `update --resources` takes it; paths in errors begin at "$". */
must_check int oci_load_resources(struct arena *a, struct str text, struct oci_resources *out,
                                  struct err *err);

/* Rules across sections, and what this version cannot do: -1 with the path and the reason. Nothing
 * that config.json asks for is ever silently left out. */
must_check int oci_check(const struct oci_config *c, struct err *err);
must_check int oci_check_process(const struct oci_process *p, struct err *err);

/* Back to JSON, with indent of four spaces as `spec` prints it; loading the text gives the same
 * structs. Keys that the loader ignored are lost. */
void oci_dump(const struct oci_config *c, struct buf *out);

/* Root in a user namespace is this id outside, and there is nobody else. */
must_check int oci_map_root(struct arena *a, uint32_t id, struct oci_idmaps *maps, struct err *err);

enum oci_flavour {
    OCI_DEFAULT,
    OCI_ROOTLESS /* a user namespace with the caller's ids, no cgroup, sysfs bound */
};

/* The config.json that `spec` writes: a busybox-like root file system "rootfs", read-only, "sh" on
 * a terminal. ids: of the caller, for OCI_ROOTLESS. */
must_check struct oci_config *oci_default(struct arena *a, enum oci_flavour flavour, uid_t uid,
                                          gid_t gid);

/* The OCI features document. */
void oci_features(struct buf *out);

/* "CAP_CHOWN" (any case, with or without CAP_) to its number, -1 if unknown; and back. */
int oci_cap_parse(struct str name);
const char *oci_cap_name(int cap); /* NULL beyond the last known */

#endif
