/* SPDX-License-Identifier: Apache-2.0 */
/*
 * recipe - what is in an image, as a checked struct
 *
 *     {"name": "smtpd",                          of the image, its reference
 *      "description": "takes mail",
 *      "program": {"from": "smtpd", "to": "/smtpd"},
 *      "files": [{"from": "passwd", "to": "/etc/passwd", "mode": "0644"}],
 *      "directories": ["/proc", "/tmp"],         made empty, mode 0755
 *      "links": [{"to": "/etc/mtab", "target": "/proc/mounts"}],
 *      "labels": {"key": "value"},
 *      "entrypoint": ["/smtpd", "-c", "/etc/mailstack/smtpd.json"],
 *      "cmd": [], "env": [], "workdir": "/", "stop_signal": "SIGTERM"}
 *
 * All but name and entrypoint may be absent; any other key is an error. The program is looked for
 * among the built programs, the files among those of images/files. Directories on the way to a file
 * need no mention. Nothing can be run while an image is made: there is no such key.
 *
 * Lifetime:  in the arena.
 * Limits:    below. Paths in the image are absolute and clean, and no two are the same.
 * Tests:     tests/unit/images/lib/test_recipe.c
 * Fuzz:      tests/fuzz/images/lib/fuzz_recipe.c
 */
#ifndef MR_IMAGE_RECIPE_H
#define MR_IMAGE_RECIPE_H

#include <stddef.h>
#include <stdint.h>

#include "runtime/base/attr.h"
#include "runtime/base/str.h"

#include "images/lib/image.h"

struct arena;
struct err;

#define RECIPE_MAX       65536 /* bytes of a recipe */
#define RECIPE_NODES_MAX 1000  /* files, links and directories */

enum recipe_kind {
    RECIPE_PROGRAM, /* from the directory of programs, mode 0755 */
    RECIPE_FILE,    /* from the directory of files */
    RECIPE_LINK,
    RECIPE_DIR
};

struct recipe_node {
    enum recipe_kind kind;
    const char *path; /* in the image, without the leading slash */
    const char *from; /* a name, or the target of a link; NULL for directories */
    uint32_t mode;
};

struct recipe {
    const char *name;
    struct recipe_node *nodes; /* sorted by path, with all directories on the way */
    size_t nodes_n;
    struct image_config config; /* without os, architecture and created */
};

must_check int recipe_parse(struct str text, struct arena *a, struct recipe *out, struct err *err);

#endif
