/* SPDX-License-Identifier: Apache-2.0 */
/*
 * attr - compiler attributes under short names
 */
#ifndef MR_BASE_ATTR_H
#define MR_BASE_ATTR_H

#define must_check            __attribute__((warn_unused_result))
#define fmt_printf(fmt, args) __attribute__((format(printf, fmt, args)))
#define no_return             __attribute__((noreturn))
#define may_be_unused         __attribute__((unused))

/* The number of elements of a real array. */
#define ARRAY_N(a) (sizeof(a) / sizeof((a)[0]))

/* From a pointer to a member back to the struct that holds it. */
#define container_of(ptr, type, member) ((type *)(void *)((char *)(ptr)-offsetof(type, member)))

#endif
