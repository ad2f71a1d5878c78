/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Images: those of the user's store, and, for what only looks, the bundled ones where the store has
 * none of that name.
 */
#include <errno.h>
#include <stdbool.h>
#include <string.h>
#include <unistd.h>

#include "runtime/base/arena.h"
#include "runtime/base/buf.h"
#include "runtime/base/own.h"
#include "runtime/cli/stack/cmd.h"

#include "images/lib/describe.h"
#include "images/lib/image.h"

struct image_opts {
    const char *store;
    const char *name;
    struct opt_flag json;
    struct opt_flag rootfs;
};

static const struct opt rows[] = {
    OPT_VALUE(image_opts, store, OPT_KIND_PATH, "store", 0, "DIR",
              "the image layout ($MAILBOX_RUN_STORE, else\n"
              "                                /var/lib/mailbox-run/images, for an ordinary user\n"
              "                                ~/.local/share/mailbox-run/images)"),
    OPT_VALUE(image_opts, name, OPT_KIND_TEXT, "name", 'n', "NAME",
              "import: what the image is called here"),
    OPT_FLAG(image_opts, json, "json", 0, "list, show: print JSON"),
    OPT_FLAG(image_opts, rootfs, "rootfs", 0,
             "rm: also its unpacked root file system; no container\n"
             "                                may run from it"),
};

struct call {
    struct cmd *c;
    const struct image_opts *o;
    struct image_store *s;
    const char **args; /* what follows the subcommand */
};

static void close_store(struct image_store *const *s)
{
    image_store_close(*s);
}

#define own_store __attribute__((cleanup(close_store)))

/* --- looking: the store, then the bundled images -----------------------------------------------*/

static int print_image(const struct call *k, const struct image_info *i, struct err *err)
{
    own_buf struct buf out = BUF_INIT(CMD_PRINT_MAX);

    if (k->o->json.on)
        describe_image_json(i, &out);
    else
        describe_image(i, &out);
    return cmd_print(&out, err);
}

static int show(struct call *k, struct err *err)
{
    struct image_info i;

    if (image_load(k->s, k->c->arena, k->args[0], &i, err) < 0)
        return -1;
    return print_image(k, &i, err);
}

static int list(struct call *k, struct err *err)
{
    own_buf struct buf out = BUF_INIT(CMD_PRINT_MAX);
    struct image_info *v;
    size_t n;

    if (image_list(k->s, k->c->arena, &v, &n, err) < 0)
        return -1;
    if (k->o->json.on)
        describe_list_json(v, n, &out);
    else
        describe_list(v, n, &out);
    return cmd_print(&out, err);
}

static int unpack(struct call *k, struct err *err)
{
    return image_unpack(k->s, k->c->arena, k->args[0], k->args[1], err);
}

static int export(struct call *k, struct err *err)
{
    return image_export(k->s, k->c->arena, k->args[0], k->args[1], err);
}

/* --- changing: the store only ------------------------------------------------------------------*/

static int import(struct call *k, struct err *err)
{
    return image_import(k->s, k->c->arena, k->args[0], k->o->name, err);
}

static int rm(struct call *k, struct err *err)
{
    if (image_remove(k->s, k->c->arena, k->args[0], err) < 0)
        return -1;
    return k->o->rootfs.on ? image_rootfs_prune(k->s, k->c->arena, NULL, err) : 0;
}

enum wants {
    WANTS_STORE,  /* made if it is absent */
    WANTS_IMAGE,  /* the first argument names one, here or among the bundled ones */
    WANTS_LISTING /* the store if there is one, else the bundled images */
};

static const struct sub {
    const char *name;
    const char *usage;
    size_t args_n;
    enum wants wants;
    int (*run)(struct call *k, struct err *err);
} subs[] = {
    {"list", "list [--json]", 0, WANTS_LISTING, list},
    {"show", "show [--json] IMAGE", 1, WANTS_IMAGE, show},
    {"import", "import [--name NAME] SOURCE", 1, WANTS_STORE, import},
    {"export", "export IMAGE FILE", 2, WANTS_IMAGE, export},
    {"unpack", "unpack IMAGE DIR", 2, WANTS_IMAGE, unpack},
    {"rm", "rm [--rootfs] IMAGE", 1, WANTS_STORE, rm},
};

static bool has_image(struct image_store *s, struct arena *a, const char *ref)
{
    struct image_info i;
    struct err quiet;

    /* A damaged image is there: what is wrong with it is said by the subcommand. */
    return s && (image_load(s, a, ref, &i, &quiet) == 0 || quiet.code != ENOENT);
}

static struct image_store *open_for(const struct call *k, const struct sub *sub, struct err *err)
{
    const char *dir = k->o->store ? k->o->store : image_default_store(k->c->arena);
    struct err quiet;

    if (sub->wants == WANTS_STORE)
        return image_store_open(dir, IMAGE_CREATE, err);
    if (k->o->store)
        return image_store_open(dir, IMAGE_READ, err);
    struct image_store *s = image_store_open(dir, IMAGE_READ, &quiet);
    if (sub->wants == WANTS_LISTING ? s != NULL : has_image(s, k->c->arena, k->args[0]))
        return s;
    image_store_close(s);
    return image_store_open(k->c->images, IMAGE_READ, err);
}

static const struct sub *find_sub(const char *name)
{
    for (size_t i = 0; i < ARRAY_N(subs); i++)
        if (strcmp(subs[i].name, name) == 0)
            return &subs[i];
    return NULL;
}

static int run(struct cmd *c, struct err *err)
{
    const struct sub *sub = find_sub(c->args[0]);
    struct call k = {c, c->opts, NULL, c->args + 1};

    c->code = 2;
    if (!sub)
        return err_set(err, 0, "there is no 'image %s'", c->args[0]);
    if (c->args_n - 1 != sub->args_n)
        return err_set(err, 0, "usage: mailbox-run image %s", sub->usage);
    c->code = 0;
    own_store struct image_store *s = open_for(&k, sub, err);
    if (!s)
        return -1;
    k.s = s;
    return sub->run(&k, err);
}

const struct verb cmd_image = {
    .name = "image",
    .usage = "list|show|import|export|unpack|rm [OPTIONS] ...",
    .help = "list, show, import, export, unpack and remove images",
    .more = "  image list [--json]\n"
            "  image show [--json] IMAGE\n"
            "  image import [--name NAME] SOURCE    oci:DIR[:REF], oci-archive:FILE[:REF],\n"
            "                                       docker-archive:FILE[:REF], or just a path\n"
            "  image export IMAGE FILE              as an OCI archive\n"
            "  image unpack IMAGE DIR               its root file system\n"
            "  image rm [--rootfs] IMAGE\n"
            "\n"
            "IMAGE is a name, or the digest of a manifest.",
    .opts = OPT_TABLE(rows, OPT_ANYWHERE),
    .opts_size = sizeof(struct image_opts),
    .args_min = 1,
    .args_max = 3,
    .run = run,
};
