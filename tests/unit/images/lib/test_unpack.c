/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Each test unpacks into DIR/root and looks at DIR/outside afterwards, which nothing may have
 * touched.
 */
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <sys/stat.h>
#include <sys/xattr.h>
#include <unistd.h>

#include "runtime/base/buf.h"
#include "runtime/base/file.h"
#include "runtime/base/own.h"

#include "images/lib/beneath.h"
#include "images/lib/source.h"
#include "images/lib/unpack.h"
#include "images/lib/unpack_mark.h"

#include "tests/lib/tarball.h"
#include "tests/lib/test.h"
#include "tests/lib/tmpdir.h"

#define ARCHIVE_MAX (1U << 20)

#define FILE_(n, c)                              \
    {                                            \
        .name = (n), .type = '0', .content = (c) \
    }
#define DIR_(n)                  \
    {                            \
        .name = (n), .type = '5' \
    }
#define SYMLINK_(n, t)                          \
    {                                           \
        .name = (n), .type = '2', .target = (t) \
    }
#define LINK_(n, t)                             \
    {                                           \
        .name = (n), .type = '1', .target = (t) \
    }

struct world {
    struct tmpdir *t;
    int root_fd;
    struct unpack *u;
};

static int setup(void **state)
{
    static struct world w;
    struct err err;

    w.t = tmpdir_new();
    assert_int_equal(mkdirat(w.t->fd, "root", 0755), 0);
    assert_int_equal(mkdirat(w.t->fd, "outside", 0755), 0);
    assert_ok(file_put(w.t->fd, "outside/secret", STR("secret"), 0600, &err), &err);
    w.root_fd = openat(w.t->fd, "root", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    assert_true(w.root_fd >= 0);
    w.u = unpack_new(w.root_fd, unpack_owner_default());
    *state = &w;
    return 0;
}

static int teardown(void **state)
{
    struct world *w = *state;
    own_buf struct buf b = BUF_INIT(100);
    struct stat st;
    struct err err;

    assert_ok(file_read(w->t->fd, "outside/secret", &b, &err), &err);
    assert_string_equal(buf_c(&b), "secret");
    assert_int_equal(fstatat(w->t->fd, "outside/secret", &st, 0), 0);
    assert_int_equal(st.st_nlink, 1);
    assert_int_equal(st.st_mode & 07777, 0600);
    assert_int_equal(fstatat(w->t->fd, "outside", &st, 0), 0);
    assert_int_equal(st.st_nlink, 2);
    unpack_free(w->u);
    (void)close(w->root_fd);
    tmpdir_free(w->t);
    return 0;
}

static int layer(struct world *w, const struct tarball_entry *v, size_t n, struct err *err)
{
    own_buf struct buf b = BUF_INIT(ARCHIVE_MAX);

    for (size_t i = 0; i < n; i++)
        tarball_put(&b, &v[i]);
    tarball_end(&b);
    own_source struct source *s = source_of_str(buf_str(&b));
    return unpack_layer(w->u, s, err);
}

#define LAYER(w, ...)                                                     \
    do {                                                                  \
        static const struct tarball_entry entries_[] = {__VA_ARGS__};     \
        struct err err_;                                                  \
        assert_ok(layer((w), entries_, ARRAY_N(entries_), &err_), &err_); \
    } while (0)

#define BAD_LAYER(w, why, ...)                                                \
    do {                                                                      \
        static const struct tarball_entry entries_[] = {__VA_ARGS__};         \
        struct err err_ = {0};                                                \
        assert_int_equal(layer((w), entries_, ARRAY_N(entries_), &err_), -1); \
        assert_err(&err_, (why));                                             \
    } while (0)

static void finish(struct world *w)
{
    struct err err;

    assert_ok(unpack_finish(w->u, &err), &err);
}

static void file_is(struct world *w, const char *path, const char *content)
{
    own_buf struct buf b = BUF_INIT(1000);
    struct err err;

    assert_ok(file_read(w->root_fd, path, &b, &err), &err);
    assert_string_equal(buf_c(&b), content);
}

static bool is_there(struct world *w, const char *path)
{
    struct stat st;

    return fstatat(w->root_fd, path, &st, AT_SYMLINK_NOFOLLOW) == 0;
}

static struct stat look(struct world *w, const char *path)
{
    struct stat st = {0};

    assert_int_equal(fstatat(w->root_fd, path, &st, AT_SYMLINK_NOFOLLOW), 0);
    return st;
}

/* --- honest ------------------------------------------------------------------------------------*/

static void everything_arrives_with_mode_and_time(void **state)
{
    struct world *w = *state;
    char target[100] = "";

    LAYER(w, {.name = "d/", .type = '5', .mode = 0555},
          {.name = "d/f", .content = "x", .mode = 04751}, SYMLINK_("d/s", "/absent"),
          LINK_("d/h", "d/f"), {.name = "d/p", .type = '6', .mode = 0600},
          FILE_("made/on/the/way", "y"));
    finish(w);
    file_is(w, "d/f", "x");
    file_is(w, "made/on/the/way", "y");
    assert_int_equal(look(w, "d").st_mode, S_IFDIR | 0555);
    assert_int_equal(look(w, "d").st_mtime, 1000);
    assert_int_equal(look(w, "d/f").st_mode, S_IFREG | 04751);
    assert_int_equal(look(w, "d/f").st_mtime, 1000);
    assert_int_equal(look(w, "d/s").st_mtime, 1000);
    assert_int_equal(look(w, "d/f").st_ino, look(w, "d/h").st_ino);
    assert_int_equal(look(w, "d/p").st_mode, S_IFIFO | 0600);
    assert_int_equal(look(w, "made/on").st_mode, S_IFDIR | 0755);
    assert_int_equal(readlinkat(w->root_fd, "d/s", target, sizeof target), 7);
}

static void the_last_word_on_a_directory_wins(void **state)
{
    struct world *w = *state;

    LAYER(w, {.name = "d/", .type = '5', .mode = 0700}, FILE_("d/f", "1"));
    LAYER(w, {.name = "d/", .type = '5', .mode = 0750}, FILE_("d/g", "2"));
    finish(w);
    assert_int_equal(look(w, "d").st_mode, S_IFDIR | 0750);
    file_is(w, "d/f", "1");
    file_is(w, "d/g", "2");
}

static void upper_layers_replace_whatever_is_there(void **state)
{
    struct world *w = *state;

    LAYER(w, FILE_("file", "old"), DIR_("dir"), FILE_("dir/inner", "x"), SYMLINK_("link", "dir"),
          SYMLINK_("link2", "file"));
    LAYER(w, DIR_("file"), FILE_("dir", "new"), DIR_("link"), FILE_("link/a", "b"),
          FILE_("link2", "own"));
    finish(w);
    assert_true(S_ISDIR(look(w, "file").st_mode));
    file_is(w, "dir", "new");
    assert_true(S_ISDIR(look(w, "link").st_mode));
    file_is(w, "link/a", "b");
    file_is(w, "link2", "own");
}

static void files_go_through_links_of_a_lower_layer(void **state)
{
    struct world *w = *state;

    LAYER(w, DIR_("usr/bin"), SYMLINK_("bin", "usr/bin"), SYMLINK_("abs", "/usr/bin"));
    LAYER(w, FILE_("bin/sh", "shell"), FILE_("abs/ls", "list"));
    finish(w);
    file_is(w, "usr/bin/sh", "shell");
    file_is(w, "usr/bin/ls", "list");
}

static void whiteouts_hide_lower_layers_only(void **state)
{
    struct world *w = *state;

    LAYER(w, FILE_("a", "1"), FILE_("d/x", "1"), FILE_("d/y", "1"), FILE_("e/z", "1"),
          FILE_("e/sub/deep", "1"), FILE_("keep", "1"));
    LAYER(w, FILE_("b", "2"), FILE_(".wh.b", ""), FILE_(".wh.a", ""), FILE_(".wh.absent", ""),
          FILE_("d/new", "2"), FILE_("d/.wh..wh..opq", ""), FILE_("d/later", "2"),
          FILE_("e/sub/own", "2"), FILE_("e/.wh..wh..opq", ""), FILE_(".wh..wh.plnk", ""));
    finish(w);
    assert_false(is_there(w, "a"));
    file_is(w, "b", "2");
    assert_false(is_there(w, "d/x"));
    assert_false(is_there(w, "d/y"));
    file_is(w, "d/new", "2");
    file_is(w, "d/later", "2");
    assert_false(is_there(w, "e/z"));
    assert_false(is_there(w, "e/sub/deep"));
    file_is(w, "e/sub/own", "2");
    file_is(w, "keep", "1");
    assert_false(is_there(w, ".wh.b"));
    assert_false(is_there(w, "d/.wh..wh..opq"));
}

static void a_whiteout_of_a_directory_spares_what_this_layer_put_there(void **state)
{
    struct world *w = *state;

    LAYER(w, FILE_("d/old", "1"), SYMLINK_("alias", "d"));
    LAYER(w, FILE_("alias/new", "2"), DIR_("d"), FILE_(".wh.d", ""));
    finish(w);
    assert_false(is_there(w, "d/old"));
    file_is(w, "d/new", "2");
}

static void devices_and_unwanted_attributes_are_counted(void **state)
{
    struct world *w = *state;
    own_buf struct buf b = BUF_INIT(ARCHIVE_MAX);
    struct err err;

    tarball_put(&b, &(struct tarball_entry){.name = "null", .type = '3'});
    tarball_put(&b, &(struct tarball_entry){.name = "sda", .type = '4'});
    tarball_put_meta(&b, 'x', STR("39 SCHILY.xattr.trusted.overlay.opq=y\n\n"));
    tarball_end(&b);
    assert_int_equal(unpack_skipped(w->u), 0);
    buf_truncate(&b, 1024);
    tarball_put_meta(&b, 'x', STR("38 SCHILY.xattr.trusted.overlay.opq=y\n"));
    tarball_put(&b, &(struct tarball_entry){.name = "f"});
    tarball_end(&b);
    own_source struct source *s = source_of_str(buf_str(&b));
    assert_ok(unpack_layer(w->u, s, &err), &err);
    assert_int_equal(unpack_skipped(w->u), 3);
    assert_false(is_there(w, "null"));
    assert_true(is_there(w, "f"));
}

static void user_attributes_arrive(void **state)
{
    struct world *w = *state;
    own_buf struct buf b = BUF_INIT(ARCHIVE_MAX);
    char value[20] = "";
    struct err err;

    tarball_put_meta(&b, 'x', STR("28 SCHILY.xattr.user.a=note\n"));
    tarball_put(&b, &(struct tarball_entry){.name = "f"});
    tarball_end(&b);
    own_source struct source *s = source_of_str(buf_str(&b));
    assert_ok(unpack_layer(w->u, s, &err), &err);
    own_fd int fd = openat(w->root_fd, "f", O_RDONLY | O_CLOEXEC);
    if (unpack_skipped(w->u) == 1)
        SKIP("this file system has no user attributes");
    assert_int_equal(fgetxattr(fd, "user.a", value, sizeof value), 4);
    assert_string_equal(value, "note");
}

/* --- hostile -----------------------------------------------------------------------------------*/

static void dots_are_refused(void **state)
{
    struct world *w = *state;

    BAD_LAYER(w, "'..'", FILE_("../outside/secret", "x"));
    BAD_LAYER(w, "'..'", FILE_("a/../../outside/secret", "x"));
    BAD_LAYER(w, "'..'", DIR_(".."));
    BAD_LAYER(w, "'..'", LINK_("h", "../outside/secret"));
    BAD_LAYER(w, "hides no name", FILE_(".wh...", ""));
    BAD_LAYER(w, "hides no name", FILE_(".wh..", ""));
    BAD_LAYER(w, "hides no name", FILE_(".wh.", ""));
    BAD_LAYER(w, "no directory", SYMLINK_("/", "x"));
}

static void absolute_names_stay_inside(void **state)
{
    struct world *w = *state;
    own_buf struct buf name = BUF_INIT(200);
    const struct tarball_entry e = {.name = tmpdir_path(w->t, "outside/secret"), .content = "x"};
    struct err err;

    assert_ok(layer(w, &e, 1, &err), &err);
    buf_append_c(&name, e.name + 1);
    file_is(w, buf_c(&name), "x");
}

static void links_do_not_lead_out(void **state)
{
    struct world *w = *state;
    const char *outside = tmpdir_path(w->t, "outside");
    const struct tarball_entry through[] = {SYMLINK_("abs", outside), FILE_("abs/secret", "x")};
    struct err err;

    assert_int_equal(layer(w, through, 2, &err), -1); /* no such directory inside */
    BAD_LAYER(w, "rel", SYMLINK_("rel", "../../../outside"), FILE_("rel/secret", "x"));
    LAYER(w, SYMLINK_("up", ".."), FILE_("up/stays", "x"));
    file_is(w, "stays", "x");
    LAYER(w, SYMLINK_("f", "../outside/secret"), FILE_("f", "x")); /* replaced, not followed */
    file_is(w, "f", "x");
    BAD_LAYER(w, "proc", SYMLINK_("proc", "/proc/self/root"), FILE_("proc/etc/x", "x"));
    BAD_LAYER(w, "loop", SYMLINK_("loop", "loop"), FILE_("loop/x", "x"));
}

static void hard_links_do_not_lead_out(void **state)
{
    struct world *w = *state;
    const struct tarball_entry abs = LINK_("h", tmpdir_path(w->t, "outside/secret"));
    struct err err;

    assert_int_equal(layer(w, &abs, 1, &err), -1);
    BAD_LAYER(w, "entry 'h'", SYMLINK_("out", "../outside"), LINK_("h", "out/secret"));
    /* A hard link to a symbolic link is one to the link itself. */
    LAYER(w, SYMLINK_("s", "../outside/secret"), LINK_("h", "s"));
    assert_true(S_ISLNK(look(w, "h").st_mode));
    LAYER(w, FILE_("h", "own"));
    BAD_LAYER(w, "itself", LINK_("h", "h"));
    BAD_LAYER(w, "h2", DIR_("d"), LINK_("h2", "d"));
    BAD_LAYER(w, "itself", LINK_("h2", "."));
}

static void whiteouts_do_not_lead_out(void **state)
{
    struct world *w = *state;
    const char *outside = tmpdir_path(w->t, "outside");
    const struct tarball_entry opaque[] = {SYMLINK_("o", outside), FILE_("o/.wh..wh..opq", "")};
    const struct tarball_entry hides[] = {SYMLINK_("p", outside), FILE_("p/.wh.secret", "")};
    struct err err;

    assert_int_equal(layer(w, opaque, 2, &err), -1);
    assert_int_equal(layer(w, hides, 2, &err), -1);
    LAYER(w, SYMLINK_("q", "../outside"),
          FILE_(".wh.q", "")); /* the link is of this layer: spared */
    assert_true(is_there(w, "q"));
    LAYER(w, FILE_(".wh.q", ""));
    assert_false(is_there(w, "q"));
}

static void paths_that_are_too_deep_or_too_long_are_refused(void **state)
{
    struct world *w = *state;
    own_buf struct buf deep = BUF_INIT(5000), pax = BUF_INIT(6000), b = BUF_INIT(ARCHIVE_MAX);
    struct err err;

    (void)w;
    for (int i = 0; i <= BENEATH_DEPTH_MAX; i++)
        buf_append_c(&deep, "d/");
    buf_printf(&pax, "%zu path=%s\n", deep.n + 10, buf_c(&deep));
    tarball_put_meta(&b, 'x', buf_str(&pax));
    tarball_put(&b, &(struct tarball_entry){.name = "f"});
    own_source struct source *s = source_of_str(buf_str(&b));
    assert_int_equal(unpack_layer(w->u, s, &err), -1);
    assert_int_equal(err.code, ENAMETOOLONG);
}

static void names_are_cleaned(void **state)
{
    static const char *const cases[][2] = {
        {"a", "a"}, {"./a", "a"}, {"/a//b/./c/", "a/b/c"}, {"", "."},
        {"/", "."}, {"./", "."},  {"...", "..."},          {"a/..b", "a/..b"},
    };

    (void)state;
    for (size_t i = 0; i < ARRAY_N(cases); i++) {
        own_buf struct buf b = BUF_INIT(PATH_MAX);
        struct err err;

        assert_ok(beneath_clean(str_of(cases[i][0]), &b, &err), &err);
        assert_string_equal(buf_c(&b), cases[i][1]);
    }
}

int main(void)
{
#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)
    const struct CMUnitTest tests[] = {
        TEST(everything_arrives_with_mode_and_time),
        TEST(the_last_word_on_a_directory_wins),
        TEST(upper_layers_replace_whatever_is_there),
        TEST(files_go_through_links_of_a_lower_layer),
        TEST(whiteouts_hide_lower_layers_only),
        TEST(a_whiteout_of_a_directory_spares_what_this_layer_put_there),
        TEST(devices_and_unwanted_attributes_are_counted),
        TEST(user_attributes_arrive),
        TEST(dots_are_refused),
        TEST(absolute_names_stay_inside),
        TEST(links_do_not_lead_out),
        TEST(hard_links_do_not_lead_out),
        TEST(whiteouts_do_not_lead_out),
        TEST(paths_that_are_too_deep_or_too_long_are_refused),
        cmocka_unit_test(names_are_cleaned),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
