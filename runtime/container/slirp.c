/* SPDX-License-Identifier: Apache-2.0 */
#include "runtime/container/slirp.h"

#include <errno.h>
#include <sys/socket.h>
#include <sys/time.h>
#include <unistd.h>

#include "runtime/base/buf.h"
#include "runtime/base/err.h"
#include "runtime/base/fd.h"
#include "runtime/base/jv.h"
#include "runtime/base/jw.h"
#include "runtime/base/own.h"
#include "runtime/spec/publish.h"

#define REQUEST_MAX 512

void slirp_request(const struct publish *p, struct buf *out)
{
    struct jw w = jw_start(out, JW_ONE_LINE);

    jw_object(&w, NULL);
    jw_c(&w, "execute", "add_hostfwd");
    jw_object(&w, "arguments");
    jw_c(&w, "proto", p->udp ? "udp" : "tcp");
    jw_c(&w, "host_addr", p->family == PUBLISH_EVERY ? "0.0.0.0" : p->address);
    jw_uint(&w, "host_port", p->host);
    jw_uint(&w, "guest_port", p->container);
    jw_end(&w);
    jw_end(&w);
}

int slirp_judge(struct str reply, struct err *err)
{
    own_json json_t *doc = jv_load_str(reply, "its answer", err);
    struct jv at = jv_root(doc), why;
    struct str text;

    if (doc == NULL || jv_is_object(&at, err) < 0)
        return -1;
    if (!jv_has(&at, "error"))
        return jv_has(&at, "return") ? 0 : err_set(err, 0, "its answer says nothing");
    why = jv_member(&at, "error");
    if (jv_is_object(&why, err) < 0 || jv_str(&why, "desc", &text, err) < 0)
        return -1;
    return err_set(err, 0, "it says: %.*s", STR_ARG(text));
}

static int ask(int sock, struct str request, struct buf *reply, struct err *err)
{
    const struct timeval limit = {.tv_sec = SLIRP_WAIT_S};
    ssize_t n = 1;

    if (setsockopt(sock, SOL_SOCKET, SO_RCVTIMEO, &limit, sizeof limit) < 0 ||
        setsockopt(sock, SOL_SOCKET, SO_SNDTIMEO, &limit, sizeof limit) < 0)
        return err_set(err, errno, "set the time for an answer");
    if (fd_send(sock, request, NULL, 0, err) < 0)
        return -1;
    if (shutdown(sock, SHUT_WR) < 0)
        return err_set(err, errno, "end the request");
    while (n != 0 && !reply->failed) {
        char part[512];

        n = read(sock, part, sizeof part);
        if (n < 0 && errno != EINTR)
            return err_set(err, errno == EAGAIN ? ETIMEDOUT : errno, "wait for its answer");
        buf_append_n(reply, part, n > 0 ? (size_t)n : 0);
    }
    return buf_check(reply, "its answer", err);
}

int slirp_publish(const char *socket, const struct publish *p, struct err *err)
{
    own_buf struct buf request = BUF_INIT(REQUEST_MAX), reply = BUF_INIT(SLIRP_REPLY_MAX);
    own_buf struct buf name = BUF_INIT(128);
    own_fd int sock = fd_unix_connect(socket, SOCK_STREAM, err);

    if (sock < 0)
        return -1;
    slirp_request(p, &request);
    publish_format(p, &name);
    if (buf_check(&request, "the request", err) < 0 ||
        ask(sock, buf_str(&request), &reply, err) < 0)
        return err_wrap(err, "publish '%s'", buf_c(&name));
    return slirp_judge(buf_str(&reply), err) < 0 ? err_wrap(err, "publish '%s'", buf_c(&name)) : 0;
}
