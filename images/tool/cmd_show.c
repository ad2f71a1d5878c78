/* SPDX-License-Identifier: Apache-2.0 */
#include "runtime/base/arena.h"
#include "runtime/base/buf.h"
#include "runtime/base/own.h"

#include "images/lib/describe.h"
#include "images/lib/image.h"
#include "images/tool/cmd.h"

static int show(struct image_store *s, const struct call *c, struct err *err)
{
    own_buf struct buf out = BUF_INIT(16U << 20);
    struct image_info one;
    struct image_info *all;
    size_t n;

    if (c->args_n == 1) {
        if (image_load(s, c->arena, c->args[0], &one, err) < 0)
            return -1;
        describe_image(&one, &out);
        return cmd_print(&out, err);
    }
    if (image_list(s, c->arena, &all, &n, err) < 0)
        return -1;
    describe_list(all, n, &out);
    return cmd_print(&out, err);
}

int cmd_show(const struct call *c, struct err *err)
{
    struct image_store *s = image_store_open(c->layout, IMAGE_READ, err);
    int result = s ? show(s, c, err) : -1;

    image_store_close(s);
    return result;
}
