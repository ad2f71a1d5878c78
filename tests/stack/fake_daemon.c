/* SPDX-License-Identifier: Apache-2.0 */
/*
 * fake_daemon - keeps the contract between supervisor and daemon, and misbehaves on request
 *
 * Started as NAME -c FILE with the descriptors and variables that specs/README.md promises. On each
 * listening descriptor it takes one line a connection and answers with one line:
 *
 *     hello            "NAME PID-FROM-HERE hups=N"
 *     conf             the configuration, on one line
 *     probe            what this process is and may do, as JSON
 *     read PATH        "ok" or the errno
 *     dial ADDR PORT   what the supervisor answered, and the first line the other end says
 *     exit N, crash    ends it
 *     silent           no watchdog from now on
 *     undrain          SIGTERM is ignored from now on
 *     eat MB           touches memory
 *
 * A host name of "fail-NAME..." in the configuration makes it print three lines and fail,
 * "hang-NAME..." never ready.
 */
#include <arpa/inet.h>
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <ifaddrs.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/signalfd.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include "runtime/base/buf.h"
#include "runtime/base/counter.h"
#include "runtime/base/dialmsg.h"
#include "runtime/base/err.h"
#include "runtime/base/fd.h"
#include "runtime/base/num.h"
#include "runtime/base/str.h"

#define CONF_MAX 65536
#define FDS_MAX  64

struct fake {
    const char *name;
    char conf[CONF_MAX];
    const char *conf_path;
    int fds_n;
    char *names[FDS_MAX];
    int hups;
    bool silent;
    bool undrain;
    struct counter *asked;
};

static void notify(const char *text)
{
    const char *path = getenv("NOTIFY_SOCKET");
    struct sockaddr_un sa = {.sun_family = AF_UNIX};
    int fd = socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC, 0);

    if (!path || fd < 0)
        return;
    memcpy(sa.sun_path, path, strlen(path) + 1);
    if (sendto(fd, text, strlen(text), 0, (struct sockaddr *)&sa, sizeof(sa)) < 0)
        (void)fprintf(stderr, "error notify errno=%d\n", errno);
    close(fd);
}

static void load(struct fake *f)
{
    FILE *in = fopen(f->conf_path, "re");
    size_t n;

    if (!in) {
        (void)fprintf(stderr, "error conf path=%s errno=%d\n", f->conf_path, errno);
        exit(2);
    }
    n = fread(f->conf, 1, sizeof(f->conf) - 1, in);
    f->conf[n] = '\0';
    for (char *p = f->conf; *p; p++)
        if (*p == '\n')
            *p = ' ';
    (void)fclose(in);
}

static bool hostname_says(const struct fake *f, const char *what)
{
    char want[128];

    (void)snprintf(want, sizeof(want), "\"hostname\": \"%s-%s.", what, f->name);
    return strstr(f->conf, want) != NULL;
}

/* --- probe --------------------------------------------------------------------------------- */

static void add_status(FILE *out, const char *key)
{
    FILE *in = fopen("/proc/self/status", "re");
    char line[512];

    while (in && fgets(line, sizeof(line), in))
        if (strncmp(line, key, strlen(key)) == 0 && line[strlen(key)] == ':') {
            line[strcspn(line, "\n")] = '\0';
            for (char *p = line; *p; p++)
                if (*p == '\t')
                    *p = ' ';
            (void)fprintf(out, ", \"%s\": \"%s\"", key, line + strlen(key) + 2);
        }
    if (in)
        (void)fclose(in);
}

static void add_interfaces(FILE *out)
{
    struct ifaddrs *list = NULL;
    const char *comma = "";

    (void)fprintf(out, ", \"interfaces\": [");
    if (getifaddrs(&list) == 0)
        for (struct ifaddrs *i = list; i; i = i->ifa_next)
            if (i->ifa_addr && i->ifa_addr->sa_family == AF_INET) {
                (void)fprintf(out, "%s\"%s\"", comma, i->ifa_name);
                comma = ", ";
            }
    freeifaddrs(list);
    (void)fprintf(out, "]");
}

static struct str nth_word(struct str line, size_t n)
{
    struct str word = STR_NONE;

    for (size_t i = 0; i <= n; i++)
        if (!str_next(&line, ' ', &word))
            return STR_NONE;
    return word;
}

static void add_mounts(FILE *out)
{
    FILE *in = fopen("/proc/self/mountinfo", "re");
    char line[2048];
    const char *comma = "";

    (void)fprintf(out, ", \"mounts\": {");
    while (in && fgets(line, sizeof(line), in)) {
        struct str at = nth_word(str_of(line), 4);
        struct str options = nth_word(str_of(line), 5);

        if (options.n > 0) {
            (void)fprintf(out, "%s\"%.*s\": \"%.*s\"", comma, STR_ARG(at), STR_ARG(options));
            comma = ", ";
        }
    }
    if (in)
        (void)fclose(in);
    (void)fprintf(out, "}");
}

static void add_dir(FILE *out, const char *key, const char *path)
{
    DIR *dir = opendir(path);
    const struct dirent *e;
    const char *comma = "";

    (void)fprintf(out, ", \"%s\": [", key);
    while (dir && (e = readdir(dir)) != NULL)
        if (strcmp(e->d_name, ".") != 0 && strcmp(e->d_name, "..") != 0) {
            (void)fprintf(out, "%s\"%s\"", comma, e->d_name);
            comma = ", ";
        }
    if (dir)
        closedir(dir);
    (void)fprintf(out, "]");
}

static int try_write(const char *path)
{
    int fd = open(path, O_WRONLY | O_CREAT | O_CLOEXEC, 0600);

    if (fd < 0)
        return errno;
    close(fd);
    unlink(path);
    return 0;
}

static int try_connect(void)
{
    struct sockaddr_in sa = {.sin_family = AF_INET, .sin_port = htons(25)};
    int fd = socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
    int code = 0;

    if (fd < 0)
        return errno;
    inet_pton(AF_INET, "192.0.2.2", &sa.sin_addr);
    if (connect(fd, (struct sockaddr *)&sa, sizeof(sa)) < 0)
        code = errno;
    close(fd);
    return code;
}

static void probe(const struct fake *f, FILE *out)
{
    char path[] = "/nowhere";
    char *const argv[] = {path, NULL};

    (void)fprintf(out, "{\"name\": \"%s\", \"uid\": %d, \"gid\": %d, \"pid\": %d", f->name,
                  (int)getuid(), (int)getgid(), (int)getpid());
    add_status(out, "CapInh");
    add_status(out, "CapPrm");
    add_status(out, "CapEff");
    add_status(out, "CapBnd");
    add_status(out, "CapAmb");
    add_status(out, "NoNewPrivs");
    add_status(out, "Seccomp");
    add_status(out, "Groups");
    add_interfaces(out);
    add_mounts(out);
    add_dir(out, "fds", "/proc/self/fd");
    add_dir(out, "sockets", "/run/mailstack");
    add_dir(out, "root", "/");
    (void)fprintf(
        out, ", \"write_root\": %d, \"write_etc\": %d, \"write_conf\": %d, \"connect\": %d",
        try_write("/x"), try_write("/etc/x"), try_write("/etc/mailstack/x"), try_connect());
    (void)execv(path, argv);
    (void)fprintf(out, ", \"execve\": %d}", errno);
}

/* --- commands ------------------------------------------------------------------------------ */

static int fd_named(const struct fake *f, const char *name)
{
    for (int i = 0; i < f->fds_n; i++)
        if (strcmp(f->names[i], name) == 0)
            return 3 + i;
    return -1;
}

static void dial(const struct fake *f, const char *args, FILE *out)
{
    struct dialmsg_request r = {.id = 7, .timeout_ms = 2000};
    struct dialmsg_answer a = {0};
    struct err err = {0};
    struct buf b = BUF_INIT(DIALMSG_MAX);
    struct str host;
    struct str port;
    uint32_t port_n;
    char text[DIALMSG_MAX];
    int got = -1;
    size_t got_n = 1;
    int fd = fd_named(f, "dial");
    ssize_t n;

    if (!str_cut(str_of(args), ' ', &host, &port) ||
        num_parse_u32(port, 0, UINT16_MAX, &port_n, &err) < 0 ||
        dialmsg_parse_addr(host, (uint16_t)port_n, &r.addr, &err) < 0 || fd < 0) {
        (void)fprintf(out, "no dial %s", err.text);
        return;
    }
    dialmsg_format_request(&r, &b);
    if (send(fd, b.p, b.n, 0) < 0) {
        (void)fprintf(out, "send errno=%d", errno);
        return;
    }
    n = fd_recv(fd, text, sizeof(text), &got, &got_n, &err);
    (void)fprintf(out, "%.*s", n > 0 ? (int)n : 0, text);
    if (n > 0 && dialmsg_parse_answer((struct str){text, (size_t)n}, &a, &err) == 0 && got_n == 1) {
        char line[128] = "";
        struct pollfd p = {.fd = got, .events = POLLIN};

        if (poll(&p, 1, 2000) == 1 && read(got, line, sizeof(line) - 1) > 0)
            (void)fprintf(out, " heard: %s", line);
        close(got);
    }
    buf_done(&b);
}

static void eat(const char *megabytes, FILE *out)
{
    struct err err = {0};
    uint64_t n;
    volatile char *p;

    if (num_parse_u64(str_of(megabytes), 0, 1 << 20, &n, &err) < 0) {
        (void)fprintf(out, "%s", err.text);
        return;
    }
    p = mmap(NULL, n << 20, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    for (size_t i = 0; p != MAP_FAILED && i < n << 20; i += 4096)
        p[i] = 1;
    (void)fprintf(out, "ate");
}

static void answer(struct fake *f, const char *line, FILE *out)
{
    if (strcmp(line, "hello") == 0) {
        (void)fprintf(out, "%s %d hups=%d", f->name, (int)getpid(), f->hups);
    } else if (strcmp(line, "conf") == 0) {
        (void)fprintf(out, "%s", f->conf);
    } else if (strcmp(line, "probe") == 0) {
        probe(f, out);
    } else if (strncmp(line, "read ", 5) == 0) {
        int fd = open(line + 5, O_RDONLY | O_CLOEXEC);

        (void)fprintf(out, "%s", fd < 0 ? strerrorname_np(errno) : "ok");
        if (fd >= 0)
            close(fd);
    } else if (strncmp(line, "dial ", 5) == 0) {
        dial(f, line + 5, out);
    } else if (strncmp(line, "exit ", 5) == 0) {
        exit(line[5] - '0');
    } else if (strcmp(line, "crash") == 0) {
        (void)signal(SIGSEGV, SIG_DFL);
        *(volatile int *)8 = 1;
    } else if (strcmp(line, "silent") == 0) {
        f->silent = true;
    } else if (strcmp(line, "undrain") == 0) {
        f->undrain = true;
    } else if (strncmp(line, "eat ", 4) == 0) {
        eat(line + 4, out);
    }
}

static void serve(struct fake *f, int listen_fd)
{
    int fd = accept4(listen_fd, NULL, NULL, SOCK_CLOEXEC);
    char line[512];
    char *text = NULL;
    size_t text_n = 0;
    ssize_t n;
    FILE *out;

    if (fd < 0)
        return;
    n = recv(fd, line, sizeof(line) - 1, 0);
    counter_add(f->asked, 1);
    if (n > 0) {
        line[n] = '\0';
        line[strcspn(line, "\r\n")] = '\0';
        out = open_memstream(&text, &text_n);
        answer(f, line, out);
        (void)fputc('\n', out);
        (void)fclose(out);
        if (send(fd, text, text_n, MSG_NOSIGNAL) < 0)
            (void)fprintf(stderr, "warn send errno=%d\n", errno);
        free(text);
    }
    close(fd);
}

static void take_names(struct fake *f)
{
    char *all = getenv("LISTEN_FDNAMES");
    const char *n = getenv("LISTEN_FDS");
    const char *pid = getenv("LISTEN_PID");
    struct err err = {0};
    uint32_t fds_n = 0;
    uint32_t pid_n = 0;

    if ((n && num_parse_u32(str_of(n), 0, FDS_MAX, &fds_n, &err) < 0) ||
        (pid && num_parse_u32(str_of(pid), 1, INT32_MAX, &pid_n, &err) < 0)) {
        (void)fprintf(stderr, "error LISTEN_FDS or LISTEN_PID: %s\n", err.text);
        exit(1);
    }
    if (pid && (pid_t)pid_n != getpid()) {
        (void)fprintf(stderr, "error LISTEN_PID=%s pid=%d\n", pid, (int)getpid());
        exit(1);
    }
    f->fds_n = (int)fds_n;
    for (int i = 0; all && i < f->fds_n && i < FDS_MAX; i++)
        f->names[i] = strsep(&all, ":");
    for (int i = 0; i < f->fds_n; i++)
        if (fcntl(3 + i, F_GETFD) < 0) {
            (void)fprintf(stderr, "error descriptor %d (%s) is missing\n", 3 + i, f->names[i]);
            exit(1);
        }
}

static bool on_signal(struct fake *f, int fd)
{
    struct signalfd_siginfo info;

    if (read(fd, &info, sizeof(info)) != (ssize_t)sizeof(info))
        return true;
    if (info.ssi_signo == SIGHUP) {
        notify("RELOADING=1");
        load(f);
        f->hups++;
        notify("READY=1");
        (void)fprintf(stderr, "info reloaded\n");
        return true;
    }
    if (f->undrain)
        return true;
    notify("STOPPING=1");
    (void)fprintf(stderr, "info stopping\n");
    return false;
}

static void loop(struct fake *f, int signal_fd)
{
    struct pollfd p[FDS_MAX + 1] = {{.fd = signal_fd, .events = POLLIN}};
    int n = 1;

    for (int i = 0; i < f->fds_n; i++)
        if (strcmp(f->names[i], "counters") != 0 && strcmp(f->names[i], "dial") != 0)
            p[n++] = (struct pollfd){.fd = 3 + i, .events = POLLIN};
    for (;;) {
        (void)poll(p, (nfds_t)n, 500);
        if (!f->silent)
            notify("WATCHDOG=1");
        if ((p[0].revents & POLLIN) && !on_signal(f, signal_fd))
            return;
        for (int i = 1; i < n; i++)
            if (p[i].revents & POLLIN)
                serve(f, p[i].fd);
    }
}

int main(int argc, char **argv)
{
    static struct fake f;
    const char *slash = strrchr(argv[0], '/');
    struct err err = {0};
    struct counter_page *page;
    sigset_t set;

    f.name = slash ? slash + 1 : argv[0];
    f.conf_path = argc == 3 ? argv[2] : "";
    (void)setvbuf(stderr, NULL, _IOLBF, 0);
    sigemptyset(&set);
    sigaddset(&set, SIGTERM);
    sigaddset(&set, SIGHUP);
    sigprocmask(SIG_BLOCK, &set, NULL);
    int signal_fd = signalfd(-1, &set, SFD_CLOEXEC);

    load(&f);
    take_names(&f);
    page = counter_map(fd_named(&f, "counters"), &err);
    f.asked = counter_get(page, "fake_asked_total");
    if (hostname_says(&f, "fail")) {
        (void)fprintf(stderr, "info first of three\nwarn second of three\nerror third of three\n");
        return 3;
    }
    if (!hostname_says(&f, "hang"))
        notify("READY=1\nSTATUS=serving");
    (void)fprintf(stderr, "info ready pid=%d\n", (int)getpid());
    loop(&f, signal_fd);
    return 0;
}
