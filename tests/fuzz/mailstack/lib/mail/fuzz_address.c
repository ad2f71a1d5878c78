/* SPDX-License-Identifier: Apache-2.0 */
/* Groups are closed; a good list that is written is read again as the same one. */
#include <assert.h>
#include <stdint.h>

#include "runtime/base/arena.h"
#include "runtime/base/buf.h"
#include "runtime/base/err.h"
#include "runtime/base/own.h"

#include "mailstack/lib/mail/address.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t n);

static bool is_tame(const struct address *a)
{
    return a->local.n && a->domain.n && a->domain.p[0] != '[' && !str_has_nul(a->local) &&
           !str_has_nul(a->domain) && !(a->name.p && str_has_nul(a->name)) &&
           str_find_any(a->local, "\r\n") < 0 && str_find(a->domain, 0x7f) < 0;
}

static void check_again(const struct address *a)
{
    struct arena *arena = arena_new(1 << 22);
    struct address_list l = {0};
    struct err err;
    own_buf struct buf out = BUF_INIT(1 << 20);

    address_format(&out, a);
    assert(address_parse_list(buf_str(&out), arena, &l, &err) == 0);
    assert(l.n == 1 && !l.flawed);
    assert(str_eq(l.at[0].local, a->local) && str_eq(l.at[0].domain, a->domain));
    arena_free(arena);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t n)
{
    struct arena *a = arena_new(64 << 20);
    struct address_list l = {0};
    struct err err;
    bool in_group = false;

    if (n < 65536 && address_parse_list((struct str){(const char *)data, n}, a, &l, &err) == 0) {
        assert(l.n <= ADDRESS_MAX && l.n <= n + 2);
        for (size_t i = 0; i < l.n; i++) {
            if (l.at[i].kind == ADDRESS_MAILBOX && is_tame(&l.at[i]))
                check_again(&l.at[i]);
            assert(l.at[i].kind != ADDRESS_GROUP || !in_group);
            assert(l.at[i].kind != ADDRESS_GROUP_END || in_group);
            if (l.at[i].kind != ADDRESS_MAILBOX)
                in_group = l.at[i].kind == ADDRESS_GROUP;
        }
        assert(!in_group || l.flawed);
    }
    arena_free(a);
    return 0;
}
