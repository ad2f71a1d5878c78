/* SPDX-License-Identifier: Apache-2.0 */
/*
 * test - cmocka with the headers it needs in front of it
 *
 * cmocka.h does not include what it uses, and the order must stay; every unit test includes this
 * instead.
 */
#ifndef MR_TESTS_LIB_TEST_H
#define MR_TESTS_LIB_TEST_H

/* clang-format off */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
/* clang-format on */

#endif
