/* SPDX-License-Identifier: Apache-2.0 */
/* Writing and reading back: what is committed is there, whole; what is not, is not. */
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "runtime/base/own.h"

#include "mailstack/lib/queue/qdir.h"
#include "mailstack/lib/queue/qfile.h"
#include "mailstack/lib/queue/qread.h"
#include "mailstack/lib/queue/qwrite.h"

#include "tests/lib/test.h"
#include "tests/lib/tmpdir.h"

/* --- the calls that make things durable, in the order in which they come ---------------------- */

static char calls[256];

static void note(const char *what)
{
    size_t n = strlen(calls);

    (void)snprintf(calls + n, sizeof(calls) - n, "%s ", what);
}

static const char *kind_of(int fd)
{
    struct stat st;

    return fstat(fd, &st) == 0 && S_ISDIR(st.st_mode) ? "directory" : "file";
}

/* They take the place of the C library's for the whole program. */
/* NOLINTBEGIN(readability-inconsistent-declaration-parameter-name): theirs are reserved names */
int fsync(int fd)
{
    note("flush");
    note(kind_of(fd));
    return (int)syscall(SYS_fsync, fd);
}

int fdatasync(int fd)
{
    note("flush");
    note(kind_of(fd));
    return (int)syscall(SYS_fdatasync, fd);
}

int renameat(int from_fd, const char *from, int to_fd, const char *to)
{
    note("rename");
    return (int)syscall(SYS_renameat, from_fd, from, to_fd, to);
}

ssize_t write(int fd, const void *p, size_t n)
{
    if (strcmp(kind_of(fd), "file") == 0 && fd > 2)
        note("write");
    return syscall(SYS_write, fd, p, n);
}

/* NOLINTEND(readability-inconsistent-declaration-parameter-name) */

struct fixture {
    struct tmpdir *t;
    struct qdir q;
    struct qmsg m;
};

static int setup(void **state)
{
    static struct fixture f;
    struct err err = {0};

    f.t = tmpdir_new();
    assert_ok(qdir_open(&f.q, f.t->path, &err), &err);
    qmsg_init(&f.m);
    (void)snprintf(f.m.id, sizeof(f.m.id), "MSG1");
    qmsg_set_sender(&f.m, STR("a@b"));
    assert_ok(qmsg_add_rcpt(&f.m, STR("x@far.test"), 0, STR_NONE, &err), &err);
    assert_ok(qmsg_add_rcpt(&f.m, STR("y@far.test"), 0, STR_NONE, &err), &err);
    *state = &f;
    return 0;
}

static int teardown(void **state)
{
    struct fixture *f = *state;

    qmsg_done(&f->m);
    qdir_close(&f->q);
    tmpdir_free(f->t);
    return 0;
}

static void write_message(struct fixture *f, size_t n, char c)
{
    own_buf struct buf b = BUF_INIT(n + 1);
    struct qwrite w;
    struct err err = {0};

    for (size_t i = 0; i < n; i++)
        buf_append_char(&b, c);
    assert_ok(qwrite_begin(&w, &f->q, &f->m, &err), &err);
    assert_ok(qwrite_content(&w, buf_str(&b), &err), &err);
    assert_false(qdir_has(&f->q, f->m.id));
    assert_ok(qwrite_commit(&w, &f->q, &f->m, &err), &err);
    assert_true(qdir_has(&f->q, f->m.id));
    assert_int_equal(f->m.size, n);
}

static struct qmsg load(struct fixture *f)
{
    struct err err = {0};
    struct qmsg r;
    size_t bad = 99;

    assert_ok(qread_load(&f->q, f->m.id, &r, &bad, &err), &err);
    assert_int_equal(bad, 0);
    return r;
}

static void a_message_of_any_size_comes_back(void **state)
{
    static const size_t sizes[] = {0, 1, QWRITE_CHUNK - 1, QWRITE_CHUNK, QWRITE_CHUNK + 1, 1000000};
    struct fixture *f = *state;
    struct err err = {0};

    for (size_t i = 0; i < ARRAY_N(sizes); i++) {
        own_buf struct buf b = BUF_INIT(2000000);
        struct qmsg r;

        write_message(f, sizes[i], 'm');
        r = load(f);
        assert_int_equal(r.size, sizes[i]);
        assert_string_equal(r.sender, "a@b");
        assert_int_equal(r.rcpts_n, 2);
        assert_ok(qread_content(&f->q, &r, 2000000, &b, &err), &err);
        assert_int_equal(b.n, sizes[i]);
        assert_true(b.n == 0 || (b.p[0] == 'm' && b.p[b.n - 1] == 'm'));
        qmsg_done(&r);
        assert_ok(qdir_remove(&f->q, f->m.id, &err), &err);
    }
}

static void the_name_comes_when_the_file_is_safe_and_the_promise_when_the_name_is(void **state)
{
    struct fixture *f = *state;

    calls[0] = '\0';
    write_message(f, 100, 'm');
    assert_string_equal(calls, "write flush file rename flush directory ");
}

static void an_end_is_flushed_and_a_retry_is_not(void **state)
{
    struct fixture *f = *state;
    size_t both[] = {0, 1};
    struct err err = {0};
    int fd;

    write_message(f, 100, 'm');
    calls[0] = '\0';
    assert_ok(qwrite_records(&f->q, &f->m, both, 2, &fd, &err), &err);
    assert_ok(qwrite_flush_all(&fd, 1, &err), &err);
    assert_int_equal(fd, -1);
    assert_string_equal(calls, "write flush file ");
    calls[0] = '\0';
    assert_ok(qwrite_records(&f->q, &f->m, both, 2, NULL, &err), &err);
    assert_string_equal(calls, "write ");
}

/* Three at once, the second of which cannot be renamed. */
static void several_share_the_flush_of_the_directory(void **state)
{
    struct fixture *f = *state;
    struct qmsg m[3];
    struct qwrite w[3];
    struct qwrite_one all[3];
    struct err err = {0};

    for (size_t i = 0; i < 3; i++) {
        qmsg_init(&m[i]);
        (void)snprintf(m[i].id, sizeof(m[i].id), "M%zu", i);
        assert_ok(qmsg_add_rcpt(&m[i], STR("x@far.test"), 0, STR_NONE, &err), &err);
        assert_ok(qwrite_begin(&w[i], &f->q, &m[i], &err), &err);
        all[i] = (struct qwrite_one){.w = &w[i], .m = &m[i]};
    }
    assert_int_equal(unlinkat(f->q.tmp_fd, "M1", 0), 0);
    calls[0] = '\0';
    qwrite_commit_all(&f->q, all, 3);
    assert_string_equal(calls, "write write write flush file rename flush file rename "
                               "flush file rename flush directory ");
    assert_true(qdir_has(&f->q, "M0") && !qdir_has(&f->q, "M1") && qdir_has(&f->q, "M2"));
    assert_string_equal(all[0].failed.text, "");
    assert_err(&all[1].failed, "rename 'M1'");
    assert_string_equal(all[2].failed.text, "");
    for (size_t i = 0; i < 3; i++)
        qmsg_done(&m[i]);
}

static void a_dropped_message_leaves_nothing(void **state)
{
    struct fixture *f = *state;
    struct qwrite w;
    struct err err = {0};

    assert_ok(qwrite_begin(&w, &f->q, &f->m, &err), &err);
    assert_ok(qwrite_content(&w, STR("half"), &err), &err);
    qwrite_drop(&w, &f->q, &f->m);
    qwrite_drop(&w, &f->q, &f->m); /* harmless */
    assert_int_equal(faccessat(f->q.tmp_fd, f->m.id, F_OK, 0), -1);
    assert_false(qdir_has(&f->q, f->m.id));
}

static void states_are_found_again(void **state)
{
    struct fixture *f = *state;
    size_t both[] = {0, 1};
    struct err err = {0};
    int fd;
    struct qmsg r;

    write_message(f, 100, 'm');
    qrcpt_set(&f->m.rcpts[0], QSTATE_PENDING, STR("4.0.0"), STR("mx"), STR("later"));
    f->m.rcpts[0].attempts = 1;
    assert_ok(qwrite_records(&f->q, &f->m, both, 1, NULL, &err), &err);
    qrcpt_set(&f->m.rcpts[0], QSTATE_RELAYED, STR("2.0.0"), STR("mx"), STR("250 ok"));
    qrcpt_set(&f->m.rcpts[1], QSTATE_FAILED, STR("5.0.0"), STR("mx"), STR("550 no"));
    assert_ok(qwrite_records(&f->q, &f->m, both, 2, &fd, &err), &err);
    assert_ok(qwrite_flush_all(&fd, 1, &err), &err);
    assert_int_equal(fd, -1);
    r = load(f);
    assert_int_equal(r.rcpts[0].state, QSTATE_RELAYED);
    assert_int_equal(r.rcpts[0].attempts, 1);
    assert_int_equal(r.rcpts[1].state, QSTATE_FAILED);
    assert_string_equal(r.rcpts[1].text, "550 no");
    qmsg_done(&r);
}

static off_t size_of(const struct fixture *f)
{
    struct stat st;

    assert_int_equal(fstatat(f->q.msg_fd, f->m.id, &st, 0), 0);
    return st.st_size;
}

/* Somebody may retry every second for a year. */
static void retries_do_not_grow_without_end_and_ends_are_written(void **state)
{
    struct fixture *f = *state;
    size_t both[] = {0, 1};
    struct err err = {0};
    off_t before;
    struct qmsg r;
    int fd;

    write_message(f, 10, 'm');
    {
        own_fd int out = openat(f->q.msg_fd, f->m.id, O_WRONLY | O_CLOEXEC);

        assert_int_equal(pwrite(out, "\n", 1, QFILE_RETRIES_MAX + 1000), 1);
    }
    before = size_of(f);
    assert_ok(qwrite_records(&f->q, &f->m, both, 2, NULL, &err), &err);
    assert_int_equal(size_of(f), before);
    qrcpt_set(&f->m.rcpts[1], QSTATE_DELIVERED, STR("2.0.0"), STR("mx"), STR("250 ok"));
    assert_ok(qwrite_records(&f->q, &f->m, both, 2, &fd, &err), &err);
    assert_ok(qwrite_flush_all(&fd, 1, &err), &err);
    assert_true(size_of(f) > before);
    size_t bad;

    assert_ok(qread_load(&f->q, f->m.id, &r, &bad, &err), &err);
    assert_int_equal(r.rcpts[1].state, QSTATE_DELIVERED);
    qmsg_done(&r);
}

/* As after a crash in the middle of the write: the next record stands on a line of its own. */
static void a_record_behind_a_torn_one_is_sound(void **state)
{
    struct fixture *f = *state;
    size_t one[] = {1};
    struct err err = {0};
    struct qmsg r;
    size_t bad;

    write_message(f, 10, 'm');
    {
        own_fd int fd = openat(f->q.msg_fd, f->m.id, O_WRONLY | O_APPEND | O_CLOEXEC);

        assert_int_equal(write(fd, "0badf00d 0 relay", 16), 16);
    }
    qrcpt_set(&f->m.rcpts[1], QSTATE_DELIVERED, STR("2.0.0"), STR("mx"), STR("250 ok"));
    assert_ok(qwrite_records(&f->q, &f->m, one, 1, NULL, &err), &err);
    assert_ok(qread_load(&f->q, f->m.id, &r, &bad, &err), &err);
    assert_int_equal(bad, 1);
    assert_int_equal(r.rcpts[0].state, QSTATE_PENDING);
    assert_int_equal(r.rcpts[1].state, QSTATE_DELIVERED);
    qmsg_done(&r);
}

static void a_file_that_ends_early_is_damaged(void **state)
{
    struct fixture *f = *state;
    struct err err = {0};
    struct qmsg r;
    size_t bad;

    write_message(f, 1000, 'm');
    for (size_t n = 0; n < f->m.head_n + 1000; n += 7) {
        own_fd int fd = openat(f->q.msg_fd, f->m.id, O_WRONLY | O_CLOEXEC);

        assert_int_equal(ftruncate(fd, (off_t)(f->m.head_n + 999 - n)), 0);
        assert_int_equal(qread_load(&f->q, f->m.id, &r, &bad, &err), -1);
        assert_int_equal(err.code, EBADMSG);
    }
}

/* A limit of the file's size stands for the full disk: the write fails in the same place. */
static void a_full_disk_leaves_nothing(void **state)
{
    struct fixture *f = *state;
    struct rlimit before;
    struct rlimit small = {20000, RLIM_INFINITY};
    struct qwrite w;
    struct err err = {0};

    assert_int_equal(getrlimit(RLIMIT_FSIZE, &before), 0);
    small.rlim_max = before.rlim_max;
    (void)signal(SIGXFSZ, SIG_IGN);
    assert_int_equal(setrlimit(RLIMIT_FSIZE, &small), 0);
    assert_ok(qwrite_begin(&w, &f->q, &f->m, &err), &err);
    for (int i = 0; i < 1000; i++)
        assert_ok(qwrite_content(&w, STR("0123456789012345678901234567890123456789"), &err), &err);
    assert_int_equal(qwrite_commit(&w, &f->q, &f->m, &err), -1);
    assert_int_equal(setrlimit(RLIMIT_FSIZE, &before), 0);
    assert_int_equal(err.code, EFBIG);
    assert_false(qdir_has(&f->q, f->m.id));
    assert_int_equal(faccessat(f->q.tmp_fd, f->m.id, F_OK, 0), -1);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(a_message_of_any_size_comes_back, setup, teardown),
        cmocka_unit_test_setup_teardown(
            the_name_comes_when_the_file_is_safe_and_the_promise_when_the_name_is, setup, teardown),
        cmocka_unit_test_setup_teardown(an_end_is_flushed_and_a_retry_is_not, setup, teardown),
        cmocka_unit_test_setup_teardown(several_share_the_flush_of_the_directory, setup, teardown),
        cmocka_unit_test_setup_teardown(a_dropped_message_leaves_nothing, setup, teardown),
        cmocka_unit_test_setup_teardown(states_are_found_again, setup, teardown),
        cmocka_unit_test_setup_teardown(retries_do_not_grow_without_end_and_ends_are_written, setup,
                                        teardown),
        cmocka_unit_test_setup_teardown(a_record_behind_a_torn_one_is_sound, setup, teardown),
        cmocka_unit_test_setup_teardown(a_file_that_ends_early_is_damaged, setup, teardown),
        cmocka_unit_test_setup_teardown(a_full_disk_leaves_nothing, setup, teardown),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
