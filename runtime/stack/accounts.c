/* SPDX-License-Identifier: Apache-2.0 */
#include "runtime/stack/accounts.h"

#include <crypt.h>
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

#include "runtime/base/buf.h"
#include "runtime/base/err.h"
#include "runtime/base/file.h"
#include "runtime/base/jv.h"
#include "runtime/base/mem.h"
#include "runtime/base/own.h"
#include "runtime/base/path.h"
#include "runtime/spec/stack.h"

#define MODE_NEW 0640

struct edit {
    const char *file;
    int dir_fd; /* locked */
    json_t *doc;
    mode_t mode;
    uid_t uid;
    gid_t gid;
};

static void edit_done(struct edit *e)
{
    own_close_fd(&e->dir_fd);
    jv_free(&e->doc);
}

#define own_edit __attribute__((cleanup(edit_done)))

static int lock_dir(const char *file, struct err *err)
{
    own_free char *dir = str_dup_c(path_dir(str_of(file)), err);

    if (!dir)
        return -1;
    own_fd int fd = open(dir, O_RDONLY | O_DIRECTORY | O_CLOEXEC);

    if (fd < 0 || flock(fd, LOCK_EX) < 0)
        return err_set(err, errno, "lock '%s'", dir);
    return take_fd(&fd);
}

/* Opens for editing; a missing file is an empty one. */
static int edit_begin(struct edit *e, struct err *err)
{
    struct stat st;
    struct jv root;

    e->mode = MODE_NEW;
    e->uid = geteuid();
    e->gid = getegid();
    e->dir_fd = lock_dir(e->file, err);
    if (e->dir_fd < 0)
        return -1;
    if (stat(e->file, &st) < 0 && errno == ENOENT) {
        e->doc = json_object();
        return 0;
    }
    e->doc = jv_load_file(AT_FDCWD, e->file, STACK_ACCOUNTS_MAX, err);
    root = jv_root(e->doc);
    if (!e->doc)
        return -1;
    if (jv_is_object(&root, err) < 0)
        return err_wrap(err, "'%s'", e->file);
    if (stat(e->file, &st) < 0)
        return err_set(err, errno, "stat '%s'", e->file);
    e->mode = st.st_mode & 07777;
    e->uid = st.st_uid;
    e->gid = st.st_gid;
    return 0;
}

static int edit_end(const struct edit *e, struct err *err)
{
    own_buf struct buf text = BUF_INIT(STACK_ACCOUNTS_MAX);

    jv_dump(e->doc, JV_PRETTY, &text);
    if (text.n && text.p[text.n - 1] != '\n')
        buf_append_char(&text, '\n');
    if (buf_check(&text, e->file, err) < 0)
        return -1;
    if (file_replace(AT_FDCWD, e->file, buf_str(&text), e->mode, err) < 0)
        return -1;
    /* Only root can give it back to somebody else; for others it is theirs already. */
    if (geteuid() == 0 && lchown(e->file, e->uid, e->gid) < 0)
        return err_set(err, errno, "give '%s' to its owner", e->file);
    return 0;
}

/* The key as the file writes it, whatever its case; NULL if there is none. */
static const char *find_key(const json_t *doc, const char *address)
{
    struct jv root = jv_root(doc);
    void *it = NULL;
    struct jv m;

    while (jv_next(&root, &it, &m))
        if (str_ieq_c(str_of(m.key), address))
            return m.key;
    return NULL;
}

/* The code is for the caller; its text, of files, would mislead a person. */
static int is_there(const char *address, struct err *err)
{
    (void)err_set(err, 0, "there is an account '%s' already", address);
    err->code = EEXIST;
    return -1;
}

static int is_missing(const char *address, struct err *err)
{
    (void)err_set(err, 0, "there is no account '%s'", address);
    err->code = ENOENT;
    return -1;
}

int accounts_set(const char *file, const char *address, const char *hash, enum accounts_how how,
                 struct err *err)
{
    own_edit struct edit e = {.file = file, .dir_fd = -1};
    const char *key;
    json_t *account;

    if (edit_begin(&e, err) < 0)
        return -1;
    key = find_key(e.doc, address);
    if (key && how == ACCOUNTS_ADD)
        return is_there(address, err);
    if (!key && how == ACCOUNTS_CHANGE)
        return is_missing(address, err);
    account = key ? json_object_get(e.doc, key) : json_object();
    if (!json_is_object(account))
        return err_set(err, EINVAL, "account '%s' is no object", address);
    if (json_object_set_new(account, "password", json_string(hash)) < 0 ||
        (!key && json_object_set_new(e.doc, address, account) < 0))
        return err_set(err, EINVAL, "account '%s'", address);
    return edit_end(&e, err);
}

int accounts_del(const char *file, const char *address, struct err *err)
{
    own_edit struct edit e = {.file = file, .dir_fd = -1};
    const char *key;

    if (edit_begin(&e, err) < 0)
        return -1;
    key = find_key(e.doc, address);
    if (!key)
        return is_missing(address, err);
    if (json_object_del(e.doc, key) < 0)
        return err_set(err, EINVAL, "account '%s'", address);
    return edit_end(&e, err);
}

static int check_password(struct str p, struct err *err)
{
    if (p.n == 0)
        return err_set(err, 0, "the password is empty");
    if (p.n > ACCOUNTS_PASSWORD_MAX - 1)
        return err_set(err, 0, "the password has more than %d bytes", ACCOUNTS_PASSWORD_MAX - 1);
    for (size_t i = 0; i < p.n; i++)
        if ((unsigned char)p.p[i] < ' ' || p.p[i] == 0x7f)
            return err_set(err, 0, "the password has a control character");
    return 0;
}

int accounts_hash(struct str password, char **out, struct err *err)
{
    struct crypt_data *data = mem_type(struct crypt_data);
    char *text = check_password(password, err) == 0 ? str_dup_c(password, err) : NULL;
    char salt[CRYPT_GENSALT_OUTPUT_SIZE];
    const char *hash = NULL;

    if (text) {
        if (crypt_gensalt_rn("$y$", 0, NULL, 0, salt, sizeof(salt)))
            hash = crypt_rn(text, salt, data, sizeof(*data));
        if (hash)
            *out = mem_dup_c(hash);
        else
            (void)err_set(err, errno, "hash the password");
        explicit_bzero(text, strlen(text));
    }
    free(text);
    explicit_bzero(data, sizeof(*data));
    free(data);
    return hash ? 0 : -1;
}
