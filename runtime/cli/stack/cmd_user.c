/* SPDX-License-Identifier: Apache-2.0 */
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <termios.h>
#include <unistd.h>

#include "runtime/base/arena.h"
#include "runtime/base/buf.h"
#include "runtime/base/fd.h"
#include "runtime/base/jv.h"
#include "runtime/base/num.h"
#include "runtime/base/own.h"
#include "runtime/cli/stack/cmd.h"
#include "runtime/spec/stack.h"
#include "runtime/stack/accounts.h"

struct user_opts {
    struct opt_flag password_stdin;
};

static const struct opt rows[] = {
    OPT_FLAG(user_opts, password_stdin, "password-stdin", 0,
             "read the password from standard input, up to the end of\n"
             "                                its first line"),
};

struct call {
    struct cmd *c;
    const struct user_opts *o;
    const struct stack_config *config;
    const char *address; /* lower case; NULL for list */
};

/* --- the password -------------------------------------------------------------------------------
 */

#define INTERRUPT '\003' /* Ctrl-C; no password has control characters */

struct secret { /* wiped when its scope ends */
    char text[ACCOUNTS_PASSWORD_MAX];
    size_t n;
};

static void wipe(struct secret *s)
{
    explicit_bzero(s, sizeof(*s));
}

#define own_secret __attribute__((cleanup(wipe)))

static int read_line(int fd, struct secret *out, struct err *err)
{
    out->n = 0;
    for (;;) {
        char ch;
        ssize_t n = TEMP_FAILURE_RETRY(read(fd, &ch, 1));

        if (n < 0)
            return err_set(err, errno, "read the password");
        if (n == 0 || ch == '\n')
            break;
        if (ch == INTERRUPT)
            return err_set(err, 0, "interrupted");
        if (out->n == sizeof(out->text))
            return err_set(err, 0, "the password is too long");
        out->text[out->n++] = ch;
    }
    if (out->n && out->text[out->n - 1] == '\r')
        out->n--;
    return 0;
}

static int ask_once(int tty, const char *prompt, struct secret *out, struct err *err)
{
    struct termios was;
    struct termios quiet;
    int rc;

    if (tcgetattr(tty, &was) < 0)
        return err_set(err, errno, "the terminal");
    quiet = was;
    quiet.c_lflag &= ~(tcflag_t)(ECHO | ECHOE | ECHOK | ISIG);
    quiet.c_lflag |= ECHONL;
    quiet.c_cc[VEOL] = INTERRUPT; /* a character: a signal would leave the terminal quiet */
    /* Quiet first: what is typed at the sight of the prompt must be neither shown nor flushed. */
    if (tcsetattr(tty, TCSAFLUSH, &quiet) < 0)
        return err_set(err, errno, "the terminal");
    rc = fd_write_all(tty, str_of(prompt), err) < 0 ? -1 : read_line(tty, out, err);
    (void)tcsetattr(tty, TCSAFLUSH, &was); /* nothing better can be done */
    return rc;
}

static int ask_twice(struct secret *out, struct err *err)
{
    own_fd int tty = open("/dev/tty", O_RDWR | O_CLOEXEC | O_NOCTTY);
    own_secret struct secret again = {.n = 0};

    if (tty < 0)
        return err_set(err, errno, "no terminal to ask for the password (see --password-stdin)");
    if (ask_once(tty, "Password: ", out, err) < 0 || ask_once(tty, "Once more: ", &again, err) < 0)
        return -1;
    if (out->n != again.n || memcmp(out->text, again.text, out->n) != 0)
        return err_set(err, 0, "the two passwords differ");
    return 0;
}

static int make_hash(const struct call *k, char **hash, struct err *err)
{
    own_secret struct secret s = {.n = 0};
    int rc = k->o->password_stdin.on ? read_line(STDIN_FILENO, &s, err) : ask_twice(&s, err);

    return rc < 0 ? -1 : accounts_hash((struct str){s.text, s.n}, hash, err);
}

/* --- the actions --------------------------------------------------------------------------------
 */

/* The edit is done; if the whole is wrong now (an alias leads to an account that is gone), say so.
 */
static int warn_if_wrong(const struct call *k, struct err *err)
{
    own_buf struct buf report = BUF_INIT(STACK_REPORT_MAX);
    own_buf struct buf text = BUF_INIT(STACK_REPORT_MAX + 4096);
    struct stack_config *whole;

    if (stack_load(k->c->arena, k->config->file, &whole, &report) == 0)
        return 0;
    buf_printf(&text, "mailbox-run: done, but now this is wrong:\n%s", buf_c(&report));
    return fd_write_all(STDERR_FILENO, buf_str(&text), err);
}

static int set_password(const struct call *k, enum accounts_how how, struct err *err)
{
    own_free char *hash = NULL;

    if (make_hash(k, &hash, err) < 0 ||
        accounts_set(k->config->accounts_file, k->address, hash, how, err) < 0)
        return -1;
    return warn_if_wrong(k, err);
}

static int user_add(const struct call *k, struct err *err)
{
    return set_password(k, ACCOUNTS_ADD, err);
}

static int user_passwd(const struct call *k, struct err *err)
{
    return set_password(k, ACCOUNTS_CHANGE, err);
}

static int user_del(const struct call *k, struct err *err)
{
    if (accounts_del(k->config->accounts_file, k->address, err) < 0)
        return -1;
    return warn_if_wrong(k, err);
}

static int user_list(const struct call *k, struct err *err)
{
    own_buf struct buf out = BUF_INIT(CMD_PRINT_MAX);
    own_buf struct buf report = BUF_INIT(STACK_REPORT_MAX);
    struct stack_accounts list = {0};

    if (stack_load_accounts(k->c->arena, k->config, &list, &report) < 0)
        return cmd_wrong(k->c, &report, err);
    for (size_t i = 0; i < list.n; i++) {
        char quota[NUM_TEXT_MAX];

        buf_append_c(&out, list.v[i].address);
        if (list.v[i].quota) {
            num_format_size(list.v[i].quota, quota);
            buf_printf(&out, " quota=%s", quota);
        }
        for (size_t n = 0; n < list.v[i].aliases.n; n++)
            buf_printf(&out, " %s%s", n ? "" : "aliases: ", list.v[i].aliases.v[n]);
        buf_append_char(&out, '\n');
    }
    return cmd_print(&out, err);
}

static const struct {
    const char *name;
    size_t args_n;
    int (*fn)(const struct call *k, struct err *err);
} actions[] = {
    {"add", 3, user_add}, {"passwd", 3, user_passwd}, {"del", 3, user_del}, {"list", 2, user_list}};

static int check_address(struct call *k, const char *text, struct err *err)
{
    struct str local;
    struct str domain;
    char *lower = arena_copy(k->c->arena, str_of(text));

    if (stack_address_split(str_of(text), &local, &domain, err) < 0)
        return -1;
    if (!stack_domain_get(k->config, domain))
        return err_set(err, 0, "'%.*s' is no domain of '%s'", STR_ARG(domain), k->config->file);
    for (char *p = lower; *p; p++)
        *p = ascii_lower(*p);
    k->address = lower;
    return 0;
}

static int run(struct cmd *c, struct err *err)
{
    struct call k = {.c = c, .o = c->opts};
    struct stack_config *config;

    for (size_t i = 0; i < ARRAY_N(actions); i++) {
        if (strcmp(c->args[0], actions[i].name) != 0 || c->args_n != actions[i].args_n)
            continue;
        if (cmd_load_file(c, c->args[1], &config, err) < 0)
            return -1;
        k.config = config;
        if (c->args_n > 2 && check_address(&k, c->args[2], err) < 0)
            return -1;
        return actions[i].fn(&k, err);
    }
    c->code = 2;
    return err_set(err, 0, "usage: mailbox-run user %s", cmd_user.usage);
}

const struct verb cmd_user = {
    .name = "user",
    .usage = "add|passwd|del FILE ADDRESS | list FILE",
    .help = "add, change, remove and list accounts",
    .more =
        "The password is asked for twice, or read with --password-stdin, and kept as a yescrypt\n"
        "hash. A running stack takes the change over at once.",
    .opts = OPT_TABLE(rows, OPT_ANYWHERE),
    .opts_size = sizeof(struct user_opts),
    .args_min = 2,
    .args_max = 3,
    .run = run,
};
