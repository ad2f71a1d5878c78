/* SPDX-License-Identifier: Apache-2.0 */
/*
 * parent - imapd's small parent: which user has a process, and what those ask of it (user.h)
 *
 * Tests:     tests/mail/test_imap.py
 */
#ifndef MR_IMAPD_PARENT_H
#define MR_IMAPD_PARENT_H

#include "runtime/base/attr.h"
#include "runtime/base/str.h"

struct conf;
struct counter_page;
struct handoff;
struct loop;
struct parent;
struct store;

/* conf and store stay the caller's. */
must_check struct parent *parent_new(struct loop *l, const struct conf *conf,
                                     const struct store *store, struct counter_page *counters);
/* Gives a session to its user's process; fd becomes the parent's. */
void parent_take(struct parent *p, const struct handoff *h, struct str raw, int fd);
/* No more sessions; the loop stops when the last process is gone. */
void parent_drain(struct parent *p);

#endif
