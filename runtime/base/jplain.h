/* SPDX-License-Identifier: Apache-2.0 */
/*
 * jplain - the JSON that configurations are written in, read at once
 *
 * jansson takes a text byte by byte, which was two fifths of what the runtime itself executes for a
 * container. This builds the same values from the text where it stands, and takes only what is
 * common: an object or array of objects, arrays, strings of ASCII with no more than the plainest
 * escapes, whole numbers of at most 18 digits, true, false and null. Of all else, right or wrong,
 * it says nothing: jansson reads that from the beginning and finds the words for an error (see
 * jv_load_str).
 *
 * Pre:    none: the text may be anything.
 * Post:   what it returns is what json_loadb with JSON_REJECT_DUPLICATES returns of the same text.
 * Limits: JPLAIN_DEPTH_MAX levels.
 * Tests:  tests/unit/runtime/base/test_jplain.c
 * Fuzz:   tests/fuzz/runtime/base/fuzz_jplain.c
 */
#ifndef MR_BASE_JPLAIN_H
#define MR_BASE_JPLAIN_H

#include <jansson.h>

#include "runtime/base/attr.h"
#include "runtime/base/str.h"

#define JPLAIN_DEPTH_MAX 32

/* A new reference; NULL where the text is not plain, or memory was not to be had. */
must_check json_t *jplain_load(struct str text);

#endif
