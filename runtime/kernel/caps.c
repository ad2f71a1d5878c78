/* SPDX-License-Identifier: Apache-2.0 */
#include "runtime/kernel/caps.h"

#include <errno.h>
#include <sys/prctl.h>

#include "runtime/base/err.h"
#include "runtime/kernel/sys.h"

#define CAPS_BITS 64

static int get_raw(struct __user_cap_data_struct d[2], struct err *err)
{
    struct __user_cap_header_struct h = {.version = _LINUX_CAPABILITY_VERSION_3, .pid = 0};

    return sys_capget(&h, d) < 0 ? err_set(err, errno, "read the capabilities") : 0;
}

static int set_raw(const struct __user_cap_data_struct d[2], struct err *err)
{
    struct __user_cap_header_struct h = {.version = _LINUX_CAPABILITY_VERSION_3, .pid = 0};

    return sys_capset(&h, d) < 0 ? err_set(err, errno, "set the capabilities") : 0;
}

static uint64_t join(uint32_t low, uint32_t high)
{
    return (uint64_t)high << 32 | low;
}

int caps_get(struct caps *out, struct err *err)
{
    struct __user_cap_data_struct d[2] = {{0}};

    if (get_raw(d, err) < 0)
        return -1;
    *out = (struct caps){.effective = join(d[0].effective, d[1].effective),
                         .permitted = join(d[0].permitted, d[1].permitted),
                         .inheritable = join(d[0].inheritable, d[1].inheritable)};
    return 0;
}

int caps_limit(uint64_t keep, struct err *err)
{
    for (unsigned cap = 0; cap < CAPS_BITS; cap++) {
        if ((keep >> cap & 1) != 0)
            continue;
        if (prctl(PR_CAPBSET_DROP, cap, 0UL, 0UL, 0UL) == 0)
            continue;
        if (errno == EINVAL) /* the kernel knows no more of them */
            return 0;
        if (errno == EPERM && prctl(PR_CAPBSET_READ, cap, 0UL, 0UL, 0UL) == 0)
            continue; /* not ours to drop, and not there either */
        return err_set(err, errno, "drop capability %u from the bounding set", cap);
    }
    return 0;
}

struct caps caps_within(const struct caps *c, uint64_t held)
{
    struct caps out = {.bounding = c->bounding,
                       .permitted = c->permitted & held,
                       .inheritable = c->inheritable & held};

    out.effective = c->effective & out.permitted;
    out.ambient = c->ambient & out.permitted & out.inheritable;
    return out;
}

static int set_ambient(uint64_t mask, struct err *err)
{
    if (prctl(PR_CAP_AMBIENT, PR_CAP_AMBIENT_CLEAR_ALL, 0UL, 0UL, 0UL) < 0)
        return err_set(err, errno, "clear the ambient capabilities");
    for (unsigned cap = 0; mask != 0; cap++, mask >>= 1)
        if ((mask & 1) != 0 && prctl(PR_CAP_AMBIENT, PR_CAP_AMBIENT_RAISE, cap, 0UL, 0UL) < 0)
            return err_set(err, errno, "raise capability %u in the ambient set", cap);
    return 0;
}

int caps_apply(const struct caps *c, struct err *err)
{
    struct __user_cap_data_struct d[2] = {{0}};
    struct caps now, to;

    if (caps_get(&now, err) < 0)
        return -1;
    to = caps_within(c, now.permitted);
    d[0].effective = (uint32_t)to.effective;
    d[1].effective = (uint32_t)(to.effective >> 32);
    d[0].permitted = (uint32_t)to.permitted;
    d[1].permitted = (uint32_t)(to.permitted >> 32);
    d[0].inheritable = (uint32_t)to.inheritable;
    d[1].inheritable = (uint32_t)(to.inheritable >> 32);
    return set_raw(d, err) < 0 ? -1 : set_ambient(to.ambient, err);
}

int caps_raise(struct err *err)
{
    struct __user_cap_data_struct d[2] = {{0}};

    if (get_raw(d, err) < 0)
        return -1;
    d[0].effective = d[0].permitted;
    d[1].effective = d[1].permitted;
    return set_raw(d, err);
}
