/* SPDX-License-Identifier: Apache-2.0 */
#include "images/lib/image.h"
#include "images/tool/cmd.h"

int cmd_unpack(const struct call *c, struct err *err)
{
    struct image_store *s = image_store_open(c->layout, IMAGE_READ, err);
    int result = s ? image_unpack(s, c->arena, c->args[0], c->args[1], err) : -1;

    image_store_close(s);
    return result;
}
