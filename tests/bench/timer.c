/* SPDX-License-Identifier: Apache-2.0 */
/*
 * timer - runs commands in turn, many times, and prints what each took
 *
 *     timer ROUNDS REST <COMMANDS
 *
 * A line of COMMANDS is words separated by spaces: "NAME WORD... [; WORD...]", its parts run one
 * after the other. A part that begins with "!" is not timed (it prepares, or cleans up). One that
 * begins with "@" is run where no unified cgroup hierarchy is to be seen, for programs that refuse
 * a hybrid one. Every round runs every line once, so that what disturbs one disturbs all, and in
 * another order; the orders are the same each time. Before each line there are REST milliseconds in
 * which the kernel can clear away what the last one left: it takes a network namespace apart in the
 * background, for which the next command would pay, and twice if it uses two processors. Standard
 * output gets "NAME NANOSECONDS KIBIBYTES" for each: the time of the timed parts together, and the
 * largest peak of resident memory among them. The commands' own output goes to /dev/null.
 */
#include <err.h>
#include <errno.h>
#include <fcntl.h>
#include <sched.h>
#include <signal.h>
#include <spawn.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mount.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "runtime/base/err.h"
#include "runtime/base/num.h"
#include "runtime/base/str.h"

#define LINES_MAX 32
#define PARTS_MAX 8
#define WORDS_MAX 32
#define LINE_MAX  4096

struct part {
    bool untimed, pure;
    char *words[WORDS_MAX + 1];
};

struct line {
    char text[LINE_MAX];
    char *name;
    struct part parts[PARTS_MAX];
    size_t n;
};

static struct line lines[LINES_MAX];
static size_t lines_n;
static int own_ns = -1, pure_ns = -1;

static int64_t now_ns(void)
{
    struct timespec t;

    (void)clock_gettime(CLOCK_MONOTONIC, &t);
    return t.tv_sec * INT64_C(1000000000) + t.tv_nsec;
}

/* The next word of *rest, ended where its space was; NULL at the end. */
static char *next_word(char **rest)
{
    char *word = *rest + strspn(*rest, " \n");
    size_t n = strcspn(word, " \n");

    if (n == 0)
        return NULL;
    *rest = word + n + (word[n] != '\0');
    word[n] = '\0';
    return word;
}

static void parse(struct line *out)
{
    char *rest = out->text, *word = NULL;
    size_t words = 0;

    out->name = next_word(&rest);
    out->n = 1;
    while ((word = next_word(&rest)) != NULL) {
        struct part *p = &out->parts[out->n - 1];

        if (strcmp(word, ";") == 0) {
            words = 0;
            if (++out->n > PARTS_MAX)
                errx(1, "too many parts");
        } else if (strcmp(word, "!") == 0) {
            p->untimed = true;
        } else if (strcmp(word, "@") == 0) {
            p->pure = true;
        } else if (words < WORDS_MAX) {
            p->words[words++] = word;
        }
    }
}

static void read_lines(void)
{
    while (fgets(lines[lines_n].text, LINE_MAX, stdin) != NULL) {
        parse(&lines[lines_n++]);
        if (lines_n == LINES_MAX)
            errx(1, "too many lines");
    }
}

/* A mount namespace like ours but for /sys/fs/cgroup/unified; -1 where nothing needs to be hidden.
 */
static int make_pure_ns(void)
{
    int there = -1;

    if (access("/sys/fs/cgroup/unified/cgroup.procs", F_OK) < 0)
        return -1;
    if (unshare(CLONE_NEWNS) < 0 || mount(NULL, "/", NULL, MS_SLAVE | MS_REC, NULL) < 0 ||
        umount2("/sys/fs/cgroup/unified", MNT_DETACH) < 0)
        err(1, "hide the unified hierarchy");
    there = open("/proc/self/ns/mnt", O_RDONLY | O_CLOEXEC);
    if (there < 0 || setns(own_ns, CLONE_NEWNS) < 0)
        err(1, "return to the own mount namespace");
    return there;
}

static pid_t start(const struct part *p)
{
    posix_spawn_file_actions_t io;
    pid_t pid = -1;
    int e = 0;

    (void)posix_spawn_file_actions_init(&io);
    (void)posix_spawn_file_actions_addopen(&io, 0, "/dev/null", O_RDONLY, 0);
    (void)posix_spawn_file_actions_addopen(&io, 1, "/dev/null", O_WRONLY, 0);
    e = posix_spawn(&pid, p->words[0], &io, NULL, p->words, environ);
    (void)posix_spawn_file_actions_destroy(&io);
    if (e != 0)
        errx(1, "%s: %s", p->words[0], strerrordesc_np(e));
    return pid;
}

static int64_t run_part(const struct line *l, const struct part *p, long *peak)
{
    bool moved = p->pure && pure_ns >= 0;
    struct rusage use;
    int status = 0;
    int64_t t = 0;
    pid_t pid = -1;

    if (moved && setns(pure_ns, CLONE_NEWNS) < 0)
        err(1, "setns");
    t = now_ns();
    pid = start(p);
    if (wait4(pid, &status, 0, &use) < 0)
        err(1, "wait4");
    t = now_ns() - t;
    if (moved && setns(own_ns, CLONE_NEWNS) < 0)
        err(1, "setns");
    if (status != 0)
        errx(1, "%s: %s %s failed: status %#x", l->name, p->words[0], p->words[1],
             (unsigned)status);
    if (!p->untimed && use.ru_maxrss > *peak)
        *peak = use.ru_maxrss;
    return p->untimed ? 0 : t;
}

static void run_line(const struct line *l, uint32_t rest_ms)
{
    const struct timespec rest = {rest_ms / 1000, (long)(rest_ms % 1000) * 1000000};
    int64_t sum = 0;
    long peak = 0;

    (void)nanosleep(&rest, NULL);
    for (size_t i = 0; i < l->n; i++)
        sum += run_part(l, &l->parts[i], &peak);
    (void)printf("%s %lld %ld\n", l->name, (long long)sum, peak);
}

/* Any order as likely as any other, as far as a plain generator goes. */
static void shuffle(size_t order[LINES_MAX])
{
    static uint64_t x = 1;

    for (size_t i = lines_n; i > 1; i--) {
        size_t k = 0, last = order[i - 1];

        x = x * UINT64_C(6364136223846793005) + UINT64_C(1442695040888963407);
        k = (size_t)(x >> 33) % i;
        order[i - 1] = order[k];
        order[k] = last;
    }
}

int main(int argc, char **argv)
{
    size_t order[LINES_MAX] = {0};
    uint32_t rounds = 0, rest_ms = 0;
    struct err error;

    if (argc != 3 || num_parse_u32(str_of(argv[1]), 1, 1000000, &rounds, &error) < 0 ||
        num_parse_u32(str_of(argv[2]), 0, 60000, &rest_ms, &error) < 0)
        errx(2, "usage: timer ROUNDS REST <COMMANDS");
    own_ns = open("/proc/self/ns/mnt", O_RDONLY | O_CLOEXEC);
    if (own_ns < 0)
        err(1, "open the own mount namespace");
    read_lines();
    for (size_t i = 0; i < lines_n; i++)
        for (size_t k = 0; k < lines[i].n; k++)
            if (lines[i].parts[k].pure && pure_ns < 0)
                pure_ns = make_pure_ns();
    for (size_t i = 0; i < lines_n; i++)
        order[i] = i;
    while (rounds-- > 0) {
        shuffle(order);
        for (size_t i = 0; i < lines_n; i++)
            run_line(&lines[order[i]], rest_ms);
    }
    return 0;
}
