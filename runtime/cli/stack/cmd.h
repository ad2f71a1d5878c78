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
    char *const *argv;  /* the program's own */
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

struct layout;
struct stack_config;

/* The file alone, without its accounts: for what must work while those are wrong or missing. */
must_check int cmd_load_file(struct cmd *c, const char *file, struct stack_config **out,
                             struct err *err);
/* Asks the supervisor of the file; `out` gets its answer. An error says that the stack is not up.
 */
must_check int cmd_ask(struct cmd *c, const char *file, const char *line, unsigned wait_s,
                       struct buf *out, struct err *err);
/* "is not up", and for an ordinary user that root's stacks are not seen. */
const char *cmd_not_up(void);
/* After a conversation that broke off: a supervisor that is killed just now lets go of its
 * directory a moment later. true: it did. */
bool cmd_lets_go(const struct layout *l);
/* Writes the report of a wrong file to standard error, and sets the exit status 2. */
must_check int cmd_wrong(struct cmd *c, const struct buf *report, struct err *err);
/* Writes the buffer to standard output. */
must_check int cmd_print(const struct buf *out, struct err *err);

#endif
