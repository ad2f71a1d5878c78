/* SPDX-License-Identifier: Apache-2.0 */
#include "runtime/stack/specs.h"

#include <assert.h>

/* The file's bytes and a NUL behind a label; the paths are relative to the root of the tree (-I.).
 */
/* NOLINTBEGIN(bugprone-macro-parentheses): `file` joins the literals beside it */
#define EMBED(label, file)                                                                      \
    __asm__(".pushsection .rodata\n" #label ":\n.incbin \"" file "\"\n.byte 0\n.popsection\n"); \
    extern const char label[] __attribute__((visibility("hidden")))

/* NOLINTEND(bugprone-macro-parentheses) */
#define SERVICE(name)                                             \
    EMBED(specs_service_##name, "specs/services/" #name ".json"); \
    EMBED(specs_seccomp_##name, "specs/seccomp/" #name ".json")

SERVICE(authd);
SERVICE(dnsd);
SERVICE(lmtpd);
SERVICE(imapd);
SERVICE(pop3d);
SERVICE(filterd);
SERVICE(queued);
SERVICE(smtpd);
SERVICE(frontd);
EMBED(specs_seccomp_common, "specs/seccomp/common.json");

#define ROW(name_)                                           \
    {                                                        \
#name_, specs_service_##name_, specs_seccomp_##name_ \
    }

/* The order is that of a start, as far as it is free, and of what `status` prints. */
static const struct specs_of rows[SPECS_SERVICES + 1] = {
    ROW(authd),   ROW(dnsd),   ROW(lmtpd), ROW(imapd),  ROW(pop3d),
    ROW(filterd), ROW(queued), ROW(smtpd), ROW(frontd), {"common", "", specs_seccomp_common},
};

const struct specs_of *specs_get(size_t i)
{
    assert(i <= SPECS_SERVICES);
    return &rows[i];
}
