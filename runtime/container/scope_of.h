/* SPDX-License-Identifier: Apache-2.0 */
/*
 * scope_of - struct oci_resources, and annotations, to properties of a unit
 *
 * The limits are written to the group's files all the same; systemd is told of those it knows, so
 * that it does not set them back when it reads its configuration anew.
 *
 * Annotations "org.systemd.property.NAME" hold any other property as text (dbus_value.h); a NAME
 * that ends in "Sec" is in seconds, as in unit files.
 *
 * Lifetime:  what the properties point to lives in the arena, or is the configuration's.
 * Limits:    SCOPE_PROPERTIES_MAX properties.
 * Tests:     tests/unit/runtime/container/test_scope_of.c, tests/oci/test_manager.py
 */
#ifndef MR_CONTAINER_SCOPE_OF_H
#define MR_CONTAINER_SCOPE_OF_H

#include <stdbool.h>

#include "runtime/base/attr.h"
#include "runtime/kernel/scope.h"

struct arena;
struct cgroup_devices;
struct err;
struct oci_pairs;
struct oci_resources;

/* Appends the limits. */
must_check int scope_of(struct arena *a, const struct oci_resources *r, bool unified,
                        struct scope_properties *out, struct err *err);
/* Appends which devices may be used. A rule for which systemd has no words leaves it without any,
 * for it must not forbid what the group's own rules permit. */
must_check int scope_of_devices(struct arena *a, const struct cgroup_devices *d,
                                struct scope_properties *out, struct err *err);
must_check int scope_of_annotations(struct arena *a, const struct oci_pairs *annotations,
                                    struct scope_properties *out, struct err *err);

#endif
