/* SPDX-License-Identifier: Apache-2.0 */
/*
 * oci_field - a JSON object described once, as a table of its members, for loading and for dumping
 *
 * Each section of config.json is a `struct fields`: a row a key, with the place in the C struct,
 * the kind and the range. The loader walks the rows and fills the struct; the dumper walks the same
 * rows and writes the members that are set. So both know the same keys, and a new key is one row.
 * What is no plain member (mount options, namespaces, capabilities) is a row with functions of its
 * own.
 *
 * Numbers:   jansson has no unsigned 64-bit integers, and config.json is full of
 *            18446744073709551615. Before the text is parsed, oci_field_widen turns a number that
 *            needs the 64th bit into a string with a mark in front that no string of a document can
 *            carry unescaped; the readers here know it. Numbers beyond 2^64 - 1 are a syntax error.
 * Private to this room: oci_*.c, and features.c, which lists what the tables know.
 * Tests:     tests/unit/runtime/spec/test_oci_load.c
 */
#ifndef MR_SPEC_OCI_FIELD_H
#define MR_SPEC_OCI_FIELD_H

#include "runtime/base/err.h"
#include "runtime/base/jv.h"
#include "runtime/base/jw.h"
#include "runtime/spec/oci.h"

enum field_kind {
    FIELD_STR,      /* const char * */
    FIELD_PATH,     /* const char *, absolute */
    FIELD_LISTING,  /* const char *, a list of numbers as "0-3,7" */
    FIELD_BOOL,     /* bool */
    FIELD_OPT_BOOL, /* struct oci_u64, 0 or 1 */
    FIELD_OPT_UINT, /* struct oci_u64 */
    FIELD_OPT_INT,  /* struct oci_i64 */
    FIELD_U16,      /* plain numbers: 0 where the key is absent */
    FIELD_U32,
    FIELD_U64,
    FIELD_I32,
    FIELD_I64,
    FIELD_STRINGS, /* struct oci_strings */
    FIELD_PATHS,   /* struct oci_strings of absolute paths */
    FIELD_PAIRS,   /* struct oci_pairs: an object of strings */
    FIELD_NAME,    /* an int, enum or 64-bit number: one of names */
    FIELD_MASK,    /* unsigned, 32 or 64 bits: array of names, or-ed */
    FIELD_OBJECT,  /* an embedded struct: sub */
    FIELD_LIST,    /* pointer and number (n_offset): array of objects: sub */
    FIELD_OWN      /* load, dump */
};

enum {
    FIELD_REQUIRED = 1,
    FIELD_NOT_EMPTY = 2, /* string or array */
    FIELD_ALWAYS = 4     /* dumped also when zero or false */
};

struct field_name {
    const char *name;
    uint64_t value;
};

struct load { /* what every reader needs */
    struct arena *a;
    struct oci_strings *warnings; /* NULL: nobody asks */
};

struct fields;

struct field {
    const char *key;
    enum field_kind kind;
    unsigned flags;
    size_t offset;
    size_t n_offset; /* FIELD_LIST: of the number; FIELD_NAME, FIELD_MASK: the member's size */
    int64_t min;
    uint64_t max; /* of a number, or of the number of elements */
    const struct fields *sub;
    const struct field_name *names; /* ends with a NULL name */
    int (*load)(const struct load *ld, const struct jv *value, void *member, struct err *err);
    void (*dump)(struct jw *w, const char *key, const void *member);
};

struct fields {
    const struct field *v;
    size_t n;
    size_t size;       /* of the struct */
    size_t set_offset; /* of a bool that is set when the object is there; FIELDS_NO_SET: none */
    int (*check)(const struct load *ld, const struct jv *at, void *obj, struct err *err);
};

#define FIELDS_NO_SET    SIZE_MAX
#define FIELDS_OF(table) (table), ARRAY_N(table)

/* Rows. T is the struct, m the member. */
#define F_PLAIN(T, m, key_, kind_, flags_)                                                 \
    {                                                                                      \
        .key = (key_), .kind = (kind_), .flags = (flags_), .offset = offsetof(struct T, m) \
    }
#define F_NUMBER(T, m, key_, kind_, flags_, min_, max_)                                     \
    {                                                                                       \
        .key = (key_), .kind = (kind_), .flags = (flags_), .offset = offsetof(struct T, m), \
        .min = (min_), .max = (max_)                                                        \
    }
#define F_STRINGS(T, m, key_, kind_, flags_, max_) F_NUMBER(T, m, key_, kind_, flags_, 0, max_)
#define F_OBJECT(T, m, key_, sub_)                                                           \
    {                                                                                        \
        .key = (key_), .kind = FIELD_OBJECT, .offset = offsetof(struct T, m), .sub = &(sub_) \
    }
#define F_LIST(T, m, number, key_, sub_, max_)                                \
    {                                                                         \
        .key = (key_), .kind = FIELD_LIST, .offset = offsetof(struct T, m),   \
        .n_offset = offsetof(struct T, number), .max = (max_), .sub = &(sub_) \
    }
#define F_NAME(T, m, key_, names_, flags_)                                                     \
    {                                                                                          \
        .key = (key_), .kind = FIELD_NAME, .flags = (flags_), .offset = offsetof(struct T, m), \
        .n_offset = sizeof(((struct T *)NULL)->m), .names = (names_)                           \
    }
#define F_MASK(T, m, key_, names_)                                              \
    {                                                                           \
        .key = (key_), .kind = FIELD_MASK, .offset = offsetof(struct T, m),     \
        .n_offset = sizeof(((struct T *)NULL)->m), .max = 64, .names = (names_) \
    }
#define F_OWN(T, m, key_, load_, dump_, flags_)                                               \
    {                                                                                         \
        .key = (key_), .kind = FIELD_OWN, .flags = (flags_), .offset = offsetof(struct T, m), \
        .load = (load_), .dump = (dump_)                                                      \
    }

/* Fills obj (zeroed) from the object `at`. */
must_check int fields_load(const struct load *ld, const struct jv *at, const struct fields *f,
                           void *obj, struct err *err);
void fields_dump(struct jw *w, const struct fields *f, const void *obj);

/* Single values, for rows with functions of their own. */
must_check int field_text(const struct load *ld, const struct jv *value, const char **out,
                          struct err *err);
must_check int field_number(const struct jv *value, int64_t min, uint64_t max, int64_t *out,
                            struct err *err); /* one above INT64_MAX comes as its bit pattern */
must_check int field_strings(const struct load *ld, const struct jv *value, size_t max,
                             struct oci_strings *out, struct err *err);
must_check int field_name(const struct jv *value, const struct field_name *names, uint64_t *out,
                          struct err *err);
/* Is an array with at most max elements; *n is their number. */
must_check int field_array(const struct jv *value, size_t max, size_t *n, struct err *err);
must_check int field_object(const struct jv *value, size_t max, size_t *n, struct err *err);
const char *field_name_of(const struct field_name *names, uint64_t value);

/* arena_array that does not return NULL: says so in err. n may be 0. */
must_check int field_array_new(const struct load *ld, const struct jv *at, size_t n, size_t each,
                               void **out, struct err *err);
/* Adds a sentence to the warnings. */
void field_warn(const struct load *ld, const struct jv *at, const char *text, const char *name);

#define OCI_FIELD_MARK '\001' /* in front of a number that needs the 64th bit */
/* Could there be a number beyond INT64_MAX? If not, the text is parsed as it is. */
bool oci_field_is_wide(struct str text);
/* The text with marks on numbers beyond INT64_MAX, appended to out. */
must_check int oci_field_widen(struct str text, struct buf *out, struct err *err);

/* The sections. */
extern const struct fields oci_fields_config;
extern const struct fields oci_fields_process;
extern const struct fields oci_fields_mount;
extern const struct fields oci_fields_linux;
extern const struct fields oci_fields_resources;
extern const struct fields oci_fields_seccomp;
extern const struct fields oci_fields_idmap;

/* Tables that the features document lists too. */
extern const struct field_name oci_propagation_names[];
extern const struct field_name oci_scmp_flag_names[];
extern const struct field_name oci_mpol_mode_names[];
extern const struct field_name oci_mpol_flag_names[];
/* The i-th mount option that is no data, or NULL. */
const char *oci_mount_option_name(size_t i);

#endif
