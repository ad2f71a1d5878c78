/* SPDX-License-Identifier: Apache-2.0 */
#include "runtime/base/map.h"

#include "tests/lib/test.h"

#define KEYS_N 2000

static int values[KEYS_N];

static struct str key_of(size_t i, char text[16])
{
    return (struct str){text, (size_t)snprintf(text, 16, "key%zu", i)};
}

static void what_is_put_is_found_until_it_is_deleted(void **state)
{
    struct map *m = map_new();
    char t[16];

    (void)state;
    for (size_t i = 0; i < KEYS_N; i++)
        assert_null(map_put(m, key_of(i, t), &values[i]));
    assert_int_equal(map_n(m), KEYS_N);
    for (size_t i = 0; i < KEYS_N; i += 2)
        assert_ptr_equal(map_del(m, key_of(i, t)), &values[i]);
    for (size_t i = 0; i < KEYS_N; i++)
        assert_ptr_equal(map_get(m, key_of(i, t)), i % 2 == 0 ? NULL : &values[i]);
    assert_int_equal(map_n(m), KEYS_N / 2);
    assert_null(map_del(m, STR("key0")));
    map_free(m);
    map_free(NULL);
}

static void a_second_put_replaces_and_tells_the_first(void **state)
{
    struct map *m = map_new();

    (void)state;
    assert_null(map_put(m, STR("k"), &values[0]));
    assert_ptr_equal(map_put(m, STR("k"), &values[1]), &values[0]);
    assert_int_equal(map_n(m), 1);
    assert_ptr_equal(map_get(m, STR("k")), &values[1]);
    map_free(m);
}

static void keys_are_bytes(void **state)
{
    struct map *m = map_new();
    char own[] = "abc";

    (void)state;
    (void)map_put(m, STR_NONE, &values[0]);
    (void)map_put(m, STR("a\0b"), &values[1]);
    (void)map_put(m, STR("a"), &values[2]);
    (void)map_put(m, str_of(own), &values[3]);
    own[0] = 'x'; /* keys are copied */
    assert_ptr_equal(map_get(m, STR("")), &values[0]);
    assert_ptr_equal(map_get(m, STR("a\0b")), &values[1]);
    assert_ptr_equal(map_get(m, STR("a")), &values[2]);
    assert_ptr_equal(map_get(m, STR("abc")), &values[3]);
    assert_null(map_get(m, STR("xbc")));
    map_free(m);
}

static void a_walk_sees_each_once(void **state)
{
    struct map *m = map_new();
    struct map_at at = {0};
    char seen[KEYS_N] = {0};
    char t[16];
    size_t n = 0;

    (void)state;
    for (size_t i = 0; i < KEYS_N; i++)
        (void)map_put(m, key_of(i, t), &values[i]);
    for (; map_next(m, &at); n++) {
        size_t i = (size_t)((int *)at.value - values);

        assert_int_equal(seen[i]++, 0);
        assert_true(str_eq(at.key, key_of(i, t)));
    }
    assert_int_equal(n, KEYS_N);
    map_free(m);
}

/* Against a plain array, with many deletions close together: no search may end early. */
static void it_agrees_with_a_plain_array(void **state)
{
    struct map *m = map_new();
    bool there[64] = {false};
    unsigned r = 1;
    char t[16];

    (void)state;
    for (int round = 0; round < 50000; round++) {
        size_t i = (r = r * 1103515245 + 12345) >> 16 & 63;
        struct str k = key_of(i, t);

        assert_int_equal(map_get(m, k) != NULL, there[i]);
        if ((r >> 24 & 1) != 0)
            assert_int_equal(map_put(m, k, &values[i]) != NULL, there[i]);
        else
            assert_int_equal(map_del(m, k) != NULL, there[i]);
        there[i] = (r >> 24 & 1) != 0;
    }
    map_free(m);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(what_is_put_is_found_until_it_is_deleted),
        cmocka_unit_test(a_second_put_replaces_and_tells_the_first),
        cmocka_unit_test(keys_are_bytes),
        cmocka_unit_test(a_walk_sees_each_once),
        cmocka_unit_test(it_agrees_with_a_plain_array),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
