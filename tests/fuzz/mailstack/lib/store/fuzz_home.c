/* SPDX-License-Identifier: Apache-2.0 */
/* A home's path has two components that are plain names, and depends on ASCII case alone. */
#include <assert.h>
#include <stdint.h>

#include "runtime/base/buf.h"
#include "runtime/base/err.h"
#include "runtime/base/own.h"
#include "runtime/base/path.h"

#include "mailstack/lib/store/home.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t n);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t n)
{
    own_buf struct buf path = BUF_INIT(HOME_PATH_MAX), lower = BUF_INIT(4096);
    own_buf struct buf again = BUF_INIT(HOME_PATH_MAX);
    struct str domain, local;
    struct err err = {0};

    if (home_path((struct str){(const char *)data, n}, &path, &err) < 0) {
        assert(path.n == 0 && err.text[0] != '\0');
        return 0;
    }
    assert(str_cut(buf_str(&path), '/', &domain, &local));
    assert(path_is_name(domain) && path_is_name(local));
    assert(domain.p[0] != '.' && local.p[0] != '.');
    for (size_t i = 0; i < n; i++)
        buf_append_char(&lower, ascii_lower((char)data[i]));
    if (lower.failed)
        return 0;
    assert(home_path(buf_str(&lower), &again, &err) == 0);
    assert(str_eq(buf_str(&path), buf_str(&again)));
    return 0;
}
