/* SPDX-License-Identifier: Apache-2.0 */
/*
 * peer - the scripted other end of a stream socket
 *
 *     static const struct peer_step steps[] = {
 *         {PEER_SEND, "220 hello\r\n"}, {PEER_EXPECT, "EHLO me\r\n"}, {PEER_CLOSE, NULL}};
 *     struct peer p;
 *     int fd = peer_start(&p, steps, ARRAY_N(steps));
 *     ... talk through fd, blocking or not; close it ...
 *     assert_true(peer_end(&p));
 *
 * The other end runs in a process of its own, gives up after PEER_WAIT_S seconds, and says on
 * standard error which step it stumbled over.
 */
#ifndef MR_TESTS_PEER_H
#define MR_TESTS_PEER_H

#include <stdbool.h>
#include <stddef.h>
#include <sys/types.h>

#define PEER_WAIT_S 10

enum peer_kind {
    PEER_SEND,
    PEER_SEND_SLOWLY, /* byte by byte, each in a packet of its own */
    PEER_EXPECT,      /* exactly these bytes next */
    PEER_EXPECT_LINE, /* a line that begins with this text, the rest does not matter */
    PEER_EXPECT_END,  /* the other side closes */
    PEER_CLOSE
};

struct peer_step {
    enum peer_kind kind;
    const char *text;
};

struct peer {
    pid_t pid;
};

int peer_start(struct peer *p, const struct peer_step *steps, size_t n); /* our end of the socket */
/* Plays the script on a connected socket in this process: true if all went as written. */
bool peer_play(int fd, const struct peer_step *steps, size_t n);
bool peer_end(struct peer *p); /* waits for the other end: did all go as written? */

#endif
