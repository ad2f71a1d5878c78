/* SPDX-License-Identifier: Apache-2.0 */
#include "tests/lib/stackconf.h"

#include "runtime/base/arena.h"
#include "runtime/base/buf.h"
#include "runtime/base/own.h"

#include "tests/lib/test.h"

void stackconf_load(struct stackconf *s, const char *dir, const char *listen, const char *more)
{
    own_buf struct buf text = BUF_INIT(65536);
    own_buf struct buf file = BUF_INIT(4096);
    own_buf struct buf report = BUF_INIT(STACK_REPORT_MAX);
    struct err err = {0};

    buf_printf(&text,
               "{\"hostname\": \"mail.example.org\", \"domains\": {\"example.org\": {}},"
               " \"storage\": \"%s/storage\", %s%s}",
               dir, listen, more);
    buf_printf(&file, "%s/mailstack.json", dir);
    s->a = arena_new(64u << 20);
    assert_ok(svc_load(s->a, &s->t, &err), &err);
    if (stack_load_str(s->a, buf_str(&text), buf_c(&file), &s->c, &report) < 0)
        fail_msg("%s", buf_c(&report));
}

void stackconf_done(struct stackconf *s)
{
    arena_free(s->a);
}
