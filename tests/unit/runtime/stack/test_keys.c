/* SPDX-License-Identifier: Apache-2.0 */
#include <fcntl.h>
#include <openssl/evp.h>
#include <openssl/pem.h>
#include <openssl/x509v3.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "runtime/base/buf.h"
#include "runtime/base/file.h"
#include "runtime/base/own.h"
#include "runtime/stack/keys.h"

#include "tests/lib/stackconf.h"
#include "tests/lib/test.h"
#include "tests/lib/testcert.h"
#include "tests/lib/tmpdir.h"

static struct stack_dkim ed = {"s1", STACK_ED25519};

static void load(struct stackconf *s, void **state, const char *more)
{
    const struct tmpdir *t = *state;
    struct err err = {0};

    stackconf_load(s, t->path, STACKCONF_LISTEN, more);
    assert_ok(file_mkdir_p(AT_FDCWD, s->c->storage, 0755, &err), &err);
}

static void make(struct stackconf *s)
{
    struct err err = {0};

    assert_ok(keys_make(s->c, &err), &err);
}

static void read_file(struct stackconf *s, const char *name, struct buf *out)
{
    own_buf struct buf path = BUF_INIT(4096);
    struct err err = {0};

    buf_reset(out);
    buf_printf(&path, "%s/%s", s->c->storage, name);
    assert_ok(file_read(AT_FDCWD, buf_c(&path), out, &err), &err);
}

static mode_t mode_of(struct stackconf *s, const char *name)
{
    own_buf struct buf path = BUF_INIT(4096);
    struct stat st;

    buf_printf(&path, "%s/%s", s->c->storage, name);
    assert_int_equal(stat(buf_c(&path), &st), 0);
    return st.st_mode & 0777;
}

static bool is_for(const struct buf *pem, const char *host)
{
    BIO *bio = BIO_new_mem_buf(pem->p, (int)pem->n);
    X509 *x = PEM_read_bio_X509(bio, NULL, NULL, NULL);
    bool yes = x && X509_check_host(x, host, 0, 0, NULL) == 1;

    X509_free(x);
    (void)BIO_free(bio);
    return yes;
}

static void a_certificate_is_made_once_and_kept(void **state)
{
    struct stackconf s;
    own_buf struct buf first = BUF_INIT(KEYS_PEM_MAX);
    own_buf struct buf again = BUF_INIT(KEYS_PEM_MAX);

    load(&s, state, "");
    make(&s);
    read_file(&s, "tls/cert.pem", &first);
    assert_true(is_for(&first, "mail.example.org"));
    assert_int_equal(mode_of(&s, "tls/key.pem"), 0600);
    make(&s);
    read_file(&s, "tls/cert.pem", &again);
    assert_true(str_eq(buf_str(&first), buf_str(&again)));
    s.c->hostname = "mx.example.org"; /* another name: another certificate */
    make(&s);
    read_file(&s, "tls/cert.pem", &again);
    assert_true(is_for(&again, "mx.example.org") && !is_for(&again, "mail.example.org"));
    stackconf_done(&s);
}

static void one_that_is_broken_or_not_the_keys_is_made_anew(void **state)
{
    struct stackconf s;
    own_buf struct buf pem = BUF_INIT(KEYS_PEM_MAX);
    own_buf struct buf cert = BUF_INIT(4096);
    own_buf struct buf key = BUF_INIT(4096);
    struct err err = {0};

    load(&s, state, "");
    make(&s);
    buf_printf(&cert, "%s/tls/cert.pem", s.c->storage);
    buf_printf(&key, "%s/tls/key.pem", s.c->storage);
    assert_ok(file_put(AT_FDCWD, buf_c(&cert), STR("nonsense"), 0644, &err), &err);
    make(&s);
    read_file(&s, "tls/cert.pem", &pem);
    assert_true(is_for(&pem, "mail.example.org"));
    testcert_write("mail.example.org", buf_c(&cert), tmpdir_path(*state, "otherkey"));
    make(&s); /* it is good for a day only, and the key is another's */
    read_file(&s, "tls/key.pem", &pem);
    assert_true(pem.n > 0);
    assert_ok(file_put(AT_FDCWD, buf_c(&key), STR(""), 0600, &err), &err);
    make(&s);
    read_file(&s, "tls/key.pem", &pem);
    assert_true(pem.n > 0);
    stackconf_done(&s);
}

static void files_of_ones_own_are_checked_and_never_written(void **state)
{
    const struct tmpdir *t = *state;
    struct stackconf s;
    own_buf struct buf got = BUF_INIT(KEYS_PEM_MAX);
    own_buf struct buf want = BUF_INIT(KEYS_PEM_MAX);
    char cert[128];
    char key[128];
    char other[128];
    struct err err = {0};

    (void)snprintf(cert, sizeof(cert), "%s/c.pem", t->path);
    (void)snprintf(key, sizeof(key), "%s/k.pem", t->path);
    (void)snprintf(other, sizeof(other), "%s/o.pem", t->path);
    testcert_write("x.example", cert, other);
    testcert_write("mail.example.org", cert, key);
    load(&s, state, ", \"tls\": {\"mode\": \"files\", \"cert\": \"c.pem\", \"key\": \"k.pem\"}");
    assert_string_equal(s.c->tls.cert, cert);
    make(&s);
    assert_ok(keys_read_cert(s.c, &got, &err), &err);
    assert_ok(file_read(AT_FDCWD, cert, &want, &err), &err);
    assert_true(str_eq(buf_str(&got), buf_str(&want)));
    s.c->tls.key = other;
    assert_int_equal(keys_make(s.c, &err), -1);
    assert_err(&err, "o.pem");
    s.c->tls.key = cert;
    assert_int_equal(keys_make(s.c, &err), -1);
    s.c->tls.key = "/nowhere/k.pem";
    assert_int_equal(keys_make(s.c, &err), -1);
    assert_err(&err, "/nowhere/k.pem");
    stackconf_done(&s);
}

static void dkim_keys_are_made_once_with_their_records(void **state)
{
    struct stack_dkim both[2] = {ed, {"r1", STACK_RSA2048}};
    struct stackconf s;
    own_buf struct buf first = BUF_INIT(KEYS_PEM_MAX);
    own_buf struct buf again = BUF_INIT(KEYS_PEM_MAX);

    load(&s, state, "");
    s.c->domains[0].dkim = both;
    s.c->domains[0].dkim_n = 2;
    make(&s);
    assert_int_equal(mode_of(&s, "dkim/example.org/s1.pem"), 0600);
    assert_int_equal(mode_of(&s, "dkim/example.org/r1.pem"), 0600);
    read_file(&s, "dkim/example.org.s1.txt", &first);
    assert_true(str_starts(buf_str(&first),
                           STR("s1._domainkey.example.org. IN TXT ( \"v=DKIM1; k=ed25519; p=")));
    read_file(&s, "dkim/example.org.r1.txt", &first);
    assert_true(str_find_str(buf_str(&first), STR("\" \"")) > 0); /* in strings of 255 bytes */
    read_file(&s, "dkim/example.org/s1.pem", &first);
    make(&s);
    read_file(&s, "dkim/example.org/s1.pem", &again);
    assert_true(str_eq(buf_str(&first), buf_str(&again)));
    stackconf_done(&s);
}

/* RFC 8463, appendix A.2: the public key that belongs to this private one. */
static void a_record_names_the_public_key(void **state)
{
    static const char pem[] = "-----BEGIN PRIVATE KEY-----\n"
                              "MC4CAQAwBQYDK2VwBCIEIJ1hsZ3v/VpguoRK9JLsLMREScVpezJpGXA7rAMcrn9g\n"
                              "-----END PRIVATE KEY-----\n";
    own_buf struct buf out = BUF_INIT(4096);
    struct err err = {0};

    (void)state;
    assert_ok(keys_dkim_record("football.example.com", &ed, str_of(pem), &out, &err), &err);
    assert_str(buf_str(&out), "s1._domainkey.football.example.com. IN TXT ( \"v=DKIM1; k=ed25519; "
                              "p=11qYAYKxCrfVS/7TyWQHOg7hcvPapiMlrwIaaPcHURo=\" )\n");
    assert_int_equal(keys_dkim_record("x", &ed, STR("nonsense"), &out, &err), -1);
}

/* A key is never replaced: with it, every signature out there would fail. */
static void a_key_of_another_kind_is_an_error_and_stays(void **state)
{
    struct stack_dkim rsa = {"s1", STACK_RSA2048};
    struct stackconf s;
    own_buf struct buf first = BUF_INIT(KEYS_PEM_MAX);
    own_buf struct buf again = BUF_INIT(KEYS_PEM_MAX);
    struct err err = {0};

    load(&s, state, "");
    s.c->domains[0].dkim = &rsa;
    s.c->domains[0].dkim_n = 1;
    make(&s);
    read_file(&s, "dkim/example.org/s1.pem", &first);
    s.c->domains[0].dkim = &ed;
    assert_int_equal(keys_make(s.c, &err), -1);
    assert_err(&err, "s1");
    read_file(&s, "dkim/example.org/s1.pem", &again);
    assert_true(str_eq(buf_str(&first), buf_str(&again)));
    stackconf_done(&s);
}

#define CASE(name) cmocka_unit_test_setup_teardown(name, tmpdir_setup, tmpdir_teardown)

int main(void)
{
    const struct CMUnitTest tests[] = {
        CASE(a_certificate_is_made_once_and_kept),
        CASE(one_that_is_broken_or_not_the_keys_is_made_anew),
        CASE(files_of_ones_own_are_checked_and_never_written),
        CASE(dkim_keys_are_made_once_with_their_records),
        CASE(a_record_names_the_public_key),
        CASE(a_key_of_another_kind_is_an_error_and_stays),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
