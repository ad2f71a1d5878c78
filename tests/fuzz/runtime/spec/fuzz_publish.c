/* SPDX-License-Identifier: Apache-2.0 */
/* What parses is written back as something that parses as the same; refusals change nothing. */
#include <assert.h>
#include <string.h>

#include "runtime/base/buf.h"
#include "runtime/base/err.h"
#include "runtime/base/own.h"
#include "runtime/spec/publish.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t n);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t n)
{
    own_buf struct buf text = BUF_INIT(128);
    struct publish p = {.host = 0}, again = {.host = 0};
    struct err err = {.code = 0};

    if (publish_parse((struct str){(const char *)data, n}, &p, &err) < 0) {
        assert(p.host == 0 && err.text[0] != '\0');
        return 0;
    }
    assert(p.host > 0 && p.container > 0 && (p.family == PUBLISH_EVERY) == (p.address[0] == '\0'));
    publish_format(&p, &text);
    assert(!text.failed && publish_parse(buf_str(&text), &again, &err) == 0);
    assert(strcmp(p.address, again.address) == 0 && p.host == again.host &&
           p.container == again.container && p.udp == again.udp && p.family == again.family);
    return 0;
}
