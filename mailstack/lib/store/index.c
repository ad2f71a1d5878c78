/* SPDX-License-Identifier: Apache-2.0 */
#include "mailstack/lib/store/index.h"

#include <errno.h>
#include <fcntl.h>
#include <sqlite3.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

#include "runtime/base/err.h"
#include "runtime/base/mem.h"
#include "runtime/base/own.h"

#include "mailstack/lib/store/store.h"

enum statement {
    ST_FOLDER_GET,
    ST_FOLDER_PUT,
    ST_MSG_ALL,
    ST_MSG_PUT,
    ST_MSG_DEL,
    ST_GONE_PUT,
    ST_DROP_MSG,
    ST_DROP_GONE,
    ST_DROP_FOLDER,
    ST_BEGIN,
    ST_COMMIT,
    ST_ROLLBACK,
    ST_N,
};

static const char *const sql[ST_N] = {
    [ST_FOLDER_GET] = "SELECT modseq, recent_from FROM folder WHERE validity = ?1",
    [ST_FOLDER_PUT] = "INSERT OR REPLACE INTO folder VALUES (?1, ?2, ?3)",
    [ST_MSG_ALL] = "SELECT uid, flags, modseq FROM msg WHERE validity = ?1 ORDER BY uid",
    [ST_MSG_PUT] = "INSERT OR REPLACE INTO msg VALUES (?1, ?2, ?3, ?4)",
    [ST_MSG_DEL] = "DELETE FROM msg WHERE validity = ?1 AND uid = ?2",
    [ST_GONE_PUT] = "INSERT OR REPLACE INTO expunged VALUES (?1, ?2, ?3)",
    [ST_DROP_MSG] = "DELETE FROM msg WHERE validity = ?1",
    [ST_DROP_GONE] = "DELETE FROM expunged WHERE validity = ?1",
    [ST_DROP_FOLDER] = "DELETE FROM folder WHERE validity = ?1",
    [ST_BEGIN] = "BEGIN IMMEDIATE",
    [ST_COMMIT] = "COMMIT",
    [ST_ROLLBACK] = "ROLLBACK",
};

static const char schema[] =
    "PRAGMA journal_mode = WAL;"
    "PRAGMA synchronous = NORMAL;"
    "PRAGMA cache_size = -512;"
    "PRAGMA temp_store = MEMORY;"
    "CREATE TABLE IF NOT EXISTS folder (validity INTEGER PRIMARY KEY, modseq INTEGER NOT NULL,"
    " recent_from INTEGER NOT NULL);"
    "CREATE TABLE IF NOT EXISTS msg (validity INTEGER NOT NULL, uid INTEGER NOT NULL,"
    " flags INTEGER NOT NULL, modseq INTEGER NOT NULL, PRIMARY KEY (validity, uid)) WITHOUT ROWID;"
    "CREATE TABLE IF NOT EXISTS expunged (validity INTEGER NOT NULL, uid INTEGER NOT NULL,"
    " modseq INTEGER NOT NULL, PRIMARY KEY (validity, uid)) WITHOUT ROWID;"
    "PRAGMA user_version = 1;";

struct index {
    sqlite3 *db;
    sqlite3_stmt *st[ST_N];
};

static int fail(struct index *ix, const char *what, struct err *err)
{
    int code = sqlite3_errcode(ix->db);

    return err_set(err, code == SQLITE_FULL ? ENOSPC : EIO, "index: %s: %s", what,
                   sqlite3_errmsg(ix->db));
}

static void close_all(struct index *ix)
{
    for (size_t i = 0; i < ST_N; i++)
        (void)sqlite3_finalize(ix->st[i]); /* repeats the error of the last step */
    (void)sqlite3_close(ix->db);           /* nothing is left open in it */
    *ix = (struct index){0};
}

static int open_all(struct index *ix, int home_fd, struct err *err)
{
    char path[64];

    (void)snprintf(path, sizeof(path), "/proc/self/fd/%d/%s", home_fd, INDEX_FILE); /* fits */
    if (sqlite3_open_v2(path, &ix->db, SQLITE_OPEN_READWRITE | SQLITE_OPEN_NOMUTEX, NULL) !=
        SQLITE_OK)
        return fail(ix, "open", err);
    (void)sqlite3_busy_timeout(ix->db, INDEX_WAIT_MS); /* cannot fail on an open database */
    if (sqlite3_exec(ix->db, schema, NULL, NULL, NULL) != SQLITE_OK)
        return fail(ix, "set up", err);
    for (size_t i = 0; i < ST_N; i++)
        if (sqlite3_prepare_v3(ix->db, sql[i], -1, SQLITE_PREPARE_PERSISTENT, &ix->st[i], NULL) !=
            SQLITE_OK)
            return fail(ix, "prepare", err);
    return 0;
}

/* SQLite would make it 0644; the others of the group must be able to write. */
static int touch(int home_fd, struct err *err)
{
    own_fd int fd = openat(home_fd, INDEX_FILE, O_RDWR | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC,
                           STORE_FILE_MODE);

    if (fd < 0)
        return errno == EEXIST ? 0 : err_set(err, errno, "create '%s'", INDEX_FILE);
    if (fchmod(fd, STORE_FILE_MODE) < 0)
        return err_set(err, errno, "set the mode of '%s'", INDEX_FILE);
    return 0;
}

static void remove_files(int home_fd)
{
    static const char *const names[] = {INDEX_FILE "-wal", INDEX_FILE "-shm", INDEX_FILE};

    for (size_t i = 0; i < ARRAY_N(names); i++)
        (void)unlinkat(home_fd, names[i], 0); /* what cannot be removed fails at the next open */
}

struct index *index_new(int home_fd, struct err *err)
{
    struct index *ix = mem_type(struct index);

    for (unsigned attempt = 0; attempt < 2; attempt++) {
        int code;

        if (touch(home_fd, err) < 0)
            break;
        if (open_all(ix, home_fd, err) == 0) {
            err_reset(err);
            return ix;
        }
        code = sqlite3_errcode(ix->db);
        close_all(ix);
        if (code != SQLITE_CORRUPT && code != SQLITE_NOTADB && code != SQLITE_ERROR)
            break;
        remove_files(home_fd);
    }
    free(ix);
    return NULL;
}

void index_free(struct index *ix)
{
    if (ix == NULL)
        return;
    close_all(ix);
    free(ix);
}

static sqlite3_stmt *bind(struct index *ix, enum statement which, const int64_t *v, int n)
{
    sqlite3_stmt *st = ix->st[which];

    (void)sqlite3_reset(st); /* repeats the error of the last step */
    for (int i = 0; i < n; i++)
        (void)sqlite3_bind_int64(st, i + 1,
                                 v[i]); /* an index out of range is a bug, seen by step */
    return st;
}

static int run(struct index *ix, enum statement which, const int64_t *v, int n, struct err *err)
{
    sqlite3_stmt *st = bind(ix, which, v, n);
    int rc = sqlite3_step(st);

    if (rc != SQLITE_DONE) {
        (void)fail(ix, sql[which], err);
        (void)sqlite3_reset(st);
        return -1;
    }
    (void)sqlite3_reset(st);
    return 0;
}

static int load_folder(struct index *ix, struct index_folder *f, struct err *err)
{
    sqlite3_stmt *st = bind(ix, ST_FOLDER_GET, (int64_t[]){f->validity}, 1);
    int rc = sqlite3_step(st);

    f->modseq = 0;
    f->recent_from = 0;
    if (rc == SQLITE_ROW) {
        f->modseq = (uint64_t)sqlite3_column_int64(st, 0);
        f->recent_from = (uint32_t)sqlite3_column_int64(st, 1);
    } else if (rc != SQLITE_DONE) {
        return fail(ix, "load folder", err);
    }
    (void)sqlite3_reset(st);
    return 0;
}

int index_load(struct index *ix, struct index_folder *f,
               void (*fn)(void *ctx, uint32_t uid, uint32_t flags, uint64_t modseq), void *ctx,
               struct err *err)
{
    sqlite3_stmt *st;
    int rc;

    if (load_folder(ix, f, err) < 0)
        return -1;
    st = bind(ix, ST_MSG_ALL, (int64_t[]){f->validity}, 1);
    while ((rc = sqlite3_step(st)) == SQLITE_ROW)
        fn(ctx, (uint32_t)sqlite3_column_int64(st, 0), (uint32_t)sqlite3_column_int64(st, 1),
           (uint64_t)sqlite3_column_int64(st, 2));
    if (rc != SQLITE_DONE)
        return fail(ix, "load messages", err);
    (void)sqlite3_reset(st);
    return 0;
}

int index_begin(struct index *ix, struct err *err)
{
    return run(ix, ST_BEGIN, NULL, 0, err);
}

int index_commit(struct index *ix, struct err *err)
{
    return run(ix, ST_COMMIT, NULL, 0, err);
}

void index_rollback(struct index *ix)
{
    struct err ignored;

    if (sqlite3_get_autocommit(ix->db) == 0)
        (void)run(ix, ST_ROLLBACK, NULL, 0, &ignored); /* the next begin shows if it failed */
}

int index_put_folder(struct index *ix, const struct index_folder *f, struct err *err)
{
    return run(ix, ST_FOLDER_PUT, (int64_t[]){f->validity, (int64_t)f->modseq, f->recent_from}, 3,
               err);
}

int index_put(struct index *ix, uint32_t validity, uint32_t uid, uint32_t flags, uint64_t modseq,
              struct err *err)
{
    return run(ix, ST_MSG_PUT, (int64_t[]){validity, uid, flags, (int64_t)modseq}, 4, err);
}

int index_expunge(struct index *ix, uint32_t validity, uint32_t uid, uint64_t modseq,
                  struct err *err)
{
    if (run(ix, ST_MSG_DEL, (int64_t[]){validity, uid}, 2, err) < 0)
        return -1;
    return run(ix, ST_GONE_PUT, (int64_t[]){validity, uid, (int64_t)modseq}, 3, err);
}

int index_drop(struct index *ix, uint32_t validity, struct err *err)
{
    static const enum statement all[] = {ST_DROP_MSG, ST_DROP_GONE, ST_DROP_FOLDER};

    for (size_t i = 0; i < ARRAY_N(all); i++)
        if (run(ix, all[i], (int64_t[]){validity}, 1, err) < 0)
            return -1;
    return 0;
}
