/* SPDX-License-Identifier: Apache-2.0 */
#include <errno.h>
#include <linux/audit.h>
#include <sched.h>
#include <signal.h>
#include <string.h>

#include "runtime/base/arena.h"
#include "runtime/base/jv.h"
#include "runtime/container/filter.h"
#include "runtime/kernel/seccomp.h"
#include "runtime/spec/oci.h"
#include "runtime/stack/profile.h"
#include "runtime/stack/specs.h"

#include "tests/lib/bpf.h"
#include "tests/lib/test.h"

#ifdef __x86_64__
#define ARCH AUDIT_ARCH_X86_64
#else
#define ARCH AUDIT_ARCH_AARCH64
#endif

/* Answer of the compiled profile. */
static uint32_t ask(const struct seccomp_program *p, const char *name)
{
    int nr = seccomp_syscall_resolve_name(name);
    struct seccomp_data d = {.nr = nr, .arch = ARCH};

    assert_true(nr >= 0);
    return bpf_run(p->code, p->n, &d);
}

static void every_service_has_a_list_that_compiles(void **state)
{
    (void)state;
    for (unsigned i = 0; i < SPECS_SERVICES; i++) {
        struct arena *a = arena_new(4u << 20);
        struct oci_seccomp s = {.set = false};
        struct seccomp_program p = {.code = NULL};
        struct err err = {0};

        assert_ok(profile_merge(a, i, &s, &err), &err);
        assert_ok(filter_make(a, NULL, &s, &p, &err), &err);
        assert_int_equal(ask(&p, "read"), SECCOMP_RET_ALLOW);
        assert_int_equal(ask(&p, "exit_group"), SECCOMP_RET_ALLOW);
        assert_int_equal(ask(&p, "clone3"), SECCOMP_RET_ERRNO | ENOSYS);
        seccomp_done(&p);
        arena_free(a);
    }
}

/* What would give a daemon that was taken over more than it has. */
static void no_service_may_reach_for_more(void **state)
{
    static const char *const never[] = {"ptrace",
                                        "process_vm_readv",
                                        "process_vm_writev",
                                        "mount",
                                        "umount2",
                                        "pivot_root",
                                        "chroot",
                                        "setns",
                                        "unshare",
                                        "bpf",
                                        "perf_event_open",
                                        "kexec_load",
                                        "init_module",
                                        "finit_module",
                                        "delete_module",
                                        "reboot",
                                        "swapon",
                                        "mknod",
                                        "mknodat",
                                        "keyctl",
                                        "add_key",
                                        "request_key",
                                        "open_by_handle_at",
                                        "userfaultfd",
                                        "io_uring_setup",
                                        "move_mount",
                                        "open_tree",
                                        "fsopen",
                                        "fsmount",
                                        "mount_setattr",
                                        "settimeofday",
                                        "clock_settime",
                                        "sethostname",
                                        "personality",
                                        "iopl",
                                        "ioperm",
                                        "acct",
                                        "quotactl",
                                        "pidfd_getfd",
                                        "modify_ldt"};

    (void)state;
    for (unsigned i = 0; i < SPECS_SERVICES; i++) {
        struct arena *a = arena_new(4u << 20);
        struct oci_seccomp s = {.set = false};
        struct seccomp_program p = {.code = NULL};
        struct err err = {0};

        assert_ok(profile_merge(a, i, &s, &err), &err);
        assert_ok(filter_make(a, NULL, &s, &p, &err), &err);
        for (size_t k = 0; k < ARRAY_N(never); k++) {
            uint32_t answer = ask(&p, never[k]);

            /* What is newer than all that the list names does not exist. */
            if (answer != (SECCOMP_RET_ERRNO | EPERM) && answer != (SECCOMP_RET_ERRNO | ENOSYS))
                fail_msg("%s may call %s", specs_get(i)->name, never[k]);
        }
        seccomp_done(&p);
        arena_free(a);
    }
}

/* A user namespace of its own would make it root of a part of the kernel. */
static void clone_makes_processes_and_no_namespaces(void **state)
{
    static const uint64_t flags[] = {CLONE_NEWNS,   CLONE_NEWCGROUP, CLONE_NEWUTS, CLONE_NEWIPC,
                                     CLONE_NEWUSER, CLONE_NEWPID,    CLONE_NEWNET};

    (void)state;
    for (unsigned i = 0; i < SPECS_SERVICES; i++) {
        struct arena *a = arena_new(4u << 20);
        struct oci_seccomp s = {.set = false};
        struct seccomp_program p = {.code = NULL};
        struct err err = {0};
        struct seccomp_data d = {.nr = seccomp_syscall_resolve_name("clone"), .arch = ARCH};

        assert_ok(profile_merge(a, i, &s, &err), &err);
        assert_ok(filter_make(a, NULL, &s, &p, &err), &err);
        d.args[0] = CLONE_CHILD_CLEARTID | CLONE_CHILD_SETTID | SIGCHLD; /* fork */
        assert_int_equal(bpf_run(p.code, p.n, &d), SECCOMP_RET_ALLOW);
        d.args[0] = CLONE_VM | CLONE_THREAD | CLONE_SIGHAND | CLONE_FS | CLONE_FILES;
        assert_int_equal(bpf_run(p.code, p.n, &d), SECCOMP_RET_ALLOW);
        for (size_t k = 0; k < ARRAY_N(flags); k++) {
            d.args[0] = flags[k] | SIGCHLD;
            assert_int_equal(bpf_run(p.code, p.n, &d), SECCOMP_RET_ERRNO | EPERM);
        }
        seccomp_done(&p);
        arena_free(a);
    }
}

/* A name that no kernel has is a slip of the pen, and would be left out in silence. */
static void every_name_is_a_system_call(void **state)
{
    (void)state;
    for (unsigned i = 0; i <= SPECS_SERVICES; i++) {
        struct err err = {0};
        own_json json_t *doc = jv_load_str(str_of(specs_get(i)->seccomp), "seccomp", &err);
        struct jv root = jv_root(doc);
        struct jv list;

        assert_ok(jv_array(&root, "names", &list, &err), &err);
        for (size_t k = 0; k < jv_n(&list); k++) {
            struct jv e = jv_elem(&list, k);
            const char *name = json_string_value(e.v);

            if (seccomp_syscall_resolve_name(name) == __NR_SCMP_ERROR)
                fail_msg("%s: '%s' is no system call", specs_get(i)->name, name);
        }
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(every_service_has_a_list_that_compiles),
        cmocka_unit_test(no_service_may_reach_for_more),
        cmocka_unit_test(clone_makes_processes_and_no_namespaces),
        cmocka_unit_test(every_name_is_a_system_call),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
