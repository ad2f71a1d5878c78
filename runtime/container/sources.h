/* SPDX-License-Identifier: Apache-2.0 */
/*
 * sources - the maker opens what a container's mounts show of the host
 *
 * Bind mounts are copied in the maker's own context, which may reach paths that the container's
 * user may not, and stay detached until the child attaches them.
 *
 * Tests:     tests/oci/test_mounts.py
 */
#ifndef MR_CONTAINER_SOURCES_H
#define MR_CONTAINER_SOURCES_H

#include <stdbool.h>
#include <stddef.h>

#include "runtime/base/attr.h"

struct err;
struct init;
struct maker;
struct oci_config;
struct oci_mount;

/* A path of the configuration, which may be relative to the bundle, absolute; false if it is too
 * long. */
must_check bool sources_path(const char *bundle, const char *path, char *out, size_t max);
/* Room for a descriptor of each mount of m->config. */
must_check int sources_init(struct maker *m, struct err *err);
/* A user namespace that does not own its network namespace may not mount a sysfs, which shows the
 * network's devices; the runtime's own shows the same ones. Such mounts of m->config become binds
 * of it, without what is mounted beneath it if that can be. */
void sources_borrow_sysfs(struct maker *m);
/* A detached copy of what the bind mount shows; returns its descriptor. */
must_check int sources_clone(const struct init *in, const struct oci_mount *o, struct err *err);
/* The same into its place in m->init. */
must_check int sources_open(struct maker *m, size_t index, struct err *err);
/* Maps its ids, once the user namespace is there. */
must_check int sources_idmap(struct maker *m, size_t index, struct err *err);
/* Makes a copy hear of the host's mounts without telling of its own; with `shared` it stays a peer
 * where the container's root asks for that. */
must_check int sources_detach(const struct oci_config *c, int mount_fd, bool shared,
                              struct err *err);

#endif
