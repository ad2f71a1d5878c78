/* SPDX-License-Identifier: Apache-2.0 */
/*
 * launch - what create, run and exec have in common: the bundle, descriptors, terminals, waiting
 *
 * With --debug, the plan of the start is logged, a line a step, before anything is done.
 * Tests:     tests/oci/test_cli.py
 */
#ifndef MR_CLI_LAUNCH_H
#define MR_CLI_LAUNCH_H

#include "runtime/cli/cmd.h"
#include "runtime/cli/network.h"

struct oci_process;

struct launch_opts { /* of create and run */
    const char *bundle;
    const char *config;
    const char *console_socket;
    const char *pidfd_socket;
    const char *pid_file;
    struct opt_flag no_pivot;
    struct opt_flag no_new_keyring;
    struct opt_number preserve_fds;
    struct network_opts net; /* of create and run alone: NETWORK_ROWS */
};

#define LAUNCH_FDS_MAX 10000

/* The rows of create, for a struct T with a member `launch`. */
#define LAUNCH_ROWS(T)                                                                       \
    OPT_VALUE(T, launch.bundle, OPT_KIND_PATH, "bundle", 'b', "DIR",                         \
              "directory of config.json (the current one)"),                                 \
        OPT_VALUE(T, launch.config, OPT_KIND_TEXT, "config", 'f', "FILE",                    \
                  "read it instead of config.json; relative to the bundle"),                 \
        OPT_VALUE(T, launch.console_socket, OPT_KIND_PATH, "console-socket", 0, "SOCKET",    \
                  "send the master of the terminal there"),                                  \
        OPT_VALUE(T, launch.pidfd_socket, OPT_KIND_PATH, "pidfd-socket", 0, "SOCKET",        \
                  "send a pidfd of the process there"),                                      \
        OPT_VALUE(T, launch.pid_file, OPT_KIND_PATH, "pid-file", 0, "FILE",                  \
                  "write the process id there"),                                             \
        OPT_FLAG(T, launch.no_pivot, "no-pivot", 0, "move the root instead of pivot_root"),  \
        OPT_FLAG(T, launch.no_new_keyring, "no-new-keyring", 0, "keep the session keyring"), \
        OPT_NUMBER(T, launch.preserve_fds, "preserve-fds", 0, "N", 0, LAUNCH_FDS_MAX,        \
                   "pass N descriptors from number 3 on (after those of $LISTEN_FDS)")

enum launch_how {
    LAUNCH_DETACHED,
    LAUNCH_FOREGROUND
};

/* Fills *out from options and the loaded, checked config.json; logs its warnings. */
must_check int launch_prepare(struct cmd *c, const struct launch_opts *o, enum launch_how how,
                              struct container_create *out, struct err *err);

/* Descriptors that systemd handed us go on to the process: counts them into io, sets the
 * environment. */
must_check int launch_pass_listen_fds(struct cmd *c, struct oci_process *p, struct container_io *io,
                                      unsigned *flags, struct err *err);

/* A terminal and a console socket must fit to each other. */
must_check int launch_check_console(const struct oci_process *p, const char *console_socket,
                                    enum launch_how how, struct err *err);

/* The socket of the service manager that started us, or NULL. */
const char *launch_notify_host(void);

/* Waits for the child in the foreground; *code is what this program exits with. */
must_check int launch_attend(const struct container_child *child, int *code, struct err *err);

/* Closes the descriptors of a child that goes on without us. */
void launch_let_go(const struct container_child *child);

#endif
