/* SPDX-License-Identifier: Apache-2.0 */
/*
 * seccomp_cache - compiled system call filters, kept by what they were compiled from
 *
 * To compile a profile of 400 calls takes longer than the rest of a container's start. The program
 * is kept in DIR/.filters/DIGEST beside the whole key, which is compared byte by byte: the digest
 * only names the file. A filter is a lock, so what is found is used only if nobody else can have
 * put it there: directory and file belong to this user and are closed to all others, the file is a
 * plain one with one name, its sizes are right and its checksum is. Anything else is as good as
 * absent.
 *
 * Limits:    keys of SECCOMP_KEY_MAX bytes; SECCOMP_CACHE_MAX files, then it begins anew.
 * Errors:    none: without a cache everything works, and takes longer.
 * Tests:     tests/unit/runtime/kernel/test_seccomp_cache.c, tests/oci/attack/test_filters.py
 * Fuzz:      tests/fuzz/runtime/kernel/fuzz_seccomp_cache.c
 */
#ifndef MR_KERNEL_SECCOMP_CACHE_H
#define MR_KERNEL_SECCOMP_CACHE_H

#include <stdbool.h>

#include "runtime/base/str.h"

struct seccomp_program;

#define SECCOMP_CACHE_DIR ".filters"
#define SECCOMP_CACHE_MAX 64
#define SECCOMP_KEY_MAX   (256U << 10)

/* The directory, made where it is missing, as a descriptor; -1: there is none that can be trusted.
 */
int seccomp_cache_open(const char *dir);
/* *out as of seccomp_compile. */
bool seccomp_cache_find(int cache_fd, struct str key, struct seccomp_program *out);
void seccomp_cache_keep(int cache_fd, struct str key, const struct seccomp_program *p);

#endif
