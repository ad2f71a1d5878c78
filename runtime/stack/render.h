/* SPDX-License-Identifier: Apache-2.0 */
/*
 * render - mailstack.json to one service's own configuration
 *
 * The result is what the service sees in /etc/mailstack: NAME.json, which holds what that service
 * may know and nothing else (specs/README.md has each), and copies of the secrets its row names.
 *
 * Lifetime:  in the arena.
 * Tests:     tests/unit/runtime/stack/test_render.c
 */
#ifndef MR_STACK_RENDER_H
#define MR_STACK_RENDER_H

#include <stddef.h>

#include "runtime/base/attr.h"
#include "runtime/base/str.h"

struct arena;
struct err;
struct stack_config;
struct svc;
struct svc_table;

struct render_file {
    const char *path; /* beneath /etc/mailstack */
    struct str content;
};

struct rendered {
    struct render_file *v;
    size_t n;
};

/* Pure: NAME.json alone. */
must_check int render_json(struct arena *a, const struct stack_config *c, const struct svc_table *t,
                           const struct svc *s, struct str *out, struct err *err);
/* With the secrets, read from where keys.h and mailstack.json have them. */
must_check int render_all(struct arena *a, const struct stack_config *c, const struct svc_table *t,
                          const struct svc *s, struct rendered *out, struct err *err);

#endif
