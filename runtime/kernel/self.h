/* SPDX-License-Identifier: Apache-2.0 */
/*
 * self - the running program's own file, kept out of reach
 *
 * A process of a container can come to hold /proc/PID/exe of a runtime that enters it, or be made
 * of the runtime's file (an entrypoint '#!/proc/self/exe'), and write to it once it is free
 * (CVE-2019-5736). Whoever could do so runs as a user who may write the file on the host. Against
 * it the program executes itself again from a detached mount of its file that is read-only; where
 * that is not permitted, from a sealed copy in memory.
 *
 * A detached mount can be made writable (mount_setattr) by whoever holds something that leads to it
 * and is privileged in any mount namespace, be it one that he has just made. With the descriptor
 * that it came from it is dissolved, and cannot be changed any more: self_release must come before
 * anybody else could look into a process of the program.
 *
 * Tests:     tests/oci/attack/test_self_exe.py
 */
#ifndef MR_KERNEL_SELF_H
#define MR_KERNEL_SELF_H

#include "runtime/base/attr.h"

struct err;

must_check int self_protect(char *const *argv, struct err *err);
/* Closes the descriptor through which the program was executed, if self_protect found it open:
 * whoever is the last to do so waits for all processors, so it is done while there is something
 * else to wait for, but before a process is made in a pid namespace in which others are. A child
 * has one of its own to close. Harmless at any time.
 */
void self_release(void);

#endif
