/* SPDX-License-Identifier: Apache-2.0 */
/*
 * fd - descriptors: whole reads and writes, flags, passing them over unix sockets
 *
 * Tests:     tests/unit/runtime/base/test_fd.c
 */
#ifndef MR_BASE_FD_H
#define MR_BASE_FD_H

#include <stdbool.h>
#include <stddef.h>
#include <sys/types.h>

#include "runtime/base/attr.h"
#include "runtime/base/str.h"

struct err;

#define FD_PASS_MAX 32 /* descriptors in one message; the kernel's limit is 253 */

/* Blocking descriptors: EINTR is retried, short counts are continued. */
must_check int fd_write_all(int fd, struct str s, struct err *err);
must_check ssize_t fd_read_full(int fd, void *p, size_t n, struct err *err); /* short only at EOF */

must_check int fd_set_nonblock(int fd, bool on, struct err *err);
must_check int fd_set_cloexec(int fd, struct err *err);
/* Closes *fd unless it is below 0, and sets it to -1. */
void fd_close(int *fd);
/* Closes every descriptor >= first (close_range). */
must_check int fd_close_from(int first, struct err *err);

must_check int fd_pipe(int out[2], struct err *err);                 /* O_CLOEXEC */
must_check int fd_socketpair(int type, int out[2], struct err *err); /* AF_UNIX, cloexec */

/* One message with its descriptors. Sending: 0, or -1 (EAGAIN is in err->code). Receiving: the
 * bytes read (0 at EOF); at most *fds_n descriptors are stored in fds, *fds_n is set to how many
 * came; all are cloexec; a message whose descriptors did not fit is an error and leaks none. */
must_check int fd_send(int sock, struct str data, const int *fds, size_t fds_n, struct err *err);
must_check ssize_t fd_recv(int sock, void *p, size_t n, int *fds, size_t *fds_n, struct err *err);

/* A unix stream, dgram or seqpacket socket (SOCK_* in type), cloexec. Paths beyond sun_path are
 * handled through /proc/self/fd of the directory. */
must_check int fd_unix_listen(const char *path, int type, mode_t mode, int backlog,
                              struct err *err); /* unlinks a stale socket of that name first */
must_check int fd_unix_connect(const char *path, int type, struct err *err);

#endif
