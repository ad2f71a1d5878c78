/* SPDX-License-Identifier: Apache-2.0 */
/*
 * list: a container that disappears while we look is left out; one whose state cannot be read is
 * told about on standard error, and the others are listed.
 */
#include <fcntl.h>
#include <stdio.h>
#include <string.h>

#include "runtime/base/arena.h"
#include "runtime/base/buf.h"
#include "runtime/base/file.h"
#include "runtime/base/jw.h"
#include "runtime/base/num.h"
#include "runtime/base/own.h"
#include "runtime/cli/cmd.h"

struct list_opts {
    const char *format;
    struct opt_flag quiet;
};

static const char *const formats[] = {"table", "json", NULL};

static const struct opt rows[] = {
    OPT_CHOICE(list_opts, format, "format", 'f', "FORMAT", formats, "table (default) or json"),
    OPT_FLAG(list_opts, quiet, "quiet", 'q', "ids only"),
};

#define LIST_TEXT_MAX (64U << 20)
#define PASSWD_MAX    (1U << 20)

struct entry {
    struct container_state state;
    const char *owner;
};

struct entries {
    struct entry *v;
    size_t n;
};

/* --- the owner's name: /etc/passwd is read here, as name services need a dynamic linker ------- */

static bool passwd_line(struct str line, uid_t uid, struct str *name)
{
    struct str password, id;
    struct err ignored; /* a line that is none is skipped */
    uint32_t v;

    return str_next(&line, ':', name) && str_next(&line, ':', &password) &&
           str_next(&line, ':', &id) && num_parse_u32(id, 0, UINT32_MAX, &v, &ignored) == 0 &&
           v == uid;
}

static const char *owner_name(struct arena *a, struct str passwd, uid_t uid)
{
    struct str line, name;

    while (str_next(&passwd, '\n', &line))
        if (passwd_line(line, uid, &name))
            return arena_copy(a, name);
    return arena_printf(a, "#%u", uid);
}

/* --- reading ---------------------------------------------------------------------------------- */

static int read_entries(struct cmd *c, struct entries *out, struct err *err)
{
    own_buf struct buf passwd = BUF_INIT(PASSWD_MAX);
    struct err ignored; /* without names, numbers are printed */
    const char **ids;
    size_t n;

    if (container_list(&c->env, c->arena, &ids, &n, err) < 0)
        return -1;
    if (file_read(AT_FDCWD, "/etc/passwd", &passwd, &ignored) < 0)
        buf_reset(&passwd);
    out->v = arena_array(c->arena, n, sizeof *out->v);
    if (out->v == NULL)
        return err_set(err, 0, "there are too many containers");
    for (size_t i = 0; i < n; i++) {
        struct entry *e = &out->v[out->n];
        struct err of_one;

        if (container_state(&c->env, ids[i], c->arena, &e->state, &of_one) < 0) {
            (void)err_wrap(&of_one, "container '%s'", ids[i]);
            report_line(c->report, REPORT_WARN, of_one.text);
            continue;
        }
        e->owner = owner_name(c->arena, buf_str(&passwd), e->state.owner);
        out->n++;
    }
    return 0;
}

/* --- printing --------------------------------------------------------------------------------- */

static void print_json(const struct entries *list, struct buf *out)
{
    struct jw w = jw_start(out, JW_ONE_LINE);

    jw_array(&w, NULL);
    for (size_t i = 0; i < list->n; i++) {
        jw_object(&w, NULL);
        container_state_members(&w, &list->v[i].state);
        jw_c(&w, "owner", list->v[i].owner);
        jw_end(&w);
    }
    jw_end(&w);
    buf_append_char(out, '\n');
}

#define COLUMNS   6
#define WIDTH_MIN 12
#define GAP       3

struct row {
    char pid[16];
    const char *cell[COLUMNS];
};

static void fill_row(struct row *r, const struct entry *e)
{
    const struct container_state *s = &e->state;

    (void)snprintf(r->pid, sizeof r->pid, "%d", s->pid); /* fits */
    r->cell[0] = s->id;
    r->cell[1] = r->pid;
    r->cell[2] = container_status_names[s->status];
    r->cell[3] = s->bundle;
    r->cell[4] = s->created;
    r->cell[5] = e->owner;
}

static void print_row(const struct row *r, const size_t *width, struct buf *out)
{
    for (size_t i = 0; i + 1 < COLUMNS; i++)
        buf_printf(out, "%-*s", (int)width[i], r->cell[i]);
    buf_printf(out, "%s\n", r->cell[COLUMNS - 1]);
}

static void print_table(const struct entries *list, struct buf *out)
{
    static const struct row title = {"", {"ID", "PID", "STATUS", "BUNDLE", "CREATED", "OWNER"}};
    size_t width[COLUMNS];
    struct row r;

    for (size_t i = 0; i < COLUMNS; i++)
        width[i] = WIDTH_MIN;
    for (size_t k = 0; k < list->n; k++) {
        fill_row(&r, &list->v[k]);
        for (size_t i = 0; i < COLUMNS; i++)
            if (strlen(r.cell[i]) + GAP > width[i])
                width[i] = strlen(r.cell[i]) + GAP;
    }
    print_row(&title, width, out);
    for (size_t k = 0; k < list->n; k++) {
        fill_row(&r, &list->v[k]);
        print_row(&r, width, out);
    }
}

static void print_ids(const struct entries *list, struct buf *out)
{
    for (size_t i = 0; i < list->n; i++)
        buf_printf(out, "%s\n", list->v[i].state.id);
}

static int run(struct cmd *c, struct err *err)
{
    const struct list_opts *o = c->opts;
    own_buf struct buf out = BUF_INIT(LIST_TEXT_MAX);
    struct entries list = {NULL, 0};

    if (read_entries(c, &list, err) < 0)
        return -1;
    if (o->quiet.on)
        print_ids(&list, &out);
    else if (o->format != NULL && strcmp(o->format, "json") == 0)
        print_json(&list, &out);
    else
        print_table(&list, &out);
    return cmd_print(&out, err);
}

const struct verb cmd_list = {
    .name = "list",
    .usage = "[OPTIONS]",
    .help = "list the containers beneath --root",
    .opts = OPT_TABLE(rows, OPT_ANYWHERE),
    .opts_size = sizeof(struct list_opts),
    .run = run,
};
