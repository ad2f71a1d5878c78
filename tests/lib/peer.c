/* SPDX-License-Identifier: Apache-2.0 */
#include "tests/lib/peer.h"

#include <stdio.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#include "runtime/base/err.h"
#include "runtime/base/fd.h"
#include "runtime/base/str.h"

#define LINE_MAX_N 4096

static bool send_all(int fd, struct str s)
{
    struct err err;

    return fd_write_all(fd, s, &err) == 0;
}

static bool send_slowly(int fd, struct str s)
{
    for (; s.n > 0; s = str_skip(s, 1)) {
        if (!send_all(fd, str_head(s, 1)))
            return false;
    }
    return true;
}

static bool read_char(int fd, char *c)
{
    struct err err;

    return fd_read_full(fd, c, 1, &err) == 1;
}

static bool expect(int fd, struct str s)
{
    char c;

    for (; s.n > 0; s = str_skip(s, 1)) {
        if (!read_char(fd, &c) || c != s.p[0])
            return false;
    }
    return true;
}

static bool expect_line(int fd, struct str s)
{
    char line[LINE_MAX_N];
    size_t n = 0;

    do {
        if (n == sizeof(line) || !read_char(fd, &line[n]))
            return false;
    } while (line[n++] != '\n');
    if (str_starts((struct str){line, n}, s))
        return true;
    (void)fprintf(stderr, "peer: found the line %.*s", (int)n, line);
    return false;
}

static bool expect_end(int fd)
{
    char c;

    return !read_char(fd, &c);
}

static bool play_step(int fd, const struct peer_step *step)
{
    struct str s = str_of(step->text);

    switch (step->kind) {
    case PEER_SEND:
        return send_all(fd, s);
    case PEER_SEND_SLOWLY:
        return send_slowly(fd, s);
    case PEER_EXPECT:
        return expect(fd, s);
    case PEER_EXPECT_LINE:
        return expect_line(fd, s);
    case PEER_EXPECT_END:
        return expect_end(fd);
    case PEER_CLOSE:
        return shutdown(fd, SHUT_RDWR) == 0;
    }
    return false;
}

bool peer_play(int fd, const struct peer_step *steps, size_t n)
{
    for (size_t i = 0; i < n; i++) {
        if (!play_step(fd, &steps[i])) {
            (void)fprintf(stderr, "peer: step %zu: '%s'\n", i, steps[i].text);
            return false;
        }
    }
    return true;
}

int peer_start(struct peer *p, const struct peer_step *steps, size_t n)
{
    struct err err;
    int pair[2];

    if (fd_socketpair(SOCK_STREAM, pair, &err) < 0)
        abort();
    p->pid = fork();
    if (p->pid < 0)
        abort();
    if (p->pid == 0) {
        (void)alarm(PEER_WAIT_S);
        (void)close(pair[0]);
        _exit(peer_play(pair[1], steps, n) ? 0 : 1);
    }
    (void)close(pair[1]);
    return pair[0];
}

bool peer_end(struct peer *p)
{
    int status = -1;

    return waitpid(p->pid, &status, 0) == p->pid && status == 0;
}
