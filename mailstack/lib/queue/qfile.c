/* SPDX-License-Identifier: Apache-2.0 */
#include "mailstack/lib/queue/qfile.h"

#include <assert.h>
#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "runtime/base/buf.h"
#include "runtime/base/err.h"
#include "runtime/base/mem.h"
#include "runtime/base/num.h"
#include "runtime/base/own.h"

#define TEXT_MAX (QFILE_VALUE_MAX / 4) /* so that it fits when every byte is escaped */

static const char *const state_names[QSTATES] = {
    [QSTATE_PENDING] = "pending", [QSTATE_DELIVERED] = "delivered", [QSTATE_RELAYED] = "relayed",
    [QSTATE_PASSED] = "passed",   [QSTATE_FAILED] = "failed",
};

/* --- memory ----------------------------------------------------------------------------------- */

static char *dup_str(struct str s)
{
    char *p = mem_new(s.n + 1);

    if (s.n)
        memcpy(p, s.p, s.n);
    return p;
}

static void set_str(char **to, struct str s)
{
    char *made = dup_str(s);

    free(*to);
    *to = made;
}

void qmsg_init(struct qmsg *m)
{
    *m = (struct qmsg){
        .sender = dup_str(STR_NONE), .owner = dup_str(STR_NONE), .envid = dup_str(STR_NONE)};
}

void qmsg_done(struct qmsg *m)
{
    for (size_t i = 0; i < m->rcpts_n; i++) {
        free(m->rcpts[i].addr);
        free(m->rcpts[i].orcpt);
        free(m->rcpts[i].remote);
        free(m->rcpts[i].text);
    }
    free(m->rcpts);
    free(m->sender);
    free(m->owner);
    free(m->envid);
    *m = (struct qmsg){0};
}

void qmsg_set_sender(struct qmsg *m, struct str sender)
{
    set_str(&m->sender, sender);
}

void qmsg_set_owner(struct qmsg *m, struct str owner)
{
    set_str(&m->owner, owner);
}

void qmsg_set_envid(struct qmsg *m, struct str envid)
{
    set_str(&m->envid, envid);
}

static size_t escaped_n(struct str s);

int qmsg_add_rcpt(struct qmsg *m, struct str addr, unsigned notify, struct str orcpt,
                  struct err *err)
{
    if (m->rcpts_n >= QFILE_RCPTS_MAX)
        return err_set(err, EMSGSIZE, "more than %d recipients", QFILE_RCPTS_MAX);
    if (escaped_n(addr) > QFILE_VALUE_MAX || escaped_n(orcpt) > QFILE_VALUE_MAX)
        return err_set(err, EINVAL, "an address of more than %d bytes", QFILE_VALUE_MAX);
    if ((m->rcpts_n & (m->rcpts_n - 1)) == 0) /* grows at each power of two */
        m->rcpts = mem_grow(m->rcpts, m->rcpts_n ? 2 * m->rcpts_n : 1, sizeof(m->rcpts[0]));
    m->rcpts[m->rcpts_n++] = (struct qrcpt){.addr = dup_str(addr),
                                            .orcpt = dup_str(orcpt),
                                            .notify = notify,
                                            .remote = dup_str(STR_NONE),
                                            .text = dup_str(STR_NONE)};
    return 0;
}

static void set_status(struct qrcpt *r, struct str status)
{
    status = str_head(status, QSTATUS_MAX);
    memset(r->status, 0, sizeof(r->status));
    if (status.n)
        memcpy(r->status, status.p, status.n);
}

void qrcpt_set(struct qrcpt *r, enum qstate state, struct str status, struct str remote,
               struct str text)
{
    r->state = state;
    set_status(r, status);
    set_str(&r->remote, str_head(remote, TEXT_MAX));
    set_str(&r->text, str_head(text, TEXT_MAX));
}

/* --- values ----------------------------------------------------------------------------------- */

bool qfile_is_id(struct str s)
{
    if (s.n == 0 || s.n > QFILE_ID_MAX || s.p[0] == '-')
        return false;
    for (size_t i = 0; i < s.n; i++) {
        if (!ascii_is_alnum(s.p[i]) && s.p[i] != '-')
            return false;
    }
    return true;
}

const char *qfile_state_name(enum qstate s)
{
    return state_names[s];
}

static bool is_plain(char c)
{
    unsigned char u = (unsigned char)c;

    return u > 0x20 && u != 0x7f && u != '%';
}

static size_t escaped_n(struct str s)
{
    size_t n = 0;

    for (size_t i = 0; i < s.n; i++)
        n += is_plain(s.p[i]) ? 1 : 3;
    return n;
}

static void put_value(struct buf *out, struct str s)
{
    if (s.n == 0) {
        buf_append_char(out, '-');
        return;
    }
    if (str_eq(s, STR("-"))) {
        buf_append_c(out, "%2d");
        return;
    }
    for (size_t i = 0; i < s.n; i++) {
        if (is_plain(s.p[i]))
            buf_append_char(out, s.p[i]);
        else
            buf_printf(out, "%%%02x", (unsigned char)s.p[i]);
    }
}

/* Appends the value that stands there escaped; false if it was not written by put_value. */
static bool get_value(struct str s, struct buf *out)
{
    if (s.n == 0 || s.n > QFILE_VALUE_MAX)
        return false;
    if (str_eq(s, STR("-")))
        return true;
    for (size_t i = 0; i < s.n; i++) {
        if (s.p[i] != '%') {
            if (!is_plain(s.p[i]))
                return false;
            buf_append_char(out, s.p[i]);
            continue;
        }
        int high = s.n - i > 2 ? ascii_hex(s.p[i + 1]) : -1;
        int low = s.n - i > 2 ? ascii_hex(s.p[i + 2]) : -1;

        if (high < 0 || low < 0 || (high == 0 && low == 0))
            return false;
        buf_append_char(out, (char)(high * 16 + low));
        i += 2;
    }
    return true;
}

static int take_value(struct str s, const char *what, struct buf *out, struct err *err)
{
    buf_reset(out);
    return get_value(s, out) ? 0 : err_set(err, EBADMSG, "the %s is damaged", what);
}

/* CRC-32 of IEEE 802.3, four bits at a time: a table of 64 bytes is enough for what is short. */
static uint32_t crc32_of(struct str s)
{
    static const uint32_t table[16] = {
        0x00000000, 0x1db71064, 0x3b6e20c8, 0x26d930ac, 0x76dc4190, 0x6b6b51f4,
        0x4db26158, 0x5005713c, 0xedb88320, 0xf00f9344, 0xd6d6a3e8, 0xcb61b38c,
        0x9b64c2b0, 0x86d3d2d4, 0xa00ae278, 0xbdbdf21c,
    };
    uint32_t crc = 0xffffffff;

    for (size_t i = 0; i < s.n; i++) {
        crc ^= (unsigned char)s.p[i];
        crc = (crc >> 4) ^ table[crc & 15];
        crc = (crc >> 4) ^ table[crc & 15];
    }
    return ~crc;
}

/* --- envelope --------------------------------------------------------------------------------- */

static const struct {
    unsigned bit;
    const char *name;
} notifies[] = {
    {QNOTIFY_NEVER, "never"},
    {QNOTIFY_SUCCESS, "success"},
    {QNOTIFY_FAILURE, "failure"},
    {QNOTIFY_DELAY, "delay"},
};

static void put_notify(struct buf *out, unsigned notify)
{
    const char *comma = "";

    if (notify == 0)
        buf_append_char(out, '-');
    for (size_t i = 0; i < ARRAY_N(notifies); i++) {
        if (!(notify & notifies[i].bit))
            continue;
        buf_printf(out, "%s%s", comma, notifies[i].name);
        comma = ",";
    }
}

static bool get_notify(struct str s, unsigned *out)
{
    struct str word;

    *out = 0;
    if (str_eq(s, STR("-")))
        return true;
    while (str_next(&s, ',', &word)) {
        unsigned bit = 0;

        for (size_t i = 0; i < ARRAY_N(notifies); i++) {
            if (str_eq_c(word, notifies[i].name))
                bit = notifies[i].bit;
        }
        if (bit <= *out) /* unknown, or not in the order in which they are written */
            return false;
        *out |= bit;
    }
    return *out != 0;
}

void qfile_format_first(const struct qmsg *m, char out[QFILE_FIRST_N + 1])
{
    own_buf struct buf b = BUF_INIT(QFILE_FIRST_N);

    buf_printf(&b, "mrq1 %010" PRIu64 " %020" PRIu64 " ", m->head_n, m->size);
    buf_printf(&b, "%08" PRIx32 "\n", crc32_of(buf_str(&b)));
    assert(b.n == QFILE_FIRST_N); /* the sizes are within their limits */
    memcpy(out, b.p, QFILE_FIRST_N);
    out[QFILE_FIRST_N] = '\0';
}

void qfile_format_head(struct buf *out, struct qmsg *m)
{
    size_t start = out->n;
    char first[QFILE_FIRST_N + 1];

    qfile_format_first(m, first);
    buf_append_c(out, first);
    buf_printf(out, "arrival %" PRId64 "\nfrom ", m->arrival_us);
    put_value(out, str_of(m->sender));
    if (m->owner[0]) {
        buf_append_c(out, "\nowner ");
        put_value(out, str_of(m->owner));
    }
    if (m->envid[0]) {
        buf_append_c(out, "\nenvid ");
        put_value(out, str_of(m->envid));
    }
    if (m->ret != QRET_UNSET)
        buf_append_c(out, m->ret == QRET_FULL ? "\nret full" : "\nret hdrs");
    buf_append_c(out, m->is_8bit ? "\nbody 8bit" : "");
    buf_append_c(out, m->is_utf8 ? "\nutf8" : "");
    for (size_t i = 0; i < m->rcpts_n; i++) {
        buf_append_c(out, "\nrcpt ");
        put_value(out, str_of(m->rcpts[i].addr));
        buf_append_char(out, ' ');
        put_notify(out, m->rcpts[i].notify);
        buf_append_char(out, ' ');
        put_value(out, str_of(m->rcpts[i].orcpt));
    }
    buf_append_c(out, "\n\n");
    if (out->failed)
        return;
    m->head_n = out->n - start;
    qfile_format_first(m, first);
    memcpy(out->p + start, first, QFILE_FIRST_N);
}

int qfile_parse_first(struct str in, struct qmsg *m, struct err *err)
{
    struct str s = str_head(in, QFILE_FIRST_N);
    uint64_t check;

    if (s.n < QFILE_FIRST_N || !str_starts(s, STR("mrq1 ")) || s.p[QFILE_FIRST_N - 1] != '\n' ||
        num_parse_hex(str_sub(s, 37, 8), UINT32_MAX, &check, err) < 0 ||
        check != crc32_of(str_head(s, 37)))
        return err_set(err, EBADMSG, "the first line is damaged");
    if (num_parse_u64(str_sub(s, 5, 10), QFILE_FIRST_N + 1, QFILE_ENVELOPE_MAX, &m->head_n, err) <
            0 ||
        num_parse_u64(str_sub(s, 16, 20), 0, QFILE_SIZE_MAX, &m->size, err) < 0)
        return err_wrap(err, "the first line");
    return 0;
}

static int take_arrival(struct str rest, struct qmsg *m, struct err *err)
{
    return num_parse_i64(rest, 0, INT64_MAX, &m->arrival_us, err);
}

static int take_from(struct str rest, struct qmsg *m, struct err *err)
{
    own_buf struct buf b = BUF_INIT(QFILE_VALUE_MAX);

    if (take_value(rest, "sender", &b, err) < 0)
        return -1;
    qmsg_set_sender(m, buf_str(&b));
    return 0;
}

static int take_owner(struct str rest, struct qmsg *m, struct err *err)
{
    own_buf struct buf b = BUF_INIT(QFILE_VALUE_MAX);

    if (take_value(rest, "owner", &b, err) < 0)
        return -1;
    qmsg_set_owner(m, buf_str(&b));
    return 0;
}

static int take_envid(struct str rest, struct qmsg *m, struct err *err)
{
    own_buf struct buf b = BUF_INIT(QFILE_VALUE_MAX);

    if (take_value(rest, "ENVID", &b, err) < 0)
        return -1;
    qmsg_set_envid(m, buf_str(&b));
    return 0;
}

static int take_ret(struct str rest, struct qmsg *m, struct err *err)
{
    m->ret = str_eq_c(rest, "full") ? QRET_FULL : QRET_HDRS;
    return str_eq_c(rest, "full") || str_eq_c(rest, "hdrs") ? 0 : err_set(err, EBADMSG, "bad RET");
}

static int take_body(struct str rest, struct qmsg *m, struct err *err)
{
    m->is_8bit = str_eq_c(rest, "8bit");
    return m->is_8bit ? 0 : err_set(err, EBADMSG, "bad BODY");
}

static int take_utf8(struct str rest, struct qmsg *m, struct err *err)
{
    m->is_utf8 = rest.n == 0;
    return m->is_utf8 ? 0 : err_set(err, EBADMSG, "bad utf8");
}

static int take_rcpt(struct str rest, struct qmsg *m, struct err *err)
{
    own_buf struct buf addr = BUF_INIT(QFILE_VALUE_MAX);
    own_buf struct buf orcpt = BUF_INIT(QFILE_VALUE_MAX);
    struct str a;
    struct str n;
    struct str o;
    unsigned notify;

    if (!str_cut(rest, ' ', &a, &rest) || !str_cut(rest, ' ', &n, &o))
        return err_set(err, EBADMSG, "a recipient is damaged");
    if (take_value(a, "recipient", &addr, err) < 0 || take_value(o, "ORCPT", &orcpt, err) < 0)
        return -1;
    if (addr.n == 0 || !get_notify(n, &notify))
        return err_set(err, EBADMSG, "a recipient is damaged");
    return qmsg_add_rcpt(m, buf_str(&addr), notify, buf_str(&orcpt), err);
}

static const struct {
    const char *key;
    int (*take)(struct str rest, struct qmsg *m, struct err *err);
} lines[] = {
    {"arrival", take_arrival}, {"from", take_from}, {"owner", take_owner}, {"envid", take_envid},
    {"ret", take_ret},         {"body", take_body}, {"utf8", take_utf8},   {"rcpt", take_rcpt},
};

static int take_line(struct str line, struct qmsg *m, struct err *err)
{
    struct str key = line;
    struct str rest = STR_NONE;

    (void)str_cut(line, ' ', &key, &rest); /* "utf8" has no value */
    for (size_t i = 0; i < ARRAY_N(lines); i++) {
        if (str_eq_c(key, lines[i].key))
            return lines[i].take(rest, m, err);
    }
    return err_set(err, EBADMSG, "unknown line '%.*s'", STR_ARG(str_head(key, 20)));
}

int qfile_parse_envelope(struct str in, struct qmsg *m, struct err *err)
{
    struct str line;

    if (!str_ends(in, STR("\n\n")))
        return err_set(err, EBADMSG, "the envelope has no end");
    in.n--;
    while (str_next(&in, '\n', &line)) {
        if (take_line(line, m, err) < 0)
            return err_wrap(err, "envelope");
    }
    return m->rcpts_n ? 0 : err_set(err, EBADMSG, "an envelope without recipients");
}

/* --- records ---------------------------------------------------------------------------------- */

void qfile_format_record(struct buf *out, const struct qmsg *m, size_t i)
{
    const struct qrcpt *r = &m->rcpts[i];
    own_buf struct buf b = BUF_INIT(4 * QFILE_VALUE_MAX);

    buf_printf(&b, "%zu %s %u %" PRIu32 " %" PRId64 " %" PRId64 " ", i, state_names[r->state],
               r->told, r->attempts, r->last_s, r->next_s);
    put_value(&b, str_of(r->status));
    buf_append_char(&b, ' ');
    put_value(&b, str_head(str_of(r->remote), TEXT_MAX));
    buf_append_char(&b, ' ');
    put_value(&b, str_head(str_of(r->text), TEXT_MAX));
    buf_printf(out, "%08" PRIx32 " %s\n", crc32_of(buf_str(&b)), buf_c(&b));
}

struct record {
    uint64_t index;
    enum qstate state;
    uint32_t told;
    uint32_t attempts;
    int64_t last_s;
    int64_t next_s;
};

static bool get_state(struct str s, enum qstate *out)
{
    for (size_t i = 0; i < QSTATES; i++) {
        if (str_eq_c(s, state_names[i])) {
            *out = (enum qstate)i;
            return true;
        }
    }
    return false;
}

static bool get_numbers(struct str f[6], size_t rcpts_n, struct record *out)
{
    struct err ignored = {0};

    return rcpts_n && num_parse_u64(f[0], 0, rcpts_n - 1, &out->index, &ignored) == 0 &&
           get_state(f[1], &out->state) &&
           num_parse_u32(f[2], 0, QTOLD_DELAY | QTOLD_END, &out->told, &ignored) == 0 &&
           num_parse_u32(f[3], 0, UINT32_MAX, &out->attempts, &ignored) == 0 &&
           num_parse_i64(f[4], 0, INT64_MAX, &out->last_s, &ignored) == 0 &&
           num_parse_i64(f[5], 0, INT64_MAX, &out->next_s, &ignored) == 0;
}

static bool is_checked(struct str line, struct str *rest)
{
    struct err ignored = {0};
    struct str sum;
    uint64_t check;

    return str_cut(line, ' ', &sum, rest) && sum.n == 8 &&
           num_parse_hex(sum, UINT32_MAX, &check, &ignored) == 0 && check == crc32_of(*rest);
}

static bool apply_record(struct str line, struct qmsg *m)
{
    own_buf struct buf status = BUF_INIT(QFILE_VALUE_MAX);
    own_buf struct buf remote = BUF_INIT(QFILE_VALUE_MAX);
    own_buf struct buf text = BUF_INIT(QFILE_VALUE_MAX);
    struct str f[9] = {{0}};
    struct record rec = {0};
    struct str rest;
    size_t n = 0;

    if (!is_checked(line, &rest))
        return false;
    while (n < ARRAY_N(f) && str_next(&rest, ' ', &f[n]))
        n++;
    if (n < ARRAY_N(f) || rest.n || !get_numbers(f, m->rcpts_n, &rec) ||
        !get_value(f[6], &status) || !get_value(f[7], &remote) || !get_value(f[8], &text))
        return false;
    struct qrcpt *r = &m->rcpts[rec.index];

    qrcpt_set(r, rec.state, buf_str(&status), buf_str(&remote), buf_str(&text));
    r->told = rec.told;
    r->attempts = rec.attempts;
    r->last_s = rec.last_s;
    r->next_s = rec.next_s;
    return true;
}

size_t qfile_apply_records(struct str in, struct qmsg *m)
{
    struct str line;
    size_t bad = 0;

    /* A line without its end is one that was being written. */
    while (str_find(in, '\n') >= 0 && str_next(&in, '\n', &line)) {
        if (line.n && !apply_record(line, m))
            bad++;
    }
    return bad + (in.n ? 1 : 0);
}
