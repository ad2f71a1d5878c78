/* SPDX-License-Identifier: Apache-2.0 */
/*
 * mkfilter - names of system calls on standard input, one a line; on standard output the program
 * that allows them and answers EPERM to all others, as bare.c loads it
 */
#include <err.h>
#include <seccomp.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

int main(void)
{
    char name[128];
    scmp_filter_ctx ctx = seccomp_init(SCMP_ACT_ERRNO(1));

    if (ctx == NULL || seccomp_attr_set(ctx, SCMP_FLTATR_CTL_OPTIMIZE, 2) < 0)
        errx(1, "seccomp_init");
    while (fgets(name, sizeof name, stdin) != NULL) {
        int nr = 0;

        name[strcspn(name, "\n")] = '\0';
        nr = seccomp_syscall_resolve_name(name);
        if (nr != __NR_SCMP_ERROR && seccomp_rule_add(ctx, SCMP_ACT_ALLOW, nr, 0) < 0)
            errx(1, "%s", name);
    }
    if (seccomp_export_bpf(ctx, STDOUT_FILENO) < 0)
        errx(1, "seccomp_export_bpf");
    seccomp_release(ctx);
    return 0;
}
