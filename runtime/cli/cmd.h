/* SPDX-License-Identifier: Apache-2.0 */
/*
 * cmd - the verbs of mailbox-run: one `struct verb` and one file each
 *
 * A verb states its options as a table, its arguments as a number, and one function that calls the
 * library and prints. main.c does what all have in common: global options, --help, the arena,
 * errors, exit codes.
 *
 * Tests:     tests/oci/test_cli.py
 */
#ifndef MR_CLI_CMD_H
#define MR_CLI_CMD_H

#include "runtime/base/err.h"
#include "runtime/cli/opt.h"
#include "runtime/cli/report.h"
#include "runtime/container/container.h"

struct cmd { /* one call of a verb */
    struct container_env env;
    struct arena *arena;
    struct report *report;
    const void *opts; /* the verb's struct of options */
    const char **args;
    size_t args_n;
    const char *criu;  /* --criu, or NULL */
    char *const *argv; /* the program's own, for executing itself or its helper */
    int code;          /* exit status on success */
};

#define CMD_ARGS_ANY SIZE_MAX

struct verb {
    const char *name;
    const char *usage; /* what follows the name */
    const char *help;  /* one line */
    const char *more;  /* more lines for --help, or NULL */
    struct opt_table opts;
    size_t opts_size;
    size_t args_min;
    size_t args_max;
    const char *doing;  /* "create container": put in front of errors together with args[0] */
    bool makes_process; /* container_protect_self is wanted */
    int fail_code;      /* exit status on error; 0 stands for 1 */
    int (*run)(struct cmd *c, struct err *err);
};

extern const struct verb cmd_checkpoint;
extern const struct verb cmd_create;
extern const struct verb cmd_delete;
extern const struct verb cmd_events;
extern const struct verb cmd_exec;
extern const struct verb cmd_features;
extern const struct verb cmd_kill;
extern const struct verb cmd_list;
extern const struct verb cmd_mounts;
extern const struct verb cmd_pause;
extern const struct verb cmd_ps;
extern const struct verb cmd_restore;
extern const struct verb cmd_resume;
extern const struct verb cmd_run;
extern const struct verb cmd_spec;
extern const struct verb cmd_start;
extern const struct verb cmd_state;
extern const struct verb cmd_update;

/* Writes the buffer to standard output. */
must_check int cmd_print(const struct buf *out, struct err *err);

/* The verbs of the mail stack live in a program of their own, mailbox-run-stack, so that this one
 * stays small. Does not return when it executed it. */
must_check int cmd_call_helper(char *const *argv, struct err *err);

#endif
