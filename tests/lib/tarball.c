/* SPDX-License-Identifier: Apache-2.0 */
#include "tests/lib/tarball.h"

#include <stdio.h>
#include <string.h>

#define BLOCK 512

static void put_c(char *field, size_t n, const char *text)
{
    for (size_t i = 0; i < n && text[i]; i++)
        field[i] = text[i];
}

static void finish(char block[BLOCK], struct buf *out)
{
    unsigned sum = 0;

    put_c(block + 257, 5, "ustar");
    put_c(block + 263, 2, "00"); /* the version, behind a NUL */
    memset(block + 148, ' ', 8);
    for (size_t i = 0; i < BLOCK; i++)
        sum += (unsigned char)block[i];
    (void)snprintf(block + 148, 8, "%06o", sum);
    buf_append_n(out, block, BLOCK);
}

static void put_content(struct buf *out, struct str content)
{
    static const char zeros[BLOCK];

    buf_append(out, content);
    if (content.n % BLOCK)
        buf_append_n(out, zeros, BLOCK - content.n % BLOCK);
}

void tarball_put(struct buf *out, const struct tarball_entry *e)
{
    char block[BLOCK] = {0};
    struct str content = str_of(e->content ? e->content : "");
    unsigned mode = e->mode ? e->mode : e->type == '5' ? 0755 : 0644;

    put_c(block, 100, e->name);
    (void)snprintf(block + 100, 8, "%07o", mode & 07777);
    (void)snprintf(block + 108, 8, "%07o", 0U);
    (void)snprintf(block + 116, 8, "%07o", 0U);
    (void)snprintf(block + 124, 12, "%011zo", content.n);
    if (e->size_field)
        put_c(block + 124, 12, e->size_field);
    (void)snprintf(block + 136, 12, "%011o", 1000U);
    block[156] = e->type ? e->type : '0';
    put_c(block + 157, 100, e->target ? e->target : "");
    finish(block, out);
    put_content(out, content);
}

void tarball_put_meta(struct buf *out, char type, struct str content)
{
    char block[BLOCK] = {0};

    put_c(block, 100, "meta");
    (void)snprintf(block + 124, 12, "%011zo", content.n);
    block[156] = type;
    finish(block, out);
    put_content(out, content);
}

void tarball_end(struct buf *out)
{
    static const char zeros[2 * BLOCK];

    buf_append_n(out, zeros, sizeof zeros);
}
