/* SPDX-License-Identifier: Apache-2.0 */
#include <errno.h>
#include <stdlib.h>
#include <unistd.h>

#include "runtime/base/buf.h"
#include "runtime/base/mem.h"
#include "runtime/base/own.h"

#include "images/lib/sink.h"
#include "images/lib/source.h"
#include "images/lib/tar_read.h"
#include "images/lib/tar_write.h"

#include "tests/lib/tarball.h"
#include "tests/lib/test.h"

#define ARCHIVE_MAX (4U << 20)

struct opened {
    struct source *s;
    struct tar_reader *r;
    struct tar_entry e;
    bool more;
    struct err err;
};

static void open_archive(struct opened *o, const struct buf *b)
{
    *o = (struct opened){.s = source_of_str(buf_str(b)), .more = true};
    o->r = tar_reader_new(o->s);
}

static void close_archive(struct opened *o)
{
    tar_reader_free(o->r);
    source_free(o->s);
}

static void next_is(struct opened *o, enum tar_type type, const char *name)
{
    assert_ok(tar_next(o->r, &o->e, &o->more, &o->err), &o->err);
    assert_true(o->more);
    assert_int_equal(o->e.type, type);
    assert_str(o->e.name, name);
}

static void content_is(struct opened *o, const char *want)
{
    char text[100] = "";
    size_t n = 0;
    ssize_t got;

    while ((got = tar_data(o->r, text + n, sizeof text - n, &o->err)) > 0)
        n += (size_t)got;
    assert_int_equal(got, 0);
    assert_str(((struct str){text, n}), want);
}

static void end_is_next(struct opened *o)
{
    assert_ok(tar_next(o->r, &o->e, &o->more, &o->err), &o->err);
    assert_false(o->more);
}

/* The first failure of reading all of an archive; 0 if there is none. */
static int read_all(const struct buf *b, struct err *err)
{
    struct opened o;
    int result = 0;

    open_archive(&o, b);
    while (o.more && result == 0) {
        char chunk[64];

        result = tar_next(o.r, &o.e, &o.more, &o.err);
        while (result == 0 && o.more) {
            ssize_t got = tar_data(o.r, chunk, sizeof chunk, &o.err);

            result = got < 0 ? -1 : 0;
            if (got <= 0)
                break;
        }
    }
    close_archive(&o);
    *err = o.err;
    return result;
}

static void entries_come_in_order_with_all_that_is_said_of_them(void **state)
{
    own_buf struct buf b = BUF_INIT(ARCHIVE_MAX);
    struct opened o;

    (void)state;
    tarball_put(&b, &(struct tarball_entry){.name = "d/", .type = '5', .mode = 0700});
    tarball_put(
        &b, &(struct tarball_entry){.name = "d/f", .type = '0', .content = "hello", .mode = 04755});
    tarball_put(&b, &(struct tarball_entry){.name = "d/g", .type = '0', .content = "passed over"});
    tarball_put(&b, &(struct tarball_entry){.name = "d/l", .type = '2', .target = "../x"});
    tarball_put(&b, &(struct tarball_entry){.name = "d/h", .type = '1', .target = "d/f"});
    tarball_put(&b, &(struct tarball_entry){.name = "d/p", .type = '6'});
    tarball_end(&b);
    open_archive(&o, &b);
    next_is(&o, TAR_DIR, "d/");
    assert_int_equal(o.e.mode, 0700);
    next_is(&o, TAR_FILE, "d/f");
    assert_int_equal(o.e.mode, 04755);
    assert_int_equal(o.e.mtime_s, 1000);
    content_is(&o, "hello");
    next_is(&o, TAR_FILE, "d/g");
    next_is(&o, TAR_SYMLINK, "d/l");
    assert_str(o.e.target, "../x");
    next_is(&o, TAR_HARDLINK, "d/h");
    assert_str(o.e.target, "d/f");
    next_is(&o, TAR_FIFO, "d/p");
    end_is_next(&o);
    close_archive(&o);
}

static void pax_wins_over_the_header(void **state)
{
    own_buf struct buf b = BUF_INIT(ARCHIVE_MAX);
    struct opened o;

    (void)state;
    tarball_put_meta(&b, 'g', STR("16 comment=none\n"));
    tarball_put_meta(&b, 'x',
                     STR("18 path=long/name\n"
                         "20 mtime=123.456789\n"
                         "11 uid=777\n"
                         "30 SCHILY.xattr.user.note=a=b\n"
                         "19 uname=whoever=1\n"));
    tarball_put(&b, &(struct tarball_entry){.name = "short", .type = '0', .content = "x"});
    tarball_put(&b, &(struct tarball_entry){.name = "next", .type = '0'});
    tarball_end(&b);
    open_archive(&o, &b);
    next_is(&o, TAR_FILE, "long/name");
    assert_int_equal(o.e.mtime_s, 123);
    assert_int_equal(o.e.mtime_ns, 456789000);
    assert_int_equal(o.e.uid, 777);
    assert_int_equal(o.e.xattrs_n, 1);
    assert_str(o.e.xattrs[0].name, "user.note");
    assert_str(o.e.xattrs[0].value, "a=b");
    next_is(&o, TAR_FILE, "next"); /* nothing of it stays */
    assert_int_equal(o.e.xattrs_n, 0);
    assert_int_equal(o.e.uid, 0);
    end_is_next(&o);
    close_archive(&o);
}

static void a_time_before_the_epoch_counts_down(void **state)
{
    own_buf struct buf b = BUF_INIT(ARCHIVE_MAX);
    struct opened o;

    (void)state;
    tarball_put_meta(&b, 'x', STR("14 mtime=-1.5\n"));
    tarball_put(&b, &(struct tarball_entry){.name = "f", .type = '0'});
    open_archive(&o, &b);
    next_is(&o, TAR_FILE, "f");
    assert_int_equal(o.e.mtime_s, -2);
    assert_int_equal(o.e.mtime_ns, 500000000);
    end_is_next(&o); /* no zero blocks: the end of the file will do */
    close_archive(&o);
}

static void gnu_long_names_are_read(void **state)
{
    own_buf struct buf b = BUF_INIT(ARCHIVE_MAX);
    char name[3001];
    struct opened o;

    (void)state;
    memset(name, 'n', sizeof name - 1);
    name[sizeof name - 1] = '\0';
    tarball_put_meta(&b, 'L', (struct str){name, sizeof name});
    tarball_put_meta(&b, 'K', (struct str){name, sizeof name});
    tarball_put(&b, &(struct tarball_entry){.name = "nnn", .type = '2', .target = "nnn"});
    tarball_end(&b);
    open_archive(&o, &b);
    next_is(&o, TAR_SYMLINK, name);
    assert_str(o.e.target, name);
    close_archive(&o);
}

static void what_is_damaged_or_too_large_is_refused(void **state)
{
    static const struct {
        const char *pax;
        struct tarball_entry e;
        const char *why;
    } bad[] = {
        {NULL, {.name = "f", .type = '0', .size_field = "77777777777"}, "ends"},
        {NULL,
         {.name = "f",
          .type = '0',
          .size_field = "\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff"},
         "claims"},
        {NULL,
         {.name = "f",
          .type = '0',
          .size_field = "\x80\x01\x01\x01\x01\x01\x01\x01\x01\x01\x01\x01"},
         "too large"},
        {NULL, {.name = "f", .type = '0', .size_field = "12x"}, "'x' in a number"},
        {NULL, {.name = "f", .type = 'S'}, "type 0x53"},
        {NULL, {.name = "f", .type = 'Z'}, "type 0x5a"},
        {NULL, {.name = "", .type = '0'}, "empty"},
        {NULL, {.name = "f", .type = '2', .target = ""}, "empty"},
        {"5 a=b\n", {.name = "f", .type = '0'}, "damaged"},
        {"7 a=b\n", {.name = "f", .type = '0'}, "length"},
        {"x a=b\n", {.name = "f", .type = '0'}, "length"},
        {"99999999999999999999 a=b\n", {.name = "f", .type = '0'}, "length"},
        {"6 abc\n", {.name = "f", .type = '0'}, "damaged"},
        {"29 size=99999999999999999999\n", {.name = "f", .type = '0'}, "size"},
        {"8 size=\n", {.name = "f", .type = '0'}, "size"},
        {"10 uid=-1\n", {.name = "f", .type = '0'}, "uid"},
        {"22 GNU.sparse.major=1\n", {.name = "f", .type = '0'}, "sparse"},
        {"23 SCHILY.xattr.=value\n", {.name = "f", .type = '0'}, "unsound"},
    };

    (void)state;
    for (size_t i = 0; i < ARRAY_N(bad); i++) {
        own_buf struct buf b = BUF_INIT(ARCHIVE_MAX);
        struct err err = {0};

        if (bad[i].pax)
            tarball_put_meta(&b, 'x', str_of(bad[i].pax));
        tarball_put(&b, &bad[i].e);
        if (read_all(&b, &err) == 0)
            fail_msg("case %zu was accepted", i);
        assert_err(&err, bad[i].why);
    }
}

static void a_path_with_a_nul_or_beyond_the_limit_is_refused(void **state)
{
    own_buf struct buf b = BUF_INIT(ARCHIVE_MAX), pax = BUF_INIT(10000);
    struct err err = {0};

    (void)state;
    tarball_put_meta(&b, 'x', ((struct str){"13 path=a\0b\n\n", 13}));
    tarball_put(&b, &(struct tarball_entry){.name = "f", .type = '0'});
    assert_int_equal(read_all(&b, &err), -1);
    assert_err(&err, "NUL");
    buf_reset(&b);
    buf_printf(&pax, "%d path=%05000d\n", 5000 + 11, 1);
    tarball_put_meta(&b, 'x', buf_str(&pax));
    tarball_put(&b, &(struct tarball_entry){.name = "f", .type = '0'});
    assert_int_equal(read_all(&b, &err), -1);
    assert_int_equal(err.code, ENAMETOOLONG);
}

static void headers_without_an_entry_do_not_go_on_for_ever(void **state)
{
    own_buf struct buf b = BUF_INIT(ARCHIVE_MAX);
    struct err err = {0};

    (void)state;
    for (int i = 0; i < TAR_SPECIAL_MAX + 1; i++)
        tarball_put_meta(&b, 'g', STR("6 a=b\n"));
    tarball_put(&b, &(struct tarball_entry){.name = "f", .type = '0'});
    assert_int_equal(read_all(&b, &err), -1);
    assert_err(&err, "headers before an entry");
}

static void every_cut_ends_in_an_error_or_at_a_boundary(void **state)
{
    own_buf struct buf b = BUF_INIT(ARCHIVE_MAX);

    (void)state;
    tarball_put_meta(&b, 'x', STR("18 path=long/name\n"));
    tarball_put(&b, &(struct tarball_entry){.name = "f", .type = '0', .content = "hello"});
    for (size_t n = 0; n <= b.n; n++) {
        struct buf cut = {b.p, n, n, n, false};
        struct err err = {0};
        int result = read_all(&cut, &err);

        assert_int_equal(result, n == 0 || n == b.n ? 0 : -1);
    }
}

static void a_flipped_bit_of_a_header_is_noticed(void **state)
{
    own_buf struct buf b = BUF_INIT(ARCHIVE_MAX);
    struct err err = {0};

    (void)state;
    tarball_put(&b, &(struct tarball_entry){.name = "f", .type = '0', .content = "hello"});
    for (size_t i = 0; i < 512; i++) {
        if (i >= 148 && i < 156)
            continue; /* the sum itself may be written in several ways */
        b.p[i] ^= 4;
        assert_int_equal(read_all(&b, &err), -1);
        b.p[i] ^= 4;
    }
}

/* --- the writer --------------------------------------------------------------------------------*/

struct to_buf {
    struct sink s;
    struct buf b;
};

static int to_buf_write(struct sink *s, struct str bytes, struct err *err)
{
    (void)err;
    buf_append(&container_of(s, struct to_buf, s)->b, bytes);
    return 0;
}

static void what_is_written_is_read_again(void **state)
{
    struct to_buf to = {.s = {.write = to_buf_write}, .b = BUF_INIT(ARCHIVE_MAX)};
    struct err err;

    (void)state;
    for (size_t n = 1; n <= TAR_PATH_MAX - 1; n = n < 140 ? n + 1 : 2 * n + 1) {
        own_free char *name = mem_new(n + 1);
        own_source struct source *content = source_of_str(STR("hello"));
        struct opened o;

        memset(name, 'n', n);
        struct tar_item item = {str_of(name), 0640, 42};
        buf_reset(&to.b);
        assert_ok(tar_write_dir(&to.s, &item, &err), &err);
        assert_ok(tar_write_file(&to.s, &item, content, 5, &err), &err);
        assert_ok(tar_write_symlink(&to.s, &item, item.name, &err), &err);
        assert_ok(tar_write_end(&to.s, &err), &err);
        open_archive(&o, &to.b);
        assert_ok(tar_next(o.r, &o.e, &o.more, &o.err), &o.err);
        assert_int_equal(o.e.type, TAR_DIR);
        assert_int_equal(o.e.name.n, n + 1);
        next_is(&o, TAR_FILE, name);
        assert_int_equal(o.e.mode, 0640);
        assert_int_equal(o.e.mtime_s, 42);
        content_is(&o, "hello");
        next_is(&o, TAR_SYMLINK, name);
        assert_str(o.e.target, name);
        end_is_next(&o);
        close_archive(&o);
    }
    buf_done(&to.b);
}

static void a_file_that_is_shorter_than_told_is_an_error(void **state)
{
    struct to_buf to = {.s = {.write = to_buf_write}, .b = BUF_INIT(ARCHIVE_MAX)};
    own_source struct source *content = source_of_str(STR("hello"));
    struct tar_item item = {STR("f"), 0644, 0};
    struct err err;

    (void)state;
    assert_int_equal(tar_write_file(&to.s, &item, content, 6, &err), -1);
    buf_done(&to.b);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(entries_come_in_order_with_all_that_is_said_of_them),
        cmocka_unit_test(pax_wins_over_the_header),
        cmocka_unit_test(a_time_before_the_epoch_counts_down),
        cmocka_unit_test(gnu_long_names_are_read),
        cmocka_unit_test(what_is_damaged_or_too_large_is_refused),
        cmocka_unit_test(a_path_with_a_nul_or_beyond_the_limit_is_refused),
        cmocka_unit_test(headers_without_an_entry_do_not_go_on_for_ever),
        cmocka_unit_test(every_cut_ends_in_an_error_or_at_a_boundary),
        cmocka_unit_test(a_flipped_bit_of_a_header_is_noticed),
        cmocka_unit_test(what_is_written_is_read_again),
        cmocka_unit_test(a_file_that_is_shorter_than_told_is_an_error),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
