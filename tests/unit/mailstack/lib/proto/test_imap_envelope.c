/* SPDX-License-Identifier: Apache-2.0 */
#include "runtime/base/arena.h"
#include "runtime/base/buf.h"
#include "runtime/base/own.h"

#include "mailstack/lib/proto/imap_envelope.h"

#include "tests/lib/test.h"

static const struct {
    const char *header;
    const char *envelope;
} cases[] = {
    /* the example of RFC 3501, section 7.4.2 */
    {"Date: Wed, 17 Jul 1996 02:23:25 -0700 (PDT)\r\n"
     "From: Terry Gray <gray@cac.washington.edu>\r\n"
     "Subject: IMAP4rev1 WG mtg summary and minutes\r\n"
     "To: imap@cac.washington.edu\r\n"
     "cc: minutes@CNRI.Reston.VA.US, John Klensin <KLENSIN@MIT.EDU>\r\n"
     "Message-Id: <B27397-0100000@cac.washington.edu>\r\n"
     "\r\n",
     "(\"Wed, 17 Jul 1996 02:23:25 -0700 (PDT)\" \"IMAP4rev1 WG mtg summary and minutes\" "
     "((\"Terry Gray\" NIL \"gray\" \"cac.washington.edu\")) "
     "((\"Terry Gray\" NIL \"gray\" \"cac.washington.edu\")) "
     "((\"Terry Gray\" NIL \"gray\" \"cac.washington.edu\")) "
     "((NIL NIL \"imap\" \"cac.washington.edu\")) "
     "((NIL NIL \"minutes\" \"CNRI.Reston.VA.US\")(\"John Klensin\" NIL \"KLENSIN\" \"MIT.EDU\")) "
     "NIL NIL \"<B27397-0100000@cac.washington.edu>\")"},
    {"", "(NIL NIL NIL NIL NIL NIL NIL NIL NIL NIL)"},
    {"Subject: a\n b\nSender:\nFrom: x\nTo: team: a@b;, <@r:c@d>\n\nDate: not here\n",
     "(NIL \"a b\" ((NIL NIL \"x\" \"MISSING_DOMAIN\")) ((NIL NIL \"x\" \"MISSING_DOMAIN\")) "
     "((NIL NIL \"x\" \"MISSING_DOMAIN\")) "
     "((NIL NIL \"team\" NIL)(NIL NIL \"a\" \"b\")(NIL NIL NIL NIL)(NIL \"@r\" \"c\" \"d\")) "
     "NIL NIL NIL NIL)"},
    {"Subject: say \"hi\"\\\nSubject: second\n",
     "(NIL \"say \\\"hi\\\"\\\\\" NIL NIL NIL NIL NIL NIL NIL NIL)"},
};

static void envelopes_are_as_imap_wants_them(void **state)
{
    (void)state;
    for (size_t i = 0; i < ARRAY_N(cases); i++) {
        struct arena *a = arena_new(1 << 20);
        struct err err = {0};
        own_buf struct buf out = BUF_INIT(10000);

        assert_ok(imap_envelope_format(&out, str_of(cases[i].header), a, &err), &err);
        assert_str(buf_str(&out), cases[i].envelope);
        arena_free(a);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(envelopes_are_as_imap_wants_them),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
