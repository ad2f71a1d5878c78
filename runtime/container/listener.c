/* SPDX-License-Identifier: Apache-2.0 */
#include "runtime/container/listener.h"

#include <errno.h>
#include <sys/socket.h>

#include "runtime/base/buf.h"
#include "runtime/base/err.h"
#include "runtime/base/fd.h"
#include "runtime/base/jw.h"
#include "runtime/base/own.h"
#include "runtime/container/container.h"
#include "runtime/spec/oci.h"

#define MESSAGE_MAX (8U << 20)

static void format_state(const struct container_state *s, struct jw *w)
{
    jw_object(w, "state");
    jw_c(w, "ociVersion", OCI_VERSION);
    jw_c(w, "id", s->id);
    jw_c(w, "status", container_status_names[s->status]);
    jw_int(w, "pid", s->pid);
    jw_c(w, "bundle", s->bundle);
    jw_object(w, "annotations");
    for (size_t i = 0; i < s->annotations_n; i++)
        jw_c(w, s->annotations[i].key, s->annotations[i].value);
    jw_end(w);
    jw_end(w);
}

void listener_format(const struct oci_seccomp *s, const struct container_state *state, pid_t pid,
                     struct buf *out)
{
    struct jw w = jw_start(out, JW_ONE_LINE);

    jw_object(&w, NULL);
    jw_c(&w, "ociVersion", OCI_VERSION);
    jw_array(&w, "fds");
    jw_c(&w, NULL, "seccompFd");
    jw_end(&w);
    jw_int(&w, "pid", pid);
    jw_c(&w, "metadata", s->listener_metadata != NULL ? s->listener_metadata : "");
    format_state(state, &w);
    jw_end(&w);
}

int listener_hand(const struct oci_seccomp *s, const struct container_state *state, pid_t pid,
                  int listener_fd, struct err *err)
{
    own_buf struct buf text = BUF_INIT(MESSAGE_MAX);
    own_fd int sock = -1;

    if (listener_fd < 0)
        return err_set(err, EBADMSG, "a notify descriptor did not come with its message");
    listener_format(s, state, pid, &text);
    if (buf_check(&text, "the state for the listener", err) < 0)
        return -1;
    sock = fd_unix_connect(s->listener_path, SOCK_STREAM, err);
    if (sock < 0 || fd_send(sock, buf_str(&text), &listener_fd, 1, err) < 0)
        return err_wrap(err, "$.linux.seccomp.listenerPath");
    return 0;
}
