/* SPDX-License-Identifier: Apache-2.0 */
#include <unistd.h>

#include "runtime/base/buf.h"
#include "runtime/base/fd.h"
#include "runtime/cli/cmd.h"

int cmd_print(const struct buf *out, struct err *err)
{
    if (buf_check(out, "the output", err) < 0)
        return -1;
    if (fd_write_all(STDOUT_FILENO, buf_str(out), err) < 0)
        return err_wrap(err, "write to standard output");
    return 0;
}
