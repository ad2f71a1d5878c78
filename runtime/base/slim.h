/* SPDX-License-Identifier: Apache-2.0 */
/*
 * slim - a process that is done starting gives back the pages that only the start needed
 *
 * The kernel maps a program's text and constants as they are touched, sixteen pages at a time, and
 * keeps them mapped; of a static program with a crypto library that is megabytes which its loop
 * never looks at again. What is needed after all is mapped again at the next touch, from the page
 * cache. Memory that was written is left alone.
 *
 * Tests:     tests/unit/runtime/base/test_slim.c
 */
#ifndef MR_BASE_SLIM_H
#define MR_BASE_SLIM_H

/* Of the program itself; shared libraries keep theirs. Harmless at any time. */
void slim_now(void);

#endif
