/* SPDX-License-Identifier: Apache-2.0 */
/*
 * rdt_of - the intelRdt section to a group of resctrl
 *
 * Tests:     tests/unit/runtime/container/test_rdt_of.c
 */
#ifndef MR_CONTAINER_RDT_OF_H
#define MR_CONTAINER_RDT_OF_H

#include "runtime/base/attr.h"
#include "runtime/kernel/rdt.h"

struct arena;
struct err;
struct oci_rdt;

/* id: of the container, the name of a group that is not shared. Texts live in the arena. */
must_check int rdt_of(struct arena *a, const struct oci_rdt *o, const char *id, struct rdt *out,
                      struct err *err);

#endif
