/* SPDX-License-Identifier: Apache-2.0 */
/*
 * opt - command line options as a table of rows, for parsing and for --help
 *
 * A row names the option, where its value goes in the caller's struct, and what --help says. Forms:
 * "--name value", "--name=value", "-n value", "-nvalue", "-abc" for flags a, b, c; "-name" with one
 * dash, as programs written in Go accept it, if there is an option of that name. A flag takes
 * "=true" and "=false". "--" ends the options. An option may stand behind arguments unless the
 * caller says that options end at the first argument (what follows belongs to another program).
 *
 * Nothing is parsed and then ignored: a row either has a place or says why it is refused.
 *
 * Lifetime:  values are pointers into argv; lists are in the arena.
 * Errors:    one sentence that names the option as it was written.
 * Tests:     tests/unit/runtime/cli/test_opt.c
 */
#ifndef MR_CLI_OPT_H
#define MR_CLI_OPT_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "runtime/base/attr.h"

struct arena;
struct buf;
struct err;

#define OPT_LIST_MAX 4096 /* values of one option given many times */

struct opt_list {
    const char **v; /* v[n] is NULL */
    size_t n;
};

struct opt_flag { /* whether it was given matters where absent is not the same as false */
    bool given;
    bool on;
};

struct opt_number {
    bool given;
    int64_t v;
};

enum opt_kind {
    OPT_KIND_FLAG,   /* struct opt_flag */
    OPT_KIND_TEXT,   /* const char *, NULL where absent */
    OPT_KIND_PATH,   /* the same, made absolute */
    OPT_KIND_CHOICE, /* the same, one of choices */
    OPT_KIND_LIST,   /* struct opt_list */
    OPT_KIND_NUMBER, /* struct opt_number, min .. max */
    OPT_KIND_REFUSED /* an error: why */
};

struct opt {
    const char *name;
    char letter; /* 0: none */
    enum opt_kind kind;
    size_t offset;
    const char *value; /* what --help calls the value, NULL for flags */
    const char *help;  /* for OPT_KIND_REFUSED the reason */
    const char *const *choices;
    int64_t min;
    int64_t max;
};

#define OPT_FLAG(T, m, name_, letter_, help_)                        \
    {                                                                \
        .name = (name_), .letter = (letter_), .kind = OPT_KIND_FLAG, \
        .offset = offsetof(struct T, m), .help = (help_)             \
    }
#define OPT_VALUE(T, m, kind_, name_, letter_, value_, help_)                                   \
    {                                                                                           \
        .name = (name_), .letter = (letter_), .kind = (kind_), .offset = offsetof(struct T, m), \
        .value = (value_), .help = (help_)                                                      \
    }
#define OPT_CHOICE(T, m, name_, letter_, value_, choices_, help_)                                  \
    {                                                                                              \
        .name = (name_), .letter = (letter_), .kind = OPT_KIND_CHOICE,                             \
        .offset = offsetof(struct T, m), .value = (value_), .choices = (choices_), .help = (help_) \
    }
#define OPT_NUMBER(T, m, name_, letter_, value_, min_, max_, help_)                       \
    {                                                                                     \
        .name = (name_), .letter = (letter_), .kind = OPT_KIND_NUMBER,                    \
        .offset = offsetof(struct T, m), .value = (value_), .min = (min_), .max = (max_), \
        .help = (help_)                                                                   \
    }
/* value_ NULL: the refused option takes none */
#define OPT_REFUSED(name_, letter_, value_, why_)                                          \
    {                                                                                      \
        .name = (name_), .letter = (letter_), .kind = OPT_KIND_REFUSED, .value = (value_), \
        .help = (why_)                                                                     \
    }

enum opt_order {
    OPT_ANYWHERE,   /* options may follow arguments */
    OPT_BEFORE_ARGS /* the first argument ends the options */
};

struct opt_table {
    const struct opt *v;
    size_t n;
    enum opt_order order;
};

#define OPT_TABLE(rows, order_)         \
    {                                   \
        (rows), ARRAY_N(rows), (order_) \
    }

struct opt_args { /* what is no option, in order; v[n] is NULL */
    const char **v;
    size_t n;
    bool help; /* --help or -h was there: nothing else counts */
};

struct opt_words { /* what is to be parsed, without the program's or verb's name */
    const char *const *v;
    size_t n;
};

/* Parses words into `into`, zeroed before. */
must_check int opt_parse(struct arena *a, const struct opt_table *t, struct opt_words words,
                         void *into, struct opt_args *args, struct err *err);

/* Appends the rows as --help shows them. */
void opt_help(const struct opt_table *t, struct buf *out);

#endif
