/* SPDX-License-Identifier: Apache-2.0 */
/*
 * state - what is kept of a container beneath the root directory
 *
 *     ROOT/ID/               0700, made first: its existence reserves the id
 *     ROOT/ID/config.json    the configuration as it was at create
 *     ROOT/ID/groups         which groups were made for it, written when they are: what its runtime
 *                            leaves if it is killed before the next
 *     ROOT/ID/state.json     written once the process exists
 *     ROOT/ID/exec.*         what exec needs of a large configuration, see quick.h
 *     ROOT/ID/start.sock     while the container waits for `start`
 *     ROOT/ID/notify/        its socket for READY=1, see notify.h
 *     ROOT/ID/network/       where a network's helper starts, see usernet_args.h
 *     ROOT/ID/network.log    of a network's helper that ended before its container
 *
 * Status follows from these and from the process: no state.json is creating, a process that is gone
 * (or whose start time is another's) is stopped, a start.sock is created, a frozen group paused.
 *
 * Lifetime:  what is read lives in the arena given.
 * Tests:     tests/unit/runtime/container/test_state.c, tests/oci/test_cli.py
 * Fuzz:      tests/fuzz/runtime/container/fuzz_state.c
 */
#ifndef MR_CONTAINER_STATE_H
#define MR_CONTAINER_STATE_H

#include "runtime/base/attr.h"
#include "runtime/base/str.h"
#include "runtime/container/container.h"
#include "runtime/container/usernet.h"
#include "runtime/kernel/cgroup.h"

struct arena;
struct err;
struct oci_config;

#define STATE_CONFIG "config.json"
#define STATE_GROUPS "groups"
#define STATE_FILE   "state.json"
#define STATE_SOCKET "start.sock"

/* To read a large configuration again costs more than the rest of `start` and `delete`. */
enum state_need {
    STATE_FOR_START = 1,  /* poststart hooks */
    STATE_FOR_DELETE = 2, /* poststop hooks, a group of resctrl */
    STATE_NO_PROCESS = 4, /* not at all for `start`: it has none to offer */
    STATE_NEEDS_ALL = 7
};

struct state {
    struct container_state public;
    struct cgroup cgroup; /* n 0: none */
    int ns_flags;         /* namespaces other than the maker's: CLONE_NEWx */
    bool no_new_keyring;
    bool root_moved;       /* over the host's, which is still beneath it */
    unsigned needs_config; /* enum state_need: for what it must be read again */
    struct usernet net;    /* who minds the network's helper */
    const char *scope;     /* unit of systemd that holds it; "" where it has none */
    int dir_fd;            /* of ROOT/ID, O_PATH */
};

/* ROOT/ID in the arena. */
must_check const char *state_path(struct arena *a, const struct container_env *env, const char *id);
/* Makes the directory; EEXIST says that the id is taken. Returns its descriptor. */
must_check int state_reserve(const struct container_env *env, const char *id, struct err *err);
must_check int state_write(int dir_fd, const struct state *s, struct err *err);
/* The groups that were made, and the unit of systemd that holds them; rdt: one of resctrl as well.
 */
must_check int state_write_groups(const struct state *s, bool rdt, struct err *err);
/* Fills in scope, cgroup and, for a group of resctrl, needs_config. ENOENT in err->code: none are
 * known to have been made. */
must_check int state_load_groups(struct arena *a, struct state *s, struct err *err);
/* Removes the directory with what is in it; processes, groups and hooks are the caller's matter. */
must_check int state_remove(const struct container_env *env, const char *id, struct err *err);

/* The directory of a container, O_PATH; ENOENT: there is none. */
must_check int state_open(const struct container_env *env, const char *id, struct err *err);
/* Reads and judges. ENOENT in err->code where there is no such container, EBADMSG where what is
 * written there is damaged. The caller closes out->dir_fd. Half-made containers (creating) have no
 * cgroup and no pid. */
must_check int state_load(const struct container_env *env, const char *id, struct arena *a,
                          struct state *out, struct err *err);
/* The same; one that is just being created is waited for, up to wait_ms. */
must_check int state_load_settled(const struct container_env *env, const char *id, unsigned wait_ms,
                                  struct arena *a, struct state *out, struct err *err);
/* The kept configuration, which was checked when it was written. */
must_check int state_load_config(const struct state *s, struct arena *a, struct oci_config **out,
                                 struct err *err);

/* Pure: to JSON and back. The status and dir_fd are not in it: state_load finds them. */
void state_format(const struct state *s, struct buf *out);
must_check int state_parse(struct arena *a, struct str text, struct state *out, struct err *err);

#endif
