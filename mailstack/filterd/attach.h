/* SPDX-License-Identifier: Apache-2.0 */
/*
 * attach - is an attachment a program? By its name, by its first bytes, by the names within a ZIP
 * or of uuencoded files; pure
 *
 * Limits:    ATTACH_MAGIC_N first bytes are looked at.
 * Tests:     tests/unit/mailstack/filterd/test_attach.c
 * Fuzz:      tests/fuzz/mailstack/filterd/fuzz_bodyscan.c
 */
#ifndef MR_FILTERD_ATTACH_H
#define MR_FILTERD_ATTACH_H

#include <stdbool.h>
#include <stddef.h>

#include "runtime/base/str.h"

#define ATTACH_MAGIC_N    64
#define ATTACH_ZIP_HEAD_N 46  /* of an entry of the central directory */
#define ATTACH_ZIP_NAME_N 512 /* of a name, the last of it */
#define ATTACH_UU_LINE_N  256 /* longer lines are not looked at */

/* Does a file of this name run when it is opened? Names that only developers send as programs
 * (".sh", ".py") count with a second, harmless extension in front: "photo.jpg.sh". */
bool attach_is_program_name(struct str name);
/* Are these the first bytes of a program? */
bool attach_is_program(struct str first);

/* The names in a ZIP archive, as its bytes go by. Local headers and the central directory are found
 * by their marks, so that an archive with other bytes in front is seen too. */
struct attach_zip {
    unsigned char mark[4]; /* what was seen of a mark */
    size_t mark_n;
    unsigned char head[ATTACH_ZIP_HEAD_N];
    size_t head_n; /* 0: looking for a mark */
    size_t head_want;
    char name[ATTACH_ZIP_NAME_N];
    size_t name_n;
    size_t name_want;
    bool found; /* a program's name; it is in `name` */
};

void attach_zip_feed(struct attach_zip *z, struct str bytes);

/* The names of uuencoded files in a text: lines like "begin 644 setup.exe". */
struct attach_uu {
    char line[ATTACH_UU_LINE_N];
    size_t line_n;
    bool dull;  /* the rest of the line does not matter */
    bool found; /* a program's name: */
    struct str name;
};

void attach_uu_feed(struct attach_uu *u, struct str bytes);
void attach_uu_end(struct attach_uu *u); /* the last line may be without its end */

#endif
