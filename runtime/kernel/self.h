/* SPDX-License-Identifier: Apache-2.0 */
/*
 * self - the running program's own file, kept out of reach
 *
 * A process of a container can come to hold /proc/PID/exe of a runtime that enters it, or be made
 * of the runtime's file (an entrypoint '#!/proc/self/exe'), and write to it once it is free
 * (CVE-2019-5736). Whoever could do so runs as a user who may write the file on the host. Against
 * it the program executes itself again from a detached mount of its file that is read-only and
 * belongs to no mount namespace, so that nobody can make it writable; where that is not permitted,
 * from a sealed copy in memory.
 *
 * Tests:     tests/oci/attack/test_self_exe.py
 */
#ifndef MR_KERNEL_SELF_H
#define MR_KERNEL_SELF_H

#include "runtime/base/attr.h"

struct err;

must_check int self_protect(char *const *argv, struct err *err);
/* Closes the descriptor through which the program was executed, if that is open still: whoever is
 * the last to do so waits for all processors, so it is done while there is something else to wait
 * for. Harmless at any time. */
void self_release(void);

#endif
