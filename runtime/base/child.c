/* SPDX-License-Identifier: Apache-2.0 */
#include "runtime/base/child.h"

#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <sys/pidfd.h>
#include <sys/wait.h>

#include "runtime/base/err.h"
#include "runtime/base/own.h"
#include "runtime/base/sig.h"

static void on_exit_of_child(struct loop_io *io, unsigned events)
{
    struct child *c = container_of(io, struct child, io);
    int status = 0;
    pid_t pid = waitpid(c->pid, &status, WNOHANG | __WALL);

    (void)events;
    if (pid == 0)
        return;                             /* a thread of it still runs */
    c->status = pid == c->pid ? status : 0; /* ECHILD: somebody else has reaped it */
    child_unwatch(c);
    c->pid = 0;
    c->fn(c);
}

int child_watch(struct loop *l, struct child *c, pid_t pid, struct err *err)
{
    own_fd int fd = pidfd_open(pid, 0); /* close-on-exec by itself */

    if (fd < 0)
        return err_set(err, errno, "watch process %d", (int)pid);
    c->io = (struct loop_io){.fn = on_exit_of_child};
    if (loop_io_add(l, &c->io, fd, LOOP_READ, err) < 0)
        return -1;
    c->pid_fd = take_fd(&fd);
    c->pid = pid;
    return 0;
}

void child_unwatch(struct child *c)
{
    if (c->io.loop == NULL)
        return;
    loop_io_del(&c->io);
    own_close_fd(&c->pid_fd);
    c->pid_fd = -1;
}

int child_kill(struct child *c, int signo, struct err *err)
{
    if (c->io.loop == NULL)
        return err_set(err, ESRCH, "send %s", sig_name(signo));
    if (pidfd_send_signal(c->pid_fd, signo, NULL, 0) < 0)
        return err_set(err, errno, "send %s to process %d", sig_name(signo), (int)c->pid);
    return 0;
}

void child_describe(int status, char out[CHILD_TEXT_MAX])
{
    /* All texts are shorter than CHILD_TEXT_MAX. */
    if (WIFEXITED(status))
        (void)snprintf(out, CHILD_TEXT_MAX, "exited with %d", WEXITSTATUS(status));
    else if (WIFSIGNALED(status))
        (void)snprintf(out, CHILD_TEXT_MAX, "killed by %s%s", sig_name(WTERMSIG(status)),
                       WCOREDUMP(status) ? " (core dumped)" : "");
    else
        (void)snprintf(out, CHILD_TEXT_MAX, "stopped with status %d", status);
}

int child_exit_code(int status)
{
    return WIFSIGNALED(status) ? 128 + WTERMSIG(status) : WEXITSTATUS(status);
}
