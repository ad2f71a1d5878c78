/* SPDX-License-Identifier: Apache-2.0 */
/* What is formatted parses to the same flags and UID; unknown letters are not lost. */
#include <assert.h>
#include <stdint.h>

#include "runtime/base/buf.h"
#include "runtime/base/own.h"

#include "mailstack/lib/store/maildir.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t n);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t n)
{
    own_buf struct buf name = BUF_INIT(4 * MAILDIR_NAME_MAX);
    struct maildir_name m, again;

    if (!maildir_parse((struct str){(const char *)data, n}, &m))
        return 0;
    maildir_with_uid(m.base, 7, 9, &name);
    maildir_format(STR(""), m.flags, m.unknown, &name);
    if (!maildir_parse(buf_str(&name), &again))
        return 0; /* grown beyond a file name */
    assert(again.flags == m.flags && again.uid == 7 && again.validity == 9);
    assert(again.size == m.size && again.vsize == m.vsize);
    return 0;
}
