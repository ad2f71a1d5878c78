/* SPDX-License-Identifier: Apache-2.0 */
#include "mailstack/filterd/bodyscan.h"

#include "tests/lib/test.h"

#define GTUBE "XJS*C4JDBQADN1.NSBN3*2IDNEN*GTUBE-STANDARD-ANTI-UBE-TEST-EMAIL*C.34X"
#define MIXED "Content-Type: multipart/mixed; boundary=\"b\"\r\n\r\n"

static const struct {
    const char *header;
    const char *body;
    bool gtube;
    bool program;
} rows[] = {
    {"Subject: x\r\n\r\n", "plain\r\n", false, false},
    {"Subject: " GTUBE "\r\n\r\n", "plain\r\n", false, false},
    {"Subject: x\r\n\r\n", "a " GTUBE, true, false},
    {"Subject: x\r\n\r\n", "XXJS*" GTUBE "\r\n", true, false},
    {"Subject: x\r\n\r\n",
     "XJS*C4JDBQADN1.NSBN3*2IDNEN*GTUBE-STANDARD-ANTI-UBE-TEST-EMAIL*C.34\r\nX", false, false},
    {"Content-Type: a/b; name=a.exe\r\n\r\n", "", false, true},
    {MIXED, "--b\r\nContent-Type: a/b; name=a.exe\r\n\r\nx\r\n--b--\r\n", false, true},
    {MIXED, "--b \t \r\nContent-Disposition: x; filename=\"a.exe\"\r\n\r\nx", false, true},
    {MIXED, "--b\nContent-Disposition: x; filename=\"a.exe\"\n\nx\n", false, true},
    {MIXED, "--b\r\nContent-Disposition: x; filename=a.exe\r\n--b--\r\n", false, true},
    {MIXED, "--b\r\nContent-Disposition: x; filename=a.exe", false, true},
    /* Not in a header: the preamble, a text, what comes behind the end. */
    {MIXED, "Content-Disposition: x; filename=a.exe\r\n\r\n--b\r\n\r\nx\r\n--b--\r\n", false,
     false},
    {MIXED, "--b\r\n\r\nContent-Disposition: x; filename=a.exe\r\n--b--\r\n", false, false},
    {MIXED, "--b\r\n\r\nx\r\n--b--\r\n--b\r\nContent-Disposition: x; filename=a.exe\r\n\r\n", false,
     false},
    {MIXED, "--bb\r\nContent-Disposition: x; filename=a.exe\r\n\r\nx\r\n-\r\n--\r\n--b--\r\n",
     false, false},
    {MIXED,
     "--b\r\nContent-Type: multipart/x; boundary=c\r\n\r\n--c\r\nContent-Type: a/b; name=a.exe\r\n\r\n--b--\r\n",
     false, true},
    {MIXED,
     "--b\r\nContent-Type: multipart/x; boundary=c\r\n\r\n--b\r\nContent-Type: a/b; name=a.exe\r\n\r\n--b--\r\n",
     false, true},
    /* A message that is encoded as a whole: "Content-Type: a/b; name=a.exe", and GTUBE. */
    {"Content-Type: message/rfc822\r\nContent-Transfer-Encoding: base64\r\n\r\n",
     "Q29udGVudC1UeXBlOiBhL2I7IG5hbWU9YS5leGUKCng=\r\n", false, true},
    {MIXED,
     "--b\r\nContent-Type: message/rfc822\r\nContent-Transfer-Encoding: quoted-printable\r\n\r\n"
     "Content-Type: a/b; name=3Da.txt\r\n\r\n--b\r\nContent-Type: message/rfc822\r\n"
     "Content-Transfer-Encoding: quoted-printable\r\n\r\nContent-Type: a/b; name=3D\"a=2Eexe\"=0A\r\n--b--\r\n",
     false, true},
    {"Subject: x\r\n\r\n", "text\r\nbegin 644 a b.exe\r\nM\r\nend\r\n", false, true},
    {"Subject: x\r\n\r\n", "begin 0755 a.exe", false, true},
    {"Subject: x\r\n\r\n",
     "begin 644 a.txt\r\nbegin the a.exe\r\n begin 644 a.exe\r\nbegin 999 a.exe\r\n", false, false},
    /* The second of two fields. */
    {"Content-Type: text/plain\r\nContent-Type: multipart/mixed; boundary=b\r\n\r\n",
     "--b\r\nContent-Type: a/b\r\nContent-Type: c/d; name=a.exe\r\n\r\n", false, true},
    /* A message in a digest may be without a type; what is in it is no header. */
    {"Content-Type: multipart/digest; boundary=d\r\n\r\n",
     "--d\r\n\r\nSubject: x\r\n\r\n" GTUBE "\r\n\r\n", true, false},
    {MIXED,
     "--b\r\nContent-Type: message/rfc822\r\n\r\nContent-Type: a/b; name=a.exe\r\n\r\n--b--\r\n",
     false, true},
    {"Content-Type: message/rfc822\r\n\r\n",
     "Content-Type: multipart/digest; boundary=d\r\n\r\n--d\r\n\r\nContent-Type: a/b; name=a.exe\r\n\r\n",
     false, true},
    {MIXED,
     "--b\r\nContent-Type: a/b\r\nContent-Transfer-Encoding: base64\r\n\r\nTVqQAAMAAAAE\r\nAAAA//8=\r\n--b--\r\n",
     false, true},
    {MIXED, "--b\r\nContent-Transfer-Encoding: base64\r\n\r\nTVqQAAMAAAAE\r\nAAAA//8=\r\n--b--\r\n",
     false, false},
    {"Content-Transfer-Encoding: quoted-printable\r\n\r\n",
     "XJS*C4JDBQADN1.NSBN3*2IDNEN*GTUBE=2DSTANDARD=\r\n-ANTI-UBE-TEST-EMAIL*C.34X", true, false},
};

static void every_cut_finds_the_same(void **state)
{
    (void)state;
    for (size_t i = 0; i < ARRAY_N(rows); i++) {
        struct str body = str_of(rows[i].body);

        for (size_t cut = 0; cut <= body.n; cut++) {
            struct bodyscan s;

            bodyscan_init(&s, str_of(rows[i].header));
            bodyscan_feed(&s, str_head(body, cut));
            bodyscan_feed(&s, str_skip(body, cut));
            bodyscan_end(&s);
            if (s.gtube != rows[i].gtube || s.program != rows[i].program)
                fail_msg("row %zu, cut at %zu: %d %d", i, cut, s.gtube, s.program);
            bodyscan_done(&s);
        }
    }
}

static void a_boundary_with_endless_space_is_one(void **state)
{
    struct bodyscan s;

    (void)state;
    bodyscan_init(&s, STR(MIXED));
    bodyscan_feed(&s, STR("--b"));
    for (int i = 0; i < 2000; i++)
        bodyscan_feed(&s, STR(" "));
    bodyscan_feed(&s, STR("\r\nContent-Type: a/b; name=\"a\x01\xff.exe\"\r\n\r\n"));
    bodyscan_end(&s);
    assert_true(s.program);
    assert_string_equal(s.why, "a program by its name: a??.exe");
    bodyscan_done(&s);
    bodyscan_done(&s);
}

static void depth_and_headers_have_limits(void **state)
{
    struct bodyscan s;

    (void)state;
    bodyscan_init(&s, STR(MIXED));
    for (int i = 0; i < 500; i++) {
        bodyscan_feed(&s, STR("--b\r\nContent-Type: multipart/mixed; boundary=\"b\"\r\n\r\n"));
        assert_true(s.open_n <= BODYSCAN_DEPTH_MAX);
    }
    bodyscan_feed(&s, STR("--b\r\nX: "));
    for (int i = 0; i < 20000; i++)
        bodyscan_feed(&s, STR("long header "));
    assert_true(s.header.n <= BODYSCAN_HEADER_MAX);
    bodyscan_feed(&s, STR("\r\n\r\n" GTUBE));
    bodyscan_end(&s);
    assert_true(s.gtube);
    bodyscan_done(&s);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(every_cut_finds_the_same),
        cmocka_unit_test(a_boundary_with_endless_space_is_one),
        cmocka_unit_test(depth_and_headers_have_limits),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
