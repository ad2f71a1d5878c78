/* SPDX-License-Identifier: Apache-2.0 */
#include "runtime/base/buf.h"
#include "runtime/base/own.h"
#include "runtime/cli/cmd.h"
#include "runtime/spec/oci.h"

static int run(struct cmd *c, struct err *err)
{
    own_buf struct buf out = BUF_INIT(1U << 16);

    (void)c;
    oci_features(&out);
    return cmd_print(&out, err);
}

const struct verb cmd_features = {
    .name = "features",
    .usage = "",
    .help = "print what this runtime can do as JSON",
    .run = run,
};
