/* SPDX-License-Identifier: Apache-2.0 */
/*
 * tty - a pseudo terminal of the container's own devpts
 *
 * The master is opened through the container's /dev/pts/ptmx, which is verified to be on devpts;
 * the slave is opened from the master (TIOCGPTPEER), never by its name.
 *
 * Memory:    no allocation; may be called between fork and exec.
 * Tests:     tests/oci/test_cli.py, tests/oci/test_run.py
 */
#ifndef MR_KERNEL_TTY_H
#define MR_KERNEL_TTY_H

#include <stdint.h>

#include "runtime/base/attr.h"

struct err;

struct tty {
    int master_fd;
    int slave_fd;
};

/* Opens a pair of the devpts at dev/pts beneath root_fd. The caller closes both. */
must_check int tty_open(int root_fd, struct tty *out, struct err *err);
/* Line ends pass as the program wrote them: not as CR LF, which a terminal further out makes of
 * them if there is one, and which a file or a pipe should not get. */
must_check int tty_keep_lines(int fd, struct err *err);
must_check int tty_resize(int fd, uint16_t rows, uint16_t cols, struct err *err);
/* The slave becomes the controlling terminal of this session leader, and its descriptors 0 to 2. */
must_check int tty_adopt(int slave_fd, struct err *err);
/* Binds the slave over dev/console beneath root_fd, which is made where it is missing; a link there
 * is an error. */
must_check int tty_bind_console(int root_fd, int slave_fd, struct err *err);

#endif
