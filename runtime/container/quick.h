/* SPDX-License-Identifier: Apache-2.0 */
/*
 * quick - what exec needs of a configuration, kept so that it is read quickly
 *
 * A profile of hundreds of system calls is most of a configuration, and to read and compile it, or
 * to look it up, takes longer than an exec may. From the first exec on the state has, beside
 * config.json,
 *
 *     ROOT/ID/exec.filter    the compiled program
 *     ROOT/ID/exec.json      the configuration without the profile's rules; written last
 *
 * of a container whose profile is worth it and asks nobody. They are as private as all of the
 * state.
 *
 * Errors:    quick_keep has none: without the two files exec reads config.json.
 * Tests:     tests/oci/test_seccomp.py
 */
#ifndef MR_CONTAINER_QUICK_H
#define MR_CONTAINER_QUICK_H

#include <stdbool.h>

#include "runtime/base/attr.h"

struct arena;
struct oci_config;
struct seccomp_program;

void quick_keep(int state_fd, const struct oci_config *c, const struct seccomp_program *filter);
/* true: *out is the configuration, *filter the program, both in the arena. */
must_check bool quick_find(int state_fd, struct arena *a, struct oci_config **out,
                           struct seccomp_program *filter);

#endif
