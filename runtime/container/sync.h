/* SPDX-License-Identifier: Apache-2.0 */
/*
 * sync - messages between the maker of a container and its first process
 *
 * One seqpacket socket pair, one message a packet: a kind, a number, a text, perhaps a descriptor.
 * The end of file means that the process has executed its program (the socket is close-on-exec) or
 * has died; SYNC_READY tells the two apart.
 *
 * Memory:    no allocation; may be called between fork and exec.
 * Tests:     tests/unit/runtime/container/test_sync.c
 */
#ifndef MR_CONTAINER_SYNC_H
#define MR_CONTAINER_SYNC_H

#include <stdbool.h>
#include <stddef.h>

#include "runtime/base/attr.h"
#include "runtime/base/err.h"
#include "runtime/base/fd.h"

enum sync_kind {
    SYNC_GO = 'g',       /* to the child: go on; number: enum init_groups */
    SYNC_STAGE = 's',    /* from a process before the child: number is its pid, with a pidfd */
    SYNC_ENTER = 'n',    /* may the pid namespace be entered? answered by go */
    SYNC_CONSOLE = 'c',  /* with the master of the terminal */
    SYNC_MOVED = 'm',    /* the root was moved, not pivoted to; answered by go */
    SYNC_HOOKS = 'h',    /* run the hooks of the runtime now, then say go */
    SYNC_LISTENER = 'l', /* with the notify descriptor of the filter; answered by go */
    SYNC_READY = 'r',    /* all that can fail before the start is done */
    SYNC_ERROR = 'e'     /* number is the errno, the text the sentence */
};

struct sync_msg {
    enum sync_kind kind;
    int number;
    char text[ERR_TEXT_MAX];
    int fd; /* -1 if none came; the receiver's */
};

must_check int sync_send(int sock, enum sync_kind kind, int number, int fd, struct err *err);
/* Was a failure to send that the other process has ended? What it said before can still be heard.
 */
bool sync_is_gone(const struct err *err);
/* The failure itself; that it cannot be sent is nobody's to hear. */
void sync_send_error(int sock, const struct err *failure);

/* 1: a message; 0: end of file; -1. An error of the other side is given as a message. */
must_check int sync_recv(int sock, struct sync_msg *out, struct err *err);
/* Waits for SYNC_GO; anything else, and the end, is a failure. */
must_check int sync_wait_go(int sock, int *number, struct err *err);

/* SYNC_GO with descriptors. Both sides name the same places in the same order; what stands in one
 * of the sender's comes to the receiver's, and one that holds none (-1) stays as it is. */
struct sync_places {
    int *v[FD_PASS_MAX];
    size_t n;
};

/* Beyond FD_PASS_MAX it is not added. */
void sync_add_place(struct sync_places *p, int *fd);
must_check int sync_send_places(int sock, const struct sync_places *p, struct err *err);
must_check int sync_wait_places(int sock, const struct sync_places *p, struct err *err);

#endif
