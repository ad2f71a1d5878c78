/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A configuration without its system call rules. The walk finds where a value ends, and validates
 * nothing: it need not. Up to the value, the text that is parsed afterwards is the same; if it is
 * no JSON the parser says so, and if it is, a string is a string for the walk as well, so that the
 * value begins where the walk has it. Whether the rules are right is for the caller to know.
 */
#include <string.h>

#include "runtime/base/buf.h"
#include "runtime/base/own.h"
#include "runtime/spec/oci_field.h"

#define EMPTY "[]"

static void skip_space(struct str *rest)
{
    size_t n = 0;

    while (n < rest->n &&
           (rest->p[n] == ' ' || rest->p[n] == '\t' || rest->p[n] == '\n' || rest->p[n] == '\r'))
        n++;
    *rest = str_skip(*rest, n);
}

static bool take(struct str *rest, char c)
{
    skip_space(rest);
    if (rest->n == 0 || rest->p[0] != c)
        return false;
    *rest = str_skip(*rest, 1);
    return true;
}

/* The quote that ends a string, whose first byte is at p; end if there is none. */
static const char *string_end(const char *p, const char *end)
{
    const char *quote = p < end ? memchr(p, '"', (size_t)(end - p)) : NULL;

    if (quote == NULL)
        return end;
    if (quote == p || quote[-1] != '\\') /* names are short, and this is quick */
        return quote;
    while (p < end && *p != '"')
        p += *p == '\\' ? 2 : 1;
    return p < end ? p : end;
}

/* What stands between the quotes, with its escapes. */
static bool take_string(struct str *rest, struct str *out)
{
    size_t n = 0;

    if (!take(rest, '"'))
        return false;
    n = (size_t)(string_end(rest->p, rest->p + rest->n) - rest->p);
    if (n == rest->n)
        return false;
    *out = str_head(*rest, n);
    *rest = str_skip(*rest, n + 1);
    return true;
}

enum mark {
    PLAIN,
    OPENS,
    CLOSES,
    QUOTES,
    PARTS
};

static const unsigned char marks[256] = {
    ['{'] = OPENS, ['['] = OPENS, ['}'] = CLOSES, [']'] = CLOSES, ['"'] = QUOTES,
    [','] = PARTS, [' '] = PARTS, ['\t'] = PARTS, ['\n'] = PARTS, ['\r'] = PARTS,
};

/* The byte after the value that begins at p: after the bracket that closes it, or before what
 * cannot belong to it. */
static const char *value_end(const char *p, const char *end)
{
    size_t depth = 0;

    for (; p < end; p++) {
        unsigned char mark = marks[(unsigned char)*p];

        if (mark == QUOTES)
            p = string_end(p + 1, end);
        else if (mark == OPENS)
            depth++;
        else if (depth == 0 && mark != PLAIN)
            return p;
        else if (mark == CLOSES && --depth == 0)
            return p + 1;
    }
    return end;
}

static bool take_value(struct str *rest, struct str *out)
{
    skip_space(rest);
    if (rest->n > 0)
        *out = str_head(*rest, (size_t)(value_end(rest->p, rest->p + rest->n) - rest->p));
    else
        *out = STR_NONE;
    *rest = str_skip(*rest, out->n);
    return out->n > 0;
}

/* Goes to the value of a member of the object that *rest begins with. Of two with the same key,
 * which no document may have, to the first. */
static bool enter(struct str *rest, const char *key)
{
    struct str name = STR_NONE, value = STR_NONE;

    if (!take(rest, '{'))
        return false;
    for (;;) {
        if (!take_string(rest, &name) || !take(rest, ':'))
            return false;
        if (str_eq_c(name, key))
            return true;
        if (!take_value(rest, &value) || !take(rest, ','))
            return false;
    }
}

bool oci_find_rules(struct str text, struct str *rules)
{
    struct str found = STR_NONE;

    if (!enter(&text, "linux") || !enter(&text, "seccomp") || !enter(&text, "syscalls") ||
        !take_value(&text, &found) || found.p[0] != '[')
        return false;
    *rules = found;
    return true;
}

int oci_load_but_rules(struct arena *a, struct str text, struct str rules, const char *name,
                       struct oci_config **out, struct err *err)
{
    size_t before = (size_t)(rules.p - text.p);
    own_buf struct buf rest = BUF_INIT(OCI_TEXT_MAX + sizeof EMPTY);

    if (text.n > OCI_TEXT_MAX)
        return err_set(err, 0, "'%s' is too large", name);
    buf_append(&rest, str_head(text, before));
    buf_append_c(&rest, EMPTY);
    buf_append(&rest, str_skip(text, before + rules.n));
    if (buf_check(&rest, name, err) < 0 || oci_load_str(a, buf_str(&rest), name, out, err) < 0)
        return -1;
    (*out)->linux_.seccomp.rules_text = rules;
    (*out)->linux_.seccomp.rules_skipped = true;
    if (str_find_str(rules, STR("\"SCMP_ACT_NOTIFY\"")) >= 0 &&
        (*out)->linux_.seccomp.listener_path == NULL)
        return err_set(err, 0, "$.linux.seccomp: SCMP_ACT_NOTIFY needs a listenerPath");
    return 0;
}
