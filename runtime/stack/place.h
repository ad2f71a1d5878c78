/* SPDX-License-Identifier: Apache-2.0 */
/*
 * place - the directories of a stack: storage, run directory, what services see of them
 *
 * Tests:     tests/unit/runtime/stack/test_place.c
 */
#ifndef MR_STACK_PLACE_H
#define MR_STACK_PLACE_H

#include <stdbool.h>

#include "runtime/base/attr.h"
#include "runtime/stack/gen.h"
#include "runtime/stack/layout.h"

struct err;

/* Takes the run directory, which is made if absent: its descriptor, locked while it is open. -1
 * with EAGAIN in err->code if a supervisor has it. */
must_check int place_lock(const struct layout *l, struct err *err);
/* The same, after cleaning what a supervisor left that was killed. */
must_check int place_take(const struct layout *l, struct err *err);
/* Whether a supervisor has it. Makes nothing. */
bool place_is_locked(const struct layout *l);

/* The volumes, with their owners. A volume that belongs to somebody else is an error, for it was
 * made with another ids.base. */
must_check int place_storage(const struct stack_config *c, const struct svc_table *t,
                             struct err *err);
/* RUN/SERVICE with its conf, bundle. */
must_check int place_service(const struct gen *g, const struct layout *l, const struct svc *s,
                             struct err *err);
/* Just the configuration, replaced file by file; what is no part of it any more is removed. */
must_check int place_conf(const struct gen *g, const struct layout *l, const struct svc *s,
                          struct err *err);

/* Everything of a stack but its storage: containers, network, run directory. For the end of a
 * supervisor, and for what one left that was killed. */
must_check int place_clean(const struct layout *l, struct err *err);

#endif
