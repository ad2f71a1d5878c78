/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The line of a process, whose name is the container's choice: parentheses, spaces, newlines. With
 * any name it is read the same.
 */
#include <assert.h>
#include <stdint.h>
#include <string.h>

#include "runtime/base/buf.h"
#include "runtime/base/err.h"
#include "runtime/base/own.h"
#include "runtime/base/str.h"
#include "runtime/kernel/proc.h"

#define NAME_N 15 /* of a process, without the NUL */

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static const char rest[] = ") S 1 42 42 0 -1 4194560 1 2 3 4 5 6 7 8 20 0 1 0 123456789 "
                               "9 10 11 12 13 14 15 16 17 18 19 20 21 22 23 24 25 26 27 28 29 30 "
                               "31 32 33 34 35 36 37 0\n";
    struct str in = {(const char *)data, size};
    own_buf struct buf line = BUF_INIT(4096);
    struct proc_stat st = {0};
    struct err err;

    if (proc_stat_parse(in, &st, &err) == 0)
        assert(st.state != '\0' || size > 0);
    if (size > NAME_N || (size > 0 && memchr(data, '\0', size) != NULL))
        return 0;
    buf_append_c(&line, "42 (");
    buf_append(&line, in);
    buf_append_c(&line, rest);
    assert(proc_stat_parse(buf_str(&line), &st, &err) == 0);
    assert(st.state == 'S' && st.start == 123456789);
    return 0;
}
