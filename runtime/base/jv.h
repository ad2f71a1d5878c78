/* SPDX-License-Identifier: Apache-2.0 */
/*
 * jv - jansson with typed getters that name the JSON path in each error
 *
 * A `struct jv` is a value together with the way to it; it lives on the stack of the reader and
 * points to its parent's, so it costs nothing until an error prints "$.linux.namespaces[2].type".
 * A child must not be assigned over its own parent.
 * Getters come in two forms: jv_X demands the key, jv_opt_X gives a default where the key is
 * absent (a null counts as absent). A wrong type is an error that says what was found and what was
 * expected: "$.root.readonly: expected true or false, found a string".
 *
 * Strings: an embedded NUL is refused. Views look into the document and live as long as it does.
 * Limits:  documents over the max given to jv_load* are refused before they are parsed; nesting is
 *          limited by jansson to 2048; duplicate keys are refused.
 * Tests:   tests/unit/runtime/base/test_jv.c
 * Fuzz:    tests/fuzz/runtime/base/fuzz_jv.c
 */
#ifndef MR_BASE_JV_H
#define MR_BASE_JV_H

#include <jansson.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "runtime/base/attr.h"
#include "runtime/base/str.h"

struct err;
struct buf;

struct jv {
    const json_t *v;     /* NULL where an optional value is absent */
    const struct jv *up; /* NULL at the root */
    const char *key;     /* the key in `up`, or NULL for an array element */
    size_t index;
};

/* The document must be freed with json_decref, or declared `own_json`. A syntax error names line
 * and column. `name` stands for the document in errors. */
must_check json_t *jv_load_str(struct str text, const char *name, struct err *err);
must_check json_t *jv_load_file(int dir_fd, const char *path, size_t max, struct err *err);
void jv_free(json_t **doc);
#define own_json __attribute__((cleanup(jv_free)))

struct jv jv_root(const json_t *doc);

/* err_set with the path in front: "$.a.b[2]: MESSAGE". Returns -1. */
int jv_err(const struct jv *at, struct err *err, const char *fmt, ...) fmt_printf(3, 4);
#ifdef __clang_analyzer__ /* see err.h */
#define jv_err(...) (jv_err(__VA_ARGS__), -1)
#endif
/* Appends the path, "$.a.b[2]". Keys that are not plain words are quoted: $["a b"]. */
void jv_path(const struct jv *at, struct buf *out);

/* Is it what is expected? */
must_check int jv_is_object(const struct jv *at, struct err *err);
must_check int jv_is_array(const struct jv *at, struct err *err);
/* Every key must be in the NULL-terminated list; else an error with the nearest known key. */
must_check int jv_only(const struct jv *at, const char *const *keys, struct err *err);

/* Members. Where an optional key is absent, the result's v is NULL. */
must_check int jv_object(const struct jv *at, const char *key, struct jv *out, struct err *err);
must_check int jv_opt_object(const struct jv *at, const char *key, struct jv *out, struct err *err);
must_check int jv_array(const struct jv *at, const char *key, struct jv *out, struct err *err);
must_check int jv_opt_array(const struct jv *at, const char *key, struct jv *out, struct err *err);
bool jv_has(const struct jv *at, const char *key);         /* present and not null */
struct jv jv_member(const struct jv *at, const char *key); /* of any type */

must_check int jv_str(const struct jv *at, const char *key, struct str *out, struct err *err);
must_check int jv_opt_str(const struct jv *at, const char *key, struct str dflt, struct str *out,
                          struct err *err);
must_check int jv_bool(const struct jv *at, const char *key, bool *out, struct err *err);
must_check int jv_opt_bool(const struct jv *at, const char *key, bool dflt, bool *out,
                           struct err *err);

struct jv_range {
    int64_t min;
    int64_t max;
};

must_check int jv_int(const struct jv *at, const char *key, struct jv_range range, int64_t *out,
                      struct err *err);
must_check int jv_opt_int(const struct jv *at, const char *key, struct jv_range range, int64_t dflt,
                          int64_t *out, struct err *err);
/* A size: a number of bytes or a string for num_parse_size. */
must_check int jv_opt_size(const struct jv *at, const char *key, uint64_t max, uint64_t dflt,
                           uint64_t *out, struct err *err);
/* A duration: a number of seconds or a string for num_parse_seconds. */
must_check int jv_opt_seconds(const struct jv *at, const char *key, uint64_t max, uint64_t dflt,
                              uint64_t *out, struct err *err);

/* The value itself, where `at` is an array element or a member of unknown name. */
must_check int jv_as_str(const struct jv *at, struct str *out, struct err *err);
must_check int jv_as_int(const struct jv *at, struct jv_range range, int64_t *out, struct err *err);

/* Walking. An `at` whose v is NULL has no elements.
 *     for (size_t i = 0; i < jv_n(&list); i++) { struct jv e = jv_elem(&list, i); ... } */
size_t jv_n(const struct jv *at); /* elements of an array, or members of an object */
struct jv jv_elem(const struct jv *array, size_t i);
/* Members of an object, in the order of the document:
 *     void *it = NULL; struct jv m;
 *     while (jv_next(&obj, &it, &m)) ... m.key ... */
bool jv_next(const struct jv *object, void **it, struct jv *member);

/* The index of the text in the NULL-terminated list, or an error that lists what is allowed. */
must_check int jv_enum(const struct jv *at, const char *const *names, size_t *out, struct err *err);

/* Appends the document as text: compact, or with two spaces of indent. */
enum jv_style {
    JV_COMPACT,
    JV_PRETTY
};

void jv_dump(const json_t *doc, enum jv_style style, struct buf *out);

#endif
