/* SPDX-License-Identifier: Apache-2.0 */
/*
 * unpack - layers onto a directory, one after the other, as the OCI image specification has it
 *
 * Whatever an archive says, nothing outside the directory is made, changed, read or removed: each
 * path is resolved by openat2 with the directory as root (beneath.h), the last component is never
 * followed, a hard link needs a target inside, and what stands in the way is removed first. ".." in
 * a name is an error; an absolute name is taken as relative.
 *
 * Whiteouts hide what lower layers brought and never what the same layer brings, in whatever order
 * the archive has them.
 *
 * Owner:     as in the archive for root; else everything belongs to the caller.
 * Devices:   are not made: a container's /dev is the runtime's, and a node in an image would be one
 *            that nobody has allowed. They are counted in unpack_skipped. So are extended
 * attributes other than user.*, security.capability and POSIX ACLs, and those that the file system
 *            or missing privilege refuses.
 * Limits:    below.
 * Tests:     tests/unit/images/lib/test_unpack.c, tests/oci/test_image.py
 */
#ifndef MR_IMAGE_UNPACK_H
#define MR_IMAGE_UNPACK_H

#include <stdint.h>

#include "runtime/base/attr.h"

struct err;
struct source;
struct unpack;

#define UNPACK_ENTRIES_MAX 2000000       /* of all layers; the largest images have some 500,000 */
#define UNPACK_BYTES_MAX   (64ULL << 30) /* of all files of all layers: 64 GiB */

enum unpack_owner {
    UNPACK_OWNER_KEEP, /* chown as the archive says */
    UNPACK_OWNER_SELF
};

/* KEEP for root, SELF for others. */
enum unpack_owner unpack_owner_default(void);

/* root_fd stays the caller's and must live as long. */
must_check struct unpack *unpack_new(int root_fd, enum unpack_owner owner);
void unpack_free(struct unpack *u); /* NULL is fine */

/* One layer, lowest first: a tar archive, not compressed. */
must_check int unpack_layer(struct unpack *u, struct source *from, struct err *err);
/* Modes and times of directories, which had to wait until nothing is made in them any more. */
must_check int unpack_finish(struct unpack *u, struct err *err);

uint64_t unpack_skipped(const struct unpack *u);

#endif
