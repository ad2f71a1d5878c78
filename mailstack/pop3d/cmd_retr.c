/* SPDX-License-Identifier: Apache-2.0 */
/*
 * RETR and TOP: a message, byte-stuffed, with CRLF line ends, from its file.
 */
#include <errno.h>

#include "runtime/base/err.h"
#include "runtime/base/log.h"
#include "runtime/base/num.h"
#include "runtime/base/own.h"

#include "mailstack/lib/net/stream.h"
#include "mailstack/lib/store/mailbox.h"
#include "mailstack/lib/store/msgfile.h"
#include "mailstack/pop3d/cmd.h"
#include "mailstack/pop3d/session.h"

static int send_line(struct stream *out, struct str line, struct err *err)
{
    if (line.n > 0 && line.p[line.n - 1] == '\r')
        line.n--;
    if (line.n > 0 && line.p[0] == '.' && stream_write(out, STR("."), err) < 0)
        return -1;
    if (stream_write(out, line, err) < 0)
        return -1;
    return stream_write(out, STR("\r\n"), err);
}

/* The header, the empty line, and at most body_n lines more. */
static int send_lines(struct stream *out, struct str raw, uint64_t body_n, struct err *err)
{
    bool in_header = true;
    struct str line;

    while (raw.n > 0 && (in_header || body_n > 0)) {
        if (!str_cut(raw, '\n', &line, &raw)) {
            line = raw;
            raw = STR_NONE;
        }
        if (send_line(out, line, err) < 0)
            return -1;
        if (in_header)
            in_header = str_trim(line).n > 0;
        else
            body_n--;
    }
    return stream_write(out, STR(".\r\n"), err);
}

static void send_message(struct session *s, struct session_msg *m, uint64_t body_n)
{
    struct err err = {0};
    own_fd int fd = mailbox_open_msg(s->mailbox, m->uid, &err);
    struct msgfile f;

    if (fd < 0 || msgfile_open(&f, fd, &err) < 0) {
        if (err.code != ENOENT)
            log_error("pop3.read_failed", LOG_U("uid", m->uid), LOG_S("error", err.text));
        session_err(s, err.code == ENOENT ? "message is gone" : "[SYS/TEMP] cannot read message");
        return;
    }
    session_ok(s, "%llu octets", (unsigned long long)m->vsize);
    if (!s->over && send_lines(s->stream, f.raw, body_n, &err) < 0)
        s->over = s->failed = true;
    msgfile_close(&f);
}

void cmd_retr(struct session *s, const struct pop3_cmd *c)
{
    struct session_msg *m = session_msg(s, c, 0);

    if (m == NULL)
        return;
    send_message(s, m, UINT64_MAX);
    m->retrieved = true;
}

void cmd_top(struct session *s, const struct pop3_cmd *c)
{
    struct session_msg *m = session_msg(s, c, 0);
    struct err ignored;
    uint64_t lines;

    if (m == NULL)
        return;
    if (num_parse_u64(c->args[1], 0, INT64_MAX, &lines, &ignored) < 0)
        session_err(s, "not a number of lines");
    else
        send_message(s, m, lines);
}
