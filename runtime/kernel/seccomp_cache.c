/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A file is a head, the key, the code. The checksum is over all but itself; it is not there against
 * enemies, who cannot write here, but against a crash in the middle of a write.
 */
#include "runtime/kernel/seccomp_cache.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <linux/filter.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "runtime/base/buf.h"
#include "runtime/base/err.h"
#include "runtime/base/fd.h"
#include "runtime/base/file.h"
#include "runtime/base/mem.h"
#include "runtime/base/own.h"
#include "runtime/kernel/dir.h"
#include "runtime/kernel/seccomp.h"

#define MAGIC       0x32746c66726d0a00U /* of this format; of the other byte order it is another */
#define DIGEST_TEXT 17
#define DIR_FLAGS   (O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC)
#define FILE_MAX    (sizeof(struct head) + SECCOMP_KEY_MAX + BPF_MAXINSNS * sizeof(struct sock_filter))

struct head {
    uint64_t magic;
    uint64_t checksum;
    uint64_t key_n;
    uint64_t code_n; /* bytes */
};

/* FNV-1a, but of eight bytes at once: keys are long, and this is done twice a start. The shift lets
 * the upper half of a product, where all bytes meet, reach the lower one. */
static uint64_t digest(uint64_t h, const void *p, size_t n)
{
    const unsigned char *b = p;
    uint64_t word = 0;

    for (; n >= sizeof word; b += sizeof word, n -= sizeof word) {
        memcpy(&word, b, sizeof word);
        h = (h ^ word) * 0x100000001b3U;
        h ^= h >> 32;
    }
    for (size_t i = 0; i < n; i++)
        h = (h ^ b[i]) * 0x100000001b3U;
    return h;
}

#define DIGEST_START 0xcbf29ce484222325U

static void name_of(struct str key, char name[DIGEST_TEXT])
{
    (void)snprintf(name, DIGEST_TEXT, "%016llx",
                   (unsigned long long)digest(DIGEST_START, key.p, key.n));
}

static uint64_t checksum(const struct head *h, const void *key, const void *code)
{
    uint64_t start = DIGEST_START ^ (h->key_n << 32 | h->code_n);

    return digest(digest(start, key, h->key_n), code, h->code_n);
}

int seccomp_cache_open(const char *dir)
{
    own_fd int top_fd = open(dir, O_PATH | O_DIRECTORY | O_CLOEXEC), fd = -1;

    if (top_fd < 0 || !dir_is_private(top_fd))
        return -1;
    fd = openat(top_fd, SECCOMP_CACHE_DIR, DIR_FLAGS);
    if (fd < 0 && errno == ENOENT && mkdirat(top_fd, SECCOMP_CACHE_DIR, 0700) == 0)
        fd = openat(top_fd, SECCOMP_CACHE_DIR, DIR_FLAGS);
    return fd >= 0 && dir_is_secret(fd) ? take_fd(&fd) : -1;
}

/* The file's content if it is to be trusted; NULL if not. */
static char *read_file(int cache_fd, const char *name, size_t *n)
{
    own_fd int fd = openat(cache_fd, name, O_RDONLY | O_NOFOLLOW | O_NONBLOCK | O_CLOEXEC);
    own_free char *text = NULL;
    struct stat st;
    struct err ignored;

    if (fd < 0 || !dir_is_secret(fd) || fstat(fd, &st) < 0 || !S_ISREG(st.st_mode) ||
        st.st_nlink != 1 || st.st_size <= (off_t)sizeof(struct head) ||
        (size_t)st.st_size > FILE_MAX)
        return NULL;
    *n = (size_t)st.st_size;
    text = mem_new(*n);
    return fd_read_full(fd, text, *n, &ignored) == st.st_size ? take_ptr(&text) : NULL;
}

bool seccomp_cache_find(int cache_fd, struct str key, struct seccomp_program *out)
{
    char name[DIGEST_TEXT];
    struct head h;
    size_t n = 0;
    own_free char *text = NULL;

    if (cache_fd < 0 || key.n > SECCOMP_KEY_MAX)
        return false;
    name_of(key, name);
    text = read_file(cache_fd, name, &n);
    if (text == NULL)
        return false;
    memcpy(&h, text, sizeof h);
    if (h.magic != MAGIC || h.key_n != key.n || n - sizeof h < key.n ||
        h.code_n != n - sizeof h - key.n || h.code_n == 0 ||
        h.code_n % sizeof(struct sock_filter) != 0 ||
        h.code_n > BPF_MAXINSNS * sizeof(struct sock_filter))
        return false;
    if (h.checksum != checksum(&h, text + sizeof h, text + sizeof h + key.n) ||
        memcmp(text + sizeof h, key.p, key.n) != 0)
        return false;
    out->n = (unsigned short)(h.code_n / sizeof(struct sock_filter));
    out->code = mem_new(h.code_n);
    memcpy(out->code, text + sizeof h + key.n, h.code_n);
    return true;
}

static void close_dir(DIR **dir)
{
    if (*dir != NULL)
        (void)closedir(*dir);
}

/* Every file once there are as many as there may be: profiles that are in use come back. */
static void make_room(int cache_fd)
{
    int again_fd = openat(cache_fd, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    DIR *dir __attribute__((cleanup(close_dir))) = again_fd < 0 ? NULL : fdopendir(again_fd);
    size_t n = 0;

    if (dir == NULL)
        return;
    /* NOLINTNEXTLINE(concurrency-mt-unsafe): the stream is ours alone */
    while (readdir(dir) != NULL)
        n++;
    if (n < SECCOMP_CACHE_MAX + 2)
        return;
    rewinddir(dir);
    /* NOLINTNEXTLINE(concurrency-mt-unsafe) */
    for (struct dirent *e; (e = readdir(dir)) != NULL;)
        (void)unlinkat(cache_fd, e->d_name, 0); /* "." and ".." refuse */
}

void seccomp_cache_keep(int cache_fd, struct str key, const struct seccomp_program *p)
{
    struct head h = {.magic = MAGIC, .key_n = key.n, .code_n = p->n * sizeof *p->code};
    own_buf struct buf text = BUF_INIT(FILE_MAX);
    char name[DIGEST_TEXT];
    struct err ignored;

    if (cache_fd < 0 || key.n > SECCOMP_KEY_MAX || h.code_n == 0)
        return;
    h.checksum = checksum(&h, key.p, p->code);
    buf_append_n(&text, &h, sizeof h);
    buf_append(&text, key);
    buf_append_n(&text, p->code, h.code_n);
    if (text.failed)
        return;
    make_room(cache_fd);
    name_of(key, name);
    if (file_put(cache_fd, name, buf_str(&text), 0600, &ignored) < 0)
        return;
}
