/* SPDX-License-Identifier: Apache-2.0 */
/*
 * mailroot - a mail volume of a test's own, with one home in it
 */
#ifndef MR_TESTS_LIB_MAILROOT_H
#define MR_TESTS_LIB_MAILROOT_H

#include "mailstack/lib/store/store.h"

struct mailroot {
    char path[64];
    struct store st;
    int home_fd; /* of alice@example.org */
};

/* For cmocka's setup and teardown: *state is a struct mailroot. */
int mailroot_setup(void **state);
int mailroot_teardown(void **state);

/* Delivers `text` to a folder; the UID. */
uint32_t mailroot_deliver(struct mailroot *r, const char *folder, const char *text);
/* How many files there are in DIR (of the home) whose name has `part` in it; the last one's name is
 * copied to `name` if that is not NULL. */
unsigned mailroot_count(struct mailroot *r, const char *dir, const char *part, char name[256]);
/* A file as another program would put it there. */
void mailroot_put(struct mailroot *r, const char *path, const char *text);

#endif
