/* SPDX-License-Identifier: Apache-2.0 */
#include "mailstack/lib/mail/dkim_tags.h"

#include "runtime/base/err.h"

static bool is_space(char c)
{
    return c == ' ' || c == '\t' || c == '\r' || c == '\n';
}

static bool is_name(struct str s)
{
    if (s.n == 0 || !ascii_is_alpha(s.p[0]))
        return false;
    for (size_t i = 1; i < s.n; i++)
        if (!ascii_is_alnum(s.p[i]) && s.p[i] != '_')
            return false;
    return true;
}

static bool has_control(struct str s)
{
    for (size_t i = 0; i < s.n; i++)
        if (((unsigned char)s.p[i] < 0x20 && !is_space(s.p[i])) || s.p[i] == 0x7f)
            return true;
    return false;
}

static int take_tag(struct str spec, struct dkim_tags *t, struct err *err)
{
    struct dkim_tag tag;

    if (!str_cut(spec, '=', &tag.name, &tag.whole))
        return err_set(err, 0, "a tag without '='");
    tag.name = str_trim(tag.name);
    tag.value = str_trim(tag.whole);
    if (!is_name(tag.name))
        return err_set(err, 0, "a malformed tag name");
    if (has_control(tag.whole))
        return err_set(err, 0, "a control character in tag '%.*s'", STR_ARG(tag.name));
    for (size_t i = 0; i < t->n; i++)
        if (str_eq(t->at[i].name, tag.name))
            return err_set(err, 0, "tag '%.*s' comes twice", STR_ARG(tag.name));
    if (t->n == DKIM_TAGS_MAX)
        return err_set(err, 0, "more than %d tags", DKIM_TAGS_MAX);
    t->at[t->n++] = tag;
    return 0;
}

int dkim_tags_parse(struct str text, struct dkim_tags *out, struct err *err)
{
    struct str spec;

    out->n = 0;
    while (str_next(&text, ';', &spec)) {
        if (str_trim(spec).n == 0 && str_trim(text).n == 0 && out->n > 0)
            break; /* a semicolon at the end */
        if (take_tag(spec, out, err) < 0)
            return -1;
    }
    return out->n > 0 ? 0 : err_set(err, 0, "an empty tag list");
}

const struct dkim_tag *dkim_tags_get(const struct dkim_tags *t, const char *name)
{
    for (size_t i = 0; i < t->n; i++)
        if (str_eq_c(t->at[i].name, name))
            return &t->at[i];
    return NULL;
}

struct str dkim_tags_value(const struct dkim_tags *t, const char *name)
{
    const struct dkim_tag *tag = dkim_tags_get(t, name);

    return tag ? tag->value : STR_NONE;
}

bool dkim_tags_next(struct str *list, struct str *element)
{
    if (!str_next(list, ':', element))
        return false;
    *element = str_trim(*element);
    return true;
}

bool dkim_tags_has(struct str list, const char *element)
{
    struct str e;

    while (dkim_tags_next(&list, &e))
        if (str_ieq_c(e, element))
            return true;
    return false;
}

int dkim_tags_squeeze(struct str s, char *out, size_t max, size_t *n)
{
    size_t used = 0;

    for (size_t i = 0; i < s.n; i++) {
        if (is_space(s.p[i]))
            continue;
        if (used == max)
            return -1;
        out[used++] = s.p[i];
    }
    *n = used;
    return 0;
}
