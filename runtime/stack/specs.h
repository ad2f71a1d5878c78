/* SPDX-License-Identifier: Apache-2.0 */
/*
 * specs - the files of specs/services and specs/seccomp, carried inside the program
 *
 * The program needs no file beside it to know what a service may do, and nobody widens a service's
 * authority by editing one.
 *
 * Tests:     tests/unit/runtime/stack/test_svc.c
 */
#ifndef MR_STACK_SPECS_H
#define MR_STACK_SPECS_H

#include <stddef.h>

struct specs_of {
    const char *name;    /* of the service; "common" has a seccomp text only */
    const char *service; /* JSON texts */
    const char *seccomp;
};

#define SPECS_SERVICES 9

/* "common" is the last, behind the services. */
const struct specs_of *specs_get(size_t i);

#endif
