/* SPDX-License-Identifier: Apache-2.0 */
#include "runtime/kernel/scope.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "runtime/base/arena.h"
#include "runtime/base/buf.h"
#include "runtime/base/clock.h"
#include "runtime/base/err.h"
#include "runtime/base/file.h"
#include "runtime/base/num.h"
#include "runtime/base/own.h"
#include "runtime/base/str.h"
#include "runtime/kernel/cgroup.h"
#include "runtime/kernel/dbus.h"
#include "runtime/kernel/dbus_value.h"
#include "runtime/kernel/idmap.h"

#define UNIT_MAX   255
#define BODY_MAX   65536
#define SELF_MAX   65536
#define SYSTEM_BUS "unix:path=/run/dbus/system_bus_socket"

/* --- names ------------------------------------------------------------------------------------ */

static bool is_name(struct str s, const char *suffix)
{
    if (s.n == 0 || s.n > UNIT_MAX || s.p[0] == '.' || !str_ends(s, str_of(suffix)))
        return false;
    for (size_t i = 0; i < s.n; i++)
        if (!ascii_is_alnum(s.p[i]) && strchr(":-_.\\@", s.p[i]) == NULL)
            return false;
    return true;
}

static const char *unit_name(struct arena *a, struct str prefix, struct str name)
{
    if (str_ends(name, STR(".slice")) || str_ends(name, STR(".scope")))
        return arena_copy(a, name);
    return prefix.n == 0 ? arena_printf(a, "%.*s.scope", STR_ARG(name))
                         : arena_printf(a, "%.*s-%.*s.scope", STR_ARG(prefix), STR_ARG(name));
}

/* User 0 of a user namespace, beneath podman of an ordinary user for example, has that user's
 * manager. */
static bool is_system(void)
{
    return geteuid() == 0 && !idmap_is_inside();
}

int scope_parse(struct arena *a, const char *path, const char *id, struct scope *out,
                struct err *err)
{
    struct str slice = STR_NONE, prefix = STR("mailbox-run"), name = str_of(id), rest = STR_NONE;

    if (path != NULL &&
        (!str_cut(str_of(path), ':', &slice, &rest) || !str_cut(rest, ':', &prefix, &name)))
        return err_set(err, 0, "expected SLICE:PREFIX:NAME, found '%.128s'", path);
    if (slice.n == 0)
        slice = is_system() ? STR("system.slice") : STR("user.slice");
    out->slice = arena_copy(a, slice);
    out->unit = unit_name(a, prefix, name);
    if (out->slice == NULL || out->unit == NULL)
        return err_set(err, ENOMEM, "a unit");
    if (!is_name(slice, ".slice"))
        return err_set(err, 0, "'%.128s' is no name of a slice", out->slice);
    if (!is_name(str_of(out->unit), ".scope"))
        return err_set(err, 0, "'%.128s' is no name of a scope", out->unit);
    return 0;
}

/* --- the manager ------------------------------------------------------------------------------ */

static struct dbus *open_bus(struct err *err)
{
    const char *system = secure_getenv("DBUS_SYSTEM_BUS_ADDRESS");
    const char *session = secure_getenv("DBUS_SESSION_BUS_ADDRESS");
    const char *dir = secure_getenv("XDG_RUNTIME_DIR");
    own_buf struct buf text = BUF_INIT(8192);

    if (is_system())
        buf_append_c(&text, system != NULL ? system : SYSTEM_BUS);
    else if (session != NULL)
        buf_append_c(&text, session);
    else
        buf_printf(&text, "unix:path=%s/bus", dir != NULL ? dir : "/run");
    if (buf_check(&text, "a bus address", err) < 0)
        return NULL;
    return dbus_open(buf_c(&text), err);
}

static void close_bus(struct dbus **d)
{
    dbus_close(*d);
}

#define own_bus __attribute__((cleanup(close_bus)))

static int manager(struct dbus *d, const char *member, const char *signature,
                   const struct buf *body, struct dbus_msg *reply, struct err *err)
{
    struct dbus_msg call = {.path = STR("/org/freedesktop/systemd1"),
                            .interface = STR("org.freedesktop.systemd1.Manager"),
                            .member = str_of(member),
                            .destination = STR("org.freedesktop.systemd1"),
                            .signature = str_of(signature)};

    if (body != NULL) {
        if (buf_check(body, "a request to systemd", err) < 0)
            return -1;
        call.body = buf_str(body);
    }
    return dbus_call(d, &call, reply, err) < 0 ? err_wrap(err, "systemd: %s", member) : 0;
}

/* Without these systemd sends no signals, and the bus passes none on. */
static int subscribe(struct dbus *d, struct err *err)
{
    own_buf struct buf body = BUF_INIT(BODY_MAX);
    struct dbus_msg match = {.path = STR("/org/freedesktop/DBus"),
                             .interface = STR("org.freedesktop.DBus"),
                             .member = STR("AddMatch"),
                             .destination = STR("org.freedesktop.DBus"),
                             .signature = STR("s")};
    struct dbus_msg reply;

    dbus_put_str(&body, STR("type='signal',sender='org.freedesktop.systemd1',"
                            "interface='org.freedesktop.systemd1.Manager',member='JobRemoved'"));
    match.body = buf_str(&body);
    if (dbus_call(d, &match, &reply, err) < 0)
        return -1;
    return manager(d, "Subscribe", "", NULL, &reply, err);
}

/* JobRemoved: id, job, unit, result. */
static bool is_of_job(const struct dbus_msg *m, struct str job, struct str *result)
{
    struct dbus_reader r = {.body = m->body};
    struct str path = STR_NONE, unit = STR_NONE;
    uint32_t id = 0;

    return m->type == DBUS_SIGNAL && str_eq_c(m->member, "JobRemoved") && dbus_get_u32(&r, &id) &&
           dbus_get_str(&r, &path) && dbus_get_str(&r, &unit) && dbus_get_str(&r, result) &&
           str_eq(path, job);
}

static int wait_for_job(struct dbus *d, const struct dbus_msg *reply, struct err *err)
{
    uint64_t until_ms = clock_now_ms() + DBUS_WAIT_MS;
    struct dbus_reader r = {.body = reply->body};
    struct str job = STR_NONE, result = STR_NONE;
    own_free char *kept = NULL;
    struct dbus_msg m;

    if (!dbus_get_str(&r, &job))
        return err_set(err, EBADMSG, "systemd's answer names no job");
    kept = str_dup_c(job, err); /* the view goes with the next message */
    if (kept == NULL)
        return -1;
    do {
        if (dbus_next(d, until_ms, &m, err) < 0)
            return err_wrap(err, "wait for systemd's job");
    } while (!is_of_job(&m, str_of(kept), &result));
    return str_eq_c(result, "done")
               ? 0
               : err_set(err, 0, "systemd's job ended with '%.*s'", STR_ARG(str_head(result, 64)));
}

/* --- properties: an array of (name, variant) -------------------------------------------------- */

static void put_name(struct buf *body, const char *name)
{
    dbus_put_struct(body);
    dbus_put_str(body, str_of(name));
}

static void put_text(struct buf *body, const char *name, const char *value)
{
    put_name(body, name);
    dbus_put_signature(body, "s");
    dbus_put_str(body, str_of(value));
}

static void put_bool(struct buf *body, const char *name, bool value)
{
    put_name(body, name);
    dbus_put_signature(body, "b");
    dbus_put_bool(body, value);
}

static void put_bytes(struct buf *body, const struct scope_property *p)
{
    size_t at = 0;

    put_name(body, p->name);
    dbus_put_signature(body, "ay");
    at = dbus_array_begin(body, 1);
    buf_append_n(body, p->bytes, p->bytes_n);
    dbus_array_end(body, at, 1);
}

static void put_devices(struct buf *body, const struct scope_property *p, size_t n)
{
    size_t at = 0;

    put_name(body, p->name);
    dbus_put_signature(body, "a(ss)");
    at = dbus_array_begin(body, 8);
    for (size_t i = 0; i < n; i++) {
        dbus_put_struct(body);
        dbus_put_str(body, str_of(p->devices[i].path));
        dbus_put_str(body, str_of(p->devices[i].access));
    }
    dbus_array_end(body, at, 8);
}

static void put_property(struct buf *body, const struct scope_property *p)
{
    switch (p->kind) {
    case SCOPE_U64:
        put_name(body, p->name);
        dbus_put_signature(body, "t");
        dbus_put_u64(body, p->number);
        return;
    case SCOPE_BOOL:
        put_bool(body, p->name, p->number != 0);
        return;
    case SCOPE_TEXT:
        put_text(body, p->name, p->text);
        return;
    case SCOPE_BYTES:
        put_bytes(body, p);
        return;
    case SCOPE_DEVICES:
        put_devices(body, p, 0); /* an empty list empties, others append */
        if (p->devices_n > 0)
            put_devices(body, p, p->devices_n);
        return;
    case SCOPE_VALUE:
        put_name(body, p->name);
        dbus_value_put(p->value, body);
        return;
    }
}

static void put_pids(struct buf *body, pid_t pid)
{
    size_t at = dbus_array_begin(body, 4);

    dbus_put_u32(body, (uint32_t)pid);
    dbus_array_end(body, at, 4);
}

/* Of "252.38-1~deb12u1" or "v249" the first number. */
static unsigned version_of(struct str text)
{
    uint32_t n = 0;
    size_t digits = 0;
    struct err ignored;

    if (str_starts(text, STR("v")))
        text = str_skip(text, 1);
    while (digits < text.n && ascii_is_digit(text.p[digits]))
        digits++;
    return num_parse_u32(str_head(text, digits), 0, UINT32_MAX, &n, &ignored) < 0 ? UINT32_MAX : n;
}

static int ask_version(struct dbus *d, unsigned *out, struct err *err)
{
    own_buf struct buf body = BUF_INIT(BODY_MAX);
    struct dbus_msg call = {.path = STR("/org/freedesktop/systemd1"),
                            .interface = STR("org.freedesktop.DBus.Properties"),
                            .member = STR("Get"),
                            .destination = STR("org.freedesktop.systemd1"),
                            .signature = STR("ss")};
    struct dbus_msg reply;
    struct dbus_reader r;
    struct str text = STR_NONE;

    dbus_put_str(&body, STR("org.freedesktop.systemd1.Manager"));
    dbus_put_str(&body, STR("Version"));
    call.body = buf_str(&body);
    if (dbus_call(d, &call, &reply, err) < 0)
        return err_wrap(err, "systemd: its version");
    /* A variant of "s": the signature takes three bytes, and the string is aligned to four. */
    r = (struct dbus_reader){.body = reply.body, .at = 3};
    if (!str_starts(reply.body, (struct str){"\1s\0", 3}) || !dbus_get_str(&r, &text))
        return err_set(err, EBADMSG, "systemd's answer names no version");
    *out = version_of(text);
    return 0;
}

static int put_properties(struct dbus *d, struct buf *body, const struct scope_properties *p,
                          struct err *err)
{
    unsigned version = 0, since = 0;

    for (size_t i = 0; i < p->n; i++)
        since = p->v[i].since > since ? p->v[i].since : since;
    if (since > 0 && ask_version(d, &version, err) < 0)
        return -1;
    for (size_t i = 0; i < p->n; i++)
        if (p->v[i].since <= version)
            put_property(body, &p->v[i]);
    return 0;
}

static void put_always(struct buf *body, const struct scope *s, const char *description, pid_t pid)
{
    put_text(body, "Description", description);
    put_text(body, "Slice", s->slice);
    put_name(body, "PIDs");
    dbus_put_signature(body, "au");
    put_pids(body, pid);
    put_bool(body, "Delegate", true);
    put_bool(body, "DefaultDependencies", false);
    put_bool(body, "CPUAccounting", true);
    put_bool(body, "MemoryAccounting", true);
    put_bool(body, cgroup_is_unified() ? "IOAccounting" : "BlockIOAccounting", true);
    put_bool(body, "TasksAccounting", true);
}

/* --- what is asked for ------------------------------------------------------------------------ */

static void reset_failed(struct dbus *d, const char *unit)
{
    own_buf struct buf body = BUF_INIT(BODY_MAX);
    struct dbus_msg reply;
    struct err ignored; /* only a unit that failed can be reset */

    dbus_put_str(&body, str_of(unit));
    (void)!manager(d, "ResetFailedUnit", "s", &body, &reply, &ignored);
}

static int start_unit(struct dbus *d, const char *unit, const struct buf *body,
                      struct dbus_msg *reply, struct err *err)
{
    static const char signature[] = "ssa(sv)a(sa(sv))";

    if (manager(d, "StartTransientUnit", signature, body, reply, err) == 0)
        return 0;
    if (strstr(err->text, "UnitExists") == NULL)
        return -1;
    err_reset(err);
    reset_failed(d, unit);
    return manager(d, "StartTransientUnit", signature, body, reply, err);
}

int scope_start(const struct scope *s, const char *description, pid_t pid,
                const struct scope_properties *p, struct err *err)
{
    own_bus struct dbus *d = open_bus(err);
    own_buf struct buf body = BUF_INIT(BODY_MAX);
    struct dbus_msg reply;
    size_t at = 0;

    if (d == NULL || subscribe(d, err) < 0)
        return -1;
    dbus_put_str(&body, str_of(s->unit));
    dbus_put_str(&body, STR("replace"));
    at = dbus_array_begin(&body, 8);
    put_always(&body, s, description, pid);
    if (put_properties(d, &body, p, err) < 0)
        return -1;
    dbus_array_end(&body, at, 8);
    dbus_array_end(&body, dbus_array_begin(&body, 8), 8); /* no further units */
    if (start_unit(d, s->unit, &body, &reply, err) < 0)
        return -1;
    return wait_for_job(d, &reply, err);
}

int scope_change(const char *unit, const struct scope_properties *p, struct err *err)
{
    own_bus struct dbus *d = NULL;
    own_buf struct buf body = BUF_INIT(BODY_MAX);
    struct dbus_msg reply;
    size_t at = 0;

    if (p->n == 0)
        return 0;
    d = open_bus(err);
    if (d == NULL)
        return -1;
    dbus_put_str(&body, str_of(unit));
    dbus_put_bool(&body, true); /* until the next boot, as the unit itself */
    at = dbus_array_begin(&body, 8);
    if (put_properties(d, &body, p, err) < 0)
        return -1;
    dbus_array_end(&body, at, 8);
    return manager(d, "SetUnitProperties", "sba(sv)", &body, &reply, err);
}

int scope_attach(const char *unit, const char *sub, pid_t pid, struct err *err)
{
    own_bus struct dbus *d = open_bus(err);
    own_buf struct buf body = BUF_INIT(BODY_MAX);
    struct dbus_msg reply;

    if (d == NULL)
        return -1;
    dbus_put_str(&body, str_of(unit));
    dbus_put_str(&body, str_of(sub));
    put_pids(&body, pid);
    return manager(d, "AttachProcessesToUnit", "ssau", &body, &reply, err);
}

static bool is_absent(const struct err *err)
{
    return strstr(err->text, "NoSuchUnit") != NULL || strstr(err->text, "not loaded") != NULL;
}

int scope_stop(const char *unit, struct err *err)
{
    own_bus struct dbus *d = open_bus(err);
    own_buf struct buf body = BUF_INIT(BODY_MAX);
    struct dbus_msg reply;

    if (d == NULL || subscribe(d, err) < 0)
        return -1;
    dbus_put_str(&body, str_of(unit));
    dbus_put_str(&body, STR("replace"));
    if (manager(d, "StopUnit", "ss", &body, &reply, err) < 0) {
        if (!is_absent(err))
            return -1;
        err_reset(err);
        return 0;
    }
    if (wait_for_job(d, &reply, err) < 0)
        return -1;
    reset_failed(d, unit);
    return 0;
}

/* --- where it is ------------------------------------------------------------------------------ */

int scope_path(struct arena *a, pid_t pid, const char **out, struct err *err)
{
    own_buf struct buf text = BUF_INIT(SELF_MAX);
    struct str rest, line, id, tail, name, path;
    struct str named = STR_NONE, v2 = STR_NONE;
    char file[64];

    (void)snprintf(file, sizeof file, "/proc/%d/cgroup", pid);
    if (file_read(AT_FDCWD, file, &text, err) < 0)
        return -1;
    rest = buf_str(&text);
    while (str_next(&rest, '\n', &line)) {
        if (!str_cut(line, ':', &id, &tail) || !str_cut(tail, ':', &name, &path))
            continue;
        if (str_eq_c(name, "name=systemd"))
            named = path;
        else if (name.n == 0)
            v2 = path;
    }
    *out = arena_copy(a, named.n > 0 ? named : v2);
    return *out == NULL ? err_set(err, ENOMEM, "a cgroup") : 0;
}
