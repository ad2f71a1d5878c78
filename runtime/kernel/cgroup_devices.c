/* SPDX-License-Identifier: Apache-2.0 */
#include "runtime/kernel/cgroup_devices.h"

#include <stdio.h>

void cgroup_devices_init(struct cgroup_devices *d)
{
    d->allow = false;
    d->n = 0;
}

static struct cgroup_device *find(struct cgroup_devices *d, const struct cgroup_device *rule)
{
    for (size_t i = 0; i < d->n; i++)
        if (d->v[i].type == rule->type && d->v[i].major == rule->major &&
            d->v[i].minor == rule->minor)
            return &d->v[i];
    return NULL;
}

static bool add(struct cgroup_devices *d, const struct cgroup_device *rule)
{
    struct cgroup_device *same = find(d, rule);

    if (same != NULL) {
        same->access |= rule->access;
        return true;
    }
    if (d->n >= CGROUP_DEVICES_MAX)
        return false;
    d->v[d->n++] = *rule;
    return true;
}

static void take_back(struct cgroup_devices *d, const struct cgroup_device *rule)
{
    struct cgroup_device *same = find(d, rule);

    if (same == NULL)
        return;
    same->access &= ~rule->access;
    if (same->access == 0)
        *same = d->v[--d->n];
}

bool cgroup_devices_rule(struct cgroup_devices *d, bool allow, const struct cgroup_device *rule)
{
    if (rule->type == 'a') { /* stands for all devices and all access, and forgets what was */
        d->allow = allow;
        d->n = 0;
        return true;
    }
    if (allow != d->allow)
        return add(d, rule);
    take_back(d, rule);
    return true;
}

static void format_number(int64_t v, char out[24])
{
    if (v < 0)
        (void)snprintf(out, 24, "*");
    else
        (void)snprintf(out, 24, "%lld", (long long)v);
}

void cgroup_device_format(const struct cgroup_device *d, char out[CGROUP_DEVICE_TEXT_MAX])
{
    char major[24], minor[24];

    format_number(d->major, major);
    format_number(d->minor, minor);
    (void)snprintf(out, CGROUP_DEVICE_TEXT_MAX, "%c %s:%s %s%s%s", d->type, major, minor,
                   (d->access & CGROUP_DEVICE_READ) != 0 ? "r" : "",
                   (d->access & CGROUP_DEVICE_WRITE) != 0 ? "w" : "",
                   (d->access & CGROUP_DEVICE_MKNOD) != 0 ? "m" : "");
}
