/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The list of limits.c goes into the files of the groups; the device rules, which are no list of
 * values, into the v1 controller or the v2 program.
 */
#include <errno.h>
#include <inttypes.h>
#include <limits.h>
#include <string.h>

#include "runtime/base/buf.h"
#include "runtime/base/err.h"
#include "runtime/base/num.h"
#include "runtime/base/own.h"
#include "runtime/container/limits.h"
#include "runtime/kernel/cgroup.h"
#include "runtime/kernel/cgroup_devices.h"
#include "runtime/kernel/cgroup_v1.h"
#include "runtime/kernel/cgroup_v2.h"
#include "runtime/spec/oci.h"

/* --- devices ---------------------------------------------------------------------------------- */

/* Without these no program runs as it expects to; making nodes is harmless, for opening them asks
 * again. */
static const struct cgroup_device always[] = {
    {'c', -1, -1, CGROUP_DEVICE_MKNOD}, {'b', -1, -1, CGROUP_DEVICE_MKNOD},
    {'c', 1, 3, CGROUP_DEVICE_ALL},     {'c', 1, 5, CGROUP_DEVICE_ALL},
    {'c', 1, 7, CGROUP_DEVICE_ALL},     {'c', 1, 8, CGROUP_DEVICE_ALL},
    {'c', 1, 9, CGROUP_DEVICE_ALL},     {'c', 5, 0, CGROUP_DEVICE_ALL},
    {'c', 5, 2, CGROUP_DEVICE_ALL},     {'c', 136, -1, CGROUP_DEVICE_ALL},
};

_Static_assert((int)OCI_DEV_READ == (int)CGROUP_DEVICE_READ &&
                   (int)OCI_DEV_WRITE == (int)CGROUP_DEVICE_WRITE &&
                   (int)OCI_DEV_MKNOD == (int)CGROUP_DEVICE_MKNOD,
               "the bits of device access are the same in both rooms");

int limits_devices(const struct oci_resources *r, struct cgroup_devices *out, struct err *err)
{
    cgroup_devices_init(out);
    for (size_t i = 0; i < r->devices_n; i++) {
        const struct oci_device_rule *o = &r->devices[i];
        struct cgroup_device d = {.type = o->type,
                                  .major = o->major,
                                  .minor = o->minor,
                                  .access = o->access == 0 ? CGROUP_DEVICE_ALL : o->access};

        if (!cgroup_devices_rule(out, o->allow, &d))
            return err_set(err, E2BIG, "$.linux.resources.devices: more than %d exceptions",
                           CGROUP_DEVICES_MAX);
    }
    for (size_t i = 0; i < ARRAY_N(always); i++)
        if (!cgroup_devices_rule(out, true, &always[i]))
            return err_set(err, E2BIG, "$.linux.resources.devices: more than %d exceptions",
                           CGROUP_DEVICES_MAX);
    return 0;
}

int limits_apply_devices(const struct cgroup *g, const struct oci_resources *r, struct err *err)
{
    struct cgroup_devices d;
    const struct cgroup_hier *h = cgroup_find(g, "devices");

    if (limits_devices(r, &d, err) < 0)
        return -1;
    if (h == NULL)
        return r->devices_n == 0
                   ? 0
                   : err_set(err, ENOENT, "$.linux.resources.devices: no cgroup controls devices");
    return h->v2 ? cgroup_v2_devices(h, &d, err) : cgroup_v1_devices(h, &d, err);
}

/* --- applying --------------------------------------------------------------------------------- */

int limits_check_use(const struct cgroup *g, const struct oci_resources *r, struct err *err)
{
    const struct oci_memory *m = &r->memory;
    const struct cgroup_hier *h = cgroup_find(g, "memory");
    own_buf struct buf text = BUF_INIT(NUM_TEXT_MAX);
    uint64_t used = 0;

    if (m->check_before_update.v == 0 || m->limit.v <= 0 || h == NULL || !h->v2)
        return 0;
    if (cgroup_read(h, "memory.current", &text, err) < 0 ||
        num_parse_u64(buf_str(&text), 0, UINT64_MAX, &used, err) < 0)
        return err_wrap(err, "$.linux.resources.memory.checkBeforeUpdate");
    if ((uint64_t)m->limit.v >= used)
        return 0;
    return err_set(err, 0,
                   "$.linux.resources.memory.limit: %" PRId64 " is below the %" PRIu64
                   " bytes in use, which checkBeforeUpdate forbids",
                   m->limit.v, used);
}

static int apply_one(const struct cgroup *g, const struct limit *l, struct err *err)
{
    const struct cgroup_hier *h = cgroup_find(g, l->controller);
    const char *file = NULL;

    if (h == NULL)
        h = cgroup_find_v2(g);
    if (h == NULL)
        return l->optional ? 0 : err_set(err, ENOENT, "no cgroup controller '%s'", l->controller);
    file = h->v2 ? l->v2_file : l->v1_file;
    if (file == NULL && l->optional)
        return 0;
    if (file == NULL)
        return err_set(err, ENOTSUP, "cgroup %s cannot do '%s'", h->v2 ? "v2" : "v1",
                       h->v2 ? l->v1_file : l->v2_file);
    if (h->v2 && l->v2_lacks != NULL)
        return err_set(err, 0, "%s", l->v2_lacks);
    if (cgroup_write(h, file, h->v2 ? l->v2_value : l->v1_value, err) == 0)
        return 0;
    file = h->v2 ? l->v2_other : l->v1_other;
    if (file != NULL && err->code == ENOENT)
        return cgroup_write(h, file, h->v2 ? l->v2_other_value : l->v1_value, err);
    return l->optional && err->code == ENOENT ? 0 : -1;
}

/* The file "io.max" is absent because nobody passes the controller "io" down to this group. */
static int tell_controller(const struct cgroup *g, const struct limit *l, struct err *err)
{
    const struct cgroup_hier *h = cgroup_find_v2(g);
    own_buf struct buf text = BUF_INIT(PATH_MAX);
    struct str name = STR_NONE, rest = STR_NONE, list = STR_NONE, one = STR_NONE;
    struct err ignored;

    if (h == NULL || !str_cut(str_of(l->v2_file), '.', &name, &rest) || str_eq_c(name, "cgroup") ||
        cgroup_read(h, "cgroup.controllers", &text, &ignored) < 0)
        return -1;
    list = buf_str(&text);
    while (str_next(&list, ' ', &one))
        if (str_eq(str_trim(one), name))
            return -1;
    return err_set(err, ENOENT, "'%s': controller `%.*s` is not available under '%s%s'", l->v2_file,
                   STR_ARG(name), h->mount, h->path);
}

/* A limit of memory below what is in use is refused by v1, as busy. */
static int tell_what(const struct cgroup *g, const struct limit *l, struct err *err)
{
    if (err->code == ENOENT && strcmp(l->section, "unified") == 0)
        (void)tell_controller(g, l, err);
    if (err->code == EBUSY && strcmp(l->section, "memory") == 0)
        (void)err_wrap(err, "the processes of the container hold more than that");
    if (err->code == EINVAL && l->v2_lacks != NULL)
        (void)err_wrap(err, "%s", l->v2_lacks);
    if (err->code == EINVAL && l->v1_file != NULL && strcmp(l->v1_file, "cpu.rt_runtime_us") == 0)
        (void)err_wrap(err, "the group above has not that much realtime left");
    return err_wrap(err, "resources.%s", l->section);
}

int limits_apply(const struct cgroup *g, const struct limits *l, struct err *err)
{
    bool again = false;

    for (size_t i = 0; i < l->n; i++)
        again |= apply_one(g, &l->v[i], err) < 0;
    for (size_t i = 0; again && i < l->n; i++)
        if (apply_one(g, &l->v[i], err) < 0)
            return tell_what(g, &l->v[i], err);
    return 0;
}
