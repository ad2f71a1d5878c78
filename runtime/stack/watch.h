/* SPDX-License-Identifier: Apache-2.0 */
/*
 * watch - notices that a file was written or replaced, through inotify on its directory
 *
 * Tests:     tests/unit/runtime/stack/test_watch.c
 */
#ifndef MR_STACK_WATCH_H
#define MR_STACK_WATCH_H

#include "runtime/base/attr.h"
#include "runtime/base/loop.h"

struct err;

struct watch {
    void (*fn)(struct watch *w);
    int fd;
    char name[256];
    struct loop_io io;
};

must_check int watch_open(struct watch *w, struct loop *loop, const char *path, struct err *err);
void watch_close(struct watch *w);

#endif
