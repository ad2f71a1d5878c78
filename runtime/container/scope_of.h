/* SPDX-License-Identifier: Apache-2.0 */
/*
 * scope_of - struct oci_resources to properties of a unit
 *
 * The limits are written to the group's files all the same; systemd is told of those it knows, so
 * that it does not set them back when it reads its configuration anew.
 *
 * Tests:     tests/unit/runtime/container/test_scope_of.c
 */
#ifndef MR_CONTAINER_SCOPE_OF_H
#define MR_CONTAINER_SCOPE_OF_H

#include <stdbool.h>
#include <stddef.h>

#include "runtime/base/attr.h"
#include "runtime/kernel/scope.h"

struct oci_resources;

/* How many of SCOPE_PROPERTIES_MAX were filled. */
size_t scope_of(const struct oci_resources *r, bool unified,
                struct scope_property out[SCOPE_PROPERTIES_MAX]);

#endif
