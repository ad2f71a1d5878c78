/* SPDX-License-Identifier: Apache-2.0 */
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

#include "runtime/base/arena.h"
#include "runtime/base/file.h"
#include "runtime/base/own.h"

#include "images/lib/assemble.h"
#include "images/lib/image.h"
#include "images/lib/recipe.h"

#include "tests/lib/test.h"
#include "tests/lib/tmpdir.h"

#define ARENA_MAX (64U << 20)

struct world {
    struct tmpdir *t;
    struct arena *a;
    struct recipe r;
};

static int setup(void **state)
{
    static struct world w;
    struct err err;

    w.t = tmpdir_new();
    w.a = arena_new(ARENA_MAX);
    assert_ok(file_put(w.t->fd, "prog", STR("a program"), 0755, &err), &err);
    assert_ok(file_put(w.t->fd, "passwd", STR("root:x:0:0::/:\n"), 0640, &err), &err);
    assert_ok(recipe_parse(STR("{\"name\":\"test\",\"entrypoint\":[\"/prog\",\"-x\"],"
                               "\"program\":{\"from\":\"prog\",\"to\":\"/prog\"},"
                               "\"files\":[{\"from\":\"passwd\",\"to\":\"/etc/passwd\"}],"
                               "\"directories\":[\"/tmp\"],\"workdir\":\"/\"}"),
                           w.a, &w.r, &err),
              &err);
    *state = &w;
    return 0;
}

static int teardown(void **state)
{
    struct world *w = *state;

    arena_free(w->a);
    tmpdir_free(w->t);
    return 0;
}

static struct image_store *open_store(const struct world *w, const char *name)
{
    struct err err;
    struct image_store *s = image_store_open(tmpdir_path(w->t, name), IMAGE_CREATE, &err);

    if (!s)
        fail_msg("%s", err.text);
    return s;
}

static const char *build(struct world *w, struct image_store *s, int64_t time_s)
{
    const struct assemble how = {w->t->path, w->t->path, "1.0", time_s};
    const char *digest = NULL;
    struct err err;

    assert_ok(assemble_image(s, w->a, &w->r, &how, &digest, &err), &err);
    return digest;
}

static void the_same_sources_give_the_same_digest(void **state)
{
    struct world *w = *state;
    struct image_store *one = open_store(w, "one");
    struct image_store *two = open_store(w, "two");
    struct err err;
    const char *first = build(w, one, 0);

    assert_int_equal(fchmodat(w->t->fd, "passwd", 0600, 0), 0); /* the recipe's mode counts */
    assert_string_equal(build(w, two, 0), first);
    assert_string_not_equal(build(w, two, 1), first);
    assert_ok(file_put(w->t->fd, "prog", STR("another"), 0755, &err), &err);
    assert_string_not_equal(build(w, two, 0), first);
    image_store_close(one);
    image_store_close(two);
}

static void an_image_can_be_loaded_and_unpacked(void **state)
{
    struct world *w = *state;
    struct image_store *s = open_store(w, "store");
    struct image_rootfs r;
    struct image_info info;
    struct stat st;
    own_buf struct buf b = BUF_INIT(100);
    struct err err;

    (void)build(w, s, 86400);
    assert_ok(image_load(s, w->a, "test", &info, &err), &err);
    assert_string_equal(info.config.created, "1970-01-02T00:00:00Z");
    assert_string_equal(info.config.entrypoint.v[1], "-x");
    assert_string_equal(info.config.workdir, "/");
    assert_int_equal(info.config.labels.n, 2);
    assert_string_equal(info.config.labels.v[1], "org.opencontainers.image.version=1.0");
    assert_ok(image_rootfs(s, w->a, NULL, "test", &r, &err), &err);
    int fd = open(r.path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    assert_true(fd >= 0);
    assert_ok(file_read(fd, "prog", &b, &err), &err);
    assert_string_equal(buf_c(&b), "a program");
    assert_int_equal(fstatat(fd, "etc/passwd", &st, 0), 0);
    assert_int_equal(st.st_mode, S_IFREG | 0644);
    assert_int_equal(st.st_mtime, 86400);
    assert_int_equal(fstatat(fd, "tmp", &st, 0), 0);
    (void)close(fd);
    image_store_close(s);
}

static void a_missing_file_is_named_and_leaves_no_image(void **state)
{
    struct world *w = *state;
    struct image_store *s = open_store(w, "store");
    const struct assemble how = {w->t->path, w->t->path, NULL, 0};
    const char *digest;
    struct image_info info;
    struct err err;

    assert_int_equal(unlinkat(w->t->fd, "passwd", 0), 0);
    assert_int_equal(assemble_image(s, w->a, &w->r, &how, &digest, &err), -1);
    assert_err(&err, "passwd");
    assert_int_equal(image_load(s, w->a, "test", &info, &err), -1);
    assert_int_equal(err.code, ENOENT);
    image_store_close(s);
}

static void the_time_comes_from_source_date_epoch(void **state)
{
    int64_t t = -1;
    struct err err;

    (void)state;
    assert_int_equal(unsetenv("SOURCE_DATE_EPOCH"), 0);
    assert_ok(assemble_time(&t, &err), &err);
    assert_int_equal(t, 0);
    assert_int_equal(setenv("SOURCE_DATE_EPOCH", "1700000000", 1), 0);
    assert_ok(assemble_time(&t, &err), &err);
    assert_int_equal(t, 1700000000);
    assert_int_equal(setenv("SOURCE_DATE_EPOCH", "yesterday", 1), 0);
    assert_int_equal(assemble_time(&t, &err), -1);
}

int main(void)
{
#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)
    const struct CMUnitTest tests[] = {
        TEST(the_same_sources_give_the_same_digest),
        TEST(an_image_can_be_loaded_and_unpacked),
        TEST(a_missing_file_is_named_and_leaves_no_image),
        TEST(the_time_comes_from_source_date_epoch),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
