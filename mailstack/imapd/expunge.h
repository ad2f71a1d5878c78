/* SPDX-License-Identifier: Apache-2.0 */
/*
 * expunge - removing what is marked \Deleted, for EXPUNGE, UID EXPUNGE and CLOSE
 */
#ifndef MR_IMAPD_EXPUNGE_H
#define MR_IMAPD_EXPUNGE_H

#include "runtime/base/attr.h"

struct cmd_set;
struct err;
struct session;

/* All that the view knows and that is marked; with a set, those of it alone. */
must_check int expunge_deleted(struct session *s, const struct cmd_set *only, struct err *err);

#endif
