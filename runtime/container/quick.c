/* SPDX-License-Identifier: Apache-2.0 */
#include "runtime/container/quick.h"

#include <fcntl.h>
#include <linux/filter.h>
#include <string.h>
#include <unistd.h>

#include "runtime/base/arena.h"
#include "runtime/base/buf.h"
#include "runtime/base/err.h"
#include "runtime/base/file.h"
#include "runtime/base/own.h"
#include "runtime/container/filter.h"
#include "runtime/kernel/seccomp.h"
#include "runtime/spec/oci.h"

#define QUICK_CONFIG "exec.json"
#define QUICK_FILTER "exec.filter"
#define QUICK_NAMES  32 /* of system calls, from which on it is worth it */
#define FILTER_MAX   (BPF_MAXINSNS * sizeof(struct sock_filter))

static bool is_worth_it(const struct oci_seccomp *s)
{
    size_t n = 0;

    for (size_t i = 0; i < s->rules_n; i++)
        n += s->rules[i].names.n;
    return s->set && n >= QUICK_NAMES && !filter_listens(s);
}

void quick_keep(int state_fd, const struct oci_config *c, const struct seccomp_program *filter)
{
    own_buf struct buf text = BUF_INIT(OCI_TEXT_MAX);
    struct oci_config without = *c;
    struct str code = {(const char *)filter->code, filter->n * sizeof *filter->code};
    struct err ignored;

    if (code.n == 0 || !is_worth_it(&c->linux_.seccomp))
        return;
    without.linux_.seccomp.rules = NULL;
    without.linux_.seccomp.rules_n = 0;
    oci_dump(&without, &text);
    if (text.failed || file_put(state_fd, QUICK_FILTER, code, 0600, &ignored) < 0 ||
        file_put(state_fd, QUICK_CONFIG, buf_str(&text), 0600, &ignored) < 0)
        return;
}

bool quick_find(int state_fd, struct arena *a, struct oci_config **out,
                struct seccomp_program *filter)
{
    own_buf struct buf text = BUF_INIT(OCI_TEXT_MAX), code = BUF_INIT(FILTER_MAX);
    struct err ignored;

    if (faccessat(state_fd, QUICK_CONFIG, F_OK, 0) < 0 ||
        file_read(state_fd, QUICK_CONFIG, &text, &ignored) < 0 ||
        file_read(state_fd, QUICK_FILTER, &code, &ignored) < 0 || code.n == 0 ||
        code.n % sizeof *filter->code != 0 ||
        oci_load_str(a, buf_str(&text), QUICK_CONFIG, out, &ignored) < 0)
        return false;
    filter->n = (unsigned short)(code.n / sizeof *filter->code);
    filter->code = arena_alloc(a, code.n);
    if (filter->code != NULL)
        memcpy(filter->code, code.p, code.n);
    return filter->code != NULL;
}
