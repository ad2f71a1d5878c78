/* SPDX-License-Identifier: Apache-2.0 */
#include "mailstack/lib/store/keyword.h"

#include <errno.h>
#include <stdbool.h>
#include <stdlib.h>

#include "runtime/base/buf.h"
#include "runtime/base/err.h"
#include "runtime/base/file.h"
#include "runtime/base/num.h"
#include "runtime/base/own.h"

#include "mailstack/lib/store/store.h"

#define FILE_MAX ((size_t)MAILDIR_KEYWORDS * (KEYWORD_MAX + 4) * 2)

static uint32_t bit_of(size_t i)
{
    return 1u << (MAILDIR_KEYWORD_SHIFT + i);
}

static int parse_line(struct keywords *k, struct str line, struct err *err)
{
    struct str number, name;
    struct err ignored;
    uint32_t i;

    if (!str_cut(line, ' ', &number, &name) || name.n == 0 || name.n > KEYWORD_MAX)
        return 0;
    if (num_parse_u32(number, 0, MAILDIR_KEYWORDS - 1, &i, &ignored) < 0 || k->name[i] != NULL)
        return 0;
    k->name[i] = str_dup_c(name, err);
    return k->name[i] == NULL ? -1 : 0;
}

int keyword_load(struct keywords *k, int folder_fd, struct err *err)
{
    own_buf struct buf text = BUF_INIT(FILE_MAX);
    struct str rest, line;

    *k = (struct keywords){0};
    if (file_read(folder_fd, KEYWORD_FILE, &text, err) < 0) {
        if (err->code != ENOENT)
            return -1;
        err_reset(err);
    }
    rest = buf_str(&text);
    while (str_next(&rest, '\n', &line))
        if (parse_line(k, line, err) < 0)
            return -1;
    return 0;
}

void keyword_done(struct keywords *k)
{
    for (size_t i = 0; i < MAILDIR_KEYWORDS; i++)
        free(k->name[i]);
    *k = (struct keywords){0};
}

uint32_t keyword_bit(const struct keywords *k, struct str name)
{
    for (size_t i = 0; i < MAILDIR_KEYWORDS; i++)
        if (k->name[i] != NULL && str_ieq_c(name, k->name[i]))
            return bit_of(i);
    return 0;
}

static int save(const struct keywords *k, int folder_fd, struct err *err)
{
    own_buf struct buf text = BUF_INIT(FILE_MAX);

    for (size_t i = 0; i < MAILDIR_KEYWORDS; i++)
        if (k->name[i] != NULL)
            buf_printf(&text, "%zu %s\n", i, k->name[i]);
    return file_replace(folder_fd, KEYWORD_FILE, buf_str(&text), STORE_FILE_MODE, err);
}

int keyword_add(struct keywords *k, int folder_fd, struct str name, uint32_t *bit, struct err *err)
{
    uint32_t known = keyword_bit(k, name);
    struct keywords fresh;

    if (known == 0) { /* another process may have added it since */
        if (keyword_load(&fresh, folder_fd, err) < 0)
            return -1;
        keyword_done(k);
        *k = fresh;
        known = keyword_bit(k, name);
    }
    if (known != 0) {
        *bit = known;
        return 0;
    }
    if (name.n == 0 || name.n > KEYWORD_MAX)
        return err_set(err, EINVAL, "keyword of %zu bytes", name.n);
    for (size_t i = 0; i < MAILDIR_KEYWORDS; i++) {
        if (k->name[i] != NULL)
            continue;
        k->name[i] = str_dup_c(name, err);
        if (k->name[i] == NULL || save(k, folder_fd, err) < 0)
            return -1;
        *bit = bit_of(i);
        return 0;
    }
    return err_set(err, ENOSPC, "all %d keywords of the folder are in use", MAILDIR_KEYWORDS);
}

int keyword_name_all(struct keywords *k, uint32_t flags, struct err *err)
{
    for (size_t i = 0; i < MAILDIR_KEYWORDS; i++) {
        char name[] = "keyword-a";

        if ((flags & bit_of(i)) == 0 || k->name[i] != NULL)
            continue;
        name[sizeof(name) - 2] = (char)('a' + i);
        k->name[i] = str_dup_c(str_of(name), err);
        if (k->name[i] == NULL)
            return -1;
    }
    return 0;
}

int keyword_map(const struct keywords *from, struct keywords *to, int to_fd, uint32_t flags,
                uint32_t *out, struct err *err)
{
    uint32_t mapped = flags & MAILDIR_SYSTEM;

    for (size_t i = 0; i < MAILDIR_KEYWORDS; i++) {
        uint32_t bit;

        if ((flags & bit_of(i)) == 0 || from->name[i] == NULL)
            continue;
        if (keyword_add(to, to_fd, str_of(from->name[i]), &bit, err) == 0)
            mapped |= bit;
        else if (err->code != ENOSPC)
            return -1;
    }
    *out = mapped;
    return 0;
}
