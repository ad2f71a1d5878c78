/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The mounts section. Each option is looked up in one table; what is not there is data for the file
 * system, as the specification says. Options are resolved in their order: a later one undoes an
 * earlier one that says the opposite ("ro,rw" is writable), and setting one atime mode takes the
 * others back.
 */
#include <errno.h>
#include <linux/mount.h>
#include <string.h>
#include <sys/mount.h>

#include "runtime/base/buf.h"
#include "runtime/base/own.h"
#include "runtime/spec/oci_field.h"

#ifndef MS_NOSYMFOLLOW
#define MS_NOSYMFOLLOW 256
#endif
#ifndef MOUNT_ATTR_NOSYMFOLLOW
#define MOUNT_ATTR_NOSYMFOLLOW 0x00200000
#endif

const struct field_name oci_propagation_names[] = {
    {"private", MS_PRIVATE},
    {"rprivate", MS_PRIVATE | MS_REC},
    {"shared", MS_SHARED},
    {"rshared", MS_SHARED | MS_REC},
    {"slave", MS_SLAVE},
    {"rslave", MS_SLAVE | MS_REC},
    {"unbindable", MS_UNBINDABLE},
    {"runbindable", MS_UNBINDABLE | MS_REC},
    {NULL, 0},
};

enum option_kind {
    OPT_SET,
    OPT_CLEAR,
    OPT_REC_SET,
    OPT_REC_CLEAR,
    OPT_REC_ATIME, /* value is one of the modes in MOUNT_ATTR__ATIME */
    OPT_COPY_UP,
    OPT_LINK,
    OPT_IDMAP
};

struct option {
    const char *name;
    enum option_kind kind;
    uint64_t value;
};

static const struct option options[] = {
    {"async", OPT_CLEAR, MS_SYNCHRONOUS},
    {"atime", OPT_CLEAR, MS_NOATIME},
    {"bind", OPT_SET, MS_BIND},
    {"defaults", OPT_SET, 0},
    {"dev", OPT_CLEAR, MS_NODEV},
    {"diratime", OPT_CLEAR, MS_NODIRATIME},
    {"dirsync", OPT_SET, MS_DIRSYNC},
    {"exec", OPT_CLEAR, MS_NOEXEC},
    {"iversion", OPT_SET, MS_I_VERSION},
    {"lazytime", OPT_SET, MS_LAZYTIME},
    {"loud", OPT_CLEAR, MS_SILENT},
    {"mand", OPT_SET, MS_MANDLOCK},
    {"noatime", OPT_SET, MS_NOATIME},
    {"nodev", OPT_SET, MS_NODEV},
    {"nodiratime", OPT_SET, MS_NODIRATIME},
    {"noexec", OPT_SET, MS_NOEXEC},
    {"noiversion", OPT_CLEAR, MS_I_VERSION},
    {"nolazytime", OPT_CLEAR, MS_LAZYTIME},
    {"nomand", OPT_CLEAR, MS_MANDLOCK},
    {"norelatime", OPT_CLEAR, MS_RELATIME},
    {"nostrictatime", OPT_CLEAR, MS_STRICTATIME},
    {"nosuid", OPT_SET, MS_NOSUID},
    {"nosymfollow", OPT_SET, MS_NOSYMFOLLOW},
    {"rbind", OPT_SET, MS_BIND | MS_REC},
    {"relatime", OPT_SET, MS_RELATIME},
    {"remount", OPT_SET, MS_REMOUNT},
    {"ro", OPT_SET, MS_RDONLY},
    {"rw", OPT_CLEAR, MS_RDONLY},
    {"silent", OPT_SET, MS_SILENT},
    {"strictatime", OPT_SET, MS_STRICTATIME},
    {"suid", OPT_CLEAR, MS_NOSUID},
    {"symfollow", OPT_CLEAR, MS_NOSYMFOLLOW},
    {"sync", OPT_SET, MS_SYNCHRONOUS},
    {"rro", OPT_REC_SET, MOUNT_ATTR_RDONLY},
    {"rrw", OPT_REC_CLEAR, MOUNT_ATTR_RDONLY},
    {"rnosuid", OPT_REC_SET, MOUNT_ATTR_NOSUID},
    {"rsuid", OPT_REC_CLEAR, MOUNT_ATTR_NOSUID},
    {"rnodev", OPT_REC_SET, MOUNT_ATTR_NODEV},
    {"rdev", OPT_REC_CLEAR, MOUNT_ATTR_NODEV},
    {"rnoexec", OPT_REC_SET, MOUNT_ATTR_NOEXEC},
    {"rexec", OPT_REC_CLEAR, MOUNT_ATTR_NOEXEC},
    {"rnodiratime", OPT_REC_SET, MOUNT_ATTR_NODIRATIME},
    {"rdiratime", OPT_REC_CLEAR, MOUNT_ATTR_NODIRATIME},
    {"rnosymfollow", OPT_REC_SET, MOUNT_ATTR_NOSYMFOLLOW},
    {"rsymfollow", OPT_REC_CLEAR, MOUNT_ATTR_NOSYMFOLLOW},
    {"rrelatime", OPT_REC_ATIME, MOUNT_ATTR_RELATIME},
    {"rnorelatime", OPT_REC_ATIME, MOUNT_ATTR_STRICTATIME},
    {"rnoatime", OPT_REC_ATIME, MOUNT_ATTR_NOATIME},
    {"ratime", OPT_REC_ATIME, MOUNT_ATTR_RELATIME},
    {"rstrictatime", OPT_REC_ATIME, MOUNT_ATTR_STRICTATIME},
    {"rnostrictatime", OPT_REC_ATIME, MOUNT_ATTR_RELATIME},
    {"copy-symlink", OPT_LINK, OCI_LINK_COPY},
    {"dest-nofollow", OPT_LINK, OCI_LINK_TARGET},
    {"src-nofollow", OPT_LINK, OCI_LINK_SOURCE},
    {"tmpcopyup", OPT_COPY_UP, 0},
    {"idmap", OPT_IDMAP, OCI_MOUNT_IDMAP},
    {"ridmap", OPT_IDMAP, OCI_MOUNT_RIDMAP},
};

const char *oci_mount_option_name(size_t i)
{
    size_t p = i - ARRAY_N(options);

    if (i < ARRAY_N(options))
        return options[i].name;
    return p < 8 ? oci_propagation_names[p].name : NULL;
}

bool oci_mount_is_bind(const struct oci_mount *m)
{
    return (m->ms_set & MS_BIND) != 0;
}

bool oci_mount_is_shared(const struct oci_mount *m)
{
    for (size_t i = 0; i < m->propagation_n; i++)
        if ((m->propagation[i] & MS_SHARED) != 0)
            return true;
    return false;
}

int oci_bind_mount(struct arena *a, const char *source, const char *destination,
                   struct oci_mount *out, struct err *err)
{
    static const char *const names[] = {"bind", "nosuid", "noexec", "nodev", "ro"};
    const char **v = arena_array(a, ARRAY_N(names) + 1, sizeof *v);

    if (v == NULL || source == NULL)
        return err_set(err, ENOMEM, "a mount");
    memcpy(v, names, sizeof names);
    *out = (struct oci_mount){.destination = destination,
                              .type = "bind",
                              .source = source,
                              .ms_set = MS_BIND | MS_NOSUID | MS_NOEXEC | MS_NODEV | MS_RDONLY,
                              .options = {v, ARRAY_N(names)}};
    return 0;
}

#define ATIME_MODES (MS_NOATIME | MS_RELATIME | MS_STRICTATIME)

static void set_flags(struct oci_mount *m, unsigned long flags)
{
    if ((flags & ATIME_MODES) != 0)
        m->ms_set &= ~(unsigned long)ATIME_MODES;
    m->ms_set |= flags;
    m->ms_clear &= ~flags;
}

static void apply_option(struct oci_mount *m, const struct option *o)
{
    unsigned long flags = (unsigned long)o->value;

    switch (o->kind) {
    case OPT_SET:
        set_flags(m, flags);
        return;
    case OPT_CLEAR:
        m->ms_set &= ~flags;
        m->ms_clear |= flags;
        return;
    case OPT_REC_SET:
        m->attr_rec_set |= o->value;
        m->attr_rec_clear &= ~o->value;
        return;
    case OPT_REC_CLEAR:
        m->attr_rec_set &= ~o->value;
        m->attr_rec_clear |= o->value;
        return;
    case OPT_REC_ATIME: /* the kernel wants the whole field cleared before one mode is set */
        m->attr_rec_set = (m->attr_rec_set & ~(uint64_t)MOUNT_ATTR__ATIME) | o->value;
        m->attr_rec_clear |= MOUNT_ATTR__ATIME;
        return;
    case OPT_COPY_UP:
        m->tmpcopyup = true;
        return;
    case OPT_LINK:
        m->links |= (unsigned)o->value;
        return;
    case OPT_IDMAP:
        m->idmap = (enum oci_idmap_kind)o->value;
        return;
    }
}

static const struct option *find_option(const char *name)
{
    for (size_t i = 0; i < ARRAY_N(options); i++)
        if (strcmp(options[i].name, name) == 0)
            return &options[i];
    return NULL;
}

static unsigned long find_propagation(const char *name)
{
    for (const struct field_name *p = oci_propagation_names; p->name != NULL; p++)
        if (strcmp(p->name, name) == 0)
            return p->value;
    return 0;
}

/* Sorts the option into m; what is unknown is appended to data. */
static void take_option(struct oci_mount *m, const char *name, struct buf *data)
{
    const struct option *o = find_option(name);
    unsigned long propagation = find_propagation(name);

    if (o != NULL)
        apply_option(m, o);
    else if (propagation != 0)
        m->propagation[m->propagation_n++] = propagation;
    else if (*name != '\0')
        buf_printf(data, "%s%s", data->n > 0 ? "," : "", name);
}

static int resolve_options(const struct load *ld, const struct jv *at, struct oci_mount *m,
                           struct err *err)
{
    own_buf struct buf data = BUF_INIT(OCI_DATA_MAX);
    void *propagation;

    if (field_array_new(ld, at, m->options.n, sizeof(unsigned long), &propagation, err) < 0)
        return -1;
    m->propagation = propagation;
    for (size_t i = 0; i < m->options.n; i++)
        take_option(m, m->options.v[i], &data);
    if (data.failed)
        return jv_err(at, err, "the options have more than %d bytes for the file system",
                      OCI_DATA_MAX);
    if (data.n > 0)
        m->data = arena_copy(ld->a, buf_str(&data));
    return 0;
}

static int check_mount(const struct load *ld, const struct jv *at, void *obj, struct err *err)
{
    struct oci_mount *m = obj;

    if (resolve_options(ld, at, m, err) < 0)
        return -1;
    if (m->type == NULL)
        m->type = "";
    if (strcmp(m->type, "bind") == 0)
        m->ms_set |= MS_BIND;
    if (m->uid_maps.n > 0 && m->idmap == OCI_MOUNT_NO_IDMAP)
        m->idmap = OCI_MOUNT_IDMAP;
    if ((m->uid_maps.n > 0) != (m->gid_maps.n > 0))
        return jv_err(at, err, "uidMappings and gidMappings need each other");
    if (m->idmap != OCI_MOUNT_NO_IDMAP && !oci_mount_is_bind(m))
        return jv_err(at, err, "an id-mapped mount must be a bind mount");
    if (oci_mount_is_bind(m) && m->source == NULL)
        return jv_err(at, err, "a bind mount needs a source");
    if (oci_mount_is_bind(m) && m->data != NULL) {
        field_warn(ld, at, "a bind mount goes without options of a file system:", m->data);
        m->data = NULL;
    }
    if (m->destination[0] != '/')
        field_warn(ld, at, "a destination that is not absolute is taken from /:", m->destination);
    return 0;
}

static void dump_type(struct jw *w, const char *key, const void *member)
{
    const char *type = *(const char *const *)member;

    if (type != NULL && *type != '\0')
        jw_c(w, key, type);
}

static int load_type(const struct load *ld, const struct jv *value, void *member, struct err *err)
{
    return field_text(ld, value, member, err);
}

static const struct field mount_rows[] = {
    F_PLAIN(oci_mount, destination, "destination", FIELD_STR, FIELD_REQUIRED | FIELD_NOT_EMPTY),
    F_OWN(oci_mount, type, "type", load_type, dump_type, 0),
    F_PLAIN(oci_mount, source, "source", FIELD_STR, 0),
    F_STRINGS(oci_mount, options, "options", FIELD_STRINGS, 0, OCI_OPTIONS_MAX),
    F_LIST(oci_mount, uid_maps.v, uid_maps.n, "uidMappings", oci_fields_idmap, OCI_IDMAP_MAX),
    F_LIST(oci_mount, gid_maps.v, gid_maps.n, "gidMappings", oci_fields_idmap, OCI_IDMAP_MAX),
};

const struct fields oci_fields_mount = {FIELDS_OF(mount_rows), sizeof(struct oci_mount),
                                        FIELDS_NO_SET, check_mount};
