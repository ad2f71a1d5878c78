/* SPDX-License-Identifier: Apache-2.0 */
#include "runtime/kernel/seccomp.h"

#include <errno.h>
#include <linux/filter.h>
#include <linux/seccomp.h>
#include <sched.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <time.h>
#include <unistd.h>

#include "runtime/base/buf.h"
#include "runtime/base/err.h"
#include "runtime/base/fd.h"
#include "runtime/base/mem.h"
#include "runtime/base/own.h"
#include "runtime/kernel/sys.h"

static void release(scmp_filter_ctx *ctx)
{
    if (*ctx != NULL)
        seccomp_release(*ctx);
}

static int add_arches(scmp_filter_ctx ctx, const struct seccomp_rules *r, struct err *err)
{
    for (size_t i = 0; i < r->arches_n; i++) {
        int e = seccomp_arch_add(ctx, r->arches[i]);

        /* EDOM: of the other byte order, no program of that kind can ever run here. */
        if (e != 0 && e != -EEXIST && e != -EDOM)
            return err_set(err, -e, "add an architecture to the system call filter");
    }
    return 0;
}

/* libseccomp takes one condition for an argument. */
static bool has_argument_twice(const struct seccomp_rule *rule)
{
    for (size_t i = 0; i < rule->args_n; i++)
        for (size_t k = 0; k < i; k++)
            if (rule->args[i].arg == rule->args[k].arg)
                return true;
    return false;
}

/* Two conditions for one argument are alternatives, and so are then all of the rule, as runc and
 * crun have it since engines wrote such profiles. */
static int add_conditions(scmp_filter_ctx ctx, const struct seccomp_rule *rule, int nr)
{
    int e = 0;

    if (!has_argument_twice(rule))
        return seccomp_rule_add_array(ctx, rule->action, nr, (unsigned)rule->args_n, rule->args);
    for (size_t i = 0; i < rule->args_n && (e == 0 || e == -EEXIST); i++)
        e = seccomp_rule_add_array(ctx, rule->action, nr, 1, &rule->args[i]);
    return e;
}

static int add_name(scmp_filter_ctx ctx, const struct seccomp_rule *rule, const char *name,
                    struct err *err)
{
    int nr = seccomp_syscall_resolve_name(name), e = 0;

    if (nr == __NR_SCMP_ERROR)
        return 0;
    e = add_conditions(ctx, rule, nr);
    /* EFAULT, EDOM, EOPNOTSUPP: this system call does not exist (in that form) where it was to be
     * added. */
    if (e != 0 && e != -EEXIST && e != -EDOM && e != -EOPNOTSUPP)
        return err_set(err, -e, "add a rule for system call '%s'", name);
    return 0;
}

static int add_rule(scmp_filter_ctx ctx, const struct seccomp_rules *r,
                    const struct seccomp_rule *rule, struct err *err)
{
    if (rule->action == r->default_action) /* says nothing new, and libseccomp refuses it */
        return 0;
    for (size_t i = 0; i < rule->names_n; i++)
        if (add_name(ctx, rule, rule->names[i], err) < 0)
            return -1;
    return 0;
}

/* --- system calls that the profile is too old for ----------------------------------------------
 */

#define X32_BIT    0x40000000U
#define PART_MAX   8 /* instructions for one architecture */
#define ARCHES_MAX 32

/* What goes before the program of libseccomp. */
struct front {
    struct sock_filter code[1 + ARCHES_MAX * PART_MAX];
    unsigned n;
};

static void put(struct front *f, unsigned code, uint32_t k, unsigned jt, unsigned jf)
{
    f->code[f->n++] = (struct sock_filter){(uint16_t)code, (uint8_t)jt, (uint8_t)jf, k};
}

/* The highest number that the profile has a name for, or -1. */
static int highest(const struct seccomp_rules *r, uint32_t arch)
{
    int top = -1;

    for (size_t i = 0; i < r->n; i++)
        for (size_t k = 0; k < r->v[i].names_n; k++) {
            int nr = seccomp_syscall_resolve_name_arch(arch, r->v[i].names[k]);

            top = nr > top ? nr : top;
        }
    return top;
}

static void put_limit(struct front *f, int top)
{
    put(f, BPF_JMP | BPF_JGT | BPF_K, (uint32_t)top, 0, 1);
    put(f, BPF_RET | BPF_K, SECCOMP_RET_ERRNO | ENOSYS, 0, 0);
}

/* x32 is x86-64 with a bit in the number. */
static void put_arch(struct front *f, const struct seccomp_rules *r, uint32_t arch, bool x32)
{
    const int top = highest(r, arch), top_x32 = x32 ? highest(r, SCMP_ARCH_X32) : -1;
    const unsigned jump = f->n;

    if (top < 0)
        return;
    put(f, BPF_JMP | BPF_JEQ | BPF_K, arch, 0, 0);
    put(f, BPF_LD | BPF_W | BPF_ABS, offsetof(struct seccomp_data, nr), 0, 0);
    if (arch == SCMP_ARCH_X86_64)
        put(f, BPF_JMP | BPF_JGE | BPF_K, X32_BIT, 2, 0);
    put_limit(f, top);
    if (top_x32 >= 0)
        put_limit(f, top_x32);
    put(f, BPF_LD | BPF_W | BPF_ABS, offsetof(struct seccomp_data, arch), 0, 0);
    f->code[jump].jf = (uint8_t)(f->n - jump - 1);
}

static bool has_arch(const struct seccomp_rules *r, uint32_t arch)
{
    for (size_t i = 0; i < r->arches_n; i++)
        if (r->arches[i] == arch)
            return true;
    return false;
}

/* A C library tries new system calls first and takes ENOSYS for a reason to use the old ones; any
 * other error it passes on. So, as with runc, a call that is newer than all that a profile of
 * permitted calls speaks of does not exist. */
static void make_front(const struct seccomp_rules *r, struct front *f)
{
    const uint32_t native = seccomp_arch_native();
    const bool x32 = has_arch(r, SCMP_ARCH_X32);

    f->n = 0;
    if ((r->default_action & SECCOMP_RET_ACTION_FULL) != SECCOMP_RET_ERRNO ||
        r->arches_n >= ARCHES_MAX)
        return;
    put(f, BPF_LD | BPF_W | BPF_ABS, offsetof(struct seccomp_data, arch), 0, 0);
    put_arch(f, r, native, x32);
    for (size_t i = 0; i < r->arches_n; i++)
        if (r->arches[i] != native && r->arches[i] != SCMP_ARCH_X32)
            put_arch(f, r, r->arches[i], x32);
}

static int export(scmp_filter_ctx ctx, const struct front *f, struct seccomp_program *out,
                  struct err *err)
{
    const size_t front_size = f->n * sizeof f->code[0];
    struct stat st;
    own_fd int fd = memfd_create("filter", MFD_CLOEXEC);
    own_free struct sock_filter *code = NULL;
    int e = 0;

    if (fd < 0)
        return err_set(err, errno, "make a memory file");
    e = seccomp_export_bpf(ctx, fd);
    if (e != 0)
        return err_set(err, -e, "make the system call filter");
    if (fstat(fd, &st) < 0 || lseek(fd, 0, SEEK_SET) < 0)
        return err_set(err, errno, "read the system call filter");
    if (st.st_size <= 0 || (size_t)st.st_size > BPF_MAXINSNS * sizeof *code - front_size)
        return err_set(err, E2BIG, "the system call filter has %lld bytes, the kernel takes %zu",
                       (long long)st.st_size, BPF_MAXINSNS * sizeof *code);
    code = mem_new(front_size + (size_t)st.st_size);
    memcpy(code, f->code, front_size);
    if (fd_read_full(fd, code + f->n, (size_t)st.st_size, err) != st.st_size)
        return err_wrap(err, "read the system call filter");
    out->n = (unsigned short)((front_size + (size_t)st.st_size) / sizeof *code);
    out->code = take_ptr(&code);
    return 0;
}

bool seccomp_knows(const char *name)
{
    return seccomp_syscall_resolve_name(name) != __NR_SCMP_ERROR;
}

int seccomp_compile(const struct seccomp_rules *r, struct seccomp_program *out, struct err *err)
{
    scmp_filter_ctx ctx __attribute__((cleanup(release))) = seccomp_init(r->default_action);
    struct front front;

    if (ctx == NULL)
        return err_set(err, EINVAL, "start a system call filter");
    (void)seccomp_attr_set(ctx, SCMP_FLTATR_CTL_OPTIMIZE, 2); /* binary tree; slower is fine too */
    if (add_arches(ctx, r, err) < 0)
        return -1;
    for (size_t i = 0; i < r->n; i++)
        if (add_rule(ctx, r, &r->v[i], err) < 0)
            return -1;
    make_front(r, &front);
    return export(ctx, &front, out, err);
}

static void add_rule_key(const struct seccomp_rule *rule, struct buf *out)
{
    buf_append_be32(out, rule->action);
    buf_append_be32(out, (uint32_t)rule->args_n);
    for (size_t i = 0; i < rule->args_n; i++) {
        buf_append_be32(out, rule->args[i].arg);
        buf_append_be32(out, (uint32_t)rule->args[i].op);
        buf_append_be64(out, rule->args[i].datum_a);
        buf_append_be64(out, rule->args[i].datum_b);
    }
    buf_append_be32(out, (uint32_t)rule->names_n);
    for (size_t i = 0; i < rule->names_n; i++) {
        buf_append_c(out, rule->names[i]);
        buf_append_char(out, '\0');
    }
}

void seccomp_key(const struct seccomp_rules *r, struct buf *out)
{
    const struct scmp_version *v = seccomp_version();

    buf_printf(out, "mailbox-run " MR_VERSION " front 1 libseccomp %u.%u.%u\n", v->major, v->minor,
               v->micro);
    buf_append_be32(out, seccomp_arch_native());
    buf_append_be32(out, r->default_action);
    buf_append_be32(out, (uint32_t)r->arches_n);
    for (size_t i = 0; i < r->arches_n; i++)
        buf_append_be32(out, r->arches[i]);
    for (size_t i = 0; i < r->n; i++)
        add_rule_key(&r->v[i], out);
}

void seccomp_copy(const struct seccomp_program *from, struct seccomp_program *out)
{
    *out = (struct seccomp_program){mem_array(from->n, sizeof *from->code), from->n};
    memcpy(out->code, from->code, from->n * sizeof *from->code);
}

void seccomp_done(struct seccomp_program *p)
{
    free(p->code);
    *p = (struct seccomp_program){.code = NULL};
}

int seccomp_apply(const struct seccomp_program *p, unsigned flags, struct err *err)
{
    struct sock_fprog prog = {.len = p->n, .filter = p->code};
    int r = sys_seccomp(SECCOMP_SET_MODE_FILTER, flags, &prog);

    return r >= 0 ? r : err_set(err, errno, "load the system call filter");
}

/* --- with a listener -------------------------------------------------------------------------- */

#define STACK_SIZE (256 << 10)
#define POLL_NS    50000

enum {
    RELAY_WAITS = -1,
    RELAY_GIVES_UP = -2
};

struct relay { /* shared by the two threads */
    const struct seccomp_hand *hand;
    struct err *err;
    int listener_fd; /* or RELAY_x; set by the one that loads */
    int rc;          /* set by the other one */
    pid_t tid;       /* of the other one; the kernel makes it 0 at its end */
};

static int relay_main(void *arg)
{
    const struct timespec pause = {.tv_nsec = POLL_NS};
    struct relay *r = arg;
    int fd = RELAY_WAITS;

    while ((fd = __atomic_load_n(&r->listener_fd, __ATOMIC_ACQUIRE)) == RELAY_WAITS)
        (void)nanosleep(&pause, NULL);
    if (fd >= 0) {
        r->rc = r->hand->fn(r->hand->ctx, fd, r->err);
        (void)close(fd);
    }
    (void)syscall(SYS_exit, 0); /* of this thread alone, whatever the C library makes of a return */
    return 0;
}

static int start_relay(struct relay *r, struct err *err)
{
    const int flags = CLONE_VM | CLONE_FS | CLONE_FILES | CLONE_SIGHAND | CLONE_THREAD |
                      CLONE_SYSVSEM | CLONE_CHILD_CLEARTID;
    char *stack = mmap(NULL, STACK_SIZE, PROT_READ | PROT_WRITE,
                       MAP_PRIVATE | MAP_ANONYMOUS | MAP_STACK, -1, 0);

    if (stack == MAP_FAILED)
        return err_set(err, errno, "make a stack");
    /* The stack goes at execve. */
    if (clone(relay_main, stack + STACK_SIZE, flags, r, NULL, NULL, &r->tid) < 0)
        return err_set(err, errno, "make a thread");
    return 0;
}

int seccomp_apply_listen(const struct seccomp_program *p, unsigned flags,
                         const struct seccomp_hand *hand, struct err *err)
{
    struct sock_fprog prog = {.len = p->n, .filter = p->code};
    struct relay r = {.hand = hand, .err = err, .listener_fd = RELAY_WAITS, .tid = 1};
    int fd = -1, code = 0;

    if (start_relay(&r, err) < 0)
        return -1;
    /* There are no other threads that it could matter to, and the helper must stay free. */
    flags &= ~(unsigned)SECCOMP_FILTER_FLAG_TSYNC;
    fd = sys_seccomp(SECCOMP_SET_MODE_FILTER, flags | SECCOMP_FILTER_FLAG_NEW_LISTENER, &prog);
    code = errno;
    __atomic_store_n(&r.listener_fd, fd >= 0 ? fd : RELAY_GIVES_UP, __ATOMIC_RELEASE);
    while (__atomic_load_n(&r.tid, __ATOMIC_ACQUIRE) != 0)
        continue;
    return fd >= 0 ? r.rc : err_set(err, code, "load the system call filter with a listener");
}
