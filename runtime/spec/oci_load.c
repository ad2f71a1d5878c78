/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The top of config.json, and the entry points. Text is bounded before it is read, parsed by
 * jansson, walked once into the arena, and given back.
 */
#include <errno.h>
#include <string.h>
#include <sys/stat.h>

#include "runtime/base/file.h"
#include "runtime/base/own.h"
#include "runtime/spec/oci_field.h"

const char *const oci_hook_names[OCI_HOOK_KINDS + 1] = {
    [OCI_HOOK_PRESTART] = "prestart",
    [OCI_HOOK_CREATE_RUNTIME] = "createRuntime",
    [OCI_HOOK_CREATE_CONTAINER] = "createContainer",
    [OCI_HOOK_START_CONTAINER] = "startContainer",
    [OCI_HOOK_POSTSTART] = "poststart",
    [OCI_HOOK_POSTSTOP] = "poststop",
};

static const struct field hook_rows[] = {
    F_PLAIN(oci_hook, path, "path", FIELD_PATH, FIELD_REQUIRED | FIELD_NOT_EMPTY),
    F_STRINGS(oci_hook, args, "args", FIELD_STRINGS, 0, OCI_STRINGS_MAX),
    F_STRINGS(oci_hook, env, "env", FIELD_STRINGS, 0, OCI_STRINGS_MAX),
    F_NUMBER(oci_hook, timeout_s, "timeout", FIELD_U32, 0, 1, INT32_MAX / 1000),
};

static const struct fields hook_fields = {FIELDS_OF(hook_rows), sizeof(struct oci_hook),
                                          FIELDS_NO_SET, NULL};

/* The member is an array indexed by kind. */
#define ROW_HOOK(kind_, key_)                                                           \
    {                                                                                   \
        .key = (key_), .kind = FIELD_LIST, .max = OCI_HOOKS_MAX,                        \
        .offset = (kind_) * sizeof(struct oci_hooks),                                   \
        .n_offset = (kind_) * sizeof(struct oci_hooks) + offsetof(struct oci_hooks, n), \
        .sub = &hook_fields                                                             \
    }

static const struct field hooks_rows[] = {
    ROW_HOOK(OCI_HOOK_PRESTART, "prestart"),
    ROW_HOOK(OCI_HOOK_CREATE_RUNTIME, "createRuntime"),
    ROW_HOOK(OCI_HOOK_CREATE_CONTAINER, "createContainer"),
    ROW_HOOK(OCI_HOOK_START_CONTAINER, "startContainer"),
    ROW_HOOK(OCI_HOOK_POSTSTART, "poststart"),
    ROW_HOOK(OCI_HOOK_POSTSTOP, "poststop"),
};

static const struct fields hooks_fields = {
    FIELDS_OF(hooks_rows), OCI_HOOK_KINDS * sizeof(struct oci_hooks), FIELDS_NO_SET, NULL};

static const struct field root_rows[] = {
    F_PLAIN(oci_root, path, "path", FIELD_STR, FIELD_REQUIRED | FIELD_NOT_EMPTY),
    F_PLAIN(oci_root, readonly, "readonly", FIELD_BOOL, 0),
};

static const struct fields root_fields = {FIELDS_OF(root_rows), sizeof(struct oci_root),
                                          FIELDS_NO_SET, NULL};

/* The identifiers after "-" or "+": letters, digits and hyphens between dots, none empty. */
static bool is_tail(struct str tail)
{
    size_t word = 0;

    for (size_t i = 0; i < tail.n; i++) {
        bool dot = tail.p[i] == '.';

        if ((dot && word == 0) || (!dot && !ascii_is_alnum(tail.p[i]) && tail.p[i] != '-'))
            return false;
        word = dot ? 0 : word + 1;
    }
    return word > 0;
}

static bool is_number(struct str s)
{
    for (size_t i = 0; i < s.n; i++)
        if (!ascii_is_digit(s.p[i]))
            return false;
    return s.n > 0 && s.n < 10 && (s.n == 1 || s.p[0] != '0');
}

/* Semantic versioning 2.0.0: "1.2.0", "1.0.2-dev", "1.2.1-rc.1+build.5". */
static bool is_semver(struct str s)
{
    struct str core = s, tail = STR_NONE, number = STR_NONE;
    int numbers = 0;

    if (str_cut(core, '+', &core, &tail) && !is_tail(tail))
        return false;
    if (str_cut(core, '-', &core, &tail) && !is_tail(tail))
        return false;
    if (str_ends(core, STR(".")))
        return false;
    while (str_next(&core, '.', &number)) {
        if (!is_number(number))
            return false;
        numbers++;
    }
    return numbers == 3;
}

/* Any 1.x: what a newer minor version adds is either known here or refused where it stands. */
static int load_version(const struct load *ld, const struct jv *value, void *member,
                        struct err *err)
{
    const char **out = member;

    if (field_text(ld, value, out, err) < 0)
        return -1;
    if (strncmp(*out, "1.", 2) != 0 || !is_semver(str_of(*out)))
        return jv_err(value, err, "expected a version 1.x.y, found '%.32s'", *out);
    return 0;
}

static void dump_version(struct jw *w, const char *key, const void *member)
{
    jw_c(w, key, *(const char *const *)member);
}

static const struct field config_rows[] = {
    F_OWN(oci_config, version, "ociVersion", load_version, dump_version, FIELD_REQUIRED),
    F_OBJECT(oci_config, process, "process", oci_fields_process),
    {.key = "root",
     .kind = FIELD_OBJECT,
     .flags = FIELD_REQUIRED,
     .offset = offsetof(struct oci_config, root),
     .sub = &root_fields},
    F_PLAIN(oci_config, hostname, "hostname", FIELD_STR, 0),
    F_PLAIN(oci_config, domainname, "domainname", FIELD_STR, 0),
    F_LIST(oci_config, mounts, mounts_n, "mounts", oci_fields_mount, OCI_MOUNTS_MAX),
    F_OBJECT(oci_config, hooks, "hooks", hooks_fields),
    F_STRINGS(oci_config, annotations, "annotations", FIELD_PAIRS, 0, OCI_PAIRS_MAX),
    F_OBJECT(oci_config, linux_, "linux", oci_fields_linux),
};

const struct fields oci_fields_config = {FIELDS_OF(config_rows), sizeof(struct oci_config),
                                         FIELDS_NO_SET, NULL};

static int too_large(const char *name, size_t n, struct err *err)
{
    return err_set(err, 0, "'%s' has %zu bytes, more than the %u that are allowed", name, n,
                   OCI_TEXT_MAX);
}

/* Parses text and loads its top object by the table. */
static int load_text(const struct load *ld, struct str text, const char *name,
                     const struct fields *f, void *obj, struct err *err)
{
    own_buf struct buf wide = BUF_INIT(2UL * OCI_TEXT_MAX);
    own_json json_t *doc = NULL;
    struct jv root;

    if (text.n > OCI_TEXT_MAX)
        return too_large(name, text.n, err);
    if (oci_field_is_wide(text)) {
        if (oci_field_widen(text, &wide, err) < 0)
            return -1;
        text = buf_str(&wide);
    }
    doc = jv_load_str(text, name, err);
    if (doc == NULL)
        return -1;
    root = jv_root(doc);
    return fields_load(ld, &root, f, obj, err);
}

static int load_file(const struct load *ld, int dir_fd, const char *path, const struct fields *f,
                     void *obj, struct err *err)
{
    own_buf struct buf text = BUF_INIT(OCI_TEXT_MAX);

    if (file_read(dir_fd, path, &text, err) < 0)
        return -1;
    return load_text(ld, buf_str(&text), path, f, obj, err);
}

static struct oci_config *new_config(struct arena *a, struct err *err)
{
    struct oci_config *c = arena_alloc(a, sizeof *c);

    if (c == NULL)
        (void)err_set(err, 0, "the arena is too small for a configuration");
    return c;
}

int oci_load_str(struct arena *a, struct str text, const char *name, struct oci_config **out,
                 struct err *err)
{
    struct oci_config *c = new_config(a, err);

    if (c == NULL ||
        load_text(&(struct load){a, &c->warnings}, text, name, &oci_fields_config, c, err) < 0)
        return -1;
    *out = c;
    return 0;
}

/* A pipe in its place would hold up whoever starts the bundle. */
int oci_read_file(int dir_fd, const char *path, struct buf *out, struct err *err)
{
    struct stat st;

    if (fstatat(dir_fd, path, &st, 0) < 0)
        return err_set(err, errno, "open '%s'", path);
    if (!S_ISREG(st.st_mode))
        return err_set(err, 0, "'%s' is no regular file", path);
    return file_read(dir_fd, path, out, err);
}

int oci_load_file(struct arena *a, int dir_fd, const char *path, struct oci_config **out,
                  struct err *err)
{
    own_buf struct buf text = BUF_INIT(OCI_TEXT_MAX);

    if (oci_read_file(dir_fd, path, &text, err) < 0)
        return -1;
    return oci_load_str(a, buf_str(&text), path, out, err);
}

int oci_load_process_file(struct arena *a, int dir_fd, const char *path, struct oci_process *out,
                          struct err *err)
{
    struct oci_process p = {0};

    if (load_file(&(struct load){a, NULL}, dir_fd, path, &oci_fields_process, &p, err) < 0)
        return -1;
    *out = p;
    return 0;
}

int oci_load_resources(struct arena *a, struct str text, struct oci_resources *out, struct err *err)
{
    struct oci_resources r = {0};

    if (load_text(&(struct load){a, NULL}, text, "resources", &oci_fields_resources, &r, err) < 0)
        return -1;
    *out = r;
    return 0;
}

/* The array becomes the member of an object, which is what tables describe. */
int oci_load_mounts_file(struct arena *a, int dir_fd, const char *path, struct oci_mount **out,
                         size_t *n, struct err *err)
{
    static const struct field rows[] = {
        F_LIST(oci_config, mounts, mounts_n, "mounts", oci_fields_mount, OCI_MOUNTS_MAX)};
    static const struct fields mounts = {FIELDS_OF(rows), sizeof(struct oci_config), FIELDS_NO_SET,
                                         NULL};
    own_buf struct buf text = BUF_INIT(OCI_TEXT_MAX), all = BUF_INIT(OCI_TEXT_MAX);
    struct oci_config *c = new_config(a, err);

    if (c == NULL || file_read(dir_fd, path, &text, err) < 0)
        return -1;
    buf_append_c(&all, "{\"mounts\":");
    buf_append(&all, buf_str(&text));
    buf_append_char(&all, '}');
    if (buf_check(&all, path, err) < 0 ||
        load_text(&(struct load){a, NULL}, buf_str(&all), path, &mounts, c, err) < 0)
        return -1;
    *out = c->mounts;
    *n = c->mounts_n;
    return 0;
}
