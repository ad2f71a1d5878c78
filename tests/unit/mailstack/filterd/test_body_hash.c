/* SPDX-License-Identifier: Apache-2.0 */
#include "mailstack/filterd/body_hash.h"
#include "mailstack/filterd/crypto.h"

#include "tests/lib/test.h"

static void only_the_first_bytes_are_hashed_and_all_are_counted(void **state)
{
    static const struct {
        uint64_t max;
        const char *hashed;
    } rows[] = {{UINT64_MAX, "ab\r\ncd\r\n"}, {8, "ab\r\ncd\r\n"}, {5, "ab\r\nc"}, {0, ""}};

    (void)state;
    for (size_t i = 0; i < ARRAY_N(rows); i++) {
        unsigned char want[DKIM_HASH_N];
        struct body_hash b;

        body_hash_init(&b, CANON_RELAXED, rows[i].max);
        body_hash_feed(&b, STR("ab \r\nc"));
        body_hash_feed(&b, STR("d\r\n\r\n"));
        body_hash_end(&b);
        crypto_hash_all(str_of(rows[i].hashed), want);
        assert_memory_equal(b.result, want, DKIM_HASH_N);
        assert_int_equal(b.total, 8);
        body_hash_done(&b);
        body_hash_done(&b);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(only_the_first_bytes_are_hashed_and_all_are_counted),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
