/* SPDX-License-Identifier: Apache-2.0 */
#include "runtime/base/list.h"

#include "tests/lib/test.h"

struct item {
    char name;
    struct list node;
};

static void joined(struct list *head, char *out)
{
    list_for_each (it, next, head)
        *out++ = list_of(it, struct item, node)->name;
    *out = '\0';
}

static void nodes_come_in_the_order_of_their_adding(void **state)
{
    struct item items[] = {{.name = 'a'}, {.name = 'b'}, {.name = 'c'}, {.name = 'd'}};
    struct list head;
    char text[8];

    (void)state;
    list_init(&head);
    assert_true(list_empty(&head));
    list_add_tail(&head, &items[0].node);
    list_add_tail(&head, &items[1].node);
    list_add_head(&head, &items[2].node);
    list_add_tail(&items[1].node, &items[3].node); /* in front of b */
    joined(&head, text);
    assert_string_equal(text, "cadb");
    list_del(&items[0].node);
    list_del(&items[0].node); /* harmless */
    joined(&head, text);
    assert_string_equal(text, "cdb");
}

static void the_body_may_delete_its_node(void **state)
{
    struct item items[5];
    struct list head;

    (void)state;
    list_init(&head);
    for (size_t i = 0; i < ARRAY_N(items); i++)
        list_add_tail(&head, &items[i].node);
    list_for_each (it, next, &head)
        list_del(it);
    assert_true(list_empty(&head));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(nodes_come_in_the_order_of_their_adding),
        cmocka_unit_test(the_body_may_delete_its_node),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
