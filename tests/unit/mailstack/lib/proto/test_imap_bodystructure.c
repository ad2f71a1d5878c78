/* SPDX-License-Identifier: Apache-2.0 */
#include "runtime/base/arena.h"
#include "runtime/base/buf.h"
#include "runtime/base/own.h"

#include "mailstack/lib/mail/mime.h"
#include "mailstack/lib/proto/imap_bodystructure.h"

#include "tests/lib/test.h"

static const struct {
    const char *message;
    const char *body;
    const char *structure;
} cases[] = {
    {"\nhello\nworld\n", "(\"text\" \"plain\" (\"charset\" \"us-ascii\") NIL NIL \"7bit\" 14 2)",
     "(\"text\" \"plain\" (\"charset\" \"us-ascii\") NIL NIL \"7bit\" 14 2 NIL NIL NIL NIL)"},
    {"Content-Type: multipart/mixed; boundary=b\r\nContent-Language: en, de\r\n\r\n"
     "--b\r\nContent-Type: TEXT/html; charset=utf-8\r\nContent-Transfer-Encoding: "
     "base64\r\nContent-ID: <1@x>\r\nContent-Description: a\r\n b\r\n\r\nQQ==\r\n"
     "--b\r\nContent-Type: image/png\r\nContent-MD5: abc\r\nContent-Location: x\r\n"
     "Content-Disposition: inline; filename=\"a\\\"b\"\r\n\r\nxyz\r\n--b--\r\n",
     "((\"TEXT\" \"html\" (\"charset\" \"utf-8\") \"<1@x>\" \"a b\" \"base64\" 4 0)"
     "(\"image\" \"png\" NIL NIL NIL \"7bit\" 3) \"mixed\")",
     "((\"TEXT\" \"html\" (\"charset\" \"utf-8\") \"<1@x>\" \"a b\" \"base64\" 4 0 NIL NIL NIL NIL)"
     "(\"image\" \"png\" NIL NIL NIL \"7bit\" 3 \"abc\" (\"inline\" (\"filename\" \"a\\\"b\")) NIL "
     "\"x\") \"mixed\" (\"boundary\" \"b\") NIL (\"en\" \"de\") NIL)"},
    {"Content-Type: message/rfc822\n\nSubject: in\n\ntext\n",
     "(\"message\" \"rfc822\" NIL NIL NIL \"7bit\" 21 (NIL \"in\" NIL NIL NIL NIL NIL NIL NIL NIL) "
     "(\"text\" \"plain\" (\"charset\" \"us-ascii\") NIL NIL \"7bit\" 6 1) 3)",
     NULL},
    {"Content-Type: multipart/mixed\n\nno boundary\n",
     "((\"text\" \"plain\" (\"charset\" \"us-ascii\") NIL NIL \"7bit\" 0 0) \"mixed\")", NULL},
    {"Content-Type: message/rfc822\nContent-Transfer-Encoding: base64\n\nQQ==\n",
     "(\"message\" \"rfc822\" NIL NIL NIL \"base64\" 6 (NIL NIL NIL NIL NIL NIL NIL NIL NIL NIL) "
     "(\"text\" \"plain\" (\"charset\" \"us-ascii\") NIL NIL \"7bit\" 0 0) 1)",
     NULL},
};

static void check(const char *message, enum imap_bodystructure_kind kind, const char *want)
{
    struct arena *a = arena_new(1 << 20);
    struct mime_part *root = NULL;
    struct err err = {0};
    own_buf struct buf out = BUF_INIT(10000);

    assert_ok(mime_parse(str_of(message), a, &root, &err), &err);
    assert_ok(imap_bodystructure_format(&out, root, kind, a, &err), &err);
    assert_str(buf_str(&out), want);
    arena_free(a);
}

static void structures_are_as_imap_wants_them(void **state)
{
    (void)state;
    for (size_t i = 0; i < ARRAY_N(cases); i++) {
        check(cases[i].message, IMAP_BODY, cases[i].body);
        if (cases[i].structure)
            check(cases[i].message, IMAP_BODYSTRUCTURE, cases[i].structure);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(structures_are_as_imap_wants_them),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
