/* SPDX-License-Identifier: Apache-2.0 */
#include "runtime/kernel/seccomp.h"

#include <errno.h>
#include <linux/seccomp.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

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

static int add_name(scmp_filter_ctx ctx, const struct seccomp_rule *rule, const char *name,
                    struct err *err)
{
    int nr = seccomp_syscall_resolve_name(name), e = 0;

    if (nr == __NR_SCMP_ERROR)
        return 0;
    e = seccomp_rule_add_array(ctx, rule->action, nr, (unsigned)rule->args_n, rule->args);
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

static int export(scmp_filter_ctx ctx, struct seccomp_program *out, struct err *err)
{
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
    if (st.st_size <= 0 || (size_t)st.st_size > BPF_MAXINSNS * sizeof *code)
        return err_set(err, E2BIG, "the system call filter has %lld bytes, the kernel takes %zu",
                       (long long)st.st_size, BPF_MAXINSNS * sizeof *code);
    code = mem_new((size_t)st.st_size);
    if (fd_read_full(fd, code, (size_t)st.st_size, err) != st.st_size)
        return err_wrap(err, "read the system call filter");
    out->n = (unsigned short)((size_t)st.st_size / sizeof *code);
    out->code = take_ptr(&code);
    return 0;
}

int seccomp_compile(const struct seccomp_rules *r, struct seccomp_program *out, struct err *err)
{
    scmp_filter_ctx ctx __attribute__((cleanup(release))) = seccomp_init(r->default_action);

    if (ctx == NULL)
        return err_set(err, EINVAL, "start a system call filter");
    (void)seccomp_attr_set(ctx, SCMP_FLTATR_CTL_OPTIMIZE, 2); /* binary tree; slower is fine too */
    if (add_arches(ctx, r, err) < 0)
        return -1;
    for (size_t i = 0; i < r->n; i++)
        if (add_rule(ctx, r, &r->v[i], err) < 0)
            return -1;
    return export(ctx, out, err);
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
