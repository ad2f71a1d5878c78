/* SPDX-License-Identifier: Apache-2.0 */
#include <fcntl.h>

#include "runtime/base/arena.h"
#include "runtime/base/buf.h"
#include "runtime/base/file.h"
#include "runtime/base/own.h"
#include "runtime/cli/stack/cmd.h"
#include "runtime/spec/oci.h"
#include "runtime/spec/stack.h"
#include "runtime/stack/gen.h"
#include "runtime/stack/layout.h"

struct bundle_opts {
    struct opt_flag exact;
};

static const struct opt rows[] = {
    OPT_FLAG(bundle_opts, exact, "exact", 0, "as `up` makes it, with what runc before 1.2 refuses"),
};

/* What others' runtimes of Debian 12 do not know yet, and what nothing in a container depends on.
 */
static int make_common(struct gen_service *v, struct arena *a, struct err *err)
{
    own_buf struct buf text = BUF_INIT(OCI_TEXT_MAX);

    v->config->linux_.ns[OCI_NS_TIME].mode = OCI_NS_HOST;
    v->config->linux_.seccomp.flags_given = false;
    v->config->linux_.seccomp.flags = 0;
    oci_dump(v->config, &text);
    if (buf_check(&text, "config.json", err) < 0)
        return -1;
    v->bundle = arena_str(a, buf_str(&text));
    return 0;
}

static int print(struct cmd *c, struct gen *g, struct err *err)
{
    const struct bundle_opts *o = c->opts;
    const struct svc *s = svc_get(&g->table, c->args[1]);
    struct layout l;
    struct gen_render r = {
        .l = &l, .images = c->images, .host_network = g->config->dns.mode == STACK_DNS_HOST};

    if (!s)
        return err_set(err, 0, "there is no service '%s'", c->args[1]);
    if (layout_find(c->arena, c->args[0], &l, err) < 0 || gen_render_bundle(g, &r, s, err) < 0)
        return -1;
    if (!o->exact.on && make_common(&g->v[s->index], g->a, err) < 0)
        return -1;
    if (c->args_n > 2) {
        const char *path = arena_printf(c->arena, "%s/config.json", c->args[2]);

        if (file_mkdir_p(AT_FDCWD, c->args[2], 0755, err) < 0)
            return -1;
        return file_replace(AT_FDCWD, path, g->v[s->index].bundle, 0644, err);
    }
    own_buf struct buf out = BUF_INIT(CMD_PRINT_MAX);

    buf_append(&out, g->v[s->index].bundle);
    return cmd_print(&out, err);
}

static int run(struct cmd *c, struct err *err)
{
    own_buf struct buf report = BUF_INIT(STACK_REPORT_MAX);
    struct gen *g = gen_load(c->args[0], &report);
    int rc;

    if (!g)
        return cmd_wrong(c, &report, err);
    rc = print(c, g, err);
    gen_free(g);
    return rc;
}

const struct verb cmd_bundle = {
    .name = "bundle",
    .usage = "[--exact] FILE SERVICE [DIR]",
    .help = "print the config.json of a service, or write its OCI bundle",
    .more =
        "With DIR, DIR/config.json is written; its root file system lies in the stack's storage.\n"
        "Without --exact it has no time namespace and no flags of seccomp, so that runc 1.1 takes it.",
    .opts = OPT_TABLE(rows, OPT_ANYWHERE),
    .opts_size = sizeof(struct bundle_opts),
    .args_min = 2,
    .args_max = 3,
    .run = run,
};
