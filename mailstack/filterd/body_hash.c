/* SPDX-License-Identifier: Apache-2.0 */
#include "mailstack/filterd/body_hash.h"

#include "mailstack/filterd/crypto.h"

static void on_canonical(void *ctx, struct str bytes)
{
    struct body_hash *b = ctx;
    uint64_t left = b->max > b->total ? b->max - b->total : 0;

    crypto_hash_feed(b->hash, bytes.n > left ? str_head(bytes, (size_t)left) : bytes);
    b->total += bytes.n;
}

void body_hash_init(struct body_hash *b, enum canon_kind kind, uint64_t max)
{
    *b = (struct body_hash){.kind = kind, .max = max, .hash = crypto_hash_new()};
    b->canon = canon_body_start(kind, on_canonical, b);
}

void body_hash_feed(struct body_hash *b, struct str piece)
{
    canon_body_feed(&b->canon, piece);
}

void body_hash_end(struct body_hash *b)
{
    canon_body_end(&b->canon);
    crypto_hash_end(b->hash, b->result);
}

void body_hash_done(struct body_hash *b)
{
    crypto_hash_free(b->hash);
    b->hash = NULL;
}
