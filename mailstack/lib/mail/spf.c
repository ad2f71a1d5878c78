/* SPDX-License-Identifier: Apache-2.0 */
#include "mailstack/lib/mail/spf.h"

#include <arpa/inet.h>
#include <stdio.h>
#include <string.h>

#include "runtime/base/arena.h"
#include "runtime/base/buf.h"
#include "runtime/base/err.h"
#include "runtime/base/num.h"
#include "runtime/base/own.h"

static const char *const results[] = {
    [SPF_NONE] = "none",           [SPF_NEUTRAL] = "neutral",   [SPF_PASS] = "pass",
    [SPF_FAIL] = "fail",           [SPF_SOFTFAIL] = "softfail", [SPF_TEMPERROR] = "temperror",
    [SPF_PERMERROR] = "permerror",
};

const char *spf_result_name(enum spf_result r)
{
    return results[r];
}

bool spf_is_name(struct str s)
{
    size_t labels = 0;
    struct str label;

    if (str_ends(s, STR(".")))
        s.n--;
    if (s.n == 0 || s.n > SPF_NAME_MAX || s.p[s.n - 1] == '.')
        return false;
    while (str_next(&s, '.', &label)) {
        labels++;
        if (label.n == 0 || label.n > 63)
            return false;
    }
    return labels >= 2;
}

bool spf_same_prefix(const unsigned char *a, const unsigned char *b, unsigned bits)
{
    size_t whole = bits / 8;
    unsigned rest = bits % 8;

    if (memcmp(a, b, whole) != 0)
        return false;
    return rest == 0 || ((a[whole] ^ b[whole]) >> (8 - rest)) == 0;
}

bool spf_is_record(struct str txt)
{
    return str_istarts(txt, STR("v=spf1")) && (txt.n == 6 || txt.p[6] == ' ');
}

/* --- macro strings (section 7.1) ---------------------------------------------------------------
 */

struct macro {
    char letter; /* lower case */
    bool escape; /* it was upper case */
    bool reverse;
    size_t keep; /* 0: all */
    struct str delimiters;
};

#define MACRO_LETTERS "slodiphv" /* "crt" are for explanations only */
#define DELIMITERS    ".-+,/_="

static size_t span_of(struct str s, const char *set)
{
    size_t n = 0;

    while (n < s.n && str_find(str_of(set), s.p[n]) >= 0)
        n++;
    return n;
}

/* What stands between "%{" and "}". */
static int parse_macro(struct str in, struct macro *out, struct err *err)
{
    struct macro m = {0};
    struct err ignored = {0};
    uint64_t keep;
    size_t digits;

    if (in.n == 0 || str_find(STR(MACRO_LETTERS), ascii_lower(in.p[0])) < 0)
        return err_set(err, 0, "an unknown macro");
    m.letter = ascii_lower(in.p[0]);
    m.escape = m.letter != in.p[0];
    in = str_skip(in, 1);
    digits = span_of(in, "0123456789");
    if (digits > 0) {
        /* More labels than a name has are all of them. */
        if (num_parse_u64(str_head(in, digits), 0, 128, &keep, &ignored) < 0)
            keep = 128;
        if (keep == 0)
            return err_set(err, 0, "a macro that keeps nothing");
        m.keep = keep;
        in = str_skip(in, digits);
    }
    if (in.n > 0 && ascii_lower(in.p[0]) == 'r') {
        m.reverse = true;
        in = str_skip(in, 1);
    }
    m.delimiters = in.n > 0 ? in : STR(".");
    if (span_of(in, DELIMITERS) != in.n)
        return err_set(err, 0, "a malformed macro");
    *out = m;
    return 0;
}

enum piece_kind {
    PIECE_LITERAL,
    PIECE_MACRO,
};

struct piece {
    enum piece_kind kind;
    struct str text;
    struct macro macro;
};

/* Takes the next piece: 1, 0 at the end, -1 for a syntax error. */
static int next_piece(struct str *rest, struct piece *out, struct err *err)
{
    static const struct {
        char c;
        struct str text;
    } escapes[] = {{'%', STR_INIT("%")}, {'_', STR_INIT(" ")}, {'-', STR_INIT("%20")}};

    ptrdiff_t end;

    if (rest->n == 0)
        return 0;
    *out = (struct piece){.kind = PIECE_LITERAL};
    if (rest->p[0] != '%') {
        end = str_find(*rest, '%');
        out->text = end < 0 ? *rest : str_head(*rest, (size_t)end);
        *rest = str_skip(*rest, out->text.n);
        return 1;
    }
    for (size_t i = 0; rest->n > 1 && i < ARRAY_N(escapes); i++) {
        if (rest->p[1] == escapes[i].c) {
            out->text = escapes[i].text;
            *rest = str_skip(*rest, 2);
            return 1;
        }
    }
    end = str_find(*rest, '}');
    if (rest->n < 2 || rest->p[1] != '{' || end < 0)
        return err_set(err, 0, "a lone '%%'");
    out->kind = PIECE_MACRO;
    if (parse_macro(str_sub(*rest, 2, (size_t)end - 2), &out->macro, err) < 0)
        return -1;
    *rest = str_skip(*rest, (size_t)end + 1);
    return 1;
}

/* A whole macro-string is right; *last is its last piece. */
static int check_macros(struct str s, struct piece *last, struct err *err)
{
    int more;

    for (size_t i = 0; i < s.n; i++)
        if (s.p[i] <= 0x20 || s.p[i] >= 0x7f)
            return err_set(err, 0, "a character that may not be");
    while ((more = next_piece(&s, last, err)) > 0)
        ;
    return more;
}

/* "toplabel": not all digits, no hyphen at its ends. */
static bool is_top_label(struct str s)
{
    bool other = false;

    if (s.n == 0 || s.p[0] == '-' || s.p[s.n - 1] == '-')
        return false;
    for (size_t i = 0; i < s.n; i++) {
        if (!ascii_is_alnum(s.p[i]) && s.p[i] != '-')
            return false;
        other = other || !ascii_is_digit(s.p[i]);
    }
    return other;
}

/* A domain-spec ends in a macro or in ".toplabel". */
static int check_domain(struct str s, struct err *err)
{
    struct piece last = {0};
    struct str before, top;

    if (s.n == 0)
        return err_set(err, 0, "an empty domain");
    if (check_macros(s, &last, err) < 0)
        return -1;
    if (last.kind == PIECE_MACRO || str_ends(s, STR("%%")) || str_ends(s, STR("%_")) ||
        str_ends(s, STR("%-")))
        return 0;
    if (str_ends(s, STR(".")))
        s.n--;
    if (!str_rcut(s, '.', &before, &top) || !is_top_label(top))
        return err_set(err, 0, "a domain that is none");
    return 0;
}

bool spf_wants_name(struct str spec)
{
    struct err ignored = {0};
    struct piece p;

    while (next_piece(&spec, &p, &ignored) > 0)
        if (p.kind == PIECE_MACRO && p.macro.letter == 'p')
            return true;
    return false;
}

/* --- expansion ---------------------------------------------------------------------------------
 */

static void append_addr(const struct spf_macros *m, struct buf *out)
{
    for (size_t i = 0; i < m->addr_n; i++) {
        if (m->addr_n == 4)
            buf_printf(out, "%s%u", i ? "." : "", (unsigned)m->addr[i]);
        else
            buf_printf(out, "%s%x.%x", i ? "." : "", (unsigned)m->addr[i] >> 4,
                       (unsigned)m->addr[i] & 15);
    }
}

static void append_value(char letter, const struct spf_macros *m, struct buf *out)
{
    const struct {
        char letter;
        struct str value;
    } known[] = {
        {'l', m->local}, {'o', m->sender},    {'d', m->domain},
        {'h', m->helo},  {'p', m->validated}, {'v', m->addr_n == 4 ? STR("in-addr") : STR("ip6")},
    };

    if (letter == 'i') {
        append_addr(m, out);
    } else if (letter == 's') {
        buf_append(out, m->local);
        buf_append_char(out, '@');
        buf_append(out, m->sender);
    }
    for (size_t i = 0; i < ARRAY_N(known); i++)
        if (known[i].letter == letter)
            buf_append(out, known[i].value);
}

#define PARTS_MAX 256 /* of a value that is split */

static size_t split(struct str s, struct str delimiters, struct str *parts)
{
    size_t n = 0, from = 0;

    for (size_t i = 0; i <= s.n && n < PARTS_MAX; i++) {
        if (i == s.n || str_find(delimiters, s.p[i]) >= 0) {
            parts[n++] = str_sub(s, from, i - from);
            from = i + 1;
        }
    }
    return n;
}

static void append_escaped(struct str s, struct buf *out)
{
    for (size_t i = 0; i < s.n; i++) {
        unsigned char c = (unsigned char)s.p[i];

        if (ascii_is_alnum(s.p[i]) || str_find(STR("-._~"), s.p[i]) >= 0)
            buf_append_char(out, s.p[i]);
        else
            buf_printf(out, "%%%02X", c);
    }
}

static void expand_macro(const struct macro *macro, const struct spf_macros *m, struct buf *out)
{
    own_buf struct buf value = BUF_INIT(2048);
    own_buf struct buf joined = BUF_INIT(2048);
    struct str parts[PARTS_MAX];
    size_t n, first;

    append_value(macro->letter, m, &value);
    n = split(buf_str(&value), macro->delimiters, parts);
    first = macro->keep > 0 && macro->keep < n ? n - macro->keep : 0;
    for (size_t i = first; i < n; i++) {
        if (i > first)
            buf_append_char(&joined, '.');
        /* Reversed, the right-hand parts are the first ones of the original. */
        buf_append(&joined, macro->reverse ? parts[n - 1 - i] : parts[i]);
    }
    if (macro->escape)
        append_escaped(buf_str(&joined), out);
    else
        buf_append(out, buf_str(&joined));
}

void spf_expand(struct str spec, const struct spf_macros *m, struct buf *out)
{
    own_buf struct buf text = BUF_INIT(65536);
    struct err ignored = {0};
    struct piece p;
    struct str s;

    while (next_piece(&spec, &p, &ignored) > 0) {
        if (p.kind == PIECE_MACRO)
            expand_macro(&p.macro, m, &text);
        else
            buf_append(&text, p.text);
    }
    s = buf_str(&text);
    if (str_ends(s, STR(".")))
        s.n--;
    while (s.n > SPF_NAME_MAX) { /* whole labels off the left, section 7.3 */
        ptrdiff_t dot = str_find(s, '.');

        s = dot < 0 ? str_skip(s, s.n - SPF_NAME_MAX) : str_skip(s, (size_t)dot + 1);
    }
    buf_append(out, s);
}

/* --- records -----------------------------------------------------------------------------------
 */

static int parse_prefix(struct str digits, unsigned max, unsigned *out, struct err *err)
{
    uint64_t n;

    if (digits.n > 1 && digits.p[0] == '0')
        return err_set(err, 0, "a prefix length with a leading zero");
    if (num_parse_u64(digits, 0, max, &n, err) < 0)
        return -1;
    *out = (unsigned)n;
    return 0;
}

/* Takes "/digits" or "//digits" off the end, if there. */
static bool cut_prefix(struct str *s, const char *mark, struct str *digits)
{
    struct str m = str_of(mark);
    size_t n = 0;

    while (n < s->n && ascii_is_digit(s->p[s->n - 1 - n]))
        n++;
    if (n == 0 || n == s->n || !str_ends(str_head(*s, s->n - n), m))
        return false;
    *digits = str_skip(*s, s->n - n);
    *s = str_head(*s, s->n - n - m.n);
    return true;
}

static int take_prefixes(struct str *arg, struct spf_term *t, struct err *err)
{
    struct str digits;

    if (cut_prefix(arg, "//", &digits) && parse_prefix(digits, 128, &t->prefix6, err) < 0)
        return -1;
    if (cut_prefix(arg, "/", &digits) && parse_prefix(digits, 32, &t->prefix4, err) < 0)
        return -1;
    return 0;
}

/* [":" domain-spec] [dual-cidr-length] */
static int parse_hosts(struct str arg, struct spf_term *t, struct err *err)
{
    if (take_prefixes(&arg, t, err) < 0)
        return -1;
    if (arg.n == 0)
        return 0;
    if (arg.p[0] != ':')
        return err_set(err, 0, "a malformed argument");
    t->domain = str_skip(arg, 1);
    return check_domain(t->domain, err);
}

static int parse_ptr(struct str arg, struct spf_term *t, struct err *err)
{
    if (arg.n == 0)
        return 0;
    if (arg.p[0] != ':')
        return err_set(err, 0, "a malformed argument");
    t->domain = str_skip(arg, 1);
    return check_domain(t->domain, err);
}

static int parse_domain(struct str arg, struct spf_term *t, struct err *err)
{
    if (arg.n == 0 || arg.p[0] != ':')
        return err_set(err, 0, "the domain is missing");
    t->domain = str_skip(arg, 1);
    return check_domain(t->domain, err);
}

static int parse_all(struct str arg, struct spf_term *t, struct err *err)
{
    (void)t;
    return arg.n == 0 ? 0 : err_set(err, 0, "'all' has no argument");
}

static int parse_ip(struct str arg, int family, unsigned char *addr, struct err *err)
{
    own_free char *c = str_dup_c(arg, err);

    if (c == NULL)
        return -1;
    return inet_pton(family, c, addr) == 1 ? 0 : err_set(err, 0, "an address that is none");
}

static int parse_ip4(struct str arg, struct spf_term *t, struct err *err)
{
    struct str addr = str_skip(arg, 1), digits;

    if (arg.n == 0 || arg.p[0] != ':')
        return err_set(err, 0, "the address is missing");
    if (str_cut(addr, '/', &addr, &digits) && parse_prefix(digits, 32, &t->prefix4, err) < 0)
        return -1;
    return parse_ip(addr, AF_INET, t->addr, err);
}

static int parse_ip6(struct str arg, struct spf_term *t, struct err *err)
{
    struct str addr = str_skip(arg, 1), digits;

    if (arg.n == 0 || arg.p[0] != ':')
        return err_set(err, 0, "the address is missing");
    if (str_cut(addr, '/', &addr, &digits) && parse_prefix(digits, 128, &t->prefix6, err) < 0)
        return -1;
    return parse_ip(addr, AF_INET6, t->addr, err);
}

static const struct {
    struct str name;
    enum spf_mechanism mechanism;
    int (*parse)(struct str arg, struct spf_term *t, struct err *err);
} mechanisms[] = {
    {STR_INIT("all"), SPF_ALL, parse_all}, {STR_INIT("include"), SPF_INCLUDE, parse_domain},
    {STR_INIT("a"), SPF_A, parse_hosts},   {STR_INIT("mx"), SPF_MX, parse_hosts},
    {STR_INIT("ptr"), SPF_PTR, parse_ptr}, {STR_INIT("ip4"), SPF_IP4, parse_ip4},
    {STR_INIT("ip6"), SPF_IP6, parse_ip6}, {STR_INIT("exists"), SPF_EXISTS, parse_domain},
};

static int take_directive(struct str term, struct spf_record *r, struct err *err)
{
    static const enum spf_result qualifiers[] = {SPF_PASS, SPF_FAIL, SPF_SOFTFAIL, SPF_NEUTRAL};
    struct spf_term t = {.qualifier = SPF_PASS, .prefix4 = 32, .prefix6 = 128};
    ptrdiff_t q = term.n > 0 ? str_find(STR("+-~?"), term.p[0]) : -1;

    if (q >= 0) {
        t.qualifier = qualifiers[q];
        term = str_skip(term, 1);
    }
    ptrdiff_t end = str_find_any(term, ":/");
    struct str name = end < 0 ? term : str_head(term, (size_t)end);

    for (size_t i = 0; i < ARRAY_N(mechanisms); i++) {
        if (!str_ieq(name, mechanisms[i].name))
            continue;
        t.mechanism = mechanisms[i].mechanism;
        if (mechanisms[i].parse(str_skip(term, name.n), &t, err) < 0)
            return err_wrap(err, "'%.*s'", STR_ARG(term));
        r->has_all = r->has_all || t.mechanism == SPF_ALL;
        r->terms[r->terms_n++] = t;
        return 0;
    }
    return err_set(err, 0, "an unknown mechanism '%.*s'", STR_ARG(str_head(term, 64)));
}

static bool is_modifier_name(struct str s)
{
    if (s.n == 0 || !ascii_is_alpha(s.p[0]))
        return false;
    for (size_t i = 1; i < s.n; i++)
        if (!ascii_is_alnum(s.p[i]) && str_find(STR("-_."), s.p[i]) < 0)
            return false;
    return true;
}

/* 1: it was a modifier; 0: it is none; -1. */
static int take_modifier(struct str term, struct spf_record *r, struct str *explain,
                         struct err *err)
{
    struct str name, value;
    struct piece last;

    if (!str_cut(term, '=', &name, &value) || !is_modifier_name(name))
        return 0;
    struct str *known = str_ieq_c(name, "redirect") ? &r->redirect
                        : str_ieq_c(name, "exp")    ? explain
                                                    : NULL;

    if (known == NULL)
        return check_macros(value, &last, err) < 0 ? -1 : 1;
    if (known->p != NULL)
        return err_set(err, 0, "'%.*s' comes twice", STR_ARG(name));
    *known = value;
    return check_domain(value, err) < 0 ? -1 : 1;
}

int spf_parse(struct str txt, struct arena *a, struct spf_record *out, struct err *err)
{
    struct spf_record r = {0};
    struct str rest = str_skip(txt, 6), term, explain = STR_NONE;
    size_t n = 1;

    for (size_t i = 0; i < txt.n; i++)
        n += txt.p[i] == ' ';
    if (n > SPF_TERMS_MAX)
        return err_set(err, 0, "more than %d terms", SPF_TERMS_MAX);
    r.terms = arena_array(a, n, sizeof(*r.terms));
    if (r.terms == NULL)
        return err_set(err, 0, "an SPF record: out of the message's memory");
    while (str_next(&rest, ' ', &term)) {
        if (term.n == 0)
            continue;
        int modifier = take_modifier(term, &r, &explain, err);

        if (modifier < 0 || (modifier == 0 && take_directive(term, &r, err) < 0))
            return -1;
    }
    *out = r;
    return 0;
}
