/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Open addressing with linear probing; deletion moves the followers back, so there are no
 * tombstones. At most three quarters of the slots are taken. The hash is SipHash-1-3 with a key
 * drawn per map.
 */
#include "runtime/base/map.h"

#include <assert.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "runtime/base/mem.h"
#include "runtime/base/rand.h"

#define SLOTS_FIRST 16 /* a power of two, as every later number */

struct slot {
    char *key; /* NULL: free */
    size_t key_n;
    uint64_t hash;
    void *value;
};

struct map {
    struct slot *slots;
    size_t slots_n;
    size_t n;
    uint64_t seed[2];
};

/* --- SipHash-1-3 ----------------------------------------------------------------------------- */

static uint64_t rotl(uint64_t x, unsigned n)
{
    return x << n | x >> (64 - n);
}

static void sip_round(uint64_t v[4])
{
    v[0] += v[1];
    v[1] = rotl(v[1], 13) ^ v[0];
    v[0] = rotl(v[0], 32);
    v[2] += v[3];
    v[3] = rotl(v[3], 16) ^ v[2];
    v[0] += v[3];
    v[3] = rotl(v[3], 21) ^ v[0];
    v[2] += v[1];
    v[1] = rotl(v[1], 17) ^ v[2];
    v[2] = rotl(v[2], 32);
}

static void sip_word(uint64_t v[4], uint64_t word)
{
    v[3] ^= word;
    sip_round(v);
    v[0] ^= word;
}

static uint64_t hash_of(const struct map *m, struct str s)
{
    uint64_t v[4] = {m->seed[0] ^ 0x736f6d6570736575ULL, m->seed[1] ^ 0x646f72616e646f6dULL,
                     m->seed[0] ^ 0x6c7967656e657261ULL, m->seed[1] ^ 0x7465646279746573ULL};
    uint64_t last = (uint64_t)s.n << 56;
    uint64_t word;

    for (; s.n >= sizeof(word); s = str_skip(s, sizeof(word))) {
        memcpy(&word, s.p, sizeof(word));
        sip_word(v, word);
    }
    for (size_t i = 0; i < s.n; i++)
        last |= (uint64_t)(unsigned char)s.p[i] << (8 * i);
    sip_word(v, last);
    v[2] ^= 0xff;
    for (int i = 0; i < 3; i++)
        sip_round(v);
    return v[0] ^ v[1] ^ v[2] ^ v[3];
}

/* --- the table ------------------------------------------------------------------------------- */

struct map *map_new(void)
{
    struct map *m = mem_type(struct map);

    rand_bytes(m->seed, sizeof(m->seed));
    m->slots_n = SLOTS_FIRST;
    m->slots = mem_array(m->slots_n, sizeof(*m->slots));
    return m;
}

void map_free(struct map *m)
{
    if (m == NULL)
        return;
    for (size_t i = 0; i < m->slots_n; i++)
        free(m->slots[i].key);
    free(m->slots);
    free(m);
}

size_t map_n(const struct map *m)
{
    return m->n;
}

static bool holds(const struct slot *s, uint64_t hash, struct str key)
{
    return s->hash == hash && str_eq((struct str){s->key, s->key_n}, key);
}

/* Where the key is, or the free slot where it belongs. */
static size_t seek(const struct map *m, uint64_t hash, struct str key)
{
    size_t i = hash & (m->slots_n - 1);

    while (m->slots[i].key != NULL && !holds(&m->slots[i], hash, key))
        i = (i + 1) & (m->slots_n - 1);
    return i;
}

void *map_get(const struct map *m, struct str key)
{
    return m->slots[seek(m, hash_of(m, key), key)].value;
}

static void double_slots(struct map *m)
{
    struct slot *old = m->slots;
    size_t old_n = m->slots_n;

    m->slots_n = old_n * 2;
    m->slots = mem_array(m->slots_n, sizeof(*m->slots));
    for (size_t i = 0; i < old_n; i++) {
        if (old[i].key != NULL)
            m->slots[seek(m, old[i].hash, (struct str){old[i].key, old[i].key_n})] = old[i];
    }
    free(old);
}

static char *copy_key(struct str key)
{
    char *p = mem_new(key.n + 1);

    if (key.n > 0)
        memcpy(p, key.p, key.n);
    return p;
}

void *map_put(struct map *m, struct str key, void *value)
{
    uint64_t hash = hash_of(m, key);
    size_t i = seek(m, hash, key);
    void *old = m->slots[i].value;

    assert(value != NULL);
    if (m->slots[i].key != NULL) {
        m->slots[i].value = value;
        return old;
    }
    if ((m->n + 1) > m->slots_n / 4 * 3) {
        double_slots(m);
        i = seek(m, hash, key);
    }
    m->slots[i] = (struct slot){copy_key(key), key.n, hash, value};
    m->n++;
    return NULL;
}

/* The slot at `hole` is free: what follows up to the next free slot and would be sought from the
 * hole or before it moves down, so that no search ends early. */
static void close_hole(struct map *m, size_t hole)
{
    size_t mask = m->slots_n - 1;

    for (size_t i = (hole + 1) & mask; m->slots[i].key != NULL; i = (i + 1) & mask) {
        size_t home = m->slots[i].hash & mask;

        if (((i - home) & mask) < ((i - hole) & mask))
            continue;
        m->slots[hole] = m->slots[i];
        m->slots[i] = (struct slot){0};
        hole = i;
    }
}

void *map_del(struct map *m, struct str key)
{
    size_t i = seek(m, hash_of(m, key), key);
    void *value = m->slots[i].value;

    if (m->slots[i].key == NULL)
        return NULL;
    free(m->slots[i].key);
    m->slots[i] = (struct slot){0};
    m->n--;
    close_hole(m, i);
    return value;
}

bool map_next(const struct map *m, struct map_at *at)
{
    while (at->slot < m->slots_n) {
        const struct slot *s = &m->slots[at->slot++];

        if (s->key == NULL)
            continue;
        at->key = (struct str){s->key, s->key_n};
        at->value = s->value;
        return true;
    }
    return false;
}
