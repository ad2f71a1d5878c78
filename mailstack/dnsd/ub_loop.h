/* SPDX-License-Identifier: Apache-2.0 */
/*
 * ub_loop - libunbound's pluggable event base over struct loop
 *
 * The resolver runs in this process and thread, as callbacks of our loop: no thread, no second
 * process, no second event library.
 *
 * Tests:     tests/mail/test_dnsd.py
 */
#ifndef MR_DNSD_UB_LOOP_H
#define MR_DNSD_UB_LOOP_H

#include "runtime/base/attr.h"

struct loop;
struct ub_event_base;

/* Lives as long as the resolver made with it; ub_loop_free after ub_ctx_delete. */
must_check struct ub_event_base *ub_loop_new(struct loop *l);
void ub_loop_free(struct ub_event_base *ub);

#endif
