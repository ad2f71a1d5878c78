/* SPDX-License-Identifier: Apache-2.0 */
#include "tests/lib/mailroot.h"

#include <dirent.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "runtime/base/err.h"
#include "runtime/base/file.h"
#include "runtime/base/mem.h"

#include "mailstack/lib/store/deliver.h"
#include "mailstack/lib/store/folder.h"
#include "mailstack/lib/store/home.h"

#include "tests/lib/test.h"

int mailroot_setup(void **state)
{
    struct mailroot *r = mem_type(struct mailroot);
    struct err err = {0};

    (void)snprintf(r->path, sizeof(r->path), "/tmp/mailroot.XXXXXX");
    assert_non_null(mkdtemp(r->path));
    assert_int_equal(store_open(&r->st, r->path, STR("host.example"), 0, &err), 0);
    r->home_fd = home_make(&r->st, STR("alice@example.org"), &err);
    assert_string_equal(err.text, "");
    assert_true(r->home_fd >= 0);
    *state = r;
    return 0;
}

int mailroot_teardown(void **state)
{
    struct mailroot *r = *state;
    struct err err = {0};

    (void)close(r->home_fd);
    store_close(&r->st);
    assert_int_equal(file_remove_tree(AT_FDCWD, r->path, &err), 0);
    free(r);
    return 0;
}

uint32_t mailroot_deliver(struct mailroot *r, const char *folder, const char *text)
{
    struct deliver_as as = {0};
    struct err err = {0};
    uint32_t uid, validity;
    struct deliver d;

    assert_int_equal(
        deliver_begin(&d, &r->st, r->home_fd, folder_open(r->home_fd, str_of(folder), &err), &err),
        0);
    assert_int_equal(deliver_write(&d, str_of(text), &err), 0);
    assert_int_equal(deliver_flush(&d, &err), 0);
    assert_int_equal(deliver_publish(&d, &as, &uid, &validity, &err), 0);
    assert_int_equal(deliver_settle(&d, &err), 0);
    deliver_done(&d);
    return uid;
}

unsigned mailroot_count(struct mailroot *r, const char *dir, const char *part, char name[256])
{
    DIR *at = fdopendir(openat(r->home_fd, dir, O_RDONLY | O_DIRECTORY | O_CLOEXEC));
    const struct dirent *e;
    unsigned n = 0;

    assert_non_null(at);
    while ((e = readdir(at)) != NULL) {
        if (e->d_name[0] == '.' || strstr(e->d_name, part) == NULL)
            continue;
        n++;
        if (name != NULL)
            (void)snprintf(name, 256, "%s", e->d_name);
    }
    (void)closedir(at);
    return n;
}

void mailroot_put(struct mailroot *r, const char *path, const char *text)
{
    struct err err = {0};

    assert_int_equal(file_put(r->home_fd, path, str_of(text), 0660, &err), 0);
}
