/* SPDX-License-Identifier: Apache-2.0 */
#include "mailstack/lib/proto/imap_envelope.h"

#include "runtime/base/arena.h"
#include "runtime/base/buf.h"
#include "runtime/base/err.h"
#include "runtime/base/own.h"

#include "mailstack/lib/mail/address.h"
#include "mailstack/lib/mail/header.h"
#include "mailstack/lib/proto/imap_quote.h"

/* In the order of the list. */
enum field {
    DATE,
    SUBJECT,
    FROM,
    SENDER,
    REPLY_TO,
    TO,
    CC,
    BCC,
    IN_REPLY_TO,
    MESSAGE_ID,
    FIELDS
};

static const char *const names[FIELDS] = {
    [DATE] = "Date",
    [SUBJECT] = "Subject",
    [FROM] = "From",
    [SENDER] = "Sender",
    [REPLY_TO] = "Reply-To",
    [TO] = "To",
    [CC] = "Cc",
    [BCC] = "Bcc",
    [IN_REPLY_TO] = "In-Reply-To",
    [MESSAGE_ID] = "Message-ID",
};

static void collect(struct str header, struct str values[FIELDS])
{
    struct header_walk w = header_walk(header);
    struct header_field f;

    while (header_next(&w, &f)) {
        for (size_t i = 0; i < FIELDS; i++) {
            if (!values[i].p && str_ieq_c(f.name, names[i]))
                values[i] = f.value;
        }
    }
}

static void text(struct buf *to, struct str value)
{
    own_buf struct buf line = BUF_INIT(value.n + 1);

    if (!value.p) {
        imap_quote_nstring(to, STR_NONE);
        return;
    }
    header_unfold(value, &line);
    imap_quote_string(to, buf_str(&line));
}

/* A NIL in these places marks a group's start or end, so what is missing gets a name. */
static struct str or_missing(struct str s, struct str name)
{
    return s.n ? s : name;
}

static void one_address(struct buf *to, const struct address *a)
{
    buf_append_char(to, '(');
    switch (a->kind) {
    case ADDRESS_GROUP:
        buf_append_c(to, "NIL NIL ");
        imap_quote_string(to, a->name);
        buf_append_c(to, " NIL");
        break;
    case ADDRESS_GROUP_END:
        buf_append_c(to, "NIL NIL NIL NIL");
        break;
    case ADDRESS_MAILBOX:
        imap_quote_nstring(to, a->name);
        buf_append_char(to, ' ');
        imap_quote_nstring(to, a->route);
        buf_append_char(to, ' ');
        imap_quote_string(to, or_missing(a->local, STR("MISSING_MAILBOX")));
        buf_append_char(to, ' ');
        imap_quote_string(to, or_missing(a->domain, STR("MISSING_DOMAIN")));
        break;
    }
    buf_append_char(to, ')');
}

static int addresses(struct buf *to, struct str value, struct arena *a, struct err *err)
{
    struct address_list l = {0};

    if (address_parse_list(value, a, &l, err) < 0)
        return -1;
    if (l.n == 0) {
        buf_append_c(to, "NIL");
        return 0;
    }
    buf_append_char(to, '(');
    for (size_t i = 0; i < l.n; i++)
        one_address(to, &l.at[i]);
    buf_append_char(to, ')');
    return 0;
}

int imap_envelope_format(struct buf *to, struct str header, struct arena *scratch, struct err *err)
{
    struct str values[FIELDS] = {{NULL, 0}};

    collect(header, values);
    /* Who sent it and who gets the answer is who wrote it, unless somebody else is named. */
    if (str_trim(values[SENDER]).n == 0)
        values[SENDER] = values[FROM];
    if (str_trim(values[REPLY_TO]).n == 0)
        values[REPLY_TO] = values[FROM];
    buf_append_char(to, '(');
    for (size_t i = 0; i < FIELDS; i++) {
        if (i)
            buf_append_char(to, ' ');
        if (i < FROM || i > BCC)
            text(to, values[i]);
        else if (addresses(to, values[i], scratch, err) < 0)
            return -1;
    }
    buf_append_char(to, ')');
    return 0;
}
