/* SPDX-License-Identifier: Apache-2.0 */
/*
 * pid_file - where --pid-file has a process id written to
 *
 * A file is replaced, so that a reader never sees half a number, and so is a link to one: nothing
 * is written through it, for who else may write to the directory could have it lead anywhere. A
 * pipe and a character device (/dev/null, a terminal) are written to, and so is a descriptor of the
 * caller, by any of its names (/dev/stdout, /dev/fd/5): the link that is its name must stay. What
 * is left can hold no process id and must not go for one: a directory, a block device, a socket.
 *
 * Limits:    a pipe that nobody reads holds up the writer until somebody does.
 * Tests:     tests/unit/runtime/container/test_pid_file.c, tests/oci/test_errors.py,
 *            tests/oci/attack/test_names.py
 */
#ifndef MR_CONTAINER_PID_FILE_H
#define MR_CONTAINER_PID_FILE_H

#include <sys/types.h>

#include "runtime/base/attr.h"

struct err;

/* Could an id be written there? For before a process is made. */
must_check int pid_file_check(const char *path, struct err *err);
must_check int pid_file_write(const char *path, pid_t pid, struct err *err);

#endif
