/* SPDX-License-Identifier: Apache-2.0 */
#include "mailstack/imapd/confine.h"

#include <errno.h>
#include <linux/landlock.h>
#include <stdint.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "runtime/base/err.h"
#include "runtime/base/own.h"

#define ABI_WITH_REFER 2 /* the first that can allow a rename from new/ to cur/ */

#ifndef LANDLOCK_ACCESS_FS_REFER
#define LANDLOCK_ACCESS_FS_REFER (1ULL << 13)
#endif

/* What exists in the ABI we ask for; a newer kernel's additions stay as they are. */
#define HANDLED ((LANDLOCK_ACCESS_FS_REFER << 1) - 1)

static int abi(void)
{
    long n = syscall(SYS_landlock_create_ruleset, NULL, 0, LANDLOCK_CREATE_RULESET_VERSION);

    return n < 0 ? 0 : (int)n;
}

static int add_home(int ruleset_fd, int home_fd, struct err *err)
{
    struct landlock_path_beneath_attr rule = {
        .allowed_access = HANDLED & ~(uint64_t)LANDLOCK_ACCESS_FS_EXECUTE,
        .parent_fd = home_fd,
    };

    if (syscall(SYS_landlock_add_rule, ruleset_fd, LANDLOCK_RULE_PATH_BENEATH, &rule, 0) < 0)
        return err_set(err, errno, "add a rule to the Landlock ruleset");
    return 0;
}

int confine_to(int home_fd, enum confine_result *out, struct err *err)
{
    struct landlock_ruleset_attr attr = {.handled_access_fs = HANDLED};
    own_fd int fd = -1;

    if (abi() < ABI_WITH_REFER) {
        *out = CONFINE_UNABLE;
        return 0;
    }
    fd = (int)syscall(SYS_landlock_create_ruleset, &attr, sizeof(attr), 0);
    if (fd < 0)
        return err_set(err, errno, "make a Landlock ruleset");
    if (add_home(fd, home_fd, err) < 0)
        return -1;
    if (prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) < 0)
        return err_set(err, errno, "set no_new_privs");
    if (syscall(SYS_landlock_restrict_self, fd, 0) < 0)
        return err_set(err, errno, "enter the Landlock ruleset");
    *out = CONFINE_DONE;
    return 0;
}

int confine_keep_only(const int *fds, size_t n, struct err *err)
{
    unsigned last = 2; /* the highest descriptor dealt with */

    for (size_t left = n; left > 0; left--) {
        int next = -1;

        for (size_t i = 0; i < n; i++)
            if (fds[i] > (int)last && (next < 0 || fds[i] < next))
                next = fds[i];
        if (next < 0)
            break;
        if ((unsigned)next > last + 1 && close_range(last + 1, (unsigned)next - 1, 0) < 0)
            return err_set(err, errno, "close descriptors");
        last = (unsigned)next;
    }
    if (close_range(last + 1, UINT32_MAX, 0) < 0)
        return err_set(err, errno, "close descriptors");
    return 0;
}
