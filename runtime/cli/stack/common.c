/* SPDX-License-Identifier: Apache-2.0 */
/* what several verbs do */
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <time.h>
#include <unistd.h>

#include "runtime/base/arena.h"
#include "runtime/base/buf.h"
#include "runtime/base/fd.h"
#include "runtime/base/file.h"
#include "runtime/base/own.h"
#include "runtime/cli/stack/cmd.h"
#include "runtime/spec/stack.h"
#include "runtime/stack/control.h"
#include "runtime/stack/layout.h"
#include "runtime/stack/place.h"

#define DYING_TRIES 100 /* of 20 ms */

int cmd_wrong(struct cmd *c, const struct buf *report, struct err *err)
{
    c->code = 2;
    return fd_write_all(STDERR_FILENO, buf_str(report), err);
}

int cmd_load_file(struct cmd *c, const char *file, struct stack_config **out, struct err *err)
{
    own_buf struct buf text = BUF_INIT(STACK_TEXT_MAX);
    own_buf struct buf report = BUF_INIT(STACK_REPORT_MAX);
    own_free char *real = realpath(file, NULL);
    const char *path;
    struct str first;
    struct str rest;

    if (!real)
        return err_set(err, errno, "'%s'", file);
    path = arena_copy(c->arena, str_of(real));
    if (file_read(AT_FDCWD, path, &text, err) < 0)
        return -1;
    if (stack_load_str(c->arena, buf_str(&text), path, out, &report) == 0)
        return 0;
    c->code = 2;
    first = buf_str(&report);
    (void)str_cut(first, '\n', &first, &rest); /* validate shows them all */
    return err_set(err, EINVAL, "%.*s", STR_ARG(first));
}

int cmd_ask(struct cmd *c, const char *file, const char *line, unsigned wait_s, struct buf *out,
            struct err *err)
{
    struct layout l;

    if (layout_find(c->arena, file, &l, err) < 0)
        return -1;
    if (!place_is_locked(&l))
        return err_set(err, 0, "'%s' %s", file, cmd_not_up());
    return control_call(arena_printf(c->arena, "%s/control.sock", l.run), line, wait_s, out, err);
}

const char *cmd_not_up(void)
{
    return geteuid() ? "is not up as a stack of yours; root's are seen with sudo" : "is not up";
}

bool cmd_lets_go(const struct layout *l)
{
    const struct timespec pause = {.tv_nsec = 20 * 1000 * 1000};

    for (int i = 0; i < DYING_TRIES && place_is_locked(l); i++)
        (void)nanosleep(&pause, NULL); /* woken early is fine */
    return !place_is_locked(l);
}
