/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A word of argv is looked at once. What kind of option it is decides, by table, how its value is
 * stored; how the value was attached does not matter any more at that point.
 */
#include "runtime/cli/opt.h"

#include <string.h>
#include <unistd.h>

#include "runtime/base/arena.h"
#include "runtime/base/buf.h"
#include "runtime/base/err.h"
#include "runtime/base/num.h"
#include "runtime/base/own.h"
#include "runtime/base/path.h"

struct parse {
    struct arena *a;
    const struct opt_table *t;
    struct opt_words words;
    size_t at;  /* the next word */
    char *into; /* the caller's struct */
    struct opt_args *args;
    bool options; /* they have not ended yet */
};

struct given { /* one option as it was written */
    const struct opt *o;
    struct str written; /* "--bundle", "-b" */
    const char *value;  /* NULL: none attached */
};

/* --- storing a value -------------------------------------------------------------------------- */

static int bad_value(const struct given *g, const char *what, struct err *err)
{
    return err_set(err, 0, "option '%.*s': expected %s, found '%.128s'", STR_ARG(g->written), what,
                   g->value);
}

static int store_flag(const struct parse *p, const struct given *g, void *place, struct err *err)
{
    static const struct {
        const char *text;
        bool on;
    } words[] = {{"true", true}, {"1", true}, {"false", false}, {"0", false}};

    (void)p;
    if (g->value == NULL) {
        *(struct opt_flag *)place = (struct opt_flag){true, true};
        return 0;
    }
    for (size_t i = 0; i < ARRAY_N(words); i++) {
        if (strcmp(g->value, words[i].text) != 0)
            continue;
        *(struct opt_flag *)place = (struct opt_flag){true, words[i].on};
        return 0;
    }
    return bad_value(g, "true or false", err);
}

static int store_text(const struct parse *p, const struct given *g, void *place, struct err *err)
{
    (void)p;
    (void)err;
    *(const char **)place = g->value;
    return 0;
}

/* The verb may change directory before it uses the path. */
static int store_path(const struct parse *p, const struct given *g, void *place, struct err *err)
{
    own_free char *cwd = NULL;
    own_buf struct buf path = BUF_INIT(8192);

    if (*g->value == '\0')
        return bad_value(g, "a path", err);
    if (*g->value != '/')
        cwd = get_current_dir_name();
    if (*g->value != '/' && cwd == NULL)
        return err_set(err, 0, "option '%.*s': the current directory is gone", STR_ARG(g->written));
    path_join(str_of(cwd), str_of(g->value), &path);
    if (buf_check(&path, "the path", err) < 0)
        return -1;
    *(const char **)place = arena_copy(p->a, buf_str(&path));
    return 0;
}

static int store_choice(const struct parse *p, const struct given *g, void *place, struct err *err)
{
    own_buf struct buf allowed = BUF_INIT(512);

    (void)p;
    for (const char *const *c = g->o->choices; *c != NULL; c++) {
        if (strcmp(*c, g->value) == 0) {
            *(const char **)place = g->value;
            return 0;
        }
        buf_printf(&allowed, "%s'%s'", c == g->o->choices ? "" : " or ", *c);
    }
    return bad_value(g, buf_c(&allowed), err);
}

static int store_list(const struct parse *p, const struct given *g, void *place, struct err *err)
{
    struct opt_list *l = place;
    const char **grown;

    if (l->n >= OPT_LIST_MAX)
        return err_set(err, 0, "option '%.*s' is given more than %d times", STR_ARG(g->written),
                       OPT_LIST_MAX);
    grown = arena_array(p->a, l->n + 2, sizeof *grown);
    if (grown == NULL)
        return err_set(err, 0, "too many options");
    if (l->n > 0)
        memcpy(grown, l->v, l->n * sizeof *grown);
    grown[l->n] = g->value;
    *l = (struct opt_list){grown, l->n + 1};
    return 0;
}

static int store_number(const struct parse *p, const struct given *g, void *place, struct err *err)
{
    struct opt_number *out = place;
    int64_t v;

    (void)p;
    if (num_parse_i64(str_of(g->value), g->o->min, g->o->max, &v, err) < 0)
        return err_wrap(err, "option '%.*s'", STR_ARG(g->written));
    *out = (struct opt_number){true, v};
    return 0;
}

static int store_refused(const struct parse *p, const struct given *g, void *place, struct err *err)
{
    (void)p;
    (void)place;
    return err_set(err, 0, "option '%.*s': %s", STR_ARG(g->written), g->o->help);
}

static int (*const store[])(const struct parse *, const struct given *, void *, struct err *) = {
    [OPT_KIND_FLAG] = store_flag,       [OPT_KIND_TEXT] = store_text,
    [OPT_KIND_PATH] = store_path,       [OPT_KIND_CHOICE] = store_choice,
    [OPT_KIND_LIST] = store_list,       [OPT_KIND_NUMBER] = store_number,
    [OPT_KIND_REFUSED] = store_refused,
};

/* --- reading words ---------------------------------------------------------------------------- */

static bool takes_value(const struct opt *o)
{
    return o->value != NULL;
}

static const struct opt *by_name(const struct opt_table *t, struct str name)
{
    for (size_t i = 0; i < t->n; i++)
        if (str_eq_c(name, t->v[i].name))
            return &t->v[i];
    return NULL;
}

static const struct opt *by_letter(const struct opt_table *t, char letter)
{
    for (size_t i = 0; i < t->n; i++)
        if (t->v[i].letter == letter)
            return &t->v[i];
    return NULL;
}

/* Fetches the value from the next word if the option wants one and has none, and stores. */
static int finish(struct parse *p, struct given *g, struct err *err)
{
    if (takes_value(g->o) && g->value == NULL) {
        if (p->at >= p->words.n)
            return err_set(err, 0, "option '%.*s' needs a value", STR_ARG(g->written));
        g->value = p->words.v[p->at++];
    }
    return store[g->o->kind](p, g, p->into + g->o->offset, err);
}

static int unknown(struct str written, struct err *err)
{
    return err_set(err, 0, "unknown option '%.*s'", STR_ARG(str_head(written, 64)));
}

/* "--name", "--name=value", and "-name" likewise. */
static int read_long(struct parse *p, const char *word, const struct opt *o, struct err *err)
{
    const char *equal = strchr(word, '=');
    struct given g = {o, str_of(word), NULL};

    if (equal != NULL) {
        g.written = str_head(g.written, (size_t)(equal - word));
        g.value = equal + 1;
    }
    return finish(p, &g, err);
}

/* "-d", "-tv", "-bPATH": letters until one takes a value. */
static int read_letters(struct parse *p, const char *word, struct err *err)
{
    for (const char *c = word + 1; *c != '\0'; c++) {
        char name[] = {'-', *c, '\0'};
        struct given g = {by_letter(p->t, *c), {name, 2}, NULL};

        if (g.o == NULL)
            return unknown(word[2] == '\0' ? g.written : str_of(word), err);
        if (takes_value(g.o) && c[1] != '\0')
            g.value = c[1] == '=' ? c + 2 : c + 1;
        if (finish(p, &g, err) < 0)
            return -1;
        if (takes_value(g.o))
            break;
    }
    return 0;
}

static int read_option(struct parse *p, const char *word, struct err *err)
{
    struct str name = str_skip(str_of(word), word[1] == '-' ? 2 : 1), rest;
    const struct opt *o;

    (void)str_cut(name, '=', &name, &rest); /* the name is what stands before it, if it is there */
    o = by_name(p->t, name);
    if (o != NULL && name.n > 1)
        return read_long(p, word, o, err);
    if (word[1] == '-')
        return unknown(str_head(str_of(word), name.n + 2), err);
    return read_letters(p, word, err);
}

static bool is_help(const struct parse *p, const char *word)
{
    return strcmp(word, "--help") == 0 || (strcmp(word, "-h") == 0 && by_letter(p->t, 'h') == NULL);
}

static int read_word(struct parse *p, const char *word, struct err *err)
{
    if (!p->options || word[0] != '-' || word[1] == '\0') {
        p->args->v[p->args->n++] = word;
        p->options = p->options && p->t->order == OPT_ANYWHERE;
        return 0;
    }
    if (strcmp(word, "--") == 0) {
        p->options = false;
        return 0;
    }
    if (!is_help(p, word))
        return read_option(p, word, err);
    p->args->help = true;
    return 0;
}

int opt_parse(struct arena *a, const struct opt_table *t, struct opt_words words, void *into,
              struct opt_args *args, struct err *err)
{
    struct parse p = {a, t, words, 0, into, args, true};

    *args = (struct opt_args){arena_array(a, words.n + 1, sizeof(char *)), 0, false};
    if (args->v == NULL)
        return err_set(err, 0, "too many arguments");
    while (p.at < words.n && !args->help)
        if (read_word(&p, words.v[p.at++], err) < 0)
            return -1;
    return 0;
}

/* --- help ------------------------------------------------------------------------------------- */

#define HELP_COLUMN 32

void opt_help(const struct opt_table *t, struct buf *out)
{
    for (size_t i = 0; i < t->n; i++) {
        const struct opt *o = &t->v[i];
        size_t from = out->n, wide;

        buf_append_c(out, "  ");
        if (o->letter != 0)
            buf_printf(out, "-%c, ", o->letter);
        else
            buf_append_c(out, "    ");
        buf_printf(out, "--%s", o->name);
        if (takes_value(o))
            buf_printf(out, " %s", o->value);
        wide = out->n - from;
        if (wide >= HELP_COLUMN)
            buf_append_c(out, "\n");
        buf_printf(out, "%*s%s%s\n", wide >= HELP_COLUMN ? HELP_COLUMN : HELP_COLUMN - (int)wide,
                   "", o->kind == OPT_KIND_REFUSED ? "refused: " : "", o->help);
    }
}
