/* SPDX-License-Identifier: Apache-2.0 */
#include <fcntl.h>

#include "runtime/base/arena.h"
#include "runtime/base/err.h"
#include "runtime/base/file.h"
#include "runtime/base/own.h"

#include "images/lib/assemble.h"
#include "images/lib/image.h"
#include "images/lib/image_layout.h"
#include "images/lib/recipe.h"
#include "images/tool/cmd.h"

static int build(struct image_store *s, const struct call *c, const struct assemble *how,
                 const char *path, struct buf *out, struct err *err)
{
    own_buf struct buf text = BUF_INIT(RECIPE_MAX);
    struct recipe r;
    const char *digest;

    if (file_read(AT_FDCWD, path, &text, err) < 0)
        return -1;
    if (recipe_parse(buf_str(&text), c->arena, &r, err) < 0)
        return err_wrap(err, "'%s'", path);
    if (assemble_image(s, c->arena, &r, how, &digest, err) < 0)
        return -1;
    buf_printf(out, "%s %s\n", r.name, digest);
    return 0;
}

static int build_all(struct image_store *s, const struct call *c, const struct assemble *how,
                     struct err *err)
{
    own_buf struct buf out = BUF_INIT(1U << 20);

    for (int i = 0; i < c->args_n; i++)
        if (build(s, c, how, c->args[i], &out, err) < 0)
            return -1;
    if (image_layout_sweep(s, c->arena, err) < 0)
        return -1;
    return cmd_print(&out, err);
}

int cmd_build(const struct call *c, struct err *err)
{
    struct assemble how = {.programs = c->programs, .files = c->files, .version = MR_VERSION};

    if (assemble_time(&how.time_s, err) < 0)
        return -1;
    struct image_store *s = image_store_open(c->layout, IMAGE_CREATE, err);
    if (!s)
        return -1;
    int result = build_all(s, c, &how, err);
    image_store_close(s);
    return result;
}
