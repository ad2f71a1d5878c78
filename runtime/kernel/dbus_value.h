/* SPDX-License-Identifier: Apache-2.0 */
/*
 * dbus_value - values of D-Bus written as text: "uint64 5", "'words'", "[('/dev/fuse', 'rw')]"
 *
 * The notation is that of GVariant: true and false; numbers, int32 where no keyword in front says
 * otherwise; strings in single or double quotes; arrays in [], tuples in (); a keyword
 * (byte, uint32, objectpath ...) or "@SIGNATURE" in front of a value gives its type. An array takes
 * the type of its first element. There are no floating point numbers, dictionaries, variants,
 * handles.
 *
 * Limits:    DBUS_VALUE_TEXT_MAX bytes, DBUS_VALUE_DEPTH_MAX nested arrays and tuples.
 * Lifetime:  values live in the arena.
 * Tests:     tests/unit/runtime/kernel/test_dbus_value.c, tests/oci/test_manager.py
 * Fuzz:      tests/fuzz/runtime/kernel/fuzz_dbus_value.c
 */
#ifndef MR_KERNEL_DBUS_VALUE_H
#define MR_KERNEL_DBUS_VALUE_H

#include <stdbool.h>
#include <stdint.h>

#include "runtime/base/attr.h"
#include "runtime/base/str.h"

struct arena;
struct buf;
struct err;

#define DBUS_VALUE_TEXT_MAX  4096
#define DBUS_VALUE_DEPTH_MAX 8

struct dbus_value {
    char kind; /* 'b', 's', 'i' for any integer, 'a', '(' */
    bool negative;
    uint64_t number;         /* its magnitude; of 'b': 0, 1 */
    struct str text;         /* unquoted */
    const char *signature;   /* "t", "a(ss)" */
    struct dbus_value *next; /* in the array or tuple around it */
    struct dbus_value *first;
};

must_check struct dbus_value *dbus_value_parse(struct arena *a, struct str text, struct err *err);
/* As a variant: its signature, then the value. */
void dbus_value_put(const struct dbus_value *v, struct buf *body);

#endif
