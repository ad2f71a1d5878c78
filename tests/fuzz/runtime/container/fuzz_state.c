/* SPDX-License-Identifier: Apache-2.0 */
/* A state that is read, written and read again is the same; nothing in it is out of its range. */
#include <assert.h>
#include <stdint.h>
#include <string.h>

#include "runtime/base/arena.h"
#include "runtime/base/buf.h"
#include "runtime/base/err.h"
#include "runtime/base/own.h"
#include "runtime/container/state.h"

#define ARENA_MAX (64U << 20)
#define TEXT_MAX  (8U << 20)

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct arena *a = arena_new(ARENA_MAX);
    own_buf struct buf first = BUF_INIT(TEXT_MAX), second = BUF_INIT(TEXT_MAX);
    struct state s = {.dir_fd = -1}, again = {.dir_fd = -1};
    struct err err = {0};

    if (state_parse(a, (struct str){(const char *)data, size}, &s, &err) == 0) {
        assert(s.public.pid >= 0 && s.ns_flags >= 0 && s.needs_config <= STATE_NEEDS_ALL);
        assert(s.cgroup.n <= CGROUP_HIERS_MAX);
        state_format(&s, &first);
        assert(!first.failed);
        assert(state_parse(a, buf_str(&first), &again, &err) == 0);
        state_format(&again, &second);
        assert(str_eq(buf_str(&first), buf_str(&second)));
    } else {
        assert(err.text[0] != '\0');
    }
    arena_free(a);
    return 0;
}
