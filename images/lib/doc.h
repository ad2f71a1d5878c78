/* SPDX-License-Identifier: Apache-2.0 */
/*
 * doc - the JSON documents of an OCI image: index, manifest, configuration; pure
 *
 * Keys that are not known here are passed over, as the image specification demands. Docker's
 * manifests (schema 2) and manifest lists are read as well: they differ in their media types only.
 *
 * Lifetime:  what is parsed lies in the caller's arena, not in the text.
 * Limits:    below; digests are checked to be sound, sizes to be within BLOB_SIZE_MAX.
 * Tests:     tests/unit/images/lib/test_doc.c
 * Fuzz:      tests/fuzz/images/lib/fuzz_doc.c
 */
#ifndef MR_IMAGE_DOC_H
#define MR_IMAGE_DOC_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "runtime/base/attr.h"
#include "runtime/base/str.h"

#include "images/lib/image.h"

struct arena;
struct buf;
struct err;

#define DOC_MAX           (4U << 20) /* of one document, as in registries */
#define DOC_MANIFESTS_MAX 10000
#define DOC_LAYERS_MAX    1000
#define DOC_STRINGS_MAX   4096 /* of one list of strings */
#define DOC_REF_MAX       255
#define DOC_REF_KEY       "org.opencontainers.image.ref.name"

#define DOC_TYPE_INDEX    "application/vnd.oci.image.index.v1+json"
#define DOC_TYPE_MANIFEST "application/vnd.oci.image.manifest.v1+json"
#define DOC_TYPE_CONFIG   "application/vnd.oci.image.config.v1+json"
#define DOC_TYPE_TAR      "application/vnd.oci.image.layer.v1.tar"
#define DOC_TYPE_TAR_GZIP "application/vnd.oci.image.layer.v1.tar+gzip"
#define DOC_TYPE_TAR_ZSTD "application/vnd.oci.image.layer.v1.tar+zstd"

enum doc_kind {
    DOC_OTHER, /* a media type that is none of ours */
    DOC_INDEX,
    DOC_MANIFEST,
    DOC_CONFIG,
    DOC_LAYER
};

/* Of a media type, OCI's or Docker's. */
enum doc_kind doc_kind_of(const char *media_type);

struct doc_descriptor {
    const char *media_type;
    const char *digest;
    uint64_t size;
    const char *ref; /* its annotation; "" if absent */
    const char *os;  /* of its platform; "" if absent */
    const char *architecture;
};

struct doc_index {
    struct doc_descriptor *v;
    size_t n;
};

struct doc_manifest {
    struct doc_descriptor config;
    struct doc_descriptor *layers;
    size_t layers_n;
};

struct doc_config {
    struct image_config image;
    struct image_strings diff_ids;
};

must_check int doc_parse_index(struct str text, struct arena *a, struct doc_index *out,
                               struct err *err);
must_check int doc_parse_manifest(struct str text, struct arena *a, struct doc_manifest *out,
                                  struct err *err);
must_check int doc_parse_config(struct str text, struct arena *a, struct doc_config *out,
                                struct err *err);
/* The oci-layout file: 0 if its version is one that is understood. */
must_check int doc_check_layout(struct str text, struct err *err);

/* Docker's manifest.json of `docker save`. */
struct doc_saved {
    const char *config; /* paths in the archive */
    struct image_strings layers;
    struct image_strings tags;
};

must_check int doc_parse_saved(struct str text, struct arena *a, struct doc_saved **out,
                               size_t *out_n, struct err *err);

/* A reference as skopeo takes it in oci:DIR:REF: letters and digits, with "-._:@/+" between. */
bool doc_ref_is_sound(struct str ref);

/* Of this machine, in Go's words: "amd64", "arm64". */
const char *doc_architecture(void);

/* What we write ourselves; one line, keys in a fixed order. */
void doc_format_layout(struct buf *out);
void doc_format_manifest(const struct doc_manifest *m, struct buf *out);
void doc_format_config(const struct doc_config *c, const char *history, struct buf *out);
void doc_format_index(const struct doc_index *i, struct buf *out);

#endif
