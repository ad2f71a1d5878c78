/* SPDX-License-Identifier: Apache-2.0 */
/*
 * undefended - what its parts share
 */
#ifndef MR_ATTACK_UNDEFENDED_H
#define MR_ATTACK_UNDEFENDED_H

#include <limits.h>
#include <stdbool.h>

/* Does the environment variable MR_OFF name it? */
bool is_off(const char *name);

/* root/inside: a path of the container as the host sees it. */
const char *through(const char *root, const char *inside, char out[PATH_MAX]);

#endif
