/* SPDX-License-Identifier: Apache-2.0 */
/*
 * attacker - what a container does that busybox cannot; built static, copied into its root
 *
 *   uncover    detaches its own root, enters the root of its mount namespace anew, and lists it
 */
#include <dirent.h>
#include <fcntl.h>
#include <sched.h>
#include <stdio.h>
#include <string.h>
#include <sys/mount.h>
#include <unistd.h>

#include "runtime/base/attr.h"

static int list(const char *path)
{
    DIR *dir = opendir(path);

    if (dir == NULL)
        return 1;
    /* NOLINTNEXTLINE(concurrency-mt-unsafe): the stream is ours alone */
    for (const struct dirent *e; (e = readdir(dir)) != NULL;)
        (void)puts(e->d_name);
    return closedir(dir) < 0;
}

static int uncover(void)
{
    int fd = open("/proc/self/ns/mnt", O_RDONLY | O_CLOEXEC);

    if (fd < 0 || umount2("/", MNT_DETACH) < 0 || setns(fd, CLONE_NEWNS) < 0) {
        perror("uncover");
        return 1;
    }
    return list("/");
}

static const struct {
    const char *name;
    int (*run)(void);
} attacks[] = {
    {"uncover", uncover},
};

int main(int argc, char **argv)
{
    for (size_t i = 0; argc == 2 && i < ARRAY_N(attacks); i++)
        if (strcmp(argv[1], attacks[i].name) == 0)
            return attacks[i].run();
    return 2;
}
