/* SPDX-License-Identifier: Apache-2.0 */
/*
 * layout - the directory of an OCI image layout: its index, its references, its locks
 *
 * index.json is changed under an exclusive flock of the directory, and replaced whole; what other
 * tools wrote into it (annotations, platforms) stays. A writer of blobs holds a shared flock of
 * blobs/ from its first blob until the index names them; a sweep needs it exclusively and is left
 * out, for the next writer to do, while anybody writes.
 *
 * Tests:     tests/unit/images/lib/test_image.c
 */
#ifndef MR_IMAGE_IMAGE_LAYOUT_H
#define MR_IMAGE_IMAGE_LAYOUT_H

#include "runtime/base/attr.h"

#include "images/lib/doc.h"
#include "images/lib/image.h"

struct arena;
struct err;

struct image_store {
    int fd;
    char *path; /* absolute */
};

/* index.json; empty if the layout has none yet. */
must_check int image_layout_index(const struct image_store *s, struct arena *a,
                                  struct doc_index *out, struct err *err);
/* The manifest for this machine that a descriptor leads to, through nested indexes. *found is false
 * if it leads to none (another machine's, or no image at all). The reference is kept. */
must_check int image_layout_resolve(const struct image_store *s, struct arena *a,
                                    const struct doc_descriptor *from, struct doc_descriptor *out,
                                    bool *found, struct err *err);
/* The manifest of a reference or digest. ENOENT in err->code if there is none. */
must_check int image_layout_find(const struct image_store *s, struct arena *a, const char *ref,
                                 struct doc_descriptor *out, struct err *err);
/* A document of that descriptor, checked. */
must_check int image_layout_manifest(const struct image_store *s, struct arena *a,
                                     const struct doc_descriptor *d, struct doc_manifest *out,
                                     struct err *err);
must_check int image_layout_config(const struct image_store *s, struct arena *a,
                                   const struct doc_descriptor *d, struct doc_config *out,
                                   struct err *err);

/* Makes d->ref name d; what it named before loses the name. The index stays sorted by reference. */
must_check int image_layout_set(const struct image_store *s, const struct doc_descriptor *d,
                                struct err *err);
/* Takes out the entries of that reference or digest; ENOENT if there is none. */
must_check int image_layout_unset(const struct image_store *s, const char *ref, struct err *err);

/* The shared lock of a writer; a descriptor to close when the index names all that was written. */
must_check int image_layout_write_lock(const struct image_store *s, struct err *err);
/* Removes the blobs that no entry of the index needs; nothing while somebody else writes. */
must_check int image_layout_sweep(const struct image_store *s, struct arena *a, struct err *err);

#define IMAGE_LAYOUT_IMPORT_PREFIX ".import-" /* of directories that an import works in */

#endif
