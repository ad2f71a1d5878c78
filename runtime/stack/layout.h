/* SPDX-License-Identifier: Apache-2.0 */
/*
 * layout - where a stack keeps what: names derived from the path of its mailstack.json
 *
 * The run directory is found without reading the file, so that `down` works when it is broken:
 *
 *     RUN/             /run/mailbox-run/.NAME-HASH, of the file's name and its real path; 0700
 *                      ($XDG_RUNTIME_DIR/mailbox-run/NAME-HASH for an ordinary user)
       (locked by the supervisor while it lives: the directory itself)
 *       control.sock   the supervisor's
 *       state.json     what a later `up` or `down` needs to clean up after a supervisor that died
 *       containers/    the container library's state
 *       sock/          sockets between the services
 *       SERVICE/conf/  mounted as /etc/mailstack;  SERVICE/notify.sock;  SERVICE/bundle/config.json
 *     STORAGE/         mail/ spool/ filter/ tls/ dkim/ log/ images/
 *
 * Lifetime:  strings in the arena.
 * Tests:     tests/unit/runtime/stack/test_layout.c
 */
#ifndef MR_STACK_LAYOUT_H
#define MR_STACK_LAYOUT_H

#include "runtime/base/attr.h"

struct arena;
struct err;

struct layout {
    const char *file; /* real path */
    const char *id;   /* NAME-HASH */
    const char *top;  /* "/run/mailbox-run" */
    const char *run;
    const char *containers;
    /* Of the cgroups: "" beneath the caller's own group; with cgroup v2 alone, where a group that
     * holds processes cannot have others beneath it, "/"; NULL: an ordinary user without one. */
    const char *cgroup;
};

#define LAYOUT_NO_LIMITS "none, for no control group is delegated to this user"

must_check int layout_find(struct arena *a, const char *file, struct layout *out, struct err *err);
/* RUN/SERVICE/NAME; NULL name: RUN/SERVICE */
const char *layout_of(struct arena *a, const struct layout *l, const char *service,
                      const char *name);

#endif
