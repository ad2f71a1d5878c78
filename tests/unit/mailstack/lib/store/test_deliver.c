/* SPDX-License-Identifier: Apache-2.0 */
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "runtime/base/err.h"
#include "runtime/base/file.h"
#include "runtime/base/own.h"

#include "mailstack/lib/store/crlf.h"
#include "mailstack/lib/store/deliver.h"
#include "mailstack/lib/store/folder.h"

#include "tests/lib/mailroot.h"
#include "tests/lib/test.h"

static void begin(struct mailroot *r, struct deliver *d)
{
    struct err err = {0};
    int fd = folder_open(r->home_fd, STR("INBOX"), &err);

    assert_true(fd >= 0);
    assert_int_equal(deliver_begin(d, &r->st, r->home_fd, fd, &err), 0);
}

static void content_is_stored_the_same_however_it_was_cut(void **state)
{
    static const char text[] = "a\r\nb\n\r\rc\r\r\n\n\r\nlast\r";
    static const char stored[] = "a\nb\n\r\rc\r\n\n\nlast\r";
    struct mailroot *r = *state;
    struct err err = {0};

    for (size_t cut = 0; cut <= sizeof(text) - 1; cut++) {
        own_buf struct buf got = BUF_INIT(100);
        struct deliver d;
        char path[300];

        begin(r, &d);
        assert_int_equal(deliver_write(&d, (struct str){text, cut}, &err), 0);
        assert_int_equal(deliver_write(&d, (struct str){text + cut, sizeof(text) - 1 - cut}, &err),
                         0);
        assert_int_equal(deliver_flush(&d, &err), 0);
        (void)snprintf(path, sizeof(path), "tmp/%s", d.base);
        assert_int_equal(file_read(r->home_fd, path, &got, &err), 0);
        assert_string_equal(buf_c(&got), stored);
        assert_int_equal(d.size, got.n);
        assert_int_equal(d.size + d.lone_n, crlf_size(buf_str(&got), '\0'));
        deliver_done(&d);
    }
    assert_int_equal(mailroot_count(r, "tmp", "", NULL), 0);
}

static void a_long_message_is_written_whole(void **state)
{
    struct mailroot *r = *state;
    struct err err = {0};
    struct deliver d;
    char line[1002];

    memset(line, 'x', sizeof(line));
    line[1000] = '\r';
    line[1001] = '\n';
    begin(r, &d);
    for (int i = 0; i < 1000; i++)
        assert_int_equal(deliver_write(&d, (struct str){line, sizeof(line)}, &err), 0);
    assert_int_equal(deliver_flush(&d, &err), 0);
    assert_int_equal(d.size, 1001 * 1000);
    assert_int_equal(d.lone_n, 1000);
    deliver_done(&d);
}

static void flags_and_date_are_those_asked_for(void **state)
{
    struct mailroot *r = *state;
    struct timespec then = {.tv_sec = 12345};
    struct deliver_as as = {.in_cur = true, .flags = MAILDIR_SEEN, .date = &then};
    uint32_t uid, validity;
    struct err err = {0};
    struct deliver d;
    char name[256], path[300];
    struct stat st;

    begin(r, &d);
    assert_int_equal(deliver_write(&d, STR("x\n"), &err), 0);
    assert_int_equal(deliver_flush(&d, &err), 0);
    assert_int_equal(deliver_publish(&d, &as, &uid, &validity, &err), 0);
    assert_int_equal(deliver_settle(&d, &err), 0);
    deliver_done(&d);
    assert_int_equal(mailroot_count(r, "cur", ",S=2,W=3,U=1,V=", name), 1);
    assert_true(str_ends(str_of(name), STR(":2,S")));
    (void)snprintf(path, sizeof(path), "cur/%s", name);
    assert_int_equal(fstatat(r->home_fd, path, &st, 0), 0);
    assert_int_equal(st.st_mtime, 12345);
    assert_int_equal(st.st_mode & 07777, 0660);
}

#define WITH_ROOT(test) cmocka_unit_test_setup_teardown(test, mailroot_setup, mailroot_teardown)

int main(void)
{
    const struct CMUnitTest tests[] = {
        WITH_ROOT(content_is_stored_the_same_however_it_was_cut),
        WITH_ROOT(a_long_message_is_written_whole),
        WITH_ROOT(flags_and_date_are_those_asked_for),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
