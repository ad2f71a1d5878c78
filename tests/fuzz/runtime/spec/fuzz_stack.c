/* SPDX-License-Identifier: Apache-2.0 */
/* What is refused is reported, in whole lines and not without end; what is accepted keeps its
 * limits. */
#include <assert.h>
#include <stdint.h>
#include <string.h>

#include "runtime/base/arena.h"
#include "runtime/base/buf.h"
#include "runtime/base/own.h"
#include "runtime/spec/stack.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t n);

static void check(const struct stack_config *c)
{
    size_t listening = 0;

    assert(c->hostname[0] && c->storage[0] == '/' && c->accounts_file[0] == '/');
    assert(c->ids_base >= 1000 && c->log.keep >= 1);
    for (int p = 0; p < STACK_PORTS; p++) {
        assert(c->listen[p].n <= STACK_LISTEN_MAX);
        listening += c->listen[p].n;
    }
    assert(listening > 0);
    for (size_t i = 0; i < c->domains_n; i++)
        assert(stack_domain_get(c, str_of(c->domains[i].name)) == &c->domains[i]);
    for (size_t i = 0; i < c->dial_allow.n; i++)
        assert(c->dial_allow.v[i].bits <= 128);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t n)
{
    struct arena *a = arena_new(64u << 20);
    own_buf struct buf report = BUF_INIT(STACK_REPORT_MAX);
    struct stack_config *c = NULL;
    struct str in = {(const char *)data, n};

    if (stack_load_str(a, in, "/etc/mailstack.json", &c, &report) == 0) {
        assert(c && report.n == 0);
        check(c);
    } else {
        assert(report.n > 0 && report.p[report.n - 1] == '\n');
    }
    arena_free(a);
    return 0;
}
