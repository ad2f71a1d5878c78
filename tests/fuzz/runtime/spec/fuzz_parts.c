/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What comes in files of its own: process.json of an exec, mounts of `mounts add`, resources of an
 * update. Either it loads within the limits, or there is a sentence.
 */
#include <assert.h>
#include <fcntl.h>
#include <stdint.h>
#include <stdio.h>
#include <sys/mman.h>
#include <unistd.h>

#include "runtime/base/arena.h"
#include "runtime/base/err.h"
#include "runtime/base/own.h"
#include "runtime/base/str.h"
#include "runtime/spec/oci.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void load_files(struct arena *a, const char *path)
{
    struct oci_process p = {0};
    struct oci_mount *mounts = NULL;
    size_t n = 0;
    struct err err = {0};

    if (oci_load_process_file(a, AT_FDCWD, path, &p, &err) == 0)
        assert(p.args.n <= OCI_STRINGS_MAX && p.rlimits_n <= OCI_RLIMITS_MAX);
    else
        assert(err.text[0] != '\0');
    err.text[0] = '\0';
    if (oci_load_mounts_file(a, AT_FDCWD, path, &mounts, &n, &err) == 0)
        assert(n <= OCI_MOUNTS_MAX);
    else
        assert(err.text[0] != '\0');
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct arena *a = arena_new(4 * OCI_ARENA_MAX);
    own_fd int fd = memfd_create("parts", MFD_CLOEXEC);
    struct oci_resources r = {0};
    struct err err = {0};
    char path[64];

    (void)snprintf(path, sizeof path, "/proc/self/fd/%d", fd);
    assert(fd >= 0 && write(fd, data, size) == (ssize_t)size);
    load_files(a, path);
    if (oci_load_resources(a, (struct str){(const char *)data, size}, &r, &err) < 0)
        assert(err.text[0] != '\0');
    arena_free(a);
    return 0;
}
