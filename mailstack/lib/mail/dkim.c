/* SPDX-License-Identifier: Apache-2.0 */
#include "mailstack/lib/mail/dkim.h"

#include <stdio.h>
#include <string.h>

#include "runtime/base/buf.h"
#include "runtime/base/err.h"
#include "runtime/base/mem.h"
#include "runtime/base/num.h"
#include "runtime/base/own.h"

#include "mailstack/lib/mail/dkim_tags.h"
#include "mailstack/lib/mail/header.h"

#define BASE64_MAX 1500 /* of the larger of key and signature */
#define LINE_MAX_N 76
#define SAME_MAX   8 /* fields of one name that are signed */

static const char *const algorithms[] = {
    [DKIM_RSA_SHA256] = "rsa-sha256",
    [DKIM_ED25519_SHA256] = "ed25519-sha256",
    [DKIM_RSA_SHA1] = "rsa-sha1",
};

const char *dkim_algorithm_name(enum dkim_algorithm a)
{
    return algorithms[a];
}

bool dkim_is_domain(struct str s)
{
    struct str label;

    if (s.n == 0 || s.n > 253 || s.p[s.n - 1] == '.')
        return false;
    while (str_next(&s, '.', &label)) {
        if (label.n == 0 || label.n > 63)
            return false;
        for (size_t i = 0; i < label.n; i++)
            if (!ascii_is_alnum(label.p[i]) && label.p[i] != '-' && label.p[i] != '_')
                return false;
    }
    return true;
}

bool dkim_is_beneath(struct str domain, struct str above)
{
    if (str_ieq(domain, above))
        return true;
    return domain.n > above.n + 1 && domain.p[domain.n - above.n - 1] == '.' &&
           str_iends(domain, above);
}

static int unbase64(struct str text, unsigned char *out, size_t max, size_t *n, struct err *err)
{
    own_buf struct buf raw = BUF_INIT(max);
    char flat[BASE64_MAX];
    size_t flat_n;

    if (dkim_tags_squeeze(text, flat, sizeof(flat), &flat_n) < 0)
        return err_set(err, 0, "base64 of more than %d bytes", BASE64_MAX);
    if (buf_append_unbase64(&raw, (struct str){flat, flat_n}, err) < 0 ||
        buf_check(&raw, "base64", err) < 0)
        return -1;
    if (raw.n > 0)
        memcpy(out, raw.p, raw.n);
    *n = raw.n;
    return 0;
}

/* --- signatures --------------------------------------------------------------------------------
 */

static int take_algorithm(struct str a, struct dkim_signature *s, struct err *err)
{
    for (size_t i = 0; i < ARRAY_N(algorithms); i++) {
        if (str_ieq_c(a, algorithms[i])) {
            s->algorithm = (enum dkim_algorithm)i;
            return 0;
        }
    }
    return err_set(err, 0, "an unknown algorithm");
}

static int take_canon(struct str c, enum canon_kind *out, struct err *err)
{
    if (str_ieq_c(c, "simple"))
        *out = CANON_SIMPLE;
    else if (str_ieq_c(c, "relaxed"))
        *out = CANON_RELAXED;
    else
        return err_set(err, 0, "an unknown canonicalization");
    return 0;
}

static int take_canons(struct str c, struct dkim_signature *s, struct err *err)
{
    struct str header = c, body = STR("simple");

    if (c.p == NULL)
        return 0;
    (void)str_cut(c, '/', &header, &body); /* the body's may be left out */
    if (take_canon(header, &s->header_canon, err) < 0)
        return -1;
    return take_canon(body, &s->body_canon, err);
}

static int take_number(const struct dkim_tags *t, const char *name, int64_t *out, struct err *err)
{
    struct str v = dkim_tags_value(t, name);

    *out = -1;
    return v.p ? num_parse_i64(v, 0, INT64_MAX, out, err) : 0;
}

static int take_times(const struct dkim_tags *t, struct dkim_signature *s, struct err *err)
{
    struct str l = dkim_tags_value(t, "l");

    if (take_number(t, "t", &s->time_s, err) < 0 || take_number(t, "x", &s->until_s, err) < 0)
        return -1;
    if (s->time_s >= 0 && s->until_s >= 0 && s->until_s <= s->time_s)
        return err_set(err, 0, "expires before it was made");
    s->has_length = l.p != NULL;
    return s->has_length ? num_parse_u64(l, 0, UINT64_MAX, &s->length, err) : 0;
}

static int take_domains(const struct dkim_tags *t, struct dkim_signature *s, struct err *err)
{
    struct str local, domain;

    s->domain = dkim_tags_value(t, "d");
    s->selector = dkim_tags_value(t, "s");
    s->identity = dkim_tags_value(t, "i");
    if (!dkim_is_domain(s->domain) || str_find(s->domain, '.') < 0)
        return err_set(err, 0, "d= is not a domain");
    if (!dkim_is_domain(s->selector))
        return err_set(err, 0, "s= is not a selector");
    if (s->identity.p == NULL)
        return 0;
    if (!str_rcut(s->identity, '@', &local, &domain) || !dkim_is_beneath(domain, s->domain))
        return err_set(err, 0, "i= is not beneath d=");
    return 0;
}

static int take_names(struct str h, struct dkim_signature *s, struct err *err)
{
    struct str walk = h, name;
    size_t n = 0;

    while (dkim_tags_next(&walk, &name))
        if (++n > DKIM_NAMES_MAX || !header_is_name(name))
            return err_set(err, 0, "h= is malformed or too long");
    if (!dkim_tags_has(h, "from"))
        return err_set(err, 0, "From is not signed");
    s->names = h;
    return 0;
}

static int take_bytes(const struct dkim_tags *t, struct dkim_signature *s, struct err *err)
{
    const struct dkim_tag *b = dkim_tags_get(t, "b");
    struct str bh = dkim_tags_value(t, "bh");
    size_t want = s->algorithm == DKIM_RSA_SHA1 ? 20 : DKIM_HASH_N;

    if (b == NULL || bh.p == NULL)
        return err_set(err, 0, "b= or bh= is missing");
    if (unbase64(b->value, s->bytes, sizeof(s->bytes), &s->bytes_n, err) < 0)
        return err_wrap(err, "b=");
    if (unbase64(bh, s->hash, sizeof(s->hash), &s->hash_n, err) < 0)
        return err_wrap(err, "bh=");
    if (s->bytes_n == 0 || s->hash_n != want)
        return err_set(err, 0, "b= or bh= has a wrong length");
    s->b = b->whole;
    return 0;
}

int dkim_parse_signature(struct str value, struct dkim_signature *out, struct err *err)
{
    struct dkim_signature s = {0};
    struct dkim_tags t;
    struct str q;

    if (dkim_tags_parse(value, &t, err) < 0)
        return -1;
    if (!str_eq_c(dkim_tags_value(&t, "v"), "1"))
        return err_set(err, 0, "v= is not 1");
    if (take_algorithm(dkim_tags_value(&t, "a"), &s, err) < 0 ||
        take_canons(dkim_tags_value(&t, "c"), &s, err) < 0 || take_domains(&t, &s, err) < 0 ||
        take_names(dkim_tags_value(&t, "h"), &s, err) < 0 || take_times(&t, &s, err) < 0 ||
        take_bytes(&t, &s, err) < 0)
        return -1;
    q = dkim_tags_value(&t, "q");
    if (q.p != NULL && !dkim_tags_has(q, "dns/txt"))
        return err_set(err, 0, "q= is not dns/txt");
    *out = s;
    return 0;
}

/* --- keys --------------------------------------------------------------------------------------
 */

static int take_kind(struct str k, struct dkim_key *key, struct err *err)
{
    if (k.p == NULL || str_ieq_c(k, "rsa"))
        key->kind = DKIM_KEY_RSA;
    else if (str_ieq_c(k, "ed25519"))
        key->kind = DKIM_KEY_ED25519;
    else
        return err_set(err, 0, "an unknown kind of key");
    return 0;
}

int dkim_parse_key(struct str record, struct dkim_key *out, struct err *err)
{
    struct dkim_key key = {0};
    struct dkim_tags t;

    if (dkim_tags_parse(record, &t, err) < 0)
        return err_wrap(err, "key record");
    struct str v = dkim_tags_value(&t, "v"), h = dkim_tags_value(&t, "h");
    struct str s = dkim_tags_value(&t, "s"), flags = dkim_tags_value(&t, "t");
    struct str p = dkim_tags_value(&t, "p");

    if (v.p != NULL && (!str_eq_c(v, "DKIM1") || !str_eq_c(t.at[0].name, "v")))
        return err_set(err, 0, "not a key record of DKIM1");
    if (p.p == NULL)
        return err_set(err, 0, "a key record without p=");
    if (take_kind(dkim_tags_value(&t, "k"), &key, err) < 0 ||
        unbase64(p, key.bytes, sizeof(key.bytes), &key.bytes_n, err) < 0)
        return err_wrap(err, "key record");
    key.revoked = key.bytes_n == 0;
    key.sha256 = h.p == NULL || dkim_tags_has(h, "sha256");
    key.mail = s.p == NULL || dkim_tags_has(s, "*") || dkim_tags_has(s, "email");
    key.strict = dkim_tags_has(flags, "s");
    key.testing = dkim_tags_has(flags, "y");
    *out = key;
    return 0;
}

int dkim_key_fits(const struct dkim_key *k, const struct dkim_signature *s, struct err *err)
{
    bool ed25519 = s->algorithm == DKIM_ED25519_SHA256;
    struct str local, domain;

    if (k->revoked)
        return err_set(err, 0, "key revoked");
    if (ed25519 != (k->kind == DKIM_KEY_ED25519))
        return err_set(err, 0, "key is of another kind");
    if (!k->sha256)
        return err_set(err, 0, "key does not allow the hash");
    if (!k->mail)
        return err_set(err, 0, "key is not for mail");
    if (k->strict && s->identity.p != NULL && str_rcut(s->identity, '@', &local, &domain) &&
        !str_ieq(domain, s->domain))
        return err_set(err, 0, "key does not allow subdomains");
    return 0;
}

/* --- what is signed ----------------------------------------------------------------------------
 */

/* The lowest field of that name that was not taken yet; fields_n if there is none. */
static size_t lowest(const struct header_field *fields, size_t fields_n, const bool *taken,
                     struct str name)
{
    for (size_t i = fields_n; i-- > 0;)
        if (!taken[i] && str_ieq(fields[i].name, name))
            return i;
    return fields_n;
}

static void append_own(const struct dkim_signature *s, struct str own, struct buf *out)
{
    own_buf struct buf bare = BUF_INIT(own.n + 1);
    size_t at = (size_t)(s->b.p - own.p);

    buf_append(&bare, str_head(own, at));
    buf_append(&bare, str_skip(own, at + s->b.n));
    canon_header(s->header_canon, buf_str(&bare), out);
    if (str_ends(buf_str(out), STR("\r\n")))
        buf_truncate(out, out->n - 2);
}

void dkim_signed_bytes(const struct dkim_signature *s, struct str own,
                       const struct header_field *fields, size_t fields_n, struct buf *out)
{
    own_free bool *taken = mem_array(fields_n + 1, sizeof(*taken));
    struct str names = s->names, name;

    while (dkim_tags_next(&names, &name)) {
        size_t i = lowest(fields, fields_n, taken, name);

        if (i == fields_n)
            continue; /* signed as absent */
        taken[i] = true;
        canon_header(s->header_canon, fields[i].raw, out);
    }
    append_own(s, own, out);
}

/* --- making one --------------------------------------------------------------------------------
 */

/* RFC 6376 section 5.4.1, and what mail programs of today show or act on. */
static const char *const worth[] = {
    "From",
    "Sender",
    "Reply-To",
    "To",
    "Cc",
    "Subject",
    "Date",
    "Message-ID",
    "In-Reply-To",
    "References",
    "MIME-Version",
    "Content-Type",
    "List-Id",
    "List-Post",
    "Content-Transfer-Encoding",
    "List-Help",
    "List-Owner",
    "List-Unsubscribe",
    "List-Archive",
    "List-Subscribe",
    "List-Unsubscribe-Post",
};

struct line {
    struct buf *out;
    size_t from; /* where the present line begins */
};

/* Appends a piece, on a new line if it does not fit on the present one. */
static void put(struct line *l, const char *between, struct str piece)
{
    if (l->out->n - l->from + piece.n + 1 > LINE_MAX_N) {
        buf_append_c(l->out, "\r\n\t");
        l->from = l->out->n;
    } else {
        buf_append_c(l->out, between);
    }
    buf_append(l->out, piece);
}

static void put_tag(struct line *l, const char *name, struct str value)
{
    own_buf struct buf piece = BUF_INIT(1024);

    buf_printf(&piece, "%s=%.*s;", name, STR_ARG(value));
    put(l, " ", buf_str(&piece));
}

static size_t count(const struct header_field *fields, size_t n, const char *name)
{
    size_t found = 0;

    for (size_t i = 0; i < n; i++)
        found += str_ieq_c(fields[i].name, name);
    return found < SAME_MAX ? found : SAME_MAX;
}

static void put_names(struct line *l, const struct header_field *fields, size_t fields_n)
{
    put(l, " ", STR("h=From"));
    for (size_t i = 0; i < ARRAY_N(worth); i++) {
        for (size_t k = count(fields, fields_n, worth[i]); k > 0; k--) {
            put(l, "", STR(":"));
            put(l, "", str_of(worth[i]));
        }
    }
    put(l, "", STR(";"));
}

void dkim_format(const struct dkim_making *m, const struct header_field *fields, size_t fields_n,
                 struct buf *out)
{
    own_buf struct buf hash = BUF_INIT(64);
    struct line l = {out, out->n};
    char time[NUM_TEXT_MAX];

    (void)snprintf(time, sizeof(time), "%lld", (long long)m->time_s); /* fits */
    buf_append_base64(&hash, m->body_hash);
    buf_append_c(out, "DKIM-Signature: v=1;");
    put_tag(&l, "a", str_of(dkim_algorithm_name(m->algorithm)));
    put_tag(&l, "c", STR("relaxed/relaxed"));
    put_tag(&l, "d", m->domain);
    put_tag(&l, "s", m->selector);
    put_tag(&l, "t", str_of(time));
    put_names(&l, fields, fields_n);
    put_tag(&l, "bh", buf_str(&hash));
    put(&l, " ", STR("b="));
}

int dkim_bytes_to_sign(struct str field, const struct header_field *fields, size_t fields_n,
                       struct buf *out, struct err *err)
{
    struct dkim_signature s = {.header_canon = CANON_RELAXED};
    struct dkim_tags t;
    struct str name, value;

    if (!str_cut(field, ':', &name, &value) || dkim_tags_parse(value, &t, err) < 0)
        return err_set(err, 0, "sign: a malformed field");
    s.names = dkim_tags_value(&t, "h");
    s.b = str_skip(field, field.n); /* nothing yet */
    dkim_signed_bytes(&s, field, fields, fields_n, out);
    return buf_check(out, "the bytes to sign", err);
}

void dkim_format_signature(struct str signature, struct buf *out)
{
    own_buf struct buf text = BUF_INIT(BASE64_MAX);
    struct str rest;

    buf_append_base64(&text, signature);
    rest = buf_str(&text);
    while (rest.n > 0) {
        buf_append_c(out, "\r\n\t");
        buf_append(out, str_head(rest, LINE_MAX_N - 4));
        rest = str_skip(rest, LINE_MAX_N - 4);
    }
    buf_append_c(out, "\r\n");
}
