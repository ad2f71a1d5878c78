/* SPDX-License-Identifier: Apache-2.0 */
#include "runtime/base/buf.h"
#include "runtime/base/own.h"

#include "mailstack/lib/mail/dkim.h"
#include "mailstack/lib/mail/header.h"

#include "tests/lib/test.h"

#define BH "47DEQpj8HBSa+/TImW+5JCeuQeRkm5NMpJWZG3hSuFU="
#define OK "v=1; a=rsa-sha256; d=example.org; s=s1; h=from:to; bh=" BH "; b=QUJD"

static void a_signature_is_read_with_its_defaults(void **state)
{
    struct dkim_signature s;
    struct err err = {0};

    (void)state;
    assert_ok(dkim_parse_signature(STR(" " OK), &s, &err), &err);
    assert_int_equal(s.algorithm, DKIM_RSA_SHA256);
    assert_int_equal(s.header_canon, CANON_SIMPLE);
    assert_int_equal(s.body_canon, CANON_SIMPLE);
    assert_str(s.domain, "example.org");
    assert_str(s.selector, "s1");
    assert_null(s.identity.p);
    assert_false(s.has_length);
    assert_true(s.time_s == -1 && s.until_s == -1);
    assert_str(((struct str){(const char *)s.bytes, s.bytes_n}), "ABC");
}

static void a_signature_is_read_with_everything(void **state)
{
    struct dkim_signature s;
    struct err err = {0};

    (void)state;
    assert_ok(
        dkim_parse_signature(STR("v=1; a=ed25519-sha256; c=relaxed/simple; d=example.org;\r\n"
                                 " i=a@x.example.org; q=dns/txt:other; s=a.b; l=12; t=5; x=6;\r\n"
                                 " h=From : To; z=From:x; bh=47DEQpj8HBSa+/TImW+\r\n"
                                 " 5JCeuQeRkm5NMpJWZG3hSuFU=; b= QU\r\n\tJD "),
                             &s, &err),
        &err);
    assert_int_equal(s.algorithm, DKIM_ED25519_SHA256);
    assert_int_equal(s.header_canon, CANON_RELAXED);
    assert_int_equal(s.body_canon, CANON_SIMPLE);
    assert_str(s.identity, "a@x.example.org");
    assert_true(s.has_length && s.length == 12 && s.time_s == 5 && s.until_s == 6);
    assert_int_equal(s.bytes_n, 3);
    assert_str(s.b, " QU\r\n\tJD ");
}

static void a_broken_signature_is_refused(void **state)
{
    static const char *const bad[] = {
        "a=rsa-sha256; d=e.org; s=s; h=from; bh=" BH "; b=QUJD",
        "v=2; a=rsa-sha256; d=e.org; s=s; h=from; bh=" BH "; b=QUJD",
        "v=1; a=rsa-md5; d=e.org; s=s; h=from; bh=" BH "; b=QUJD",
        "v=1; a=rsa-sha256; d=e.org; s=s; h=to; bh=" BH "; b=QUJD",
        "v=1; a=rsa-sha256; d=org; s=s; h=from; bh=" BH "; b=QUJD",
        "v=1; a=rsa-sha256; d=e.org; s=; h=from; bh=" BH "; b=QUJD",
        "v=1; a=rsa-sha256; d=e.org; s=s; h=from; bh=QUJD; b=QUJD",
        "v=1; a=rsa-sha256; d=e.org; s=s; h=from; bh=" BH "; b=",
        "v=1; a=rsa-sha256; d=e.org; s=s; h=from; bh=" BH "; b=?",
        "v=1; a=rsa-sha256; d=e.org; s=s; h=from; bh=" BH,
        OK "; c=loose",
        OK "; i=a@other.org",
        OK "; i=a@notexample.org",
        OK "; q=http",
        OK "; t=2; x=1",
        OK "; l=-1",
        OK "; t=99999999999999999999",
        OK "; s=s2",
    };

    (void)state;
    for (size_t i = 0; i < ARRAY_N(bad); i++) {
        struct dkim_signature s;
        struct err err = {0};

        if (dkim_parse_signature(str_of(bad[i]), &s, &err) == 0)
            fail_msg("'%s' was taken", bad[i]);
        assert_true(err.text[0] != '\0');
    }
}

static void keys_say_what_they_are_for(void **state)
{
    struct dkim_signature s;
    struct dkim_key k;
    struct err err = {0};

    static const struct {
        const char *record;
        const char *why; /* NULL: it fits */
    } rows[] = {
        {"p=QUJD", NULL},
        {"v=DKIM1; k=rsa; h=sha1:sha256; s=other:email; t=y:s; n=hm; p=QU JD", NULL},
        {"v=DKIM1; p=", "revoked"},
        {"k=ed25519; p=QUJD", "kind"},
        {"h=sha1; p=QUJD", "hash"},
        {"s=other; p=QUJD", "mail"},
    };

    (void)state;
    assert_ok(dkim_parse_signature(STR(OK), &s, &err), &err);
    for (size_t i = 0; i < ARRAY_N(rows); i++) {
        assert_ok(dkim_parse_key(str_of(rows[i].record), &k, &err), &err);
        if (rows[i].why == NULL) {
            assert_ok(dkim_key_fits(&k, &s, &err), &err);
        } else {
            assert_int_equal(dkim_key_fits(&k, &s, &err), -1);
            assert_err(&err, rows[i].why);
        }
    }
    assert_ok(dkim_parse_signature(STR(OK "; i=@x.example.org"), &s, &err), &err);
    assert_ok(dkim_parse_key(STR("t=s; p=QUJD"), &k, &err), &err);
    assert_int_equal(dkim_key_fits(&k, &s, &err), -1);
    assert_err(&err, "subdomains");
}

static void a_broken_key_is_refused(void **state)
{
    static const char *const bad[] = {
        "", "v=DKIM1", "v=DKIM2; p=QUJD", "p=QUJD; v=DKIM1", "k=x; p=QUJD", "p=!"};

    (void)state;
    for (size_t i = 0; i < ARRAY_N(bad); i++) {
        struct dkim_key k;
        struct err err = {0};

        assert_int_equal(dkim_parse_key(str_of(bad[i]), &k, &err), -1);
    }
}

static size_t fields_of(const char *header, struct header_field *out)
{
    struct header_walk w = header_walk(str_of(header));
    size_t n = 0;

    while (header_next(&w, &out[n]))
        n++;
    return n;
}

static void fields_are_signed_from_the_bottom_up(void **state)
{
    static const char own[] =
        "DKIM-Signature: v=1; a=rsa-sha256; c=simple; d=example.org; s=s; h=a:from:a:a;\r\n"
        " bh=" BH "; b= QU\r\n JD; t=1\r\n";
    struct header_field fields[8];
    size_t n = fields_of("A: 1\r\nFrom: x\r\nA: 2\r\nB: 3\r\n", fields);
    own_buf struct buf out = BUF_INIT(1024);
    struct dkim_signature s;
    struct err err = {0};

    (void)state;
    assert_ok(dkim_parse_signature(str_skip(str_of(own), 15), &s, &err), &err);
    dkim_signed_bytes(&s, str_of(own), fields, n, &out);
    assert_str(buf_str(&out), "A: 2\r\nFrom: x\r\nA: 1\r\n"
                              "DKIM-Signature: v=1; a=rsa-sha256; c=simple; d=example.org; s=s; "
                              "h=a:from:a:a;\r\n bh=" BH "; b=; t=1");
}

static void what_is_made_is_what_is_read(void **state)
{
    struct header_field fields[8];
    size_t n =
        fields_of("From: a@example.org\r\nX-Own: y\r\nSubject: z\r\nsubject: again\r\n", fields);
    char hash[DKIM_HASH_N] = {1, 2, 3};
    struct dkim_making m = {.algorithm = DKIM_ED25519_SHA256,
                            .domain = STR("example.org"),
                            .selector = STR("s1"),
                            .time_s = 1234567890,
                            .body_hash = {hash, sizeof(hash)}};
    own_buf struct buf out = BUF_INIT(4096);
    own_buf struct buf to_sign = BUF_INIT(4096);
    own_buf struct buf signed_ = BUF_INIT(4096);
    struct dkim_signature s;
    struct str rest, line;
    struct err err = {0};

    (void)state;
    dkim_format(&m, fields, n, &out);
    assert_ok(dkim_bytes_to_sign(buf_str(&out), fields, n, &to_sign, &err), &err);
    dkim_format_signature(
        STR("a signature that is long enough for more than a single line of base64"), &out);
    assert_ok(dkim_parse_signature(str_skip(buf_str(&out), 15), &s, &err), &err);
    assert_str(s.domain, "example.org");
    assert_int_equal(s.time_s, 1234567890);
    assert_memory_equal(s.hash, hash, DKIM_HASH_N);
    assert_int_equal(s.bytes_n, 69);
    dkim_signed_bytes(&s, buf_str(&out), fields, n, &signed_);
    assert_str(buf_str(&signed_), buf_c(&to_sign));
    assert_true(str_starts(buf_str(&signed_), STR("from:a@example.org\r\nsubject:again\r\nsu")));
    rest = buf_str(&out);
    while (header_line(&rest, &line))
        assert_true(line.n <= 79 && str_ends(line, STR("\r\n")));
}

static void a_domain_is_beneath_itself_and_those_above(void **state)
{
    (void)state;
    assert_true(dkim_is_beneath(STR("example.org"), STR("EXAMPLE.org")));
    assert_true(dkim_is_beneath(STR("a.example.org"), STR("example.org")));
    assert_false(dkim_is_beneath(STR("aexample.org"), STR("example.org")));
    assert_false(dkim_is_beneath(STR("org"), STR("example.org")));
    assert_true(dkim_is_domain(STR("_x.a-1.org")));
    assert_false(dkim_is_domain(STR("a..org")));
    assert_false(dkim_is_domain(STR("a.org.")));
    assert_false(dkim_is_domain(STR("a b.org")));
    assert_false(dkim_is_domain(STR("")));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_signature_is_read_with_its_defaults),
        cmocka_unit_test(a_signature_is_read_with_everything),
        cmocka_unit_test(a_broken_signature_is_refused),
        cmocka_unit_test(keys_say_what_they_are_for),
        cmocka_unit_test(a_broken_key_is_refused),
        cmocka_unit_test(fields_are_signed_from_the_bottom_up),
        cmocka_unit_test(what_is_made_is_what_is_read),
        cmocka_unit_test(a_domain_is_beneath_itself_and_those_above),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
