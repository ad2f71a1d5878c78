/* SPDX-License-Identifier: Apache-2.0 */
/*
 * imapd - serves authenticated IMAP sessions, one process a user (imapd(8))
 */
#include <stdlib.h>
#include <sys/stat.h>

#include "runtime/base/err.h"
#include "runtime/base/mem.h"

#include "mailstack/imapd/conf.h"
#include "mailstack/imapd/parent.h"
#include "mailstack/lib/daemon/daemon.h"
#include "mailstack/lib/daemon/handoff_in.h"
#include "mailstack/lib/store/store.h"

struct imapd {
    struct conf conf;
    struct store store;
    struct handoff_in *in;
    struct parent *parent;
};

static struct imapd *get(struct daemon *d)
{
    if (d->ctx == NULL)
        d->ctx = mem_type(struct imapd);
    return d->ctx;
}

static int load(struct daemon *d, const struct jv *conf, struct err *err)
{
    struct imapd *i = get(d);
    struct conf made;

    if (conf_load(&made, conf, err) < 0)
        return -1;
    conf_done(&i->conf);
    i->conf = made;
    i->store.quota = made.quota;
    return 0;
}

static void on_handoff(void *ctx, const struct handoff *h, struct str raw, int fd)
{
    parent_take(ctx, h, raw, fd);
}

static int start(struct daemon *d, struct err *err)
{
    struct imapd *i = get(d);

    (void)umask(0007);
    if (store_open(&i->store, i->conf.mail, str_of(i->conf.hostname), i->conf.quota, err) < 0)
        return -1;
    i->parent = parent_new(d->loop, &i->conf, &i->store, d->counters);
    i->in = handoff_in_new(d->loop, d->given, "session", on_handoff, i->parent, err);
    return i->in == NULL ? -1 : 0;
}

static void drain(struct daemon *d)
{
    struct imapd *i = get(d);

    handoff_in_free(i->in);
    i->in = NULL;
    parent_drain(i->parent);
}

int main(int argc, char **argv)
{
    static const char *const descriptors[] = {"session", NULL};
    static const struct daemon_ops ops = {
        .name = "imapd",
        .what = "serves authenticated IMAP sessions",
        .descriptors = descriptors,
        .load = load,
        .start = start,
        .drain = drain,
    };

    return daemon_main(argc, argv, &ops);
}
