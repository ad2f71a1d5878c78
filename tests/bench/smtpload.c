/* SPDX-License-Identifier: Apache-2.0 */
/*
 * smtpload HOST PORT CONNECTIONS MESSAGES BYTES RCPT... - sends mail and tells how long it took
 *
 * CONNECTIONS at a time, each sends its share of MESSAGES over one connection with PIPELINING; the
 * recipients take turns. Output: seconds until the last 250, and how many there were.
 */
#include <errno.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <poll.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

#include "runtime/base/buf.h"
#include "runtime/base/dialmsg.h"
#include "runtime/base/err.h"
#include "runtime/base/fd.h"
#include "runtime/base/mem.h"
#include "runtime/base/num.h"
#include "runtime/base/own.h"

#define LINE_MAX_N 4096
#define BODY_MAX   (64U << 20)

enum step { /* the reply that a connection waits for */
    GREETING,
    HELLO,
    ENVELOPE, /* of MAIL, RCPT and DATA together */
    CONTENT,
    BYE
};

struct client {
    int fd;
    enum step step;
    unsigned replies; /* still to come in this step */
    unsigned left;    /* messages to send */
    unsigned id;
    char in[LINE_MAX_N];
    size_t n;
};

struct load {
    char **rcpts;
    unsigned rcpts_n;
    unsigned sent;
    unsigned accepted;
    struct buf body;
};

static no_return void die(const char *what)
{
    (void)fprintf(stderr, "smtpload: %s: %s\n", what,
                  errno ? strerrordesc_np(errno) : "unexpected reply");
    exit(1);
}

static void put(struct client *c, struct str s)
{
    struct err err = {0};

    if (fd_write_all(c->fd, s, &err) < 0)
        die("write");
}

static void put_envelope(struct client *c, struct load *l)
{
    own_buf struct buf b = BUF_INIT(LINE_MAX_N);

    if (c->left == 0) {
        c->step = BYE;
        c->replies = 1;
        put(c, STR("QUIT\r\n"));
        return;
    }
    c->left--;
    c->step = ENVELOPE;
    c->replies = 3;
    buf_printf(&b, "MAIL FROM:<load@sender.example>\r\nRCPT TO:<%s>\r\nDATA\r\n",
               l->rcpts[l->sent++ % l->rcpts_n]);
    put(c, buf_str(&b));
}

static void put_content(struct client *c, struct load *l)
{
    own_buf struct buf b = BUF_INIT(BODY_MAX);

    buf_printf(
        &b,
        "From: load@sender.example\r\nTo: you@example.org\r\nSubject: load %u\r\n"
        "Date: Tue, 24 Nov 2026 10:00:00 +0000\r\nMessage-ID: <%u.%u@sender.example>\r\n\r\n",
        l->sent, c->id, c->left);
    buf_append(&b, buf_str(&l->body));
    buf_append_c(&b, ".\r\n");
    c->step = CONTENT;
    c->replies = 1;
    put(c, buf_str(&b));
}

static void on_reply(struct client *c, struct load *l, char first)
{
    errno = 0;
    if (first != '2' && first != '3')
        die(c->in);
    if (--c->replies > 0)
        return;
    switch (c->step) {
    case GREETING:
        c->step = HELLO;
        c->replies = 1;
        put(c, STR("EHLO load.test\r\n"));
        break;
    case CONTENT:
        l->accepted++;
        put_envelope(c, l);
        break;
    case HELLO:
        put_envelope(c, l);
        break;
    case ENVELOPE:
        put_content(c, l);
        break;
    case BYE:
        (void)close(c->fd);
        c->fd = -1;
        break;
    }
}

/* One whole line at a time; "250-" is not the end of a reply. */
static void on_input(struct client *c, struct load *l)
{
    ssize_t n = read(c->fd, c->in + c->n, sizeof(c->in) - 1 - c->n);
    char *end;

    if (n <= 0)
        die("read");
    c->n += (size_t)n;
    c->in[c->n] = '\0';
    while (c->fd >= 0 && (end = memchr(c->in, '\n', c->n)) != NULL) {
        size_t used = (size_t)(end - c->in) + 1;
        char first = c->in[0];
        bool last = used < 4 || c->in[3] != '-';

        if (last)
            on_reply(c, l, first);
        c->n -= used;
        memmove(c->in, c->in + used, c->n);
    }
}

static int dial(const char *host, unsigned port)
{
    struct sockaddr_storage sa;
    struct err err = {0};
    int on = 1;
    int fd;

    if (dialmsg_parse_addr(str_of(host), (uint16_t)port, &sa, &err) < 0)
        die(err.text);
    fd = socket(sa.ss_family, SOCK_STREAM | SOCK_CLOEXEC, 0);
    if (fd < 0 || connect(fd, (struct sockaddr *)&sa, sizeof(struct sockaddr_in)) < 0)
        die("connect");
    (void)setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof(on));
    return fd;
}

static void run(struct load *l, struct client *clients, nfds_t n)
{
    struct pollfd *fds = mem_array(n, sizeof(*fds));

    for (bool some = true; some;) {
        some = false;
        for (nfds_t i = 0; i < n; i++) {
            fds[i] = (struct pollfd){.fd = clients[i].fd, .events = POLLIN};
            some = some || clients[i].fd >= 0;
        }
        if (some && poll(fds, n, 60000) <= 0)
            die("no answer");
        for (nfds_t i = 0; i < n; i++)
            if (fds[i].fd >= 0 && fds[i].revents != 0)
                on_input(&clients[i], l);
    }
    free(fds);
}

static unsigned number(const char *text)
{
    struct err err = {0};
    uint32_t v;

    if (num_parse_u32(str_of(text), 1, 100000000, &v, &err) < 0)
        die(text);
    return v;
}

int main(int argc, char **argv)
{
    struct load l = {.body = BUF_INIT(BODY_MAX)};
    struct timespec began;
    struct timespec ended;

    if (argc < 7) {
        (void)fputs("usage: smtpload HOST PORT CONNECTIONS MESSAGES BYTES RCPT...\n", stderr);
        return 2;
    }
    unsigned n = number(argv[3]);
    unsigned messages = number(argv[4]);
    struct client *clients = mem_array(n, sizeof(*clients));

    l.rcpts = argv + 6;
    l.rcpts_n = (unsigned)argc - 6;
    for (unsigned size = number(argv[5]), i = 0; i < size; i += 72)
        buf_append_c(&l.body,
                     "The quick brown fox jumps over the lazy dog, again and again, 0123456.\r\n");
    (void)clock_gettime(CLOCK_MONOTONIC, &began);
    for (unsigned i = 0; i < n; i++)
        clients[i] = (struct client){.fd = dial(argv[1], number(argv[2])),
                                     .replies = 1,
                                     .id = i,
                                     .left = messages / n + (i < messages % n ? 1 : 0)};
    run(&l, clients, n);
    (void)clock_gettime(CLOCK_MONOTONIC, &ended);
    printf("%.4f %u\n",
           (double)(ended.tv_sec - began.tv_sec) + (double)(ended.tv_nsec - began.tv_nsec) / 1e9,
           l.accepted);
    free(clients);
    buf_done(&l.body);
    return l.accepted == messages ? 0 : 1;
}
