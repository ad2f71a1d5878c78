/* SPDX-License-Identifier: Apache-2.0 */
#include "mailstack/lib/net/peers.h"

#include <assert.h>
#include <errno.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include "runtime/base/err.h"
#include "runtime/base/mem.h"
#include "runtime/base/rand.h"

#define EACH 2 /* pages of a number: of the worker that leaves, and of the one that came */

struct page {
    _Atomic int32_t owner; /* pid, or 0 */
    _Atomic uint32_t all;
    _Atomic uint16_t n[PEERS_SLOTS];
};

_Static_assert(sizeof(struct page) == 4096, "a worker's counters are one page");

struct peers {
    struct page *pages;
    size_t pages_n;
    struct page *mine;
    int32_t pid;
    uint64_t key[4];
};

struct peers *peers_new(unsigned workers, struct err *err)
{
    size_t n = (size_t)workers * EACH;
    void *at = mmap(NULL, n * sizeof(struct page), PROT_READ | PROT_WRITE,
                    MAP_SHARED | MAP_ANONYMOUS, -1, 0);
    struct peers *p;

    if (at == MAP_FAILED) {
        (void)err_set(err, errno, "map the counters of connections");
        return NULL;
    }
    p = mem_type(struct peers);
    p->pages = at;
    p->pages_n = n;
    rand_bytes(p->key, sizeof(p->key));
    return p;
}

void peers_free(struct peers *p)
{
    if (!p)
        return;
    (void)munmap(p->pages, p->pages_n * sizeof(struct page)); /* cannot fail for what mmap gave */
    free(p);
}

static bool is_free(const struct page *page)
{
    int32_t owner = atomic_load(&page->owner);

    return owner == 0 || (kill(owner, 0) < 0 && errno == ESRCH);
}

/* Where both have owners, one is a stranger with a dead worker's pid, or has been leaving for long:
 * it notices that the page is its own no more. */
void peers_claim(struct peers *p, unsigned i)
{
    struct page *page = &p->pages[(size_t)i * EACH];

    assert((size_t)i * EACH < p->pages_n);
    if (!is_free(page))
        page++;
    p->pid = (int32_t)getpid();
    p->mine = page;
    atomic_store(&page->owner, p->pid);
    atomic_store(&page->all, 0);
    for (size_t k = 0; k < PEERS_SLOTS; k++)
        atomic_store_explicit(&page->n[k], 0, memory_order_relaxed);
}

static uint64_t mix(uint64_t h, uint64_t v, uint64_t factor)
{
    h = (h ^ v) * (factor | 1);
    return h ^ (h >> 29);
}

static size_t slot_of(const struct peers *p, const struct in6_addr *ip)
{
    uint64_t half[2];
    uint64_t h = p->key[0];

    memcpy(half, ip->s6_addr, sizeof(half));
    if (!IN6_IS_ADDR_V4MAPPED(ip))
        half[1] = 0;
    h = mix(h, half[0], p->key[1]);
    h = mix(h, half[1], p->key[2]);
    h = mix(h, 0, p->key[3]);
    return (size_t)((h >> 16) % PEERS_SLOTS);
}

static bool is_mine(const struct peers *p)
{
    return atomic_load_explicit(&p->mine->owner, memory_order_relaxed) == p->pid;
}

static struct peers_count sum(const struct peers *p, size_t slot)
{
    struct peers_count c = {0};

    for (size_t i = 0; i < p->pages_n; i++) {
        c.of_address += atomic_load_explicit(&p->pages[i].n[slot], memory_order_relaxed);
        c.all += atomic_load_explicit(&p->pages[i].all, memory_order_relaxed);
    }
    return c;
}

struct peers_count peers_enter(struct peers *p, const struct in6_addr *ip)
{
    size_t slot = slot_of(p, ip);

    if (is_mine(p)) {
        atomic_fetch_add_explicit(&p->mine->n[slot], 1, memory_order_relaxed);
        atomic_fetch_add_explicit(&p->mine->all, 1, memory_order_relaxed);
    }
    return sum(p, slot);
}

void peers_leave(struct peers *p, const struct in6_addr *ip)
{
    size_t slot = slot_of(p, ip);

    if (!is_mine(p) || atomic_load_explicit(&p->mine->n[slot], memory_order_relaxed) == 0)
        return;
    atomic_fetch_sub_explicit(&p->mine->n[slot], 1, memory_order_relaxed);
    atomic_fetch_sub_explicit(&p->mine->all, 1, memory_order_relaxed);
}
