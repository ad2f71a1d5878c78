/* SPDX-License-Identifier: Apache-2.0 */
#include "runtime/base/arena.h"
#include "runtime/base/buf.h"
#include "runtime/base/own.h"
#include "runtime/spec/stack.h"
#include "runtime/spec/stack_names.h"

#include "tests/lib/test.h"

#define MANY 100000

struct world {
    struct arena *a;
    struct stack_domain domains[2];
    struct stack_config c;
    struct stack_names n;
};

static int set_up(void **state)
{
    static struct world w;

    w = (struct world){.a = arena_new(256U << 20),
                       .domains = {{.name = "a.test"}, {.name = "b.test", .catch_all = "rest"}}};
    w.c = (struct stack_config){.domains = w.domains, .domains_n = 2, .mailbox.subaddress = "+"};
    stack_names_init(&w.n, w.a, &w.c);
    *state = &w;
    return 0;
}

static int tear_down(void **state)
{
    struct world *w = *state;

    stack_names_done(&w->n);
    arena_free(w->a);
    return 0;
}

/* targets ends with a NULL; NULL itself is an account */
static bool add(struct world *w, const char *address, const char *const *targets)
{
    struct stack_strings *to = arena_alloc(w->a, sizeof(*to));

    while (targets && targets[to->n])
        to->n++;
    to->v = arena_array(w->a, to->n + 1, sizeof(*to->v));
    for (size_t i = 0; i < to->n; i++)
        to->v[i] = targets[i];
    return !stack_names_put(&w->n, &(struct stack_name){.address = address,
                                                        .kind = "a name",
                                                        .to = targets ? to : NULL,
                                                        .d = &w->domains[0]});
}

#define TO(...) ((const char *const[]){__VA_ARGS__, NULL})

static const char *target(struct world *w, const char *text)
{
    struct stack_name *name;
    struct err err = {0};

    if (stack_names_target(&w->n, &w->domains[0], text, &name, &err) < 0)
        return "error";
    return name ? name->address : "elsewhere";
}

static void a_target_is_found_as_mail_would(void **state)
{
    struct world *w = *state;

    assert_true(add(w, "alice@a.test", NULL));
    assert_true(add(w, "odd+one@a.test", NULL));
    assert_true(add(w, "rest@b.test", NULL));
    assert_false(add(w, "ALICE@A.test", NULL));
    assert_string_equal(target(w, "alice"), "alice@a.test");
    assert_string_equal(target(w, "Alice@A.TEST"), "alice@a.test");
    assert_string_equal(target(w, "alice+folder"), "alice@a.test");
    assert_string_equal(target(w, "odd+one"), "odd+one@a.test");
    assert_string_equal(target(w, "who@b.test"), "rest@b.test");
    assert_string_equal(target(w, "who@far.test"), "elsewhere");
    assert_string_equal(target(w, "who"), "error");
    assert_string_equal(target(w, "@"), "error");
}

static bool loops(struct world *w, const char *address, struct buf *way)
{
    buf_reset(way);
    return stack_names_loop(&w->n, stack_names_get(&w->n, str_of(address)), way);
}

static void a_circle_is_shown_once(void **state)
{
    struct world *w = *state;
    own_buf struct buf way = BUF_INIT(512);

    (void)add(w, "alice@a.test", NULL);
    (void)add(w, "in@a.test", TO("x", "alice"));
    (void)add(w, "x@a.test", TO("alice", "y"));
    (void)add(w, "y@a.test", TO("far@far.test", "x+tag"));
    (void)add(w, "fork@a.test", TO("left", "right"));
    (void)add(w, "left@a.test", TO("alice"));
    (void)add(w, "right@a.test", TO("alice", "left"));
    assert_false(loops(w, "fork@a.test", &way));
    assert_false(loops(w, "alice@a.test", &way));
    assert_true(loops(w, "in@a.test", &way));
    assert_str(buf_str(&way), "x@a.test -> y@a.test -> x@a.test");
    assert_false(loops(w, "x@a.test", &way)); /* said already */
}

/* Deep, not wide: no recursion, and each name once. */
static void a_long_way_is_followed(void **state)
{
    struct world *w = *state;
    own_buf struct buf way = BUF_INIT(512);

    for (unsigned i = 0; i < MANY; i++) {
        const char **to = arena_array(w->a, 2, sizeof(*to));

        to[0] = arena_printf(w->a, "n%u", (i + 1) % MANY);
        assert_true(add(w, arena_printf(w->a, "n%u@a.test", i), to));
    }
    assert_true(loops(w, "n0@a.test", &way));
    assert_true(way.failed);
    for (unsigned i = 1; i < MANY; i++)
        assert_true(stack_names_get(&w->n, str_of(arena_printf(w->a, "n%u@a.test", i)))->done);
}

#define CASE(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)

int main(void)
{
    const struct CMUnitTest tests[] = {
        CASE(a_target_is_found_as_mail_would),
        CASE(a_circle_is_shown_once),
        CASE(a_long_way_is_followed),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
