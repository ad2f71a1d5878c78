/* SPDX-License-Identifier: Apache-2.0 */
#include "runtime/stack/service.h"

#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#include "runtime/base/arena.h"
#include "runtime/base/counter.h"
#include "runtime/base/err.h"
#include "runtime/base/fd.h"
#include "runtime/base/num.h"
#include "runtime/base/own.h"
#include "runtime/container/container.h"
#include "runtime/stack/bundle.h"
#include "runtime/stack/dnsnet.h"
#include "runtime/stack/gen.h"
#include "runtime/stack/layout.h"
#include "runtime/stack/listen.h"

#define NOTIFY_MAX    4096
#define SOCK_BACKLOG  512
#define NOTIFY_A_TURN 32

static struct container_env env_of(const struct service *s)
{
    return (struct container_env){.root = s->env->layout->containers};
}

static void warn(const struct service *s, const char *event, const struct err *e)
{
    logs_say(s->env->logs, LOG_LEVEL_WARN, event, LOG_S("service", s->svc->name),
             LOG_S("error", e->text));
}

static void delete_container(struct service *s)
{
    struct container_env env = env_of(s);
    struct err err = {0};

    if (container_delete(&env, s->svc->name, CONTAINER_FORCE, &err) < 0)
        warn(s, "container.delete", &err);
}

/* --- starting a process -------------------------------------------------------------------------
 */

static size_t gather_fds(const struct service *s, int dial_fd, struct container_fd *out)
{
    const struct listen *l = s->env->listen;
    size_t n = 0;

    for (int p = 0; p < STACK_PORTS; p++)
        for (size_t i = 0; s->svc->ports[p] && i < l->n; i++)
            if (l->v[i].port == (enum stack_port)p && n < BUNDLE_FDS_MAX - 8)
                out[n++].fd = l->v[i].fd;
    for (size_t i = 0; i < s->svc->sockets_n; i++)
        out[n++].fd = s->sock_fd[i];
    out[n++].fd = s->counters_fd;
    if (dial_fd >= 0)
        out[n++].fd = dial_fd;
    for (size_t i = 0; i < n; i++)
        out[i].at = 3 + (int)i;
    return n;
}

static int run_with_network(struct service *s, const struct container_env *env,
                            const struct container_create *c, struct container_child *child,
                            struct err *err)
{
    if (container_create(env, c, child, err) < 0)
        return -1;
    if (dnsnet_attach(s->env->dnsnet, child->pid, err) == 0 &&
        container_start(env, c->id, NULL, err) == 0)
        return 0;
    own_close_fd(&child->pid_fd);
    delete_container(s);
    (void)TEMP_FAILURE_RETRY(waitpid(child->pid, NULL, 0)); /* it is dead: no zombie */
    return -1;
}

static int run(struct service *s, int dial_fd, struct container_child *child, struct err *err)
{
    struct container_fd fds[BUNDLE_FDS_MAX] = {0};
    struct container_env env = env_of(s);
    char bundle[4096];
    struct container_create c = {
        .id = s->svc->name,
        .bundle = bundle,
        .config = s->env->gen->v[s->svc->index].config,
        .io = {.stdio = {s->env->null_fd, s->pipe.write_fd, s->pipe.write_fd}, .fds = fds}};
    int n = snprintf(bundle, sizeof(bundle), "%s/%s/bundle", s->env->layout->run, s->svc->name);

    if (n < 0 || (size_t)n >= sizeof(bundle))
        return err_set(err, ENAMETOOLONG, "'%s'", s->env->layout->run);
    c.io.fds_n = gather_fds(s, dial_fd, fds);
    if (s->svc->dns_network && s->env->dnsnet->up)
        return run_with_network(s, &env, &c, child, err);
    return container_run(&env, &c, child, err);
}

static int spawn(struct unit *u, struct err *err)
{
    struct service *s = container_of(u, struct service, unit);
    own_fd int dial_fd = s->svc->dials ? dial_open(&s->dial, err) : -1;
    struct container_child child = {.pid_fd = -1, .console_fd = -1};

    if (s->svc->dials && dial_fd < 0)
        return -1;
    if (run(s, dial_fd, &child, err) < 0) {
        delete_container(s);
        return -1;
    }
    own_close_fd(&child.pid_fd); /* child_watch opens its own */
    if (child_watch(s->env->loop, &s->child, child.pid, err) < 0) {
        delete_container(s);
        (void)TEMP_FAILURE_RETRY(waitpid(child.pid, NULL, 0)); /* it is dead: no zombie */
        return -1;
    }
    u->pid = child.pid;
    return 0;
}

static void send_signal(struct unit *u, int signo)
{
    struct service *s = container_of(u, struct service, unit);
    struct err err = {0};

    if (s->child.pid_fd >= 0 && child_kill(&s->child, signo, &err) < 0 && err.code != ESRCH)
        warn(s, "unit.signal", &err);
}

static bool was_out_of_memory(const struct service *s)
{
    struct container_env env = env_of(s);
    struct container_stats stats = {0};
    struct err ignored = {0};

    return container_stats(&env, s->svc->name, &stats, &ignored) == 0 &&
           stats.oom_kills != UINT64_MAX && stats.oom_kills > 0;
}

static void on_exit(struct child *c)
{
    struct service *s = container_of(c, struct service, child);
    char text[CHILD_TEXT_MAX];
    char why[CHILD_TEXT_MAX + 32];

    child_describe(c->status, text);
    (void)snprintf(why, sizeof(why), "%s%s", text, was_out_of_memory(s) ? " (out of memory)" : "");
    logs_pipe_drain(&s->pipe);
    dial_close(&s->dial);
    delete_container(s);
    unit_exited(&s->unit, why);
}

/* --- what it says about itself ------------------------------------------------------------------
 */

/* It is shown on terminals: no service speaks to them. */
static void take_status(struct unit *u, struct str text)
{
    (void)snprintf(u->status, sizeof(u->status), "%.*s", STR_ARG(text)); /* cut if too long */
    for (char *p = u->status; *p; p++)
        if ((unsigned char)*p < ' ' || *p == 0x7f)
            *p = '?';
}

static void take_line(struct service *s, struct str line)
{
    struct err ignored = {0};
    struct str key;
    struct str value;
    uint64_t usec;

    if (!str_cut(line, '=', &key, &value))
        return;
    if (str_eq(key, STR("READY")) && str_eq(value, STR("1")))
        unit_event(&s->unit, UNIT_READY);
    else if (str_eq(key, STR("WATCHDOG")) && str_eq(value, STR("1")))
        unit_alive(&s->unit);
    else if (str_eq(key, STR("EXTEND_TIMEOUT_USEC")) &&
             num_parse_u64(value, 0, UINT64_MAX, &usec, &ignored) == 0)
        unit_extend(&s->unit, usec);
    else if (str_eq(key, STR("STATUS")))
        take_status(&s->unit, value);
}

/* One datagram of the service's own user id; 0 when there is none. */
static size_t recv_notify(const struct service *s, char *text, size_t max)
{
    char control[CMSG_SPACE(sizeof(struct ucred))];
    struct iovec iov = {.iov_base = text, .iov_len = max};
    struct msghdr m = {.msg_iov = &iov,
                       .msg_iovlen = 1,
                       .msg_control = control,
                       .msg_controllen = sizeof(control)};
    ssize_t n = recvmsg(s->notify_fd, &m, MSG_DONTWAIT | MSG_CMSG_CLOEXEC);
    const struct cmsghdr *c = n > 0 ? CMSG_FIRSTHDR(&m) : NULL;
    struct ucred cred;

    if (!c || c->cmsg_level != SOL_SOCKET || c->cmsg_type != SCM_CREDENTIALS)
        return 0;
    memcpy(&cred, CMSG_DATA(c), sizeof(cred));
    return cred.uid == svc_host_uid(s->svc, s->env->gen->config) ? (size_t)n : 0;
}

static void on_notify(struct loop_io *io, unsigned events)
{
    struct service *s = container_of(io, struct service, notify_io);
    char text[NOTIFY_MAX];

    (void)events;
    for (int i = 0; i < NOTIFY_A_TURN; i++) {
        size_t n = recv_notify(s, text, sizeof(text));
        struct str rest = {text, n};
        struct str line;

        if (n == 0)
            return;
        while (str_next(&rest, '\n', &line))
            take_line(s, line);
    }
}

/* --- life ---------------------------------------------------------------------------------------
 */

static void log_change(const struct service *s, enum unit_state was)
{
    const struct unit *u = &s->unit;
    bool ended = u->state == UNIT_BACKOFF || u->state == UNIT_FAILED;

    if (ended)
        logs_say(s->env->logs, LOG_LEVEL_WARN, "unit.exit", LOG_S("service", s->svc->name),
                 LOG_S("why", u->last_exit), LOG_U("uptime_ms", unit_uptime_ms(u)),
                 LOG_U("restarts", u->restarts));
    else
        logs_say(s->env->logs, LOG_LEVEL_INFO, "unit.state", LOG_S("service", s->svc->name),
                 LOG_S("was", unit_state_names[was]), LOG_S("now", unit_state_names[u->state]),
                 LOG_U("ms", unit_uptime_ms(u)));
}

static void changed(struct unit *u, enum unit_state was)
{
    struct service *s = container_of(u, struct service, unit);

    log_change(s, was);
    s->env->changed(s->env->ctx);
}

static const struct unit_ops ops = {.spawn = spawn, .signal = send_signal, .changed = changed};

void service_init(struct service *s, struct service_env *env, const struct svc *svc)
{
    memset(s, 0, sizeof(*s));
    s->env = env;
    s->svc = svc;
    s->notify_fd = -1;
    s->counters_fd = -1;
    s->child.pid_fd = -1;
    s->child.fn = on_exit;
    for (int i = 0; i < SVC_SOCKETS_MAX; i++)
        s->sock_fd[i] = -1;
    unit_init(&s->unit, svc->name, &ops, env->loop,
              (struct unit_times){svc->ready_s, svc->stop_s, svc->watchdog_s});
    dial_init(&s->dial, svc->name, env->loop, env->logs);
}

static int open_notify(struct service *s, struct err *err)
{
    char path[4096];
    int on = 1;
    int n = snprintf(path, sizeof(path), "%s/%s/notify.sock", s->env->layout->run, s->svc->name);

    if (n < 0 || (size_t)n >= sizeof(path))
        return err_set(err, ENAMETOOLONG, "'%s'", s->env->layout->run);
    s->notify_fd = fd_unix_listen(path, SOCK_DGRAM, 0666, 0, err);
    if (s->notify_fd < 0)
        return -1;
    if (setsockopt(s->notify_fd, SOL_SOCKET, SO_PASSCRED, &on, sizeof(on)) < 0)
        return err_set(err, errno, "SO_PASSCRED");
    s->notify_io.fn = on_notify;
    return loop_io_add(s->env->loop, &s->notify_io, s->notify_fd, LOOP_READ, err);
}

static int open_sockets(struct service *s, struct err *err)
{
    for (size_t i = 0; i < s->svc->sockets_n; i++) {
        char path[4096];
        int n = snprintf(path, sizeof(path), "%s/sock/%s", s->env->layout->run,
                         s->svc->sockets[i].file);

        if (n < 0 || (size_t)n >= sizeof(path))
            return err_set(err, ENAMETOOLONG, "'%s'", s->env->layout->run);
        s->sock_fd[i] = fd_unix_listen(path, s->svc->sockets[i].type, 0666, SOCK_BACKLOG, err);
        if (s->sock_fd[i] < 0 || fd_set_nonblock(s->sock_fd[i], true, err) < 0)
            return -1;
    }
    return 0;
}

int service_open(struct service *s, struct err *err)
{
    if (s->is_open)
        return 0;
    s->is_open = true;
    if (logs_pipe_open(&s->pipe, s->env->loop, s->env->logs, s->svc->name, err) < 0 ||
        open_notify(s, err) < 0 || open_sockets(s, err) < 0)
        return err_wrap(err, "service '%s'", s->svc->name);
    s->counters_fd = counter_create(err);
    if (s->counters_fd < 0)
        return -1;
    s->page = counter_map_read(s->counters_fd, err);
    return s->page ? 0 : -1;
}

void service_close(struct service *s)
{
    unit_done(&s->unit);
    child_unwatch(&s->child);
    dial_close(&s->dial);
    if (!s->is_open)
        return;
    loop_io_del(&s->notify_io);
    own_close_fd(&s->notify_fd);
    own_close_fd(&s->counters_fd);
    if (s->page)
        counter_unmap(s->page);
    for (int i = 0; i < SVC_SOCKETS_MAX; i++) {
        own_close_fd(&s->sock_fd[i]);
        s->sock_fd[i] = -1;
    }
    logs_pipe_close(&s->pipe);
    s->notify_fd = -1;
    s->counters_fd = -1;
    s->page = NULL;
    s->is_open = false;
}

void service_hup(struct service *s)
{
    send_signal(&s->unit, SIGHUP);
}

void service_kill(struct service *s)
{
    send_signal(&s->unit, SIGKILL);
}

uint64_t service_memory(const struct service *s)
{
    struct container_env env = env_of(s);
    struct container_stats stats = {0};
    struct err ignored = {0};

    if (s->unit.pid == 0 || container_stats(&env, s->svc->name, &stats, &ignored) < 0 ||
        stats.memory_bytes == UINT64_MAX)
        return 0;
    return stats.memory_bytes;
}
