/* SPDX-License-Identifier: Apache-2.0 */
#include <errno.h>
#include <fcntl.h>
#include <unistd.h>

#include "runtime/base/buf.h"
#include "runtime/base/fd.h"
#include "runtime/base/own.h"
#include "runtime/cli/cmd.h"
#include "runtime/spec/oci.h"

struct spec_opts {
    const char *bundle;
    const char *file;
    struct opt_flag rootless;
};

static const struct opt rows[] = {
    OPT_VALUE(spec_opts, bundle, OPT_KIND_PATH, "bundle", 'b', "DIR",
              "write it there (the current directory)"),
    OPT_VALUE(spec_opts, file, OPT_KIND_TEXT, "file", 'f', "FILE",
              "instead of config.json, in the bundle unless it is absolute"),
    OPT_FLAG(spec_opts, rootless, "rootless", 0, "for a container of an ordinary user"),
};

static int run(struct cmd *c, struct err *err)
{
    const struct spec_opts *o = c->opts;
    const char *bundle = o->bundle == NULL ? "." : o->bundle;
    const bool absolute = o->file != NULL && o->file[0] == '/';
    const char *in = absolute ? "" : bundle, *slash = absolute ? "" : "/";
    const char *file = o->file == NULL ? "config.json" : o->file;
    own_buf struct buf out = BUF_INIT(1U << 16);
    own_fd int dir = open(bundle, O_PATH | O_DIRECTORY | O_CLOEXEC), fd = -1;

    if (dir < 0)
        return err_set(err, errno, "open the bundle '%s'", bundle);
    fd = openat(dir, file, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0666);
    if (fd < 0 && errno == EEXIST)
        return err_set(err, 0, "'%s%s%s' exists; remove it first", in, slash, file);
    if (fd < 0)
        return err_set(err, errno, "create '%s%s%s'", in, slash, file);
    oci_dump(
        oci_default(c->arena, o->rootless.on ? OCI_ROOTLESS : OCI_DEFAULT, geteuid(), getegid()),
        &out);
    if (buf_check(&out, "config.json", err) < 0)
        return -1;
    return fd_write_all(fd, buf_str(&out), err);
}

const struct verb cmd_spec = {
    .name = "spec",
    .usage = "[OPTIONS]",
    .help = "write a config.json to start from",
    .more = "It runs 'sh' on a terminal in the root file system 'rootfs', read-only.",
    .opts = OPT_TABLE(rows, OPT_ANYWHERE),
    .opts_size = sizeof(struct spec_opts),
    .run = run,
};
