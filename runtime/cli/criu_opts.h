/* SPDX-License-Identifier: Apache-2.0 */
/*
 * criu_opts - the options that checkpoint and restore have in common
 *
 * Tests:     tests/oci/test_checkpoint.py
 */
#ifndef MR_CLI_CRIU_OPTS_H
#define MR_CLI_CRIU_OPTS_H

#include "runtime/cli/cmd.h"

struct criu_opts {
    const char *image_path;
    const char *work_path;
    const char *manage_cgroups;
    const char *network_lock;
    struct opt_list empty_ns;
    struct opt_flag tcp_established;
    struct opt_flag ext_unix_sk;
    struct opt_flag shell_job;
    struct opt_flag file_locks;
    struct opt_flag lazy_pages;
    struct opt_flag auto_dedup;
};

extern const char *const criu_cgroup_modes[];  /* NULL at the end */
extern const char *const criu_network_locks[]; /* the same */

/* The rows of a struct T with a member `criu`. */
#define CRIU_ROWS(T)                                                                            \
    OPT_VALUE(T, criu.image_path, OPT_KIND_PATH, "image-path", 0, "DIR",                        \
              "directory of the images (./checkpoint)"),                                        \
        OPT_VALUE(T, criu.work_path, OPT_KIND_PATH, "work-path", 0, "DIR",                      \
                  "directory of criu's logs (that of the images)"),                             \
        OPT_CHOICE(T, criu.manage_cgroups, "manage-cgroups-mode", 0, "MODE", criu_cgroup_modes, \
                   "soft (default), full, strict or ignore"),                                   \
        OPT_FLAG(T, criu.tcp_established, "tcp-established", 0, "with TCP connections"),        \
        OPT_FLAG(T, criu.ext_unix_sk, "ext-unix-sk", 0, "with unix sockets to the outside"),    \
        OPT_FLAG(T, criu.shell_job, "shell-job", 0, "with a session from outside"),             \
        OPT_FLAG(T, criu.file_locks, "file-locks", 0, "with file locks"),                       \
        OPT_FLAG(T, criu.lazy_pages, "lazy-pages", 0, "memory follows when it is touched"),     \
        OPT_FLAG(T, criu.auto_dedup, "auto-dedup", 0, "drop from images what a later one has"), \
        OPT_VALUE(T, criu.empty_ns, OPT_KIND_LIST, "empty-ns", 0, "NAMESPACE",                  \
                  "make it, but not what is in it; 'network' is the one there is"),             \
        OPT_CHOICE(T, criu.network_lock, "network-lock", 0, "METHOD", criu_network_locks,       \
                   "how connections are held: iptables, nftables or skip")

/* Fills *out; paths become absolute. */
must_check int criu_opts_take(struct cmd *c, const struct criu_opts *o,
                              struct container_checkpoint *out, struct err *err);

#endif
