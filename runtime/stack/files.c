/* SPDX-License-Identifier: Apache-2.0 */
#include "runtime/stack/files.h"

#include <sys/resource.h>

#include "runtime/base/buf.h"
#include "runtime/base/err.h"
#include "runtime/spec/stack.h"
#include "runtime/stack/svc.h"

#define HOW "raise the hard limit of open files (ulimit -Hn, or LimitNOFILE= of systemd)"

/* Whether it can be raised is found out by trying: a capability may be there and not count, in a
 * user namespace for example. */
uint32_t files_ceiling(void)
{
    struct rlimit now, more;

    if (getrlimit(RLIMIT_NOFILE, &now) < 0 || now.rlim_max >= UINT32_MAX)
        return UINT32_MAX;
    more = (struct rlimit){now.rlim_cur, now.rlim_max + 1};
    if (setrlimit(RLIMIT_NOFILE, &more) < 0)
        return (uint32_t)now.rlim_max;
    (void)setrlimit(RLIMIT_NOFILE, &now); /* to lower it needs nothing */
    return UINT32_MAX;
}

int files_fit(struct svc_table *t, const struct stack_config *c, uint32_t ceiling, struct err *err)
{
    if (ceiling < FILES_MIN)
        return err_set(err, 0, "a service needs %d open files, and %u are permitted: " HOW,
                       FILES_MIN, ceiling);
    for (size_t i = 0; i < SVC_N; i++) {
        struct svc *s = &t->v[i];
        const struct stack_limits *asked = stack_limits_get(c, s->name);

        if (asked != NULL && asked->nofile > ceiling)
            return err_set(err, 0,
                           "$.services.%s.nofile: %u open files, and %u are permitted: " HOW,
                           s->name, asked->nofile, ceiling);
        if (s->limits.nofile <= ceiling)
            continue;
        s->nofile_wanted = s->limits.nofile;
        s->limits.nofile = ceiling;
    }
    return 0;
}

/* A service with a limit of mailstack.json has what it asks for. */
void files_note(const struct svc_table *t, const struct stack_config *c, struct buf *out)
{
    size_t before = out->n;

    for (size_t i = 0; i < SVC_N; i++) {
        const struct svc *s = &t->v[i];
        const struct stack_limits *asked = stack_limits_get(c, s->name);

        if (s->nofile_wanted == 0 || !svc_wanted(s, c) || (asked != NULL && asked->nofile > 0))
            continue;
        buf_printf(out, "%s%u of %u for %s", out->n > before ? ", " : "", s->limits.nofile,
                   s->nofile_wanted, s->name);
    }
    buf_append_c(out, out->n > before ? ": " HOW : "set");
}
