/* SPDX-License-Identifier: Apache-2.0 */
/*
 * cmd - the verbs of mailbox-run-stack: one `struct verb` and one file each
 *
 * mailbox-run executes mailbox-run-stack with its own arguments for these verbs. A verb states its
 * options as a table (runtime/cli/opt.h), its arguments as a number, and one function that calls
 * the library and prints.
 *
 * Exit status: 0; 1 for an error; 2 for a wrong command line or a wrong mailstack.json.
 */
#ifndef MR_CLI_STACK_CMD_H
#define MR_CLI_STACK_CMD_H

#include <stddef.h>

#include "runtime/base/attr.h"
#include "runtime/base/err.h"
#include "runtime/cli/opt.h"

struct arena;
struct buf;

struct cmd { /* one call of a verb */
    struct arena *arena;
    const void *opts; /* the verb's struct of options */
    const char **args;
    size_t args_n;
    const char *images; /* directory of the image layout */
    int code;           /* exit status; set to 2 before an error of usage or configuration */
};

#define CMD_ARGS_ANY  SIZE_MAX
#define CMD_PRINT_MAX (64U << 20)

struct verb {
    const char *name;
    const char *usage; /* what follows the name */
    const char *help;  /* one line */
    const char *more;  /* more lines for --help, or NULL */
    struct opt_table opts;
    size_t opts_size;
    size_t args_min;
    size_t args_max;
    int (*run)(struct cmd *c, struct err *err);
};

extern const struct verb cmd_bundle;
extern const struct verb cmd_down;
extern const struct verb cmd_image; /* of the images room */
extern const struct verb cmd_logs;
extern const struct verb cmd_queue;
extern const struct verb cmd_reload;
extern const struct verb cmd_restart;
extern const struct verb cmd_status;
extern const struct verb cmd_up;
extern const struct verb cmd_user;
extern const struct verb cmd_validate;

/* Writes the buffer to standard output. */
must_check int cmd_print(const struct buf *out, struct err *err);

#endif
