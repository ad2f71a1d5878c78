/* SPDX-License-Identifier: Apache-2.0 */
#include <errno.h>
#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include "runtime/base/buf.h"
#include "runtime/base/file.h"
#include "runtime/base/own.h"

#include "images/lib/blob.h"

#include "tests/lib/test.h"
#include "tests/lib/tmpdir.h"

#define ABC_HEX  "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad"
#define ABC_PATH "blobs/sha256/" ABC_HEX

static void put_abc(int fd, char digest[DIGEST_TEXT_MAX])
{
    struct err err;

    assert_ok(blob_store_make(fd, &err), &err);
    assert_ok(blob_put(fd, STR("abc"), digest, &err), &err);
}

static void what_was_put_is_read_by_its_digest(void **state)
{
    const struct tmpdir *t = *state;
    own_buf struct buf b = BUF_INIT(100);
    char digest[DIGEST_TEXT_MAX];
    struct err err;

    put_abc(t->fd, digest);
    assert_string_equal(digest, "sha256:" ABC_HEX);
    assert_int_equal(faccessat(t->fd, ABC_PATH, R_OK, 0), 0);
    assert_ok(blob_read(t->fd, digest, &b, &err), &err);
    assert_string_equal(buf_c(&b), "abc");
    assert_true(blob_has(t->fd, digest, 3));
    assert_false(blob_has(t->fd, digest, 4));
    put_abc(t->fd, digest); /* again: nothing changes */
}

static void a_changed_blob_is_refused(void **state)
{
    const struct tmpdir *t = *state;
    own_buf struct buf b = BUF_INIT(100);
    char digest[DIGEST_TEXT_MAX];
    struct err err;

    put_abc(t->fd, digest);
    assert_ok(file_put(t->fd, ABC_PATH, STR("abd"), 0644, &err), &err);
    assert_int_equal(blob_read(t->fd, digest, &b, &err), -1);
    assert_int_equal(err.code, EBADMSG);
    own_source struct source *s = blob_source(t->fd, digest, 3, &err);
    assert_non_null(s);
    assert_int_equal(source_drain(s, &err), -1);
}

static void limits_and_links_are_refused(void **state)
{
    const struct tmpdir *t = *state;
    own_buf struct buf b = BUF_INIT(2);
    own_buf struct buf large = BUF_INIT(100);
    char digest[DIGEST_TEXT_MAX];
    struct err err;

    put_abc(t->fd, digest);
    assert_int_equal(blob_read(t->fd, digest, &b, &err), -1);
    assert_int_equal(err.code, EMSGSIZE);
    assert_int_equal(unlinkat(t->fd, ABC_PATH, 0), 0);
    assert_int_equal(blob_read(t->fd, digest, &large, &err), -1);
    assert_int_equal(err.code, ENOENT);
    assert_int_equal(symlinkat("/etc/passwd", t->fd, ABC_PATH), 0);
    assert_int_equal(blob_read(t->fd, digest, &large, &err), -1);
    assert_int_equal(blob_read(t->fd, "sha256:../../index.json", &large, &err), -1);
    assert_err(&err, "no sha256 digest");
}

static void what_is_not_committed_leaves_nothing(void **state)
{
    const struct tmpdir *t = *state;
    struct blob_writer w;
    struct stat st;
    struct err err;

    assert_ok(blob_store_make(t->fd, &err), &err);
    assert_ok(blob_begin(&w, t->fd, &err), &err);
    char tmp[sizeof w.tmp];
    memcpy(tmp, w.tmp, sizeof tmp);
    assert_ok(sink_write(w.to, STR("half"), &err), &err);
    assert_int_equal(fstatat(t->fd, tmp, &st, 0), 0);
    blob_writer_done(&w);
    assert_int_equal(fstatat(t->fd, tmp, &st, 0), -1);
}

static bool keep_abc(void *ctx, const char *digest)
{
    (void)ctx;
    return strcmp(digest_hex(digest), ABC_HEX) == 0;
}

static void sweeping_spares_what_is_kept_and_what_is_no_blob(void **state)
{
    const struct tmpdir *t = *state;
    char digest[DIGEST_TEXT_MAX], other[DIGEST_TEXT_MAX];
    struct err err;

    put_abc(t->fd, digest);
    assert_ok(blob_put(t->fd, STR("other"), other, &err), &err);
    assert_ok(file_put(t->fd, "blobs/sha256/README", STR("x"), 0644, &err), &err);
    assert_ok(file_put(t->fd, "blobs/sha256/.tmp-now", STR("x"), 0644, &err), &err);
    assert_ok(blob_sweep(t->fd, keep_abc, NULL, &err), &err);
    assert_true(blob_has(t->fd, digest, 3));
    assert_false(blob_has(t->fd, other, 5));
    assert_int_equal(faccessat(t->fd, "blobs/sha256/README", F_OK, 0), 0);
    assert_int_equal(faccessat(t->fd, "blobs/sha256/.tmp-now", F_OK, 0), 0);
}

int main(void)
{
#define TEST(name) cmocka_unit_test_setup_teardown(name, tmpdir_setup, tmpdir_teardown)
    const struct CMUnitTest tests[] = {
        TEST(what_was_put_is_read_by_its_digest),
        TEST(a_changed_blob_is_refused),
        TEST(limits_and_links_are_refused),
        TEST(what_is_not_committed_leaves_nothing),
        TEST(sweeping_spares_what_is_kept_and_what_is_no_blob),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
