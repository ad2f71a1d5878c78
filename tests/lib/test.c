/* SPDX-License-Identifier: Apache-2.0 */
#include "tests/lib/test.h"

#include <stdlib.h>
#include <unistd.h>

void test_str(struct str s, const char *c, const char *file, int line)
{
    if (str_eq_c(s, c))
        return;
    print_error("found '%.*s', expected '%s'\n", STR_ARG(s), c);
    _fail(file, line);
}

void test_err(const struct err *err, const char *part, const char *file, int line)
{
    if (str_find_str(str_of(err->text), str_of(part)) >= 0)
        return;
    print_error("found the error '%s', expected '%s' in it\n", err->text, part);
    _fail(file, line);
}

void test_ok(bool ok, const struct err *err, const char *file, int line)
{
    if (ok)
        return;
    print_error("%s\n", err->text);
    _fail(file, line);
}

const char *test_data(const char *name)
{
    static char path[4096];
    const char *dir = getenv("MR_TEST_DATA"); /* NOLINT(concurrency-mt-unsafe): one thread */

    (void)snprintf(path, sizeof(path), "%s/%s", dir != NULL ? dir : "../shared/data", name);
    return access(path, R_OK) == 0 ? path : NULL;
}
