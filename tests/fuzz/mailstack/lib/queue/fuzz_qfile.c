/* SPDX-License-Identifier: Apache-2.0 */
/* An envelope that parses is written to what parses the same; records never reach beyond the
 * recipients; whatever stands there, what is appended behind it is read. */
#include <assert.h>
#include <stdint.h>
#include <string.h>

#include "runtime/base/buf.h"
#include "runtime/base/err.h"
#include "runtime/base/own.h"

#include "mailstack/lib/queue/qfile.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t n);

static void check_same(const struct qmsg *a, const struct qmsg *b)
{
    assert(a->arrival_us == b->arrival_us && strcmp(a->sender, b->sender) == 0);
    assert(strcmp(a->owner, b->owner) == 0);
    assert(strcmp(a->envid, b->envid) == 0 && a->ret == b->ret);
    assert(a->is_8bit == b->is_8bit && a->is_utf8 == b->is_utf8 && a->rcpts_n == b->rcpts_n);
    for (size_t i = 0; i < a->rcpts_n; i++) {
        assert(strcmp(a->rcpts[i].addr, b->rcpts[i].addr) == 0);
        assert(strcmp(a->rcpts[i].orcpt, b->rcpts[i].orcpt) == 0);
        assert(a->rcpts[i].notify == b->rcpts[i].notify);
    }
}

static void check_round_trip(struct qmsg *m)
{
    own_buf struct buf b = BUF_INIT(8U << 20);
    struct err err;
    struct qmsg again;

    m->size = 0;
    qfile_format_head(&b, m);
    assert(!b.failed && m->head_n == b.n);
    qmsg_init(&again);
    if (m->head_n <= QFILE_ENVELOPE_MAX) {
        assert(qfile_parse_first(buf_str(&b), &again, &err) == 0 && again.head_n == b.n);
        assert(qfile_parse_envelope(str_skip(buf_str(&b), QFILE_FIRST_N), &again, &err) == 0);
        check_same(m, &again);
    }
    qmsg_done(&again);
}

static void check_records(struct str in, struct qmsg *m)
{
    own_buf struct buf b = BUF_INIT(8U << 20);

    (void)qfile_apply_records(in, m);
    for (size_t i = 0; i < m->rcpts_n; i++)
        assert(m->rcpts[i].state < QSTATES && m->rcpts[i].remote && m->rcpts[i].text);
    buf_append(&b, in);
    buf_append_char(&b, '\n');
    qrcpt_set(&m->rcpts[0], QSTATE_FAILED, STR("5.1.1"), STR("mx"), in);
    qfile_format_record(&b, m, 0);
    m->rcpts[0].state = QSTATE_PENDING;
    (void)qfile_apply_records(buf_str(&b), m);
    assert(m->rcpts[0].state == QSTATE_FAILED && strcmp(m->rcpts[0].status, "5.1.1") == 0);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t n)
{
    struct str in = {(const char *)data, n};
    struct str envelope;
    struct str records = STR_NONE;
    ptrdiff_t end = str_find_str(in, STR("\n\n"));
    struct err err;
    struct qmsg m;

    qmsg_init(&m);
    (void)qfile_parse_first(in, &m, &err);
    envelope = end < 0 ? in : str_head(in, (size_t)end + 2);
    if (end >= 0)
        records = str_skip(in, (size_t)end + 2);
    if (qfile_parse_envelope(envelope, &m, &err) == 0) {
        check_round_trip(&m);
        check_records(records, &m);
    }
    qmsg_done(&m);
    return 0;
}
