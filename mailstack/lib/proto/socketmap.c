/* SPDX-License-Identifier: Apache-2.0 */
#include "mailstack/lib/proto/socketmap.h"

#include <errno.h>

#include "runtime/base/buf.h"
#include "runtime/base/err.h"
#include "runtime/base/num.h"

#define DIGITS_MAX 6

static const struct {
    struct str word;
    enum socketmap_status status;
} words[] = {
    {STR_INIT("OK"), SOCKETMAP_OK},        {STR_INIT("NOTFOUND"), SOCKETMAP_NOTFOUND},
    {STR_INIT("TEMP"), SOCKETMAP_TEMP},    {STR_INIT("PERM"), SOCKETMAP_PERM},
    {STR_INIT("TIMEOUT"), SOCKETMAP_TEMP},
};

static enum parse_result fail(struct err *err, const char *what)
{
    (void)err_set(err, 0, "socketmap: %s", what);
    return PARSE_ERROR;
}

static enum parse_result netstring(struct str in, struct str *out, size_t *used, struct err *err)
{
    ptrdiff_t colon = str_find(str_head(in, DIGITS_MAX + 1), ':');
    uint64_t n;

    *used = 0;
    if (colon < 0 && in.n <= DIGITS_MAX)
        return PARSE_MORE;
    if (colon < 0)
        return fail(err, "a netstring without its length");
    if (num_parse_u64(str_head(in, (size_t)colon), 0, SOCKETMAP_MAX, &n, err) < 0) {
        (void)err_wrap(err, "socketmap: length");
        return PARSE_ERROR;
    }
    struct str body = str_skip(in, (size_t)colon + 1);

    if (body.n < n + 1)
        return PARSE_MORE;
    if (body.p[n] != ',')
        return fail(err, "a netstring without its comma");
    *out = str_head(body, (size_t)n);
    *used = (size_t)colon + 1 + (size_t)n + 1;
    return PARSE_DONE;
}

enum parse_result socketmap_parse_request(struct str in, struct socketmap_request *out,
                                          size_t *used, struct err *err)
{
    struct str body;
    enum parse_result r = netstring(in, &body, used, err);

    if (r != PARSE_DONE)
        return r;
    if (!str_cut(body, ' ', &out->map, &out->key))
        return fail(err, "a request is a map's name, a space and the key");
    return PARSE_DONE;
}

enum parse_result socketmap_parse_answer(struct str in, struct socketmap_answer *out, size_t *used,
                                         struct err *err)
{
    struct str body;
    enum parse_result r = netstring(in, &body, used, err);

    if (r != PARSE_DONE)
        return r;
    struct str word = body;
    struct str data = STR_NONE;

    (void)str_cut(body, ' ', &word, &data);
    for (size_t i = 0; i < ARRAY_N(words); i++) {
        if (str_eq(word, words[i].word)) {
            *out = (struct socketmap_answer){words[i].status, data};
            return PARSE_DONE;
        }
    }
    return fail(err, "an answer of no known kind");
}

void socketmap_format_request(struct buf *to, const struct socketmap_request *r)
{
    buf_printf(to, "%zu:", r->map.n + 1 + r->key.n);
    buf_append(to, r->map);
    buf_append_char(to, ' ');
    buf_append(to, r->key);
    buf_append_char(to, ',');
}

void socketmap_format_answer(struct buf *to, const struct socketmap_answer *a)
{
    struct str word = words[0].word;

    for (size_t i = 0; i < ARRAY_N(words); i++) {
        if (words[i].status == a->status) {
            word = words[i].word;
            break;
        }
    }
    buf_printf(to, "%zu:", word.n + 1 + a->data.n);
    buf_append(to, word);
    buf_append_char(to, ' ');
    buf_append(to, a->data);
    buf_append_char(to, ',');
}
