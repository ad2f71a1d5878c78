/* SPDX-License-Identifier: Apache-2.0 */
/*
 * gen - one generation of a stack: everything that follows from the file as it is now
 *
 * A reload makes a new generation beside the one that runs and compares the two: what differs says
 * what has to be done.
 *
 * Lifetime:  gen_load makes it, gen_free; everything in it lives in its arena.
 * Tests:     tests/unit/runtime/stack/test_gen.c
 */
#ifndef MR_STACK_GEN_H
#define MR_STACK_GEN_H

#include <stdbool.h>
#include <stdint.h>

#include "runtime/base/attr.h"
#include "runtime/base/str.h"
#include "runtime/stack/render.h"
#include "runtime/stack/svc.h"

struct arena;
struct buf;
struct err;
struct layout;
struct oci_config;

struct gen_service {
    bool wanted;
    struct rendered files;
    struct oci_config *config;
    struct str bundle; /* the same as text */
};

struct gen {
    struct arena *a;
    struct stack_config *config;
    struct svc_table table;
    struct gen_service v[SVC_N];
};

/* The file alone, checked. NULL: `report` says why, line by line. */
must_check struct gen *gen_load(const char *file, struct buf *report);
void gen_free(struct gen *g);

struct gen_render {
    const struct layout *l;
    const char *images;
    bool host_network;  /* dnsd has to share the host's */
    uint32_t files_max; /* open files that can be granted; 0: whatever is asked for */
};

/* Configurations and bundles of all services; keys must have been made. */
must_check int gen_render(struct gen *g, const struct gen_render *r, struct err *err);
/* One service's bundle, without its configuration. */
must_check int gen_render_bundle(struct gen *g, const struct gen_render *r, const struct svc *s,
                                 struct err *err);

enum gen_difference {
    GEN_SAME,
    GEN_RELOAD, /* configuration files: SIGHUP */
    GEN_RESTART /* bundle, what it listens on, or what it reads at its start only */
};

enum gen_difference gen_compare(const struct gen *was, const struct gen *now, const struct svc *s);

#endif
