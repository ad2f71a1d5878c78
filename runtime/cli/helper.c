/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The helper stands beside this program (as in build/) or in ../libexec/mailbox-run (as installed).
 */
#include <errno.h>
#include <limits.h>
#include <unistd.h>

#include "runtime/base/buf.h"
#include "runtime/base/own.h"
#include "runtime/base/path.h"
#include "runtime/cli/cmd.h"

static const char *const places[] = {"mailbox-run-stack",
                                     "../libexec/mailbox-run/mailbox-run-stack"};

int cmd_call_helper(char *const *argv, struct err *err)
{
    char self[PATH_MAX];
    ssize_t n = readlink("/proc/self/exe", self, sizeof self);

    if (n < 0 || n == (ssize_t)sizeof self)
        return err_set(err, errno, "read '/proc/self/exe'");
    for (size_t i = 0; i < ARRAY_N(places); i++) {
        own_buf struct buf path = BUF_INIT(2UL * PATH_MAX);

        path_join(path_dir((struct str){self, (size_t)n}), str_of(places[i]), &path);
        (void)execv(buf_c(&path), argv); /* returns only if it failed */
        if (errno != ENOENT)
            return err_set(err, errno, "execute '%s'", buf_c(&path));
    }
    return err_set(err, 0,
                   "the program 'mailbox-run-stack' is missing: it should be beside '%.*s' or in "
                   "'../libexec/mailbox-run'",
                   (int)n, self);
}
