/* SPDX-License-Identifier: Apache-2.0 */
#include <crypt.h>
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "runtime/base/buf.h"
#include "runtime/base/file.h"
#include "runtime/base/jv.h"
#include "runtime/base/own.h"
#include "runtime/stack/accounts.h"

#include "tests/lib/test.h"
#include "tests/lib/tmpdir.h"

#define FILE_NAME "accounts.json"

static const char *path(void **state)
{
    return tmpdir_path(*state, FILE_NAME);
}

static void put(void **state, const char *text)
{
    const struct tmpdir *t = *state;
    struct err err = {0};

    assert_ok(file_put(t->fd, FILE_NAME, str_of(text), 0640, &err), &err);
}

static void has(void **state, const char *text)
{
    const struct tmpdir *t = *state;
    own_buf struct buf got = BUF_INIT(1u << 20);
    struct err err = {0};

    assert_ok(file_read(t->fd, FILE_NAME, &got, &err), &err);
    assert_string_equal(buf_c(&got), text);
}

static void the_first_account_makes_the_file(void **state)
{
    const struct tmpdir *t = *state;
    struct err err = {0};
    struct stat st;

    assert_ok(accounts_set(path(state), "alice@x", "$y$h", ACCOUNTS_ADD, &err), &err);
    has(state, "{\n  \"alice@x\": {\n    \"password\": \"$y$h\"\n  }\n}\n");
    assert_int_equal(fstatat(t->fd, FILE_NAME, &st, 0), 0);
    assert_int_equal(st.st_mode & 0777, 0640); /* hashes are not for everybody */
}

static void one_member_changes_and_all_else_stays(void **state)
{
    struct err err = {0};

    put(state, "{\"zoe@x\": {\"quota\": \"2G\", \"password\": \"old\", \"later\": [1, 2]},\n"
               " \"adam@x\": {\"password\": \"a\"}}");
    assert_ok(accounts_set(path(state), "ZOE@x", "new", ACCOUNTS_CHANGE, &err), &err);
    has(state, "{\n  \"zoe@x\": {\n    \"quota\": \"2G\",\n    \"password\": \"new\",\n"
               "    \"later\": [\n      1,\n      2\n    ]\n  },\n"
               "  \"adam@x\": {\n    \"password\": \"a\"\n  }\n}\n");
    assert_ok(accounts_del(path(state), "zoe@X", &err), &err);
    has(state, "{\n  \"adam@x\": {\n    \"password\": \"a\"\n  }\n}\n");
}

static void what_does_not_fit_changes_nothing(void **state)
{
    static const char text[] = "{\"alice@x\": {\"password\": \"a\"}, \"odd@x\": 7}";
    struct err err = {0};

    put(state, text);
    assert_int_equal(accounts_set(path(state), "Alice@x", "h", ACCOUNTS_ADD, &err), -1);
    assert_int_equal(err.code, EEXIST);
    assert_int_equal(accounts_set(path(state), "bob@x", "h", ACCOUNTS_CHANGE, &err), -1);
    assert_int_equal(err.code, ENOENT);
    assert_int_equal(accounts_set(path(state), "odd@x", "h", ACCOUNTS_CHANGE, &err), -1);
    assert_int_equal(accounts_del(path(state), "bob@x", &err), -1);
    assert_int_equal(err.code, ENOENT);
    has(state, text);
}

static void a_file_that_is_broken_is_left_alone(void **state)
{
    static const char *const bad[] = {"", "[]", "{", "{\"a@x\": {}, \"a@x\": {}}"};
    struct err err = {0};

    for (size_t i = 0; i < ARRAY_N(bad); i++) {
        put(state, bad[i]);
        assert_int_equal(accounts_set(path(state), "alice@x", "h", ACCOUNTS_ADD, &err), -1);
        assert_err(&err, FILE_NAME);
        has(state, bad[i]);
    }
}

static void mode_and_owner_stay(void **state)
{
    const struct tmpdir *t = *state;
    struct err err = {0};
    struct stat st;

    put(state, "{}");
    assert_int_equal(fchmodat(t->fd, FILE_NAME, 0604, 0), 0);
    if (geteuid() == 0)
        assert_int_equal(fchownat(t->fd, FILE_NAME, 12345, 54321, 0), 0);
    assert_ok(accounts_set(path(state), "alice@x", "h", ACCOUNTS_ADD, &err), &err);
    assert_int_equal(fstatat(t->fd, FILE_NAME, &st, 0), 0);
    assert_int_equal(st.st_mode & 0777, 0604);
    if (geteuid() == 0)
        assert_true(st.st_uid == 12345 && st.st_gid == 54321);
}

/* Ten at once: each waits for the others, and none is lost. */
static void edits_at_the_same_time_are_all_kept(void **state)
{
    enum {
        N = 10
    };
    const struct tmpdir *t = *state;
    struct err err = {0};
    own_json json_t *doc = NULL;
    int status;

    for (int i = 0; i < N; i++)
        if (fork() == 0) {
            char name[32];

            (void)alarm(20);
            (void)snprintf(name, sizeof(name), "user%d@x", i);
            _exit(accounts_set(path(state), name, "h", ACCOUNTS_ADD, &err) < 0);
        }
    for (int i = 0; i < N; i++) {
        assert_true(wait(&status) > 0);
        assert_int_equal(status, 0);
    }
    doc = jv_load_file(t->fd, FILE_NAME, 65536, &err);
    assert_int_equal(json_object_size(doc), N);
}

static void a_hash_is_yescrypt_and_matches_its_password_only(void **state)
{
    own_free char *hash = NULL;
    own_free char *again = NULL;
    own_free struct crypt_data *data = calloc(1, sizeof(struct crypt_data));
    struct err err = {0};

    (void)state;
    assert_ok(accounts_hash(STR("p w\xc3\xbc"), &hash, &err), &err);
    assert_ok(accounts_hash(STR("p w\xc3\xbc"), &again, &err), &err);
    assert_int_equal(strncmp(hash, "$y$", 3), 0);
    assert_string_not_equal(hash, again); /* another salt */
    assert_string_equal(crypt_rn("p w\xc3\xbc", hash, data, (int)sizeof(*data)), hash);
    assert_string_not_equal(crypt_rn("p w", hash, data, (int)sizeof(*data)), hash);
}

static void passwords_that_cannot_be_typed_are_refused(void **state)
{
    static char longest[ACCOUNTS_PASSWORD_MAX];
    static const struct str bad[] = {STR_INIT(""),
                                     STR_INIT("a\0b"),
                                     STR_INIT("a\nb"),
                                     STR_INIT("\x7f"),
                                     {longest, sizeof(longest)}};
    struct err err = {0};

    (void)state;
    memset(longest, 'x', sizeof(longest));
    for (size_t i = 0; i < ARRAY_N(bad); i++) {
        own_free char *hash = NULL;

        err_reset(&err);
        assert_int_equal(accounts_hash(bad[i], &hash, &err), -1);
        assert_err(&err, "password");
        assert_null(hash);
    }
    own_free char *hash = NULL;

    assert_ok(accounts_hash((struct str){longest, sizeof(longest) - 1}, &hash, &err), &err);
}

#define CASE(name) cmocka_unit_test_setup_teardown(name, tmpdir_setup, tmpdir_teardown)

int main(void)
{
    const struct CMUnitTest tests[] = {
        CASE(the_first_account_makes_the_file),
        CASE(one_member_changes_and_all_else_stays),
        CASE(what_does_not_fit_changes_nothing),
        CASE(a_file_that_is_broken_is_left_alone),
        CASE(mode_and_owner_stay),
        CASE(edits_at_the_same_time_are_all_kept),
        CASE(a_hash_is_yescrypt_and_matches_its_password_only),
        CASE(passwords_that_cannot_be_typed_are_refused),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
