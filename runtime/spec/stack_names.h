/* SPDX-License-Identifier: Apache-2.0 */
/*
 * stack_names - every local address of a mailstack.json, and where mail to it goes; internal to
 * spec
 *
 * Names are hashed, so that a file of a hundred thousand aliases is checked in time that grows with
 * its length only. A name and its targets belong to the configuration; the table to its owner.
 *
 * Tests:     tests/unit/runtime/spec/test_stack_names.c
 */
#ifndef MR_SPEC_STACK_NAMES_H
#define MR_SPEC_STACK_NAMES_H

#include <stdbool.h>
#include <stddef.h>

#include "runtime/base/attr.h"
#include "runtime/base/str.h"

struct arena;
struct buf;
struct err;
struct map;
struct stack_config;
struct stack_domain;
struct stack_strings;

struct stack_name {
    const char *address;            /* as it stands in the file, with its domain */
    const char *kind;               /* "an account", "a list" ... */
    const struct stack_strings *to; /* where mail to it goes; NULL: it stays here */
    const struct stack_domain *d;   /* what a target without '@' is in; NULL: nothing */
    size_t next;                    /* the target that is being followed */
    bool open;                      /* it is on the way that is being followed */
    bool done;                      /* all that it leads to was followed */
};

struct stack_names {
    struct map *of; /* lower case address -> struct stack_name */
    struct arena *a;
    const struct stack_config *c;
    struct stack_name **way; /* room for stack_names_loop */
};

/* Release with stack_names_done. */
void stack_names_init(struct stack_names *n, struct arena *a, const struct stack_config *c);
void stack_names_done(struct stack_names *n);

struct stack_name *stack_names_get(const struct stack_names *n, struct str address);
/* Adds a copy of `name`; if the address is taken, that one is returned and nothing is added. */
const struct stack_name *stack_names_put(struct stack_names *n, const struct stack_name *name);
/* What `target` names: "alice" in domain d, or "alice@example.org"; a subaddress that is nobody's
 * names the plain one. *in NULL: beyond our domains; *out NULL: nobody. -1: it is no address. */
must_check int stack_names_find(const struct stack_names *n, const struct stack_domain *d,
                                const char *target, const struct stack_domain **in,
                                struct stack_name **out, struct err *err);
/* Where mail for it goes: as above, then to the domain's catch_all. -1: no address, or nobody's. */
must_check int stack_names_target(const struct stack_names *n, const struct stack_domain *d,
                                  const char *target, struct stack_name **out, struct err *err);
/* Does mail to `start` come back to it, or to one on its way? `way`: "a@x -> b@x -> a@x". What has
 * been followed is not followed again, so that all names together cost one pass. All names must be
 * in the table by then. */
bool stack_names_loop(struct stack_names *n, struct stack_name *start, struct buf *way);

#endif
