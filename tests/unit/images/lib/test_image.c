/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The store as its users see it: images by name and digest, import and export, removal, damage,
 * other machines' images.
 */
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "runtime/base/arena.h"
#include "runtime/base/buf.h"
#include "runtime/base/file.h"
#include "runtime/base/own.h"

#include "images/lib/assemble.h"
#include "images/lib/blob.h"
#include "images/lib/describe.h"
#include "images/lib/doc.h"
#include "images/lib/image.h"
#include "images/lib/image_layout.h"
#include "images/lib/recipe.h"
#include "images/lib/tar_write.h"

#include "tests/lib/tarball.h"
#include "tests/lib/test.h"
#include "tests/lib/tmpdir.h"

#define ARENA_MAX (256U << 20)
#define TEXT_MAX  100000

struct world {
    struct tmpdir *t;
    struct arena *a;
    struct image_store *s;
};

static struct image_store *open_store(const struct world *w, const char *name)
{
    struct err err;
    struct image_store *s = image_store_open(tmpdir_path(w->t, name), IMAGE_CREATE, &err);

    if (!s)
        fail_msg("%s", err.text);
    return s;
}

static void add_image(struct world *w, const char *name, const char *content)
{
    const struct assemble how = {w->t->path, w->t->path, NULL, 0};
    struct recipe r;
    const char *digest;
    struct err err;

    assert_ok(file_put(w->t->fd, "prog", str_of(content), 0755, &err), &err);
    assert_ok(recipe_parse(str_of(arena_printf(w->a,
                                               "{\"name\":\"%s\",\"entrypoint\":[\"/prog\"],"
                                               "\"program\":{\"from\":\"prog\",\"to\":\"/prog\"}}",
                                               name)),
                           w->a, &r, &err),
              &err);
    assert_ok(assemble_image(w->s, w->a, &r, &how, &digest, &err), &err);
}

static int setup(void **state)
{
    static struct world w;

    w.t = tmpdir_new();
    w.a = arena_new(ARENA_MAX);
    w.s = open_store(&w, "store");
    add_image(&w, "one", "first");
    add_image(&w, "two", "second");
    *state = &w;
    return 0;
}

static int teardown(void **state)
{
    struct world *w = *state;

    image_store_close(w->s);
    arena_free(w->a);
    tmpdir_free(w->t);
    return 0;
}

static struct image_info load(struct world *w, struct image_store *s, const char *ref)
{
    struct image_info i = {0};
    struct err err;

    assert_ok(image_load(s, w->a, ref, &i, &err), &err);
    return i;
}

static void assert_absent(struct world *w, struct image_store *s, const char *ref)
{
    struct image_info i;
    struct err err;

    assert_int_equal(image_load(s, w->a, ref, &i, &err), -1);
    assert_int_equal(err.code, ENOENT);
}

static void images_are_found_by_name_and_digest_and_listed(void **state)
{
    struct world *w = *state;
    struct image_info one = load(w, w->s, "one");
    struct image_info *v;
    own_buf struct buf b = BUF_INIT(TEXT_MAX);
    size_t n;
    struct err err;

    assert_string_equal(load(w, w->s, one.digest).digest, one.digest);
    assert_absent(w, w->s, "three");
    assert_ok(image_list(w->s, w->a, &v, &n, &err), &err);
    assert_int_equal(n, 2);
    assert_string_equal(v[0].ref, "one");
    assert_string_equal(v[1].ref, "two");
    describe_list(v, n, &b);
    assert_true(str_find_str(buf_str(&b), STR("two")) > 0);
    describe_image(v, &b);
    describe_image_json(v, &b);
    describe_list_json(v, n, &b);
    assert_false(b.failed);
}

static void a_store_that_is_none_is_refused(void **state)
{
    struct world *w = *state;
    struct err err;

    assert_null(image_store_open(tmpdir_path(w->t, "absent"), IMAGE_READ, &err));
    assert_null(image_store_open(w->t->path, IMAGE_READ, &err));
    assert_err(&err, "oci-layout");
}

static void removing_takes_the_blobs_that_nobody_needs(void **state)
{
    struct world *w = *state;
    struct image_info one = load(w, w->s, "one");
    struct image_info two = load(w, w->s, "two");
    struct err err;

    assert_ok(image_remove(w->s, w->a, "one", &err), &err);
    assert_absent(w, w->s, "one");
    assert_false(blob_has(w->s->fd, one.layers[0].digest, one.layers[0].size));
    assert_true(blob_has(w->s->fd, two.layers[0].digest, two.layers[0].size));
    (void)load(w, w->s, "two");
    assert_int_equal(image_remove(w->s, w->a, "one", &err), -1);
    assert_int_equal(err.code, ENOENT);
}

static void nothing_is_swept_while_somebody_writes(void **state)
{
    struct world *w = *state;
    struct image_info one = load(w, w->s, "one");
    struct err err;
    own_fd int lock = image_layout_write_lock(w->s, &err);

    assert_true(lock >= 0);
    assert_ok(image_remove(w->s, w->a, "one", &err), &err);
    assert_true(blob_has(w->s->fd, one.layers[0].digest, one.layers[0].size));
    own_close_fd(&lock);
    lock = -1;
    assert_ok(image_layout_sweep(w->s, w->a, &err), &err);
    assert_false(blob_has(w->s->fd, one.layers[0].digest, one.layers[0].size));
}

static void a_root_file_system_is_made_once(void **state)
{
    struct world *w = *state;
    const char *cache = tmpdir_path(w->t, "cache");
    struct image_rootfs a, b;
    struct stat before, after;
    struct err err;

    assert_ok(image_rootfs(w->s, w->a, cache, "one", &a, &err), &err);
    assert_int_equal(stat(a.path, &before), 0);
    assert_ok(image_rootfs(w->s, w->a, cache, "one", &b, &err), &err);
    assert_int_equal(stat(b.path, &after), 0);
    assert_string_equal(a.path, b.path);
    assert_int_equal(before.st_ino, after.st_ino);
    assert_ok(image_rootfs(w->s, w->a, cache, "two", &b, &err), &err);
    assert_ok(image_remove(w->s, w->a, "one", &err), &err);
    assert_ok(image_rootfs_prune(w->s, w->a, cache, &err), &err);
    assert_int_equal(access(a.path, F_OK), -1);
    assert_int_equal(access(b.path, F_OK), 0);
}

static void two_at_once_get_one_root_file_system(void **state)
{
    struct world *w = *state;
    const char *cache = tmpdir_path(w->t, "cache");
    pid_t pids[4];

    for (size_t i = 0; i < ARRAY_N(pids); i++) {
        pids[i] = fork();
        assert_true(pids[i] >= 0);
        if (pids[i] == 0) {
            struct image_rootfs r;
            struct err err;
            struct image_store *s = image_store_open(w->s->path, IMAGE_READ, &err);
            int rc = s ? image_rootfs(s, w->a, cache, "one", &r, &err) : -1;

            _exit(rc == 0 && access(r.path, R_OK) == 0 ? 0 : 1);
        }
    }
    for (size_t i = 0; i < ARRAY_N(pids); i++) {
        int status = -1;

        assert_int_equal(waitpid(pids[i], &status, 0), pids[i]);
        assert_int_equal(status, 0);
    }
}

static void a_damaged_layer_is_not_unpacked(void **state)
{
    struct world *w = *state;
    struct image_info one = load(w, w->s, "one");
    const char *path = arena_printf(w->a, "blobs/sha256/%s", digest_hex(one.layers[0].digest));
    own_buf struct buf b = BUF_INIT(TEXT_MAX);
    struct image_rootfs r;
    struct err err;

    assert_ok(file_read(w->s->fd, path, &b, &err), &err);
    b.p[b.n - 1] ^= 1;
    assert_ok(file_put(w->s->fd, path, buf_str(&b), 0644, &err), &err);
    assert_int_equal(image_rootfs(w->s, w->a, NULL, "one", &r, &err), -1);
    own_fd int cache = openat(w->s->fd, "rootfs", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    assert_true(cache >= 0);
    assert_int_equal(faccessat(cache, digest_hex(one.digest), F_OK, 0), -1);
    assert_int_equal(faccessat(cache, "unpacking", F_OK, 0), -1);
    const char *dir = tmpdir_path(w->t, "dir");
    assert_int_equal(image_unpack(w->s, w->a, "one", dir, &err), -1);
    assert_int_equal(access(dir, F_OK), -1);
}

static void unpacking_wants_an_empty_directory(void **state)
{
    struct world *w = *state;
    struct err err;

    assert_int_equal(image_unpack(w->s, w->a, "one", w->t->path, &err), -1);
    assert_int_equal(err.code, ENOTEMPTY);
    assert_ok(image_unpack(w->s, w->a, "one", tmpdir_path(w->t, "dir"), &err), &err);
    assert_int_equal(faccessat(w->t->fd, "dir/prog", X_OK, 0), 0);
}

static void an_exported_image_is_imported_with_the_same_digest(void **state)
{
    struct world *w = *state;
    struct image_info one = load(w, w->s, "one");
    struct image_store *other = open_store(w, "other");
    const char *file = tmpdir_path(w->t, "one.tar");
    struct err err;

    assert_ok(image_export(w->s, w->a, "one", file, &err), &err);
    assert_ok(image_import(other, w->a, file, NULL, &err), &err);
    assert_string_equal(load(w, other, "one").digest, one.digest);
    assert_ok(
        image_import(other, w->a, arena_printf(w->a, "oci-archive:%s:one", file), "new", &err),
        &err);
    assert_string_equal(load(w, other, "new").digest, one.digest);
    assert_ok(image_import(other, w->a, arena_printf(w->a, "oci:%s:two", w->s->path), NULL, &err),
              &err);
    (void)load(w, other, "two");
    assert_int_equal(image_import(other, w->a, w->s->path, NULL, &err), -1);
    assert_err(&err, "holds 2 images");
    assert_int_equal(image_import(other, w->a, file, "no good", &err), -1);
    assert_int_equal(image_import(other, w->a, tmpdir_path(w->t, "absent"), NULL, &err), -1);
    assert_int_equal(err.code, ENOENT);
    assert_int_equal(image_import(other, w->a, tmpdir_path(w->t, "prog"), NULL, &err), -1);
    image_store_close(other);
}

static void a_failed_import_leaves_nothing(void **state)
{
    struct world *w = *state;
    struct image_store *other = open_store(w, "other");
    struct image_info one = load(w, w->s, "one");
    const char *path = arena_printf(w->a, "blobs/sha256/%s", digest_hex(one.layers[0].digest));
    struct image_info *v;
    size_t n;
    struct err err;

    assert_ok(file_put(w->s->fd, path, STR("damaged"), 0644, &err), &err);
    assert_int_equal(
        image_import(other, w->a, arena_printf(w->a, "oci:%s:one", w->s->path), NULL, &err), -1);
    assert_ok(image_list(other, w->a, &v, &n, &err), &err);
    assert_int_equal(n, 0);
    assert_false(blob_has(other->fd, one.config_digest, 0));
    image_store_close(other);
}

/* What `docker save` made before it knew OCI layouts: layers by path, one of them a link. */
static void what_docker_saved_is_imported(void **state)
{
    struct world *w = *state;
    own_buf struct buf layer = BUF_INIT(TEXT_MAX), all = BUF_INIT(TEXT_MAX);
    char id[DIGEST_TEXT_MAX];
    struct image_rootfs r;
    struct err err;

    tarball_put(&layer, &(struct tarball_entry){.name = "hello", .content = "world"});
    tarball_end(&layer);
    digest_of(buf_str(&layer), id);
    const char *config =
        arena_printf(w->a, "{\"os\":\"linux\",\"rootfs\":{\"diff_ids\":[\"%s\",\"%s\"]}}", id, id);
    tarball_put(&all, &(struct tarball_entry){.name = "c.json", .content = config});
    tarball_put(&all, &(struct tarball_entry){.name = "a/", .type = '5'});
    tarball_put(&all, &(struct tarball_entry){
                          .name = "b/layer.tar", .type = '2', .target = "../a/layer.tar"});
    tarball_put(&all,
                &(struct tarball_entry){
                    .name = "manifest.json",
                    .content = "[{\"Config\":\"c.json\",\"RepoTags\":[\"hello:1\",\"hello:2\"],"
                               "\"Layers\":[\"a/layer.tar\",\"b/layer.tar\"]}]"});
    struct source *content = source_of_str(buf_str(&layer));
    FILE *f = fopen(tmpdir_path(w->t, "saved.tar"), "we");
    assert_non_null(f);
    assert_int_equal(fwrite(all.p, 1, all.n, f), all.n);
    assert_int_equal(fflush(f), 0);
    struct sink *to = sink_to_fd(fileno(f));
    const struct tar_item item = {STR("a/layer.tar"), 0644, 0};
    assert_ok(tar_write_file(to, &item, content, layer.n, &err), &err);
    assert_ok(tar_write_end(to, &err), &err);
    sink_free(to);
    source_free(content);
    (void)fclose(f);
    const char *file = tmpdir_path(w->t, "saved.tar");
    assert_ok(
        image_import(w->s, w->a, arena_printf(w->a, "docker-archive:%s:hello:2", file), NULL, &err),
        &err);
    assert_ok(image_rootfs(w->s, w->a, NULL, "hello:2", &r, &err), &err);
    assert_int_equal(access(arena_printf(w->a, "%s/hello", r.path), R_OK), 0);
    assert_ok(image_import(w->s, w->a, file, NULL, &err), &err);
    (void)load(w, w->s, "hello:1");
    assert_int_equal(image_import(w->s, w->a, arena_printf(w->a, "%s:hello:3", file), NULL, &err),
                     -1);
}

static void an_index_of_many_machines_gives_this_ones_image(void **state)
{
    struct world *w = *state;
    struct image_info one = load(w, w->s, "one");
    struct doc_descriptor v[2] = {{.media_type = DOC_TYPE_MANIFEST,
                                   .digest = load(w, w->s, "two").digest,
                                   .size = 1,
                                   .os = "linux",
                                   .architecture = "s390x"},
                                  {.media_type = DOC_TYPE_MANIFEST,
                                   .digest = one.digest,
                                   .size = 1,
                                   .os = "linux",
                                   .architecture = doc_architecture()}};
    own_buf struct buf text = BUF_INIT(TEXT_MAX);
    char digest[DIGEST_TEXT_MAX];
    struct doc_descriptor d = {.media_type = DOC_TYPE_INDEX, .ref = "many"};
    struct image_info *list;
    size_t n;
    struct err err;

    doc_format_index(&(struct doc_index){v, 2}, &text);
    assert_ok(blob_put(w->s->fd, buf_str(&text), digest, &err), &err);
    d.digest = digest;
    d.size = text.n;
    assert_ok(image_layout_set(w->s, &d, &err), &err);
    assert_string_equal(load(w, w->s, "many").digest, one.digest);
    assert_string_equal(load(w, w->s, "many").ref, "many");
    text.n = 0;
    doc_format_index(&(struct doc_index){v, 1}, &text);
    assert_ok(blob_put(w->s->fd, buf_str(&text), digest, &err), &err);
    d.size = text.n;
    assert_ok(image_layout_set(w->s, &d, &err), &err);
    assert_absent(w, w->s, "many");
    assert_ok(image_list(w->s, w->a, &list, &n, &err), &err);
    assert_int_equal(n, 2);
}

static void what_others_wrote_into_the_index_stays(void **state)
{
    struct world *w = *state;
    own_buf struct buf text = BUF_INIT(TEXT_MAX);
    struct image_info one = load(w, w->s, "one");
    struct err err;

    buf_printf(&text,
               "{\"schemaVersion\":2,\"annotations\":{\"by\":\"others\"},\"manifests\":[{"
               "\"mediaType\":\"%s\",\"digest\":\"%s\",\"size\":%llu,\"annotations\":{\"%s\":"
               "\"zwei\",\"note\":\"kept\"}}]}",
               DOC_TYPE_MANIFEST, one.digest, 1ULL, DOC_REF_KEY);
    assert_ok(file_put(w->s->fd, "index.json", buf_str(&text), 0644, &err), &err);
    add_image(w, "three", "third");
    buf_reset(&text);
    assert_ok(file_read(w->s->fd, "index.json", &text, &err), &err);
    assert_true(str_find_str(buf_str(&text), STR("\"kept\"")) > 0);
    assert_true(str_find_str(buf_str(&text), STR("\"others\"")) > 0);
    (void)load(w, w->s, "zwei");
    (void)load(w, w->s, "three");
}

static void the_default_store_follows_the_environment(void **state)
{
    struct world *w = *state;

    assert_int_equal(setenv("MAILBOX_RUN_STORE", "/given", 1), 0);
    assert_string_equal(image_default_store(w->a), "/given");
    assert_int_equal(unsetenv("MAILBOX_RUN_STORE"), 0);
    assert_int_equal(setenv("XDG_DATA_HOME", "/data", 1), 0);
    assert_string_equal(image_default_store(w->a), geteuid() == 0 ? "/var/lib/mailbox-run/images"
                                                                  : "/data/mailbox-run/images");
}

int main(void)
{
#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)
    const struct CMUnitTest tests[] = {
        TEST(images_are_found_by_name_and_digest_and_listed),
        TEST(a_store_that_is_none_is_refused),
        TEST(removing_takes_the_blobs_that_nobody_needs),
        TEST(nothing_is_swept_while_somebody_writes),
        TEST(a_root_file_system_is_made_once),
        TEST(two_at_once_get_one_root_file_system),
        TEST(a_damaged_layer_is_not_unpacked),
        TEST(unpacking_wants_an_empty_directory),
        TEST(an_exported_image_is_imported_with_the_same_digest),
        TEST(a_failed_import_leaves_nothing),
        TEST(what_docker_saved_is_imported),
        TEST(an_index_of_many_machines_gives_this_ones_image),
        TEST(what_others_wrote_into_the_index_stays),
        TEST(the_default_store_follows_the_environment),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
