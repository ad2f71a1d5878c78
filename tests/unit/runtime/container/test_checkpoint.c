/* SPDX-License-Identifier: Apache-2.0 */
#include <string.h>

#include "runtime/base/arena.h"
#include "runtime/container/checkpoint.h"

#include "tests/lib/test.h"

/* The word after name, or NULL; a word without a value is its own. */
static const char *after(const struct checkpoint_args *args, const char *name)
{
    for (size_t i = 0; i < args->n; i++)
        if (strcmp(args->v[i], name) == 0)
            return args->v[i + 1] != NULL ? args->v[i + 1] : name;
    return NULL;
}

static void a_dump_names_process_images_and_what_is_outside(void **state)
{
    struct container_checkpoint c = {
        .image_path = "/i", .work_path = "/w", .leave_running = true, .file_locks = true};
    struct checkpoint_dump d = {.pid = 77, .net_ino = 4026531840};
    struct arena *a = arena_new(1 << 16);
    struct checkpoint_args args;
    struct err err = {0};

    (void)state;
    assert_ok(checkpoint_dump_args(a, &c, &d, &args, &err), &err);
    assert_string_equal(args.v[0], "dump");
    assert_string_equal(after(&args, "--tree"), "77");
    assert_string_equal(after(&args, "--images-dir"), "/i");
    assert_string_equal(after(&args, "--work-dir"), "/w");
    assert_non_null(after(&args, "--leave-running"));
    assert_non_null(after(&args, "--file-locks"));
    assert_null(after(&args, "--tcp-established"));
    assert_null(after(&args, "--freeze-cgroup"));
    assert_string_equal(args.v[args.n - 2], "net[4026531840]:" CHECKPOINT_NET_KEY);
    assert_null(args.v[args.n]);
    arena_free(a);
}

static void every_option_of_a_dump_reaches_criu(void **state)
{
    struct container_checkpoint c = {.image_path = "/i",
                                     .manage_cgroups = "ignore",
                                     .network_lock = "skip",
                                     .lazy_pages = true,
                                     .auto_dedup = true,
                                     .empty_net = true,
                                     .parent_path = "../before",
                                     .page_server = "192.0.2.1",
                                     .page_server_port = "27",
                                     .status_fd = "5",
                                     .link_remap = true,
                                     .skip_in_flight = true};
    static const char *const flags[] = {"--manage-cgroups=ignore", "--lazy-pages", "--auto-dedup",
                                        "--link-remap", "--skip-in-flight"};
    static const char *const values[][2] = {
        {"--network-lock", "skip"}, {"--empty-ns", "net"}, {"--prev-images-dir", "../before"},
        {"--address", "192.0.2.1"}, {"--port", "27"},      {"--status-fd", "5"},
        {"--freeze-cgroup", "/g"},
    };
    struct checkpoint_dump d = {.pid = 77, .freezer = "/g"};
    struct arena *a = arena_new(1 << 16);
    struct checkpoint_args args;
    struct err err = {0};

    (void)state;
    assert_ok(checkpoint_dump_args(a, &c, &d, &args, &err), &err);
    for (size_t i = 0; i < ARRAY_N(flags); i++)
        assert_non_null(after(&args, flags[i]));
    for (size_t i = 0; i < ARRAY_N(values); i++)
        assert_string_equal(after(&args, values[i][0]), values[i][1]);
    assert_null(after(&args, "--page-server")); /* it serves, and does not send */
    c.lazy_pages = false;
    c.pre_dump = c.leave_running = true;
    assert_ok(checkpoint_dump_args(a, &c, &d, &args, &err), &err);
    assert_string_equal(args.v[0], "pre-dump");
    assert_non_null(after(&args, "--page-server"));
    assert_non_null(after(&args, "--track-mem"));
    assert_null(after(&args, "--leave-running"));
    arena_free(a);
}

static void a_restore_is_a_child_of_ours_and_inherits(void **state)
{
    struct container_checkpoint c = {.image_path = "/i",
                                     .tcp_established = true,
                                     .tcp_close = true,
                                     .lsm_profile = "selinux:x",
                                     .lsm_mount_context = "y"};
    struct checkpoint_restore r = {
        .root = "/r", .pid_file = "/p", .net_fd = 9, .pipes = {NULL, "pipe:[5]", NULL}};
    struct arena *a = arena_new(1 << 16);
    struct checkpoint_args args;
    struct err err = {0};

    (void)state;
    assert_ok(checkpoint_restore_args(a, &c, &r, &args, &err), &err);
    assert_string_equal(args.v[0], "restore");
    assert_string_equal(after(&args, "--work-dir"), "/i");
    assert_string_equal(after(&args, "--root"), "/r");
    assert_string_equal(after(&args, "--pidfile"), "/p");
    assert_non_null(after(&args, "--restore-sibling"));
    assert_non_null(after(&args, "--tcp-close"));
    assert_string_equal(after(&args, "--lsm-profile"), "selinux:x");
    assert_string_equal(after(&args, "--lsm-mount-context"), "y");
    assert_string_equal(args.v[args.n - 1], "fd[1]:pipe:[5]");
    assert_string_equal(args.v[args.n - 3], "fd[9]:" CHECKPOINT_NET_KEY);
    arena_free(a);
}

static void a_program_that_fails_is_told_apart_from_none(void **state)
{
    struct err err = {0};

    (void)state;
    assert_int_equal(checkpoint_check("/no/such/criu", &err), -1);
    assert_err(&err, "not installed");
    assert_int_equal(checkpoint_check("/bin/false", &err), -1);
    assert_err(&err, "not able");
    assert_ok(checkpoint_check("/bin/true", &err), &err);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_dump_names_process_images_and_what_is_outside),
        cmocka_unit_test(every_option_of_a_dump_reaches_criu),
        cmocka_unit_test(a_restore_is_a_child_of_ours_and_inherits),
        cmocka_unit_test(a_program_that_fails_is_told_apart_from_none),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
