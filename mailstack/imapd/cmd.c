/* SPDX-License-Identifier: Apache-2.0 */
#include "mailstack/imapd/cmd.h"

#include <errno.h>

#include "runtime/base/arena.h"
#include "runtime/base/err.h"

#include "mailstack/imapd/session.h"
#include "mailstack/lib/proto/imap_seqset.h"
#include "mailstack/lib/store/folder.h"
#include "mailstack/lib/store/mailbox.h"
#include "mailstack/lib/store/maildir.h"

#define ANY (SESSION_AUTH | SESSION_SELECTED)
#define SEL SESSION_SELECTED

static const struct cmd cmds[] = {
    {"APPEND", ANY, 0, 0, CMD_ARGS_ANY, cmd_append},
    {"CAPABILITY", ANY, 0, 0, 0, cmd_capability},
    {"CHECK", SEL, 0, 0, 0, cmd_noop},
    {"CLOSE", SEL, CMD_NO_SYNC, 0, 0, cmd_close},
    {"COPY", SEL, CMD_HAS_UID, 2, 2, cmd_copy},
    {"CREATE", ANY, 0, 1, 1, cmd_create},
    {"DELETE", ANY, 0, 1, 1, cmd_delete},
    {"EXAMINE", ANY, CMD_NO_SYNC, 1, 1, cmd_examine},
    {"EXPUNGE", SEL, CMD_HAS_UID | CMD_WRITES, 0, 1, cmd_expunge},
    {"FETCH", SEL, CMD_HAS_UID | CMD_NO_EXPUNGE, 2, 2, cmd_fetch},
    {"GETQUOTA", ANY, 0, 1, 1, cmd_getquota},
    {"GETQUOTAROOT", ANY, 0, 1, 1, cmd_getquotaroot},
    {"ID", ANY, 0, 1, 1, cmd_id},
    {"IDLE", ANY, 0, 0, 0, cmd_idle},
    {"LIST", ANY, 0, 2, 2, cmd_list},
    {"LOGOUT", ANY, CMD_NO_SYNC, 0, 0, cmd_logout},
    {"LSUB", ANY, 0, 2, 2, cmd_lsub},
    {"MOVE", SEL, CMD_HAS_UID | CMD_WRITES, 2, 2, cmd_move},
    {"NAMESPACE", ANY, 0, 0, 0, cmd_namespace},
    {"NOOP", ANY, 0, 0, 0, cmd_noop},
    {"RENAME", ANY, 0, 2, 2, cmd_rename},
    {"SEARCH", SEL, CMD_HAS_UID | CMD_NO_EXPUNGE, 1, CMD_ARGS_ANY, cmd_search},
    {"SELECT", ANY, CMD_NO_SYNC, 1, 1, cmd_select},
    {"STATUS", ANY, 0, 2, 2, cmd_status},
    {"STORE", SEL, CMD_HAS_UID | CMD_NO_EXPUNGE | CMD_WRITES, 3, CMD_ARGS_ANY, cmd_store},
    {"SUBSCRIBE", ANY, 0, 1, 1, cmd_subscribe},
    {"UNSELECT", SEL, CMD_NO_SYNC, 0, 0, cmd_unselect},
    {"UNSUBSCRIBE", ANY, 0, 1, 1, cmd_unsubscribe},
};

const struct cmd *cmd_find(const struct imap_cmd *c)
{
    for (size_t i = 0; i < ARRAY_N(cmds); i++)
        if (str_ieq_c(c->name, cmds[i].name))
            return &cmds[i];
    return NULL;
}

struct str cmd_folder(struct session *s, const struct imap_arg *a)
{
    char name[FOLDER_NAME_MAX + 2];
    struct err err = {0};
    struct str given;

    if (!imap_arg_astring(a, &given)) {
        session_bad(s, "expected the name of a mailbox");
        return STR_NONE;
    }
    if (folder_canonical(given, name, &err) < 0) {
        session_fail(s, &err);
        return STR_NONE;
    }
    return arena_str(s->arena, str_of(name));
}

/* --- sets
 * ------------------------------------------------------------------------------------------ */

struct marks {
    unsigned char *bit;
    size_t set_n;
};

static void mark(struct marks *m, size_t i)
{
    unsigned char b = (unsigned char)(1u << (i % 8));

    m->set_n += (m->bit[i / 8] & b) == 0;
    m->bit[i / 8] |= b;
}

static void mark_uids(const struct view *w, struct imap_range r, struct marks *m)
{
    size_t lo = 0, hi = w->n;

    while (lo < hi) { /* the first with a UID of at least r.lo */
        size_t mid = lo + (hi - lo) / 2;

        if (w->v[mid].uid < r.lo)
            lo = mid + 1;
        else
            hi = mid;
    }
    for (; lo < w->n && w->v[lo].uid <= r.hi; lo++)
        mark(m, lo);
}

static bool mark_numbers(const struct view *w, struct imap_range r, struct marks *m)
{
    if (r.lo == 0 || r.hi > w->n)
        return false;
    for (size_t i = r.lo; i <= r.hi; i++)
        mark(m, i - 1);
    return true;
}

static bool mark_all(const struct view *w, const struct imap_seqset *set, bool uid, struct marks *m)
{
    uint32_t largest = uid ? (w->n == 0 ? 0 : w->v[w->n - 1].uid) : (uint32_t)w->n;

    for (size_t i = 0; i < set->n; i++) {
        struct imap_range r = imap_seqset_range(set, i, largest);

        if (uid)
            mark_uids(w, r, m);
        else if (!mark_numbers(w, r, m))
            return false;
    }
    return true;
}

bool cmd_set(struct session *s, const struct imap_arg *a, bool uid, struct cmd_set *out)
{
    struct marks m = {0};
    struct imap_seqset set;
    struct err err = {0};
    struct str text;
    size_t *v, n = 0;

    if (!imap_arg_atom(a, &text) || imap_seqset_parse(text, s->arena, &set, &err) < 0) {
        session_bad(s, "not a sequence set");
        return false;
    }
    m.bit = arena_alloc(s->arena, s->view.n / 8 + 1);
    if (m.bit == NULL || !mark_all(&s->view, &set, uid, &m)) {
        session_bad(s, "no such message");
        return false;
    }
    v = arena_array(s->arena, m.set_n + 1, sizeof(*v));
    if (v == NULL) {
        session_no(s, "[LIMIT] too many messages at once");
        return false;
    }
    for (size_t i = 0; i < s->view.n; i++)
        if ((m.bit[i / 8] & (1u << (i % 8))) != 0)
            v[n++] = i;
    *out = (struct cmd_set){v, n};
    return true;
}

/* --- flags
 * ----------------------------------------------------------------------------------------- */

static const struct {
    const char *name;
    uint32_t bit;
} system_flags[] = {
    {"\\Answered", MAILDIR_ANSWERED}, {"\\Flagged", MAILDIR_FLAGGED},
    {"\\Deleted", MAILDIR_DELETED},   {"\\Seen", MAILDIR_SEEN},
    {"\\Draft", MAILDIR_DRAFT},
};

static int one_flag(struct mailbox *mb, struct str name, bool make, uint32_t *bits, struct err *err)
{
    uint32_t bit = 0;

    for (size_t i = 0; i < ARRAY_N(system_flags); i++) {
        if (str_ieq_c(name, system_flags[i].name)) {
            *bits |= system_flags[i].bit;
            return 0;
        }
    }
    if (name.n == 0 || name.p[0] == '\\')
        return err_set(err, EPROTO, "not a flag that can be set");
    if (!make) {
        *bits |= keyword_bit(&mb->keywords, name);
        return 0;
    }
    if (keyword_add(&mb->keywords, mb->folder_fd, name, &bit, err) < 0)
        return -1;
    *bits |= bit;
    return 0;
}

int cmd_flags(struct mailbox *mb, const struct imap_arg *args, size_t n, bool make, uint32_t *out,
              struct err *err)
{
    uint32_t bits = 0;

    for (size_t i = 0; i < n; i++) {
        struct str name;

        if (!imap_arg_atom(&args[i], &name))
            return err_set(err, EPROTO, "expected a flag");
        if (one_flag(mb, name, make, &bits, err) < 0)
            return -1;
    }
    *out = bits;
    return 0;
}
