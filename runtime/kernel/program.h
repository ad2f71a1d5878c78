/* SPDX-License-Identifier: Apache-2.0 */
/*
 * program - why the kernel would not execute a file, in words
 *
 * execve says "No such file or directory" of a script that is there and whose interpreter is not,
 * and "Exec format error" of an empty file and of a program for another machine alike. Here the
 * file is looked at, and what is wrong with it is told.
 *
 * Works after fork: no allocation, and only what open and read can tell. What has changed since the
 * attempt is told as it is now.
 * Tests:     tests/unit/runtime/kernel/test_program.c
 */
#ifndef MR_KERNEL_PROGRAM_H
#define MR_KERNEL_PROGRAM_H

struct err;

/* Sets err to "'PATH': CAUSE: WHAT IS WRONG" with that code, an errno of execve. A missing program
 * and a forbidden one are told in the words that Go has for these errors, in lower case: by them
 * docker(1) tells them (127 and 126) from other failures. Always -1. */
int program_failed(const char *path, int code, struct err *err);

#endif
