/* SPDX-License-Identifier: Apache-2.0 */
/*
 * json - jansson with typed getters that name the JSON path in each error
 *
 * A `struct json_at` is a value together with the way to it; it lives on the stack of the reader and
 * points to its parent's, so it costs nothing until an error prints "$.linux.namespaces[2].type".
 * Getters come in two forms: json_X demands the key, json_opt_X gives a default where the key is
 * absent (a null counts as absent). A wrong type is an error that says what was found and what was
 * expected: "$.root.readonly: expected true or false, found a string".
 *
 * Strings: an embedded NUL is refused. Views look into the document and live as long as it does.
 * Limits:  documents over the max given to json_load* are refused before they are parsed; nesting is
 *          limited by jansson to 2048; duplicate keys are refused.
 * Tests:   tests/unit/runtime/base/test_json.c
 * Fuzz:    tests/fuzz/runtime/base/fuzz_json.c
 */
#ifndef MR_BASE_JSON_H
#define MR_BASE_JSON_H

#include <jansson.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "runtime/base/attr.h"
#include "runtime/base/str.h"

struct err;
struct buf;

struct json_at {
    const json_t *v;          /* NULL where an optional value is absent */
    const struct json_at *up; /* NULL at the root */
    const char *key;          /* the key in `up`, or NULL for an array element */
    size_t index;
};

/* The document must be freed with json_decref, or declared `own_json`. A syntax error names line and
 * column. `name` stands for the document in errors. */
must_check json_t *json_load_str(struct str text, const char *name, struct err *err);
must_check json_t *json_load_file(int dir_fd, const char *path, size_t max, struct err *err);
void own_json_free(json_t **doc);
#define own_json __attribute__((cleanup(own_json_free)))

struct json_at json_root(const json_t *doc);

/* err_set with the path in front: "$.a.b[2]: MESSAGE". Returns -1. */
int json_err(const struct json_at *at, struct err *err, const char *fmt, ...) fmt_printf(3, 4);
/* Appends the path, "$.a.b[2]". Keys that are not plain words are quoted: $["a b"]. */
void json_path(const struct json_at *at, struct buf *out);

/* Is it what is expected? */
must_check int json_is_object(const struct json_at *at, struct err *err);
must_check int json_is_array(const struct json_at *at, struct err *err);
/* Every key must be in the NULL-terminated list; else an error with the nearest known key. */
must_check int json_only(const struct json_at *at, const char *const *keys, struct err *err);

/* Members. The result's v is NULL if the key is absent (opt) . */
must_check int json_object(const struct json_at *at, const char *key, struct json_at *out,
                           struct err *err);
must_check int json_opt_object(const struct json_at *at, const char *key, struct json_at *out,
                               struct err *err);
must_check int json_array(const struct json_at *at, const char *key, struct json_at *out,
                          struct err *err);
must_check int json_opt_array(const struct json_at *at, const char *key, struct json_at *out,
                              struct err *err);
bool json_has(const struct json_at *at, const char *key); /* present and not null */
struct json_at json_member(const struct json_at *at, const char *key); /* of any type */

must_check int json_str(const struct json_at *at, const char *key, struct str *out,
                        struct err *err);
must_check int json_opt_str(const struct json_at *at, const char *key, struct str dflt,
                            struct str *out, struct err *err);
must_check int json_bool(const struct json_at *at, const char *key, bool *out, struct err *err);
must_check int json_opt_bool(const struct json_at *at, const char *key, bool dflt, bool *out,
                             struct err *err);
struct json_range {
    int64_t min;
    int64_t max;
};
must_check int json_int(const struct json_at *at, const char *key, struct json_range range,
                        int64_t *out, struct err *err);
must_check int json_opt_int(const struct json_at *at, const char *key, struct json_range range,
                            int64_t dflt, int64_t *out, struct err *err);
/* A size: a number of bytes or a string for num_parse_size. */
must_check int json_opt_size(const struct json_at *at, const char *key, uint64_t max,
                             uint64_t dflt, uint64_t *out, struct err *err);
/* A duration: a number of seconds or a string for num_parse_seconds. */
must_check int json_opt_seconds(const struct json_at *at, const char *key, uint64_t max,
                                uint64_t dflt, uint64_t *out, struct err *err);

/* The value itself, where `at` is an array element or a member of unknown name. */
must_check int json_as_str(const struct json_at *at, struct str *out, struct err *err);
must_check int json_as_int(const struct json_at *at, struct json_range range, int64_t *out,
                           struct err *err);

/* Walking. An `at` whose v is NULL has no elements.
 *     for (size_t i = 0; i < json_n(&list); i++) { struct json_at e = json_elem(&list, i); ... } */
size_t json_n(const struct json_at *at); /* elements of an array, or members of an object */
struct json_at json_elem(const struct json_at *array, size_t i);
/* Members of an object, in the order of the document:
 *     void *it = NULL; struct json_at m;
 *     while (json_next(&obj, &it, &m)) ... m.key ... */
bool json_next(const struct json_at *object, void **it, struct json_at *member);

/* A table-driven reader of enums: the index of the text in the NULL-terminated list, or an error that
 * lists what is allowed. */
must_check int json_enum(const struct json_at *at, const char *const *names, size_t *out,
                         struct err *err);

/* Appends the document as text: compact, or with two spaces of indent. */
enum json_style { JSON_COMPACT_TEXT, JSON_PRETTY_TEXT };
void json_dump(const json_t *doc, enum json_style style, struct buf *out);

#endif
