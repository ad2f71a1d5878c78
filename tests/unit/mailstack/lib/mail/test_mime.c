/* SPDX-License-Identifier: Apache-2.0 */
#include <errno.h>

#include "runtime/base/arena.h"
#include "runtime/base/buf.h"
#include "runtime/base/own.h"

#include "mailstack/lib/mail/mime.h"

#include "tests/lib/test.h"

#define NESTED                                                      \
    "From: a@b\r\n"                                                 \
    "Content-Type: multipart/mixed; boundary=\"out er\" (x)\r\n"    \
    "\r\n"                                                          \
    "preamble\r\n"                                                  \
    "--out er\r\n"                                                  \
    "\r\n"                                                          \
    "first\r\n"                                                     \
    "second line\r\n"                                               \
    "--out er \t\r\n"                                               \
    "Content-Type: multipart / alternative; boundary=inner\r\n"     \
    "\r\n"                                                          \
    "--inner\r\n"                                                   \
    "Content-Type: text/html; charset=utf-8\r\n"                    \
    "Content-Transfer-Encoding: BASE64\r\n"                         \
    "Content-ID: <1@x>\r\n"                                         \
    "\r\n"                                                          \
    "PGI+\r\n"                                                      \
    "--inner--\r\n"                                                 \
    "epilogue\r\n"                                                  \
    "--out er\r\n"                                                  \
    "Content-Type: message/rfc822\r\n"                              \
    "Content-Disposition: attachment; filename=\"a \\\"b\\\".eml\"" \
    "\r\n\r\n"                                                      \
    "Subject: within\r\n"                                           \
    "Content-Type: multipart/mixed; boundary=third\r\n"             \
    "\r\n"                                                          \
    "--third\r\n"                                                   \
    "\r\n"                                                          \
    "3.1\r\n"                                                       \
    "--third\r\n"                                                   \
    "Content-Type: application/octet-stream\r\n"                    \
    "\r\n"                                                          \
    "3.2\r\n"                                                       \
    "--third--\r\n"                                                 \
    "\r\n"                                                          \
    "--out er--\r\n"                                                \
    "behind\r\n"

static struct mime_part *parse(struct str message, struct arena *a)
{
    struct mime_part *root = NULL;
    struct err err = {0};

    assert_ok(mime_parse(message, a, &root, &err), &err);
    return root;
}

static void check_section(const struct mime_part *root, const char *path, const char *body)
{
    uint32_t nums[8];
    size_t n = 0;
    const struct mime_part *p;

    for (const char *c = path; *c; c++) {
        if (*c != '.')
            nums[n++] = (uint32_t)(*c - '0');
    }
    p = mime_section(root, nums, n);
    if (!body) {
        assert_null(p);
        return;
    }
    assert_non_null(p);
    assert_str(p->body, body);
}

static void parts_are_found_by_their_numbers(void **state)
{
    struct arena *a = arena_new(1 << 20);
    struct mime_part *root = parse(STR(NESTED), a);

    (void)state;
    check_section(root, "1", "first\r\nsecond line");
    check_section(root, "2.1", "PGI+");
    check_section(root, "3.1", "3.1");
    check_section(root, "3.2", "3.2");
    check_section(root, "4", NULL);
    check_section(root, "0", NULL);
    check_section(root, "1.1", NULL);
    check_section(root, "2.2", NULL);
    check_section(root, "3.3", NULL);
    assert_ptr_equal(mime_section(root, NULL, 0), root);
    arena_free(a);
}

static void a_part_says_what_it_is(void **state)
{
    struct arena *a = arena_new(1 << 20);
    const struct mime_part *root = parse(STR(NESTED), a);
    const struct mime_part *html = mime_section(root, (const uint32_t[]){2, 1}, 2);
    const struct mime_part *message = mime_section(root, (const uint32_t[]){3}, 1);
    const struct mime_part *first = mime_section(root, (const uint32_t[]){1}, 1);

    (void)state;
    assert_true(mime_is(root, "MULTIPART", "Mixed"));
    assert_str(root->header,
               "From: a@b\r\nContent-Type: multipart/mixed; boundary=\"out er\" (x)\r\n\r\n");
    assert_str(mime_param(&root->content_type, "boundary"), "out er");
    assert_true(mime_is(first, "text", "plain"));
    assert_null(first->content_type.value.p);
    assert_str(first->header, "\r\n");
    assert_int_equal(first->body_lines, 1);
    assert_true(mime_is(html, "text", "html"));
    assert_int_equal(html->encoding, DECODE_BASE64);
    assert_str(html->encoding_name, "BASE64");
    assert_str(html->id, "<1@x>");
    assert_true(mime_is(html->parent, NULL, "alternative"));
    assert_true(mime_is_message(message));
    assert_str(message->disposition.value, "attachment");
    assert_str(mime_param(&message->disposition, "filename"), "a \"b\".eml");
    assert_str(message->child->header,
               "Subject: within\r\nContent-Type: multipart/mixed; boundary=third\r\n\r\n");
    arena_free(a);
}

/* The same mail with LF only has the same tree, and its sizes on the wire are the same. */
static void line_ends_do_not_matter(void **state)
{
    struct arena *a = arena_new(1 << 20);
    own_buf struct buf lf = BUF_INIT(10000);
    struct str in = STR(NESTED);

    (void)state;
    for (size_t i = 0; i < in.n; i++) {
        if (in.p[i] != '\r')
            buf_append_char(&lf, in.p[i]);
    }
    const struct mime_part *p = parse(in, a);
    const struct mime_part *q = parse(buf_str(&lf), a);
    const struct mime_part *root_p = p;
    const struct mime_part *root_q = q;

    while (p && q) {
        assert_true(str_ieq(p->subtype, q->subtype));
        assert_int_equal(p->body.n, q->body.n + q->body_lone_n);
        assert_int_equal(p->header.n, q->header.n + q->header_lone_n);
        assert_int_equal(p->body_lines, q->body_lines);
        assert_int_equal(p->body_lone_n, 0);
        p = mime_next(root_p, p);
        q = mime_next(root_q, q);
    }
    assert_null(p);
    assert_null(q);
    arena_free(a);
}

/* Whatever is cut off: parts lie within their parents. */
static void any_cut_is_a_message(void **state)
{
    (void)state;
    for (size_t n = 0; n < sizeof(NESTED); n++) {
        struct arena *a = arena_new(1 << 20);
        const struct mime_part *root = parse(str_head(STR(NESTED), n), a);

        for (const struct mime_part *p = root; p; p = mime_next(root, p)) {
            if (!p->parent)
                continue;
            assert_true(p->header.p >= p->parent->body.p);
            assert_true(p->body.p + p->body.n <= p->parent->body.p + p->parent->body.n);
        }
        arena_free(a);
    }
}

static void a_digest_holds_messages(void **state)
{
    struct arena *a = arena_new(1 << 20);
    const struct mime_part *root = parse(STR("Content-Type: multipart/digest; boundary=b\n\n"
                                             "--b\n\nSubject: one\n\ntext\n"
                                             "--b\nContent-Type: text/plain\n\nplain\n--b--\n"),
                                         a);

    (void)state;
    assert_true(mime_is_message(root->child));
    assert_str(root->child->child->body, "text");
    assert_true(mime_is(root->child->next, "text", "plain"));
    check_section(root, "1.1", "text");
    arena_free(a);
}

static void malformed_things_are_leaves(void **state)
{
    static const char *const cases[] = {
        "Content-Type: multipart/mixed\n\n--\n\n--x\n",
        "Content-Type: rubbish\n\nx\n",
        "Content-Type: multipart/mixed; boundary=\"\"\n\n--\n\n",
        "Content-Type:\n\nx",
        "Content-Type: message/rfc822\nContent-Transfer-Encoding: base64\n\nQQ==\n",
        "\n",
        "x",
        ""};

    (void)state;
    for (size_t i = 0; i < ARRAY_N(cases); i++) {
        struct arena *a = arena_new(1 << 20);

        assert_null(parse(str_of(cases[i]), a)->child);
        arena_free(a);
    }
}

static void boundaries_must_match_whole(void **state)
{
    struct arena *a = arena_new(1 << 20);
    const struct mime_part *root = parse(
        STR("Content-Type: multipart/mixed; boundary=a\n\n--ab\n\n--a\n\n1\n--ab\n--a-\n--a--\n"),
        a);

    (void)state;
    check_section(root, "1", "1\n--ab\n--a-");
    assert_null(root->child->next);
    arena_free(a);
}

static void an_outer_boundary_ends_inner_parts(void **state)
{
    struct arena *a = arena_new(1 << 20);
    const struct mime_part *root = parse(STR("Content-Type: multipart/mixed; boundary=o\n\n"
                                             "--o\nContent-Type: multipart/mixed; boundary=i\n\n"
                                             "--i\n\ninner\n--o\n\nouter\n--o--\n"),
                                         a);

    (void)state;
    check_section(root, "1.1", "inner");
    check_section(root, "2", "outer");
    arena_free(a);
}

static void parameters_are_decoded(void **state)
{
    static const struct {
        const char *in;
        const char *out;
    } cases[] = {
        {"attachment; filename=plain.txt", "plain.txt"},
        {"attachment; filename = \"a b.txt\" ; x=y", "a b.txt"},
        {"attachment; filename=not quoted.exe; x=y", "not quoted.exe"},
        {"attachment; filename=c.txt (comment)", "c.txt"},
        {"attachment; filename*=utf-8'en'%e2%82%ac%20rates", "€ rates"},
        {"attachment; filename*=iso-8859-1''%A3", "£"},
        {"attachment; filename*0=\"one.\"; filename*1=two", "one.two"},
        {"attachment; filename*1*=%C3%BC; filename*0*=utf-8''gr; filename*2=.exe", "grü.exe"},
        {"attachment; filename=\"=?utf-8?Q?r=C3=BCn.exe?=\"", "rün.exe"},
        {"attachment; FILENAME=\"x\"", "x"},
        {"attachment; filename*=no-quotes%41", "no-quotesA"},
        {"attachment; filename=\"%41\"", "%41"},
        {"attachment; filename", NULL},
        {"attachment; =x; filename=\"\"", ""},
        {"attachment;;; filename=\"unended", "unended"},
    };

    (void)state;
    for (size_t i = 0; i < ARRAY_N(cases); i++) {
        struct arena *a = arena_new(1 << 20);
        own_buf struct buf out = BUF_INIT(1000);
        struct mime_value v = {0};
        struct err err = {0};

        assert_ok(mime_parse_value(str_of(cases[i].in), a, &v, &err), &err);
        assert_str(v.value, "attachment");
        assert_int_equal(mime_param_text(&v, "filename", &out), cases[i].out != NULL);
        if (cases[i].out)
            assert_str(buf_str(&out), cases[i].out);
        arena_free(a);
    }
}

static void limits_hold(void **state)
{
    struct arena *a = arena_new(16 << 20);
    struct arena *small = arena_new(20000);
    own_buf struct buf deep = BUF_INIT(1 << 20);
    own_buf struct buf wide = BUF_INIT(1 << 20);
    struct mime_part *root;
    struct err err = {0};
    size_t n = 0;

    (void)state;
    for (int i = 0; i < 3 * MIME_DEPTH_MAX; i++)
        buf_printf(&deep, "Content-Type: multipart/mixed; boundary=b%d\n\n--b%d\n", i, i);
    root = parse(buf_str(&deep), a);
    assert_true(root->cut);
    for (const struct mime_part *p = root; p; p = mime_next(root, p))
        n++;
    assert_true(n <= MIME_DEPTH_MAX);
    buf_append_c(&wide, "Content-Type: multipart/mixed; boundary=b\n\n");
    for (int i = 0; i < 2 * MIME_PARTS_MAX; i++)
        buf_append_c(&wide, "--b\n\n");
    root = parse(buf_str(&wide), a);
    assert_true(root->cut);
    n = 0;
    for (const struct mime_part *p = root; p; p = mime_next(root, p))
        n++;
    assert_int_equal(n, MIME_PARTS_MAX);
    assert_int_equal(mime_parse(buf_str(&wide), small, &root, &err), -1);
    assert_int_equal(err.code, ENOMEM);
    arena_free(a);
    arena_free(small);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(parts_are_found_by_their_numbers),
        cmocka_unit_test(a_part_says_what_it_is),
        cmocka_unit_test(line_ends_do_not_matter),
        cmocka_unit_test(any_cut_is_a_message),
        cmocka_unit_test(a_digest_holds_messages),
        cmocka_unit_test(malformed_things_are_leaves),
        cmocka_unit_test(boundaries_must_match_whole),
        cmocka_unit_test(an_outer_boundary_ends_inner_parts),
        cmocka_unit_test(parameters_are_decoded),
        cmocka_unit_test(limits_hold),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
