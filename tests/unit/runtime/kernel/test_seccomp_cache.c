/* SPDX-License-Identifier: Apache-2.0 */
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "runtime/base/buf.h"
#include "runtime/base/own.h"
#include "runtime/kernel/seccomp.h"
#include "runtime/kernel/seccomp_cache.h"

#include "tests/lib/test.h"
#include "tests/lib/tmpdir.h"

static struct sock_filter code[] = {{.code = 0x20, .k = 4}, {.code = 0x06, .k = 0x7fff0000}};
static const struct seccomp_program program = {.code = code, .n = ARRAY_N(code)};

#define KEY STR("a\0key")

static int open_cache(const struct tmpdir *t)
{
    int fd = seccomp_cache_open(t->path);

    assert_true(fd >= 0);
    return fd;
}

static bool finds(int fd, struct str key)
{
    struct seccomp_program p = {.code = NULL};
    bool found = seccomp_cache_find(fd, key, &p);

    if (found) {
        assert_int_equal(p.n, program.n);
        assert_memory_equal(p.code, code, sizeof code);
    }
    seccomp_done(&p);
    return found;
}

/* The names of two keys: their FNV-1a. */
#define KEY_FILE   "8c4ca5fcaf9e7643"
#define OTHER      STR("another")
#define OTHER_FILE "b08377e5e235fd94"

static void what_was_kept_is_found(void **state)
{
    own_fd int fd = open_cache(*state);

    assert_false(finds(fd, KEY));
    seccomp_cache_keep(fd, KEY, &program);
    assert_true(finds(fd, KEY));
    assert_false(finds(fd, STR("a\0kez")));
    assert_false(finds(fd, STR("a")));
    assert_false(finds(fd, STR_NONE));
    assert_false(finds(-1, KEY));
}

static void a_file_under_the_name_of_another_key_is_not_taken(void **state)
{
    own_fd int fd = open_cache(*state);

    seccomp_cache_keep(fd, KEY, &program);
    assert_int_equal(renameat(fd, KEY_FILE, fd, OTHER_FILE), 0);
    assert_false(finds(fd, OTHER));
}

static void any_flipped_bit_and_any_cut_is_refused(void **state)
{
    own_fd int fd = open_cache(*state), file = -1;
    char text[256];
    ssize_t n = 0;

    seccomp_cache_keep(fd, KEY, &program);
    file = openat(fd, KEY_FILE, O_RDWR | O_CLOEXEC);
    assert_true(file >= 0);
    n = pread(file, text, sizeof text, 0);
    assert_true(n > 0 && n < (ssize_t)sizeof text);
    for (ssize_t i = 0; i < n; i++) {
        char flipped = (char)(text[i] ^ (1 << (i % 8)));

        assert_int_equal(pwrite(file, &flipped, 1, i), 1);
        assert_false(finds(fd, KEY));
        assert_int_equal(pwrite(file, &text[i], 1, i), 1);
    }
    assert_true(finds(fd, KEY));
    for (ssize_t i = n - 1; i >= 0; i--) {
        assert_int_equal(ftruncate(file, i), 0);
        assert_false(finds(fd, KEY));
    }
}

static void a_file_that_others_may_reach_is_not_trusted(void **state)
{
    own_fd int fd = open_cache(*state);
    const char *name = KEY_FILE;

    seccomp_cache_keep(fd, KEY, &program);
    for (mode_t bit = 01; bit <= 040; bit <<= 1) {
        assert_int_equal(fchmodat(fd, name, 0600 | bit, 0), 0);
        assert_false(finds(fd, KEY));
    }
    assert_int_equal(fchmodat(fd, name, 0600, 0), 0);
    assert_true(finds(fd, KEY));
    assert_int_equal(linkat(fd, name, fd, "second", 0), 0);
    assert_false(finds(fd, KEY));
    assert_int_equal(unlinkat(fd, name, 0), 0);
    assert_int_equal(symlinkat("second", fd, name), 0);
    assert_false(finds(fd, KEY));
    assert_int_equal(unlinkat(fd, name, 0), 0);
    assert_int_equal(mkfifoat(fd, name, 0600), 0);
    assert_false(finds(fd, KEY));
}

static void a_directory_that_others_may_reach_is_not_used(void **state)
{
    struct tmpdir *t = *state;
    own_fd int fd = open_cache(t);

    assert_int_equal(fchmod(fd, 0710), 0);
    assert_int_equal(seccomp_cache_open(t->path), -1);
    assert_int_equal(fchmod(fd, 0700), 0);
    assert_int_equal(fchmod(t->fd, 0777), 0);
    assert_int_equal(seccomp_cache_open(t->path), -1);
    assert_int_equal(fchmod(t->fd, 0700), 0);
    assert_int_equal(seccomp_cache_open("/absent"), -1);
}

static void it_does_not_grow_without_end(void **state)
{
    own_fd int fd = open_cache(*state);
    size_t found = 0;
    char key[32];

    for (int i = 0; i < 3 * SECCOMP_CACHE_MAX; i++) {
        (void)snprintf(key, sizeof key, "key %d", i);
        seccomp_cache_keep(fd, str_of(key), &program);
        assert_true(finds(fd, str_of(key)));
    }
    for (int i = 0; i < 3 * SECCOMP_CACHE_MAX; i++) {
        (void)snprintf(key, sizeof key, "key %d", i);
        found += finds(fd, str_of(key));
    }
    assert_in_range(found, 1, SECCOMP_CACHE_MAX);
}

static void keys_differ_where_rules_do(void **state)
{
    static const char *const one[] = {"read", "write"}, *const two[] = {"read"};
    static const uint32_t arches[] = {SCMP_ARCH_X86};
    const struct seccomp_rule rules[] = {
        {.names = one, .names_n = 2, .action = SCMP_ACT_ALLOW},
        {.names = two, .names_n = 1, .action = SCMP_ACT_ALLOW},
        {.names = one, .names_n = 2, .action = SCMP_ACT_LOG},
        {.names = one,
         .names_n = 2,
         .action = SCMP_ACT_ALLOW,
         .args = {{.arg = 1, .op = SCMP_CMP_EQ, .datum_a = 7}},
         .args_n = 1},
        {.names = one,
         .names_n = 2,
         .action = SCMP_ACT_ALLOW,
         .args = {{.arg = 1, .op = SCMP_CMP_EQ, .datum_a = 8}},
         .args_n = 1},
    };
    struct buf keys[ARRAY_N(rules) + 2];

    (void)state;
    for (size_t i = 0; i < ARRAY_N(keys); i++) {
        struct seccomp_rules r = {.default_action =
                                      i == ARRAY_N(rules) ? SCMP_ACT_KILL : SCMP_ACT_ERRNO(1),
                                  .arches = arches,
                                  .arches_n = i == ARRAY_N(rules) + 1,
                                  .v = &rules[i < ARRAY_N(rules) ? i : 0],
                                  .n = 1};

        buf_init(&keys[i], 4096);
        seccomp_key(&r, &keys[i]);
        for (size_t k = 0; k < i; k++)
            assert_false(str_eq(buf_str(&keys[i]), buf_str(&keys[k])));
    }
    for (size_t i = 0; i < ARRAY_N(keys); i++)
        buf_done(&keys[i]);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, tmpdir_setup, tmpdir_teardown)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(what_was_kept_is_found),
        TEST(a_file_under_the_name_of_another_key_is_not_taken),
        TEST(any_flipped_bit_and_any_cut_is_refused),
        TEST(a_file_that_others_may_reach_is_not_trusted),
        TEST(a_directory_that_others_may_reach_is_not_used),
        TEST(it_does_not_grow_without_end),
        TEST(keys_differ_where_rules_do),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
