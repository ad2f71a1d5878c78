/* SPDX-License-Identifier: Apache-2.0 */
/*
 * cmd - the verbs of mb-image, one file each
 */
#ifndef MR_IMAGE_TOOL_CMD_H
#define MR_IMAGE_TOOL_CMD_H

#include "runtime/base/attr.h"

struct arena;
struct buf;
struct err;

struct call { /* one run of the program */
    struct arena *arena;
    const char *layout;   /* -o, --layout */
    const char *programs; /* --programs */
    const char *files;    /* --files */
    char *const *args;    /* what follows the verb and the options */
    int args_n;
};

must_check int cmd_build(const struct call *c, struct err *err);
must_check int cmd_unpack(const struct call *c, struct err *err);
must_check int cmd_import(const struct call *c, struct err *err);
must_check int cmd_export(const struct call *c, struct err *err);
must_check int cmd_rm(const struct call *c, struct err *err);
must_check int cmd_show(const struct call *c, struct err *err);

/* To standard output. */
must_check int cmd_print(const struct buf *out, struct err *err);

#endif
