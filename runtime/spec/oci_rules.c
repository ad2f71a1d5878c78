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

/* The index of the quote that ends a string, whose first byte is at i; n if there is none. */
static size_t string_end(struct str s, size_t i)
{
    while (i < s.n && s.p[i] != '"')
        i += s.p[i] == '\\' ? 2 : 1;
    return i < s.n ? i : s.n;
}

/* What stands between the quotes, with its escapes. */
static bool take_string(struct str *rest, struct str *out)
{
    size_t end = 0;

    if (!take(rest, '"'))
        return false;
    end = string_end(*rest, 0);
    if (end == rest->n)
        return false;
    *out = str_head(*rest, end);
    *rest = str_skip(*rest, end + 1);
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

/* One value of any type: to the bracket that closes it, or to what cannot belong to it. */
static bool take_value(struct str *rest, struct str *out)
{
    size_t depth = 0, i = 0;

    skip_space(rest);
    for (; i < rest->n; i++) {
        unsigned char mark = marks[(unsigned char)rest->p[i]];

        if (mark == PLAIN)
            continue;
        if (depth == 0 && (mark == PARTS || mark == CLOSES))
            break;
        if (mark == QUOTES)
            i = string_end(*rest, i + 1);
        depth += mark == OPENS;
        depth -= mark == CLOSES;
        if (depth == 0 && mark == CLOSES) {
            i++;
            break;
        }
    }
    *out = str_head(*rest, i);
    *rest = str_skip(*rest, out->n);
    return out->n > 0;
}

/* The value of a member. Of two with the same key, which no document may have, the first. */
static bool find_member(struct str object, const char *key, struct str *out)
{
    struct str name = STR_NONE;

    if (!take(&object, '{'))
        return false;
    do
        if (!take_string(&object, &name) || !take(&object, ':') || !take_value(&object, out))
            return false;
    while (!str_eq_c(name, key) && take(&object, ','));
    return str_eq_c(name, key);
}

bool oci_find_rules(struct str text, struct str *rules)
{
    struct str at = STR_NONE, found = STR_NONE;

    if (!find_member(text, "linux", &at) || !find_member(at, "seccomp", &at) ||
        !find_member(at, "syscalls", &found) || found.p[0] != '[')
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
