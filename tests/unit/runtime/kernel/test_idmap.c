/* SPDX-License-Identifier: Apache-2.0 */
#include <sched.h>
#include <sys/wait.h>
#include <unistd.h>

#include "runtime/base/buf.h"
#include "runtime/base/own.h"
#include "runtime/kernel/idmap.h"

#include "tests/lib/test.h"

static void a_line_for_each_map(void **state)
{
    const struct idmap v[] = {{0, 1000, 1}, {1, 100000, 65536}};
    own_buf struct buf out = BUF_INIT(256);

    (void)state;
    idmap_format((struct idmaps){v, 2}, &out);
    assert_string_equal(buf_c(&out), "0 1000 1\n1 100000 65536\n");
}

static void only_ones_own_id_alone_is_single(void **state)
{
    const struct idmap own[] = {{0, 1000, 1}}, wide[] = {{0, 1000, 2}};

    (void)state;
    assert_true(idmap_is_single((struct idmaps){own, 1}, 1000));
    assert_false(idmap_is_single((struct idmaps){own, 1}, 1001));
    assert_false(idmap_is_single((struct idmaps){wide, 1}, 1000));
    assert_false(idmap_is_single((struct idmaps){own, 0}, 1000));
}

static void a_namespace_outlives_the_process_that_began_it(void **state)
{
    const struct idmap v[] = {{0, 1000, 10}};
    struct err err = {0};
    own_fd int fd = -1;
    char link[64], path[64];
    ssize_t n = 0;

    (void)state;
    if (geteuid() != 0)
        SKIP("needs root");
    fd = idmap_userns((struct idmaps){v, 1}, (struct idmaps){v, 1}, &err);
    assert_ok(fd, &err);
    (void)snprintf(path, sizeof path, "/proc/self/fd/%d", fd);
    n = readlink(path, link, sizeof link);
    assert_true(n > 6 && memcmp(link, "user:[", 6) == 0);
    assert_int_equal(waitpid(-1, NULL, WNOHANG), -1);
}

/* A new namespace maps nobody before its maps are written. */
static void our_id_is_known_outside(void **state)
{
    uint32_t mine = geteuid();
    int status = 0;
    pid_t pid = 0;

    (void)state;
    if (!idmap_is_inside())
        assert_int_equal(idmap_outside(mine), mine);
    pid = fork();
    if (pid == 0) {
        if (unshare(CLONE_NEWUSER) < 0)
            _exit(77);
        _exit(idmap_outside(0) == UINT32_MAX && idmap_is_inside() ? 0 : 1);
    }
    assert_int_equal(waitpid(pid, &status, 0), pid);
    assert_true(WIFEXITED(status));
    if (WEXITSTATUS(status) == 77)
        SKIP("no user namespace can be made");
    assert_int_equal(WEXITSTATUS(status), 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_line_for_each_map),
        cmocka_unit_test(only_ones_own_id_alone_is_single),
        cmocka_unit_test(a_namespace_outlives_the_process_that_began_it),
        cmocka_unit_test(our_id_is_known_outside),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
