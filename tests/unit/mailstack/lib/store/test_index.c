/* SPDX-License-Identifier: Apache-2.0 */
#include <string.h>

#include "runtime/base/err.h"

#include "mailstack/lib/store/index.h"

#include "tests/lib/mailroot.h"
#include "tests/lib/test.h"

struct seen {
    unsigned n;
    uint32_t uid[8], flags[8];
    uint64_t modseq[8];
};

static void see(void *ctx, uint32_t uid, uint32_t flags, uint64_t modseq)
{
    struct seen *s = ctx;

    assert_true(s->n < 8);
    s->uid[s->n] = uid;
    s->flags[s->n] = flags;
    s->modseq[s->n++] = modseq;
}

static struct seen load(struct index *ix, struct index_folder *f)
{
    struct seen s = {0};
    struct err err = {0};

    assert_int_equal(index_load(ix, f, see, &s, &err), 0);
    return s;
}

static void what_is_put_is_loaded_in_the_order_of_uids(void **state)
{
    struct mailroot *r = *state;
    struct index_folder f = {.validity = 4000000000u};
    struct err err = {0};
    struct index *ix = index_new(r->home_fd, &err);
    struct seen s;

    assert_non_null(ix);
    assert_int_equal(load(ix, &f).n, 0);
    assert_int_equal(f.modseq, 0);
    assert_int_equal(index_begin(ix, &err), 0);
    assert_int_equal(index_put(ix, f.validity, 4294967295u, 0x80000001u, 1ull << 52, &err), 0);
    assert_int_equal(index_put(ix, f.validity, 3, 1, 10, &err), 0);
    assert_int_equal(index_put(ix, 5, 3, 1, 10, &err), 0);
    f.modseq = 1ull << 53;
    f.recent_from = 77;
    assert_int_equal(index_put_folder(ix, &f, &err), 0);
    assert_int_equal(index_commit(ix, &err), 0);
    index_free(ix);
    ix = index_new(r->home_fd, &err);
    f.modseq = 0;
    s = load(ix, &f);
    assert_int_equal(s.n, 2);
    assert_int_equal(s.uid[0], 3);
    assert_int_equal(s.uid[1], 4294967295u);
    assert_int_equal(s.flags[1], 0x80000001u);
    assert_true(s.modseq[1] == 1ull << 52 && f.modseq == 1ull << 53);
    assert_int_equal(f.recent_from, 77);
    assert_int_equal(index_expunge(ix, f.validity, 3, 11, &err), 0);
    assert_int_equal(load(ix, &f).n, 1);
    assert_int_equal(index_drop(ix, f.validity, &err), 0);
    assert_int_equal(load(ix, &f).n, 0);
    index_free(ix);
}

static void what_is_rolled_back_never_was(void **state)
{
    struct mailroot *r = *state;
    struct index_folder f = {.validity = 1};
    struct err err = {0};
    struct index *ix = index_new(r->home_fd, &err);

    assert_int_equal(index_begin(ix, &err), 0);
    assert_int_equal(index_put(ix, 1, 1, 0, 1, &err), 0);
    index_rollback(ix);
    index_rollback(ix);
    assert_int_equal(load(ix, &f).n, 0);
    index_free(ix);
}

#define WITH_ROOT(test) cmocka_unit_test_setup_teardown(test, mailroot_setup, mailroot_teardown)

int main(void)
{
    const struct CMUnitTest tests[] = {
        WITH_ROOT(what_is_put_is_loaded_in_the_order_of_uids),
        WITH_ROOT(what_is_rolled_back_never_was),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
