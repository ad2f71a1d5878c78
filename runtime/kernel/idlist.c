/* SPDX-License-Identifier: Apache-2.0 */
#include "runtime/kernel/idlist.h"

#include <errno.h>
#include <string.h>

#include "runtime/base/err.h"
#include "runtime/base/num.h"
#include "runtime/base/str.h"

static int add_range(struct str item, struct idlist *out, struct err *err)
{
    struct str a = item, b = item;
    uint32_t from = 0, to = 0;

    (void)str_cut(item, '-', &a, &b); /* a single number is both ends */
    if (num_parse_u32(str_trim(a), 0, IDLIST_BITS - 1, &from, err) < 0 ||
        num_parse_u32(str_trim(b), 0, IDLIST_BITS - 1, &to, err) < 0)
        return -1;
    if (from > to)
        return err_set(err, EINVAL, "the range %u-%u", from, to);
    for (uint32_t i = from; i <= to; i++)
        out->v[i / IDLIST_WORD] |= 1UL << i % IDLIST_WORD;
    return 0;
}

int idlist_parse(const char *text, struct idlist *out, struct err *err)
{
    struct str rest = str_of(text), item = STR_NONE;

    memset(out, 0, sizeof *out);
    if (rest.n == 0)
        return err_set(err, EINVAL, "an empty list of numbers");
    while (str_next(&rest, ',', &item))
        if (add_range(item, out, err) < 0)
            return err_wrap(err, "'%.64s'", text);
    return 0;
}

void idlist_fill(struct idlist *out)
{
    memset(out, 0xff, sizeof *out);
}

long idlist_top(const struct idlist *l)
{
    for (long i = IDLIST_BITS - 1; i >= 0; i--)
        if ((l->v[(size_t)i / IDLIST_WORD] >> (size_t)i % IDLIST_WORD & 1) != 0)
            return i;
    return -1;
}
