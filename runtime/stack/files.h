/* SPDX-License-Identifier: Apache-2.0 */
/*
 * files - how many open files the services may have, where the supervisor may not grant them all
 *
 * A hard limit of open files is raised by a privileged caller only. What the rows of specs/services
 * ask for is generous, and a small server needs little of it: so a lower hard limit lowers it, the
 * connections with it (render.c), and `up` and `status` say so. What mailstack.json itself asks for
 * is granted or refused.
 *
 * Tests:     tests/unit/runtime/stack/test_files.c, tests/stack/test_rootless.py
 */
#ifndef MR_STACK_FILES_H
#define MR_STACK_FILES_H

#include <stdint.h>

#include "runtime/base/attr.h"

struct buf;
struct err;
struct stack_config;
struct svc_table;

#define FILES_MIN 256 /* less than that and a daemon would be busy with refusing */

/* The most that can be granted; UINT32_MAX where the limit can be raised at will. */
uint32_t files_ceiling(void);

/* Lowers the rows to the ceiling. */
must_check int files_fit(struct svc_table *t, const struct stack_config *c, uint32_t ceiling,
                         struct err *err);

/* "set", or who has less than his row asks for, and what would change that. */
void files_note(const struct svc_table *t, const struct stack_config *c, struct buf *out);

#endif
