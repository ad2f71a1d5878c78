/* SPDX-License-Identifier: Apache-2.0 */
/*
 * image - the public API of libmrimage: images in an OCI image layout, and their root file systems
 *
 * A store is a directory in OCI image layout, as skopeo and umoci read it: `oci-layout`,
 * `index.json`, `blobs/sha256/`. An image is found by its reference, the annotation
 * org.opencontainers.image.ref.name of index.json ("smtpd", "busybox:1.36"), or by the digest of
 * its manifest ("sha256:..."). Every blob is checked against its digest whenever it is read.
 *
 * Root file systems: image_rootfs unpacks an image once per manifest digest into
 * CACHE/DIGEST (hex, without "sha256:") and gives the same path ever after; it is meant to be
 * mounted read-only and shared by every container of that image. The directory appears complete, by
 * rename, or not at all; two callers at once are fine.
 *
 * Lifetime:  results lie in the caller's arena; a store is an object, image_store_close it.
 * Limits:    in image_layout.h (documents), tar_read.h and unpack.h (archives).
 * Locking:   changes of index.json happen under a flock of the store's directory.
 * Tests:     tests/unit/images/lib/test_image.c, tests/oci/test_image.py
 */
#ifndef MR_IMAGE_IMAGE_H
#define MR_IMAGE_IMAGE_H

#include <stddef.h>
#include <stdint.h>

#include "runtime/base/attr.h"

struct arena;
struct err;
struct image_store;

#define IMAGE_DIGEST_HEX 64 /* digits of a sha256 */

enum image_open {
    IMAGE_READ,  /* the layout must exist; nothing is written to it */
    IMAGE_CREATE /* it is made if absent */
};

must_check struct image_store *image_store_open(const char *dir, enum image_open how,
                                                struct err *err);
void image_store_close(struct image_store *s); /* NULL is fine */

/* Where `mailbox-run image` keeps images: $MAILBOX_RUN_STORE, else /var/lib/mailbox-run/images for
 * root, else $XDG_DATA_HOME or ~/.local/share below which mailbox-run/images. */
const char *image_default_store(struct arena *a);
/* The images of the daemons that came with this program: `images` beside it (as in build/), else
 * ../share/mailbox-run/images (from bin) or ../../share/... (from libexec/mailbox-run). */
must_check const char *image_bundled_store(struct arena *a, struct err *err);

struct image_strings { /* v[n] is NULL */
    const char **v;
    size_t n;
};

/* What the image's configuration asks for; absent members are "" or empty. */
struct image_config {
    struct image_strings entrypoint;
    struct image_strings cmd;
    struct image_strings env;    /* "NAME=value" */
    struct image_strings labels; /* "name=value", sorted */
    const char *user;
    const char *workdir;
    const char *stop_signal;
    const char *os;
    const char *architecture;
    const char *created;
};

struct image_layer {
    const char *media_type;
    const char *digest;  /* of the blob: "sha256:..." */
    const char *diff_id; /* of the uncompressed archive */
    uint64_t size;
};

struct image_info {
    const char *ref;    /* "" where the index names none */
    const char *digest; /* of the manifest: "sha256:..." */
    const char *config_digest;
    struct image_config config;
    struct image_layer *layers;
    size_t layers_n;
    uint64_t size; /* manifest, configuration and layers, as stored */
};

/* All images of the store that fit this machine, in the order of the index. */
must_check int image_list(struct image_store *s, struct arena *a, struct image_info **out,
                          size_t *out_n, struct err *err);
/* One; ENOENT in err->code if the store has none of that reference or digest. */
must_check int image_load(struct image_store *s, struct arena *a, const char *ref,
                          struct image_info *out, struct err *err);

struct image_rootfs {
    const char *path; /* absolute */
    struct image_info info;
};

/* cache NULL: "rootfs" in the store's directory. It is made if absent. */
must_check int image_rootfs(struct image_store *s, struct arena *a, const char *cache,
                            const char *ref, struct image_rootfs *out, struct err *err);
/* Removes from the cache the root file systems of images that the store has no longer. A root file
 * system that is mounted somewhere stays intact for its users until they unmount it only if the
 * caller sees to it: call this when no container of the store runs. */
must_check int image_rootfs_prune(struct image_store *s, struct arena *a, const char *cache,
                                  struct err *err);

/* Unpacks into dir, which is made and must be empty. */
must_check int image_unpack(struct image_store *s, struct arena *a, const char *ref,
                            const char *dir, struct err *err);

/* Copies an image in and names it. source is "oci:DIR[:REF]" (a layout), "oci-archive:FILE[:REF]"
 * or "docker-archive:FILE[:REF]"; without a prefix a directory is a layout, and a file one of the
 * archives, found by looking. Without REF the source must hold one image only. name NULL: the name
 * it has there. */
must_check int image_import(struct image_store *s, struct arena *a, const char *source,
                            const char *name, struct err *err);
/* Writes an OCI archive: a tar of an OCI image layout with this one image; replaces file. */
must_check int image_export(struct image_store *s, struct arena *a, const char *ref,
                            const char *file, struct err *err);
/* Removes the reference, and the blobs that no other image needs. */
must_check int image_remove(struct image_store *s, struct arena *a, const char *ref,
                            struct err *err);

#endif
