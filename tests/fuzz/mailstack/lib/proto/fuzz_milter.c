/* SPDX-License-Identifier: Apache-2.0 */
/* A packet that parses is formatted to the same bytes; what is read from one is formatted to what
 * reads the same. */
#include <assert.h>

#include "runtime/base/buf.h"
#include "runtime/base/err.h"
#include "runtime/base/own.h"

#include "mailstack/lib/proto/milter.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t n);

static struct milter_packet again(struct buf *b)
{
    struct milter_packet p = {0};
    struct err err;
    size_t used;

    assert(milter_parse(buf_str(b), &p, &used, &err) == PARSE_DONE && used == b->n);
    return p;
}

static void check_connect(const struct milter_packet *p)
{
    struct milter_connect c;
    struct milter_connect d;
    struct err err;
    own_buf struct buf b = BUF_INIT(4 << 20);

    if (milter_read_connect(p, &c, &err) < 0)
        return;
    milter_format_connect(&b, &c);
    struct milter_packet q = again(&b);

    assert(milter_read_connect(&q, &d, &err) == 0);
    assert(str_eq(c.host, d.host) && c.family == d.family && c.port == d.port);
}

static void check_header(const struct milter_packet *p)
{
    struct milter_pair h;
    struct milter_pair g;
    struct err err;
    own_buf struct buf b = BUF_INIT(4 << 20);

    if (milter_read_header(p, &h, &err) < 0)
        return;
    milter_format_header(&b, &h);
    struct milter_packet q = again(&b);

    assert(milter_read_header(&q, &g, &err) == 0 && str_eq(h.name, g.name));
    assert(str_find(g.value, '\r') < 0 && g.value.n <= h.value.n);
}

static void check_rest(const struct milter_packet *p)
{
    struct milter_macros m;
    struct milter_path path;
    struct milter_header_change change;
    struct milter_options o;
    struct str name;
    struct str value;
    struct err err;

    if (milter_read_macros(p, &m, &err) == 0) {
        while (milter_next_macro(&m, &name, &value))
            assert(name.n + value.n <= p->data.n);
    }
    if (milter_read_path(p, &path, &err) == 0)
        assert(path.path.n + path.params.n < p->data.n);
    if (milter_read_header_change(p, &change, &err) == 0)
        assert(change.name.n > 0);
    (void)milter_read_options(p, &o, &err);
    (void)milter_read_reply(p, &name, &err);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t n)
{
    struct str in = {(const char *)data, n};
    struct milter_packet p;
    struct err err = {0};
    size_t used;

    while (milter_parse(in, &p, &used, &err) == PARSE_DONE) {
        own_buf struct buf b = BUF_INIT(4 << 20);

        assert(used <= in.n && used == p.data.n + 5);
        milter_format(&b, p.command, p.data);
        assert(str_eq(buf_str(&b), str_head(in, used)));
        check_connect(&p);
        check_header(&p);
        check_rest(&p);
        in = str_skip(in, used);
    }
    assert(used == 0);
    return 0;
}
