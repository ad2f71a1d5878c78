/* SPDX-License-Identifier: Apache-2.0 */
#include <linux/mount.h>
#include <string.h>
#include <sys/mount.h>

#include "runtime/base/arena.h"
#include "runtime/base/buf.h"
#include "runtime/base/err.h"
#include "runtime/base/own.h"
#include "runtime/spec/oci.h"

#include "tests/lib/test.h"

static const struct oci_mount *load(struct arena *a, const char *type, const char *options)
{
    own_buf struct buf text = BUF_INIT(65536);
    struct oci_config *c = NULL;
    struct err err = {0};

    buf_printf(&text,
               "{\"ociVersion\":\"1.0.0\",\"root\":{\"path\":\"r\"},\"mounts\":[{\"destination\":"
               "\"/d\",\"source\":\"/s\",\"type\":\"%s\",\"options\":[%s]}]}",
               type, options);
    if (oci_load_str(a, buf_str(&text), "config.json", &c, &err) < 0)
        fail_msg("%s: %s", options, err.text);
    return &c->mounts[0];
}

static void options_resolve_in_their_order(void **state)
{
    static const struct {
        const char *type, *options;
        unsigned long set, clear;
        const char *data;
    } rows[] = {
        {"tmpfs", "", 0, 0, NULL},
        {"tmpfs", "\"ro\"", MS_RDONLY, 0, NULL},
        {"tmpfs", "\"ro\",\"rw\"", 0, MS_RDONLY, NULL},
        {"tmpfs", "\"rw\",\"ro\"", MS_RDONLY, 0, NULL},
        {"tmpfs", "\"nosuid\",\"noexec\",\"nodev\",\"mode=1777\",\"size=64k\"",
         MS_NOSUID | MS_NOEXEC | MS_NODEV, 0, "mode=1777,size=64k"},
        {"none", "\"bind\"", MS_BIND, 0, NULL},
        {"none", "\"rbind\",\"ro\"", MS_BIND | MS_REC | MS_RDONLY, 0, NULL},
        {"bind", "", MS_BIND, 0, NULL},
        {"tmpfs", "\"noatime\",\"relatime\"", MS_RELATIME, 0, NULL},
        {"tmpfs", "\"strictatime\",\"noatime\"", MS_NOATIME, 0, NULL},
        {"tmpfs", "\"async\",\"atime\",\"dev\",\"exec\",\"suid\"", 0,
         MS_SYNCHRONOUS | MS_NOATIME | MS_NODEV | MS_NOEXEC | MS_NOSUID, NULL},
        {"tmpfs", "\"defaults\",\"\",\"acl\"", 0, 0, "acl"},
        {"overlay", "\"lowerdir=/a:/b\",\"x\"", 0, 0, "lowerdir=/a:/b,x"},
    };

    (void)state;
    for (size_t i = 0; i < ARRAY_N(rows); i++) {
        struct arena *a = arena_new(OCI_ARENA_MAX);
        const struct oci_mount *m = load(a, rows[i].type, rows[i].options);

        assert_int_equal(m->ms_set, rows[i].set);
        assert_int_equal(m->ms_clear, rows[i].clear);
        if (rows[i].data == NULL)
            assert_null(m->data);
        else
            assert_string_equal(m->data, rows[i].data);
        assert_int_equal(oci_mount_is_bind(m), (rows[i].set & MS_BIND) != 0);
        arena_free(a);
    }
}

static void recursive_attributes_have_masks_of_their_own(void **state)
{
    static const struct {
        const char *options;
        uint64_t set, clear;
    } rows[] = {
        {"\"rro\"", MOUNT_ATTR_RDONLY, 0},
        {"\"rro\",\"rrw\"", 0, MOUNT_ATTR_RDONLY},
        {"\"rnosuid\",\"rnodev\",\"rexec\"", MOUNT_ATTR_NOSUID | MOUNT_ATTR_NODEV,
         MOUNT_ATTR_NOEXEC},
        {"\"rnoatime\"", MOUNT_ATTR_NOATIME, MOUNT_ATTR__ATIME},
        {"\"rnoatime\",\"rstrictatime\"", MOUNT_ATTR_STRICTATIME, MOUNT_ATTR__ATIME},
    };

    (void)state;
    for (size_t i = 0; i < ARRAY_N(rows); i++) {
        struct arena *a = arena_new(OCI_ARENA_MAX);
        const struct oci_mount *m = load(a, "bind", rows[i].options);

        assert_int_equal(m->attr_rec_set, rows[i].set);
        assert_int_equal(m->attr_rec_clear, rows[i].clear);
        assert_int_equal(m->ms_set, MS_BIND);
        arena_free(a);
    }
}

static void propagation_is_a_list_in_order(void **state)
{
    struct arena *a = arena_new(OCI_ARENA_MAX);
    const struct oci_mount *m = load(a, "bind", "\"rslave\",\"ro\",\"shared\"");

    (void)state;
    assert_int_equal(m->propagation_n, 2);
    assert_int_equal(m->propagation[0], MS_SLAVE | MS_REC);
    assert_int_equal(m->propagation[1], MS_SHARED);
    assert_null(m->data);
    arena_free(a);
}

static void idmap_comes_by_option_or_by_mappings(void **state)
{
    struct arena *a = arena_new(OCI_ARENA_MAX);

    (void)state;
    assert_int_equal(load(a, "bind", "\"idmap\"")->idmap, OCI_MOUNT_IDMAP);
    assert_int_equal(load(a, "bind", "\"ridmap\"")->idmap, OCI_MOUNT_RIDMAP);
    assert_int_equal(load(a, "bind", "")->idmap, OCI_MOUNT_NO_IDMAP);
    assert_true(load(a, "tmpfs", "\"tmpcopyup\"")->tmpcopyup);
    arena_free(a);
}

static void links_are_told_what_is_done_with_them(void **state)
{
    struct arena *a = arena_new(OCI_ARENA_MAX);
    const struct oci_mount *m = load(a, "bind", "\"src-nofollow\",\"ro\",\"dest-nofollow\"");

    (void)state;
    assert_int_equal(m->links, OCI_LINK_SOURCE | OCI_LINK_TARGET);
    assert_null(m->data);
    assert_int_equal(load(a, "bind", "\"copy-symlink\"")->links, OCI_LINK_COPY);
    assert_int_equal(load(a, "bind", "\"ro\"")->links, 0);
    arena_free(a);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(options_resolve_in_their_order),
        cmocka_unit_test(recursive_attributes_have_masks_of_their_own),
        cmocka_unit_test(propagation_is_a_list_in_order),
        cmocka_unit_test(idmap_comes_by_option_or_by_mappings),
        cmocka_unit_test(links_are_told_what_is_done_with_them),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
