/* SPDX-License-Identifier: Apache-2.0 */
/*
 * stack_field - reading members of mailstack.json while collecting complaints; internal to spec
 *
 * Each getter returns the value, or complains and returns the default: loading goes on, so that one
 * run reports everything. The load failed if `complaints` is not 0 at its end.
 *
 * Tests:     tests/unit/runtime/spec/test_stack_load.c
 */
#ifndef MR_SPEC_STACK_FIELD_H
#define MR_SPEC_STACK_FIELD_H

#include <stdbool.h>
#include <stdint.h>

#include "runtime/base/attr.h"
#include "runtime/base/jv.h"
#include "runtime/spec/stack.h"

struct arena;
struct buf;

struct stack_field {
    struct arena *a;
    struct buf *report;
    const char *doc; /* the file's name as it stands in front of a complaint */
    const char *dir; /* what relative paths are relative to */
    unsigned complaints;
    bool no_files; /* stack_load_str: other files are not read */
};

void stack_complain(struct stack_field *f, const struct err *e);
void stack_complain_at(struct stack_field *f, const struct jv *at, const char *fmt, ...)
    fmt_printf(3, 4);

void stack_only(struct stack_field *f, const struct jv *at, const char *const *keys);
struct jv stack_obj(struct stack_field *f, const struct jv *at, const char *key); /* v NULL: none */
struct jv stack_arr(struct stack_field *f, const struct jv *at, const char *key);
const char *stack_text(struct stack_field *f, const struct jv *at, const char *key,
                       const char *dflt);
const char *stack_as_text(struct stack_field *f, const struct jv *at); /* NULL after a complaint */
bool stack_flag(struct stack_field *f, const struct jv *at, const char *key, bool dflt);
/* From 1 to max. What a daemon would refuse is refused here, before anything is touched. */
uint32_t stack_count(struct stack_field *f, const struct jv *at, const char *key, uint32_t dflt,
                     uint32_t max);
uint64_t stack_size(struct stack_field *f, const struct jv *at, const char *key, uint64_t dflt,
                    uint64_t max);
uint64_t stack_time(struct stack_field *f, const struct jv *at, const char *key, uint64_t dflt,
                    uint64_t max);
/* The index in names, 0 where absent. */
size_t stack_choice(struct stack_field *f, const struct jv *at, const char *key,
                    const char *const *names);
struct stack_strings stack_texts(struct stack_field *f, const struct jv *at, const char *key);
struct stack_nets stack_net_list(struct stack_field *f, const struct jv *at, const char *key);
/* A path, made absolute from the directory of the file; dflt too, unless it is NULL. */
const char *stack_file(struct stack_field *f, const struct jv *at, const char *key,
                       const char *dflt);
const char *stack_lower(struct stack_field *f, const char *s);
/* elements, limited to STACK_LIST_MAX */
size_t stack_n(struct stack_field *f, const struct jv *at);

/* The parts in files of their own. */
void stack_load_domains(struct stack_field *f, const struct jv *root, struct stack_config *c);
void stack_load_lists(struct stack_field *f, const struct jv *root, struct stack_config *c);
void stack_load_listen(struct stack_field *f, const struct jv *root, struct stack_config *c);
void stack_load_dns(struct stack_field *f, const struct jv *root, struct stack_config *c);
void stack_load_routes(struct stack_field *f, const struct jv *smtp, struct stack_config *c);
void stack_load_account_file(struct stack_field *f, const struct stack_config *c,
                             struct stack_accounts *out);
void stack_check(struct stack_field *f, const struct jv *root, const struct stack_config *c);
void stack_check_accounts(struct stack_field *f, const struct stack_config *c,
                          const struct stack_accounts *accounts);

#endif
