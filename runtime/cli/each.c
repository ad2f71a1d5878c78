/* SPDX-License-Identifier: Apache-2.0 */
#include "runtime/cli/each.h"

#include <regex.h>

#include "runtime/cli/cmd.h"

static int compile(const char *pattern, regex_t *re, struct err *err)
{
    char why[128];
    int r = regcomp(re, pattern, REG_EXTENDED | REG_NOSUB);

    if (r == 0)
        return 0;
    (void)regerror(r, re, why, sizeof why);
    return err_set(err, 0, "'%.64s' is no regular expression: %s", pattern, why);
}

int each_matching(struct cmd *c, const char *pattern, each_fn *fn, struct err *err)
{
    size_t n = 0, failed = 0;
    const char **ids;
    regex_t re;

    if (container_list(&c->env, c->arena, &ids, &n, err) < 0 || compile(pattern, &re, err) < 0)
        return -1;
    for (size_t i = 0; i < n; i++) {
        struct err of_one;

        if (regexec(&re, ids[i], 0, NULL, 0) != 0 || fn(c, ids[i], &of_one) == 0)
            continue;
        (void)err_wrap(&of_one, "container '%s'", ids[i]);
        report_line(c->report, REPORT_WARN, of_one.text);
        failed++;
    }
    regfree(&re);
    return failed == 0 ? 0
                       : err_set(err, 0, "%zu of those that match are left as they were", failed);
}
