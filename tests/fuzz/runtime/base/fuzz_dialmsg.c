/* SPDX-License-Identifier: Apache-2.0 */
/* What parses is formatted to a message within the limit that parses to the same again. */
#include <assert.h>
#include <string.h>

#include "runtime/base/buf.h"
#include "runtime/base/dialmsg.h"
#include "runtime/base/err.h"
#include "runtime/base/own.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t n);

static void check_request(struct str s)
{
    own_buf struct buf b = BUF_INIT(DIALMSG_MAX);
    struct dialmsg_request r;
    struct dialmsg_request again;
    struct err err;

    if (dialmsg_parse_request(s, &r, &err) < 0)
        return;
    dialmsg_format_request(&r, &b);
    assert(buf_check(&b, "a request", &err) == 0);
    assert(dialmsg_parse_request(buf_str(&b), &again, &err) == 0);
    assert(r.id == again.id && r.timeout_ms == again.timeout_ms);
    assert(memcmp(&r.addr, &again.addr, sizeof(r.addr)) == 0);
}

static void check_answer(struct str s)
{
    own_buf struct buf b = BUF_INIT(DIALMSG_MAX);
    struct dialmsg_answer a;
    struct dialmsg_answer again;
    struct err err;

    if (dialmsg_parse_answer(s, &a, &err) < 0)
        return;
    dialmsg_format_answer(&a, &b);
    assert(buf_check(&b, "an answer", &err) == 0);
    assert(dialmsg_parse_answer(buf_str(&b), &again, &err) == 0);
    assert(a.kind == again.kind && a.id == again.id && a.code == again.code);
    assert(str_starts(a.text, again.text));
}

static void check_endpoint(struct str s)
{
    own_buf struct buf b = BUF_INIT(128);
    struct sockaddr_storage a;
    struct sockaddr_storage again;
    struct err err;

    if (dialmsg_parse_endpoint(s, &a, &err) < 0)
        return;
    dialmsg_format_addr(&a, &b);
    assert(dialmsg_parse_endpoint(buf_str(&b), &again, &err) == 0);
    assert(memcmp(&a, &again, sizeof(a)) == 0);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t n)
{
    struct str s = {(const char *)data, n};

    check_request(s);
    check_answer(s);
    check_endpoint(s);
    return 0;
}
