/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The order of a start, as text: the printed plan of a configuration must be the stored one. Where
 * a change is meant, MR_UPDATE_PLANS=1 writes the files anew, and the difference is reviewed.
 */
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "runtime/base/arena.h"
#include "runtime/base/buf.h"
#include "runtime/base/file.h"
#include "runtime/base/own.h"
#include "runtime/container/init.h"
#include "runtime/container/join.h"
#include "runtime/container/plan.h"
#include "runtime/spec/oci.h"

#include "tests/lib/test.h"

#define PLANS "tests/unit/runtime/container/plans"

static void check(const char *name, const struct oci_config *c, const struct plan_facts *f)
{
    own_buf struct buf text = BUF_INIT(65536), stored = BUF_INIT(65536);
    struct arena *a = arena_new(1 << 20);
    char path[128];
    struct plan plan;
    struct err err = {0};

    if (access(PLANS, R_OK) < 0)
        SKIP("the stored plans are not here (not run from the top of the tree)");
    (void)snprintf(path, sizeof path, PLANS "/%s.txt", name);
    assert_ok(plan_make(a, c, f, &plan, &err), &err);
    plan_print(c, &c->process, &plan, &text);
    if (getenv("MR_UPDATE_PLANS") != NULL)
        assert_ok(file_put(AT_FDCWD, path, buf_str(&text), 0644, &err), &err);
    assert_ok(file_read(AT_FDCWD, path, &stored, &err), &err);
    assert_string_equal(buf_c(&text), buf_c(&stored));
    arena_free(a);
}

static void the_default_of_root(void **state)
{
    struct arena *a = arena_new(1 << 20);
    struct oci_config *c = oci_default(a, OCI_DEFAULT, 0, 0);
    struct plan_facts f = {.root = true, .cgroup = true, .wait = true};

    (void)state;
    check("default", c, &f);
    arena_free(a);
}

static void with_many_hierarchies_the_groups_are_made_meanwhile(void **state)
{
    struct arena *a = arena_new(1 << 20);
    struct oci_config *c = oci_default(a, OCI_DEFAULT, 0, 0);
    struct plan_facts f = {.root = true, .cgroup = true, .slow_cgroups = true};

    (void)state;
    check("side_by_side", c, &f);
    arena_free(a);
}

static void on_v2_the_device_program_is_loaded_meanwhile(void **state)
{
    struct arena *a = arena_new(1 << 20);
    struct oci_config *c = oci_default(a, OCI_DEFAULT, 0, 0);
    struct plan_facts f = {.root = true, .cgroup = true, .slow_cgroups = true, .unified = true};

    (void)state;
    check("side_by_side_v2", c, &f);
    arena_free(a);
}

static void the_default_of_an_ordinary_user(void **state)
{
    struct arena *a = arena_new(1 << 20);
    struct oci_config *c = oci_default(a, OCI_ROOTLESS, 1000, 1000);
    struct plan_facts f = {.root = false, .cgroup = true};

    (void)state;
    check("rootless", c, &f);
    arena_free(a);
}

/* The namespace must be there by the time, so it is made by the clone also where v1 is slow. */
static void a_network_is_connected_before_the_process_goes_on(void **state)
{
    struct arena *a = arena_new(1 << 20);
    struct oci_config *c = oci_default(a, OCI_DEFAULT, 0, 0);
    struct plan_facts f = {.root = true, .cgroup = true, .slow_cgroups = true, .network = true};

    (void)state;
    check("network", c, &f);
    arena_free(a);
}

#define EVERYTHING                                                                                \
    "{\"ociVersion\": \"1.2.0\", \"root\": {\"path\": \"r\"}, \"hostname\": \"h\", "              \
    "\"domainname\": \"d\", \"process\": {\"cwd\": \"/w\", \"args\": [\"a\"], \"user\": "         \
    "{\"uid\": 7, \"gid\": 8}, \"oomScoreAdj\": 5, \"rlimits\": [{\"type\": "                     \
    "\"RLIMIT_NOFILE\", \"soft\": 1, \"hard\": 2}], \"capabilities\": {\"bounding\": []}}, "      \
    "\"mounts\": [{\"destination\": \"/proc\", \"type\": \"proc\", \"source\": \"proc\"}, "       \
    "{\"destination\": \"/d\", \"type\": \"bind\", \"source\": \"/s\", \"options\": "             \
    "[\"rbind\"]}], \"hooks\": {\"prestart\": [{\"path\": \"/h\"}], \"createContainer\": "        \
    "[{\"path\": \"/h\"}], \"startContainer\": [{\"path\": \"/h\"}]}, \"linux\": "                \
    "{\"namespaces\": [{\"type\": \"mount\"}, {\"type\": \"uts\"}, {\"type\": \"user\"}, "        \
    "{\"type\": \"cgroup\"}, {\"type\": \"network\", \"path\": \"/run/netns/n\"}, "               \
    "{\"type\": \"pid\", \"path\": \"/proc/1/ns/pid\"}], \"uidMappings\": [{\"containerID\": 0, " \
    "\"hostID\": 1000, \"size\": 10}], \"gidMappings\": [{\"containerID\": 0, \"hostID\": 1000, " \
    "\"size\": 10}], \"sysctl\": {\"net.ipv4.ip_forward\": \"1\"}, \"devices\": [{\"path\": "     \
    "\"/dev/fuse\", \"type\": \"c\", \"major\": 10, \"minor\": 229}], \"rootfsPropagation\": "    \
    "\"slave\", \"maskedPaths\": [\"/proc/kcore\"], \"readonlyPaths\": [\"/proc/sys\"], "         \
    "\"seccomp\": {\"defaultAction\": \"SCMP_ACT_ALLOW\"}}}"

/* Without no_new_privs the filter must be loaded while there is the privilege to do so. */
static void everything_at_once_without_no_new_privs(void **state)
{
    struct arena *a = arena_new(OCI_ARENA_MAX);
    struct oci_config *c = NULL;
    struct plan_facts f = {.root = true, .cgroup = true, .no_new_keyring = true};
    struct err err = {0};

    (void)state;
    assert_ok(oci_load_str(a, STR(EVERYTHING), "test", &c, &err), &err);
    check("everything", c, &f);
    arena_free(a);
}

/* Who is in a pid namespace already sees nobody there that has not left the host. */
static void a_pid_namespace_of_others_is_entered_when_the_root_is_the_containers(void **state)
{
    struct arena *a = arena_new(1 << 20);
    struct oci_config *c = oci_default(a, OCI_DEFAULT, 0, 0);
    struct plan_facts f = {.root = true, .cgroup = true, .wait = true};

    (void)state;
    c->linux_.ns[OCI_NS_PID].mode = OCI_NS_JOIN;
    c->linux_.ns[OCI_NS_PID].path = "/proc/1/ns/pid";
    check("joined_pid", c, &f);
    arena_free(a);
}

static void where_the_process_is_told_of_before_it_is_seen(void **state)
{
    struct arena *a = arena_new(1 << 20);
    struct oci_config *c = oci_default(a, OCI_DEFAULT, 0, 0);
    struct plan_facts f = {.root = true};

    (void)state;
    assert_false(join_hides(c, &f)); /* a namespace of its own */
    c->linux_.ns[OCI_NS_PID].mode = OCI_NS_JOIN;
    assert_true(join_hides(c, &f));
    c->hooks[OCI_HOOK_CREATE_RUNTIME].n = 1;
    assert_false(join_hides(c, &f));
    c->hooks[OCI_HOOK_CREATE_RUNTIME].n = 0;
    c->hooks[OCI_HOOK_START_CONTAINER].n = 1; /* run by the process itself, which is inside */
    f.network = true;
    assert_true(join_hides(c, &f));
    arena_free(a);
}

static void systemd_sets_a_limit_of_processes_before_there_is_one(void **state)
{
    struct arena *a = arena_new(1 << 20);
    struct oci_config *c = oci_default(a, OCI_DEFAULT, 0, 0);
    struct oci_pair unified = {"pids.max", "2"};
    struct oci_i64 *limit = &c->linux_.resources.pids_limit;
    struct plan_facts f = {.root = true};

    (void)state;
    c->linux_.ns[OCI_NS_PID].mode = OCI_NS_JOIN;
    for (int i = 0; i < 2; i++) {
        f.scope = i == 1;
        *limit = (struct oci_i64){true, 2};
        assert_int_equal(join_hides(c, &f), !f.scope);
        limit->v = 0; /* which is a limit */
        assert_int_equal(join_hides(c, &f), !f.scope);
        limit->v = 4;
        assert_true(join_hides(c, &f));
        limit->v = -1;
        assert_true(join_hides(c, &f));
        c->linux_.resources.unified = (struct oci_pairs){&unified, 1};
        assert_int_equal(join_hides(c, &f), !f.scope);
        c->linux_.resources.unified.n = 0;
    }
    arena_free(a);
}

static void who_enters_a_pid_namespace_is_given_a_network_and_counted_then(void **state)
{
    struct arena *a = arena_new(1 << 20);
    struct oci_config *c = oci_default(a, OCI_DEFAULT, 0, 0);
    struct plan_facts f = {.root = true, .cgroup = true, .network = true};

    (void)state;
    c->linux_.ns[OCI_NS_PID].mode = OCI_NS_JOIN;
    c->linux_.ns[OCI_NS_PID].path = "/proc/1/ns/pid";
    c->linux_.resources.pids_limit = (struct oci_i64){true, 1};
    check("joined_pid_later", c, &f);
    arena_free(a);
}

/* Its mounts are made in a namespace all the same, which is left before the process begins. */
static void without_a_mount_namespace_nothing_is_mounted_in_the_runtime_s(void **state)
{
    struct arena *a = arena_new(1 << 20);
    struct oci_config *c = oci_default(a, OCI_DEFAULT, 0, 0);
    struct plan_facts f = {.root = true, .cgroup = true, .slow_cgroups = true};

    (void)state;
    c->linux_.ns[OCI_NS_MOUNT].mode = OCI_NS_HOST;
    check("shared_mounts", c, &f);
    arena_free(a);
}

static void every_kind_of_step_has_a_name(void **state)
{
    (void)state;
    for (int i = 0; i < STEP_KINDS; i++) {
        own_buf struct buf text = BUF_INIT(256);

        plan_print_step(NULL, NULL, &(struct step){.kind = (enum step_kind)i}, &text);
        assert_true(text.n > 0);
    }
}

/* Those of the maker stand first in the enum; STEP_CGROUP_ENTER is of both. */
static void every_step_of_the_new_process_has_a_function(void **state)
{
    (void)state;
    assert_non_null(init_steps[STEP_CGROUP_ENTER]);
    for (int i = STEP_UNSHARE; i < STEP_KINDS; i++)
        assert_non_null(init_steps[i]);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(the_default_of_root),
        cmocka_unit_test(with_many_hierarchies_the_groups_are_made_meanwhile),
        cmocka_unit_test(on_v2_the_device_program_is_loaded_meanwhile),
        cmocka_unit_test(the_default_of_an_ordinary_user),
        cmocka_unit_test(a_network_is_connected_before_the_process_goes_on),
        cmocka_unit_test(everything_at_once_without_no_new_privs),
        cmocka_unit_test(a_pid_namespace_of_others_is_entered_when_the_root_is_the_containers),
        cmocka_unit_test(where_the_process_is_told_of_before_it_is_seen),
        cmocka_unit_test(systemd_sets_a_limit_of_processes_before_there_is_one),
        cmocka_unit_test(who_enters_a_pid_namespace_is_given_a_network_and_counted_then),
        cmocka_unit_test(without_a_mount_namespace_nothing_is_mounted_in_the_runtime_s),
        cmocka_unit_test(every_kind_of_step_has_a_name),
        cmocka_unit_test(every_step_of_the_new_process_has_a_function),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
