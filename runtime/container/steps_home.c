/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The environment: HOME, looked up in the image where it is not given, and LISTEN_PID.
 */
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "runtime/base/err.h"
#include "runtime/base/num.h"
#include "runtime/base/own.h"
#include "runtime/base/str.h"
#include "runtime/container/init.h"
#include "runtime/container/steps.h"
#include "runtime/kernel/dir.h"

/* Its place, or one after the last. */
static size_t find_env(const struct init *in, const char *name_eq)
{
    size_t i = 0;

    while (i < in->env_n && strncmp(in->env[i], name_eq, strlen(name_eq)) != 0)
        i++;
    return i;
}

/* "name:password:uid:gid:gecos:home:shell": the home, if the uid is that one. */
static bool home_of_line(struct str line, uid_t uid, struct str *home)
{
    struct str field[6] = {STR_NONE};
    struct err ignored;
    uint32_t v = 0;

    for (size_t i = 0; i < ARRAY_N(field); i++)
        if (!str_next(&line, ':', &field[i]))
            return false;
    if (num_parse_u32(field[2], 0, UINT32_MAX, &v, &ignored) < 0 || v != uid || field[5].n == 0 ||
        field[5].n >= PATH_MAX)
        return false;
    *home = field[5];
    return true;
}

#define PASSWD_MAX  65536 /* bytes looked at */
#define PASSWD_LINE 1024  /* a longer line is nobody's */

/* Takes the whole lines off the front of the text: true if one of them was the user's. */
static bool search_lines(struct str *text, uid_t uid, struct str *home)
{
    ptrdiff_t end = 0;

    while ((end = str_find(*text, '\n')) >= 0) {
        struct str line = str_head(*text, (size_t)end);

        *text = str_skip(*text, (size_t)end + 1);
        if (home_of_line(line, uid, home))
            return true;
    }
    return false;
}

/* Line by line through a small window: stack is touched for the first time here, and each page of
 * it costs as much as a system call. */
static bool search_passwd(int fd, uid_t uid, char window[PASSWD_LINE], struct str *home)
{
    size_t n = 0;

    for (size_t seen = 0; seen < PASSWD_MAX;) {
        ssize_t got = read(fd, window + n, PASSWD_LINE - n);
        struct str text = {window, n + (got > 0 ? (size_t)got : 0)};

        if (search_lines(&text, uid, home))
            return true;
        if (got <= 0)
            return home_of_line(text, uid, home); /* a last line without an end */
        seen += (size_t)got;
        n = text.n < PASSWD_LINE ? text.n : 0;
        memmove(window, text.p, n);
    }
    return false;
}

/* Whatever is no file is not even opened: a terminal would become that of the new session, and with
 * some devices it is an order. */
static int open_passwd(const struct init *in)
{
    static const char path[] = "etc/passwd";
    own_fd int seen_fd = dir_try_beneath(in->root_fd, path, O_PATH);
    struct stat st;

    if (seen_fd < 0 || fstat(seen_fd, &st) < 0 || !S_ISREG(st.st_mode))
        return -1;
    return dir_try_beneath(in->root_fd, path, O_RDONLY | O_NONBLOCK | O_NOCTTY);
}

static void look_up_home(struct init *in)
{
    char window[PASSWD_LINE];
    own_fd int fd = open_passwd(in);
    struct str home = STR_NONE;

    if (fd < 0 || !search_passwd(fd, in->process->user.uid, window, &home))
        home = STR("/");
    (void)snprintf(in->home, sizeof in->home, "HOME=%.*s", STR_ARG(home));
}

int step_home(struct init *in, size_t index, struct err *err)
{
    size_t home = find_env(in, "HOME=");

    (void)index;
    (void)err;
    if (home == in->env_n || strcmp(in->env[home], "HOME=") == 0) {
        look_up_home(in);
        in->env[home] = in->home;
        in->env_n += home == in->env_n;
    }
    if (in->listen_pid) {
        (void)snprintf(in->listen_text, sizeof in->listen_text, "LISTEN_PID=%d", getpid());
        in->env[in->env_n++] = in->listen_text;
    }
    in->env[in->env_n] = NULL;
    return 0;
}
