/* SPDX-License-Identifier: Apache-2.0 */
/*
 * An id becomes a name in the state directory, in cgroups and in messages: what has a meaning to
 * any of them is refused before it is used.
 */
#include <errno.h>
#include <string.h>

#include "runtime/base/err.h"
#include "runtime/base/str.h"
#include "runtime/container/container.h"

int container_id_check(const char *id, struct err *err)
{
    size_t n = strnlen(id, CONTAINER_ID_MAX + 1);

    if (n == 0 || n > CONTAINER_ID_MAX)
        return err_set(err, EINVAL, "a container id has 1 to %d characters", CONTAINER_ID_MAX);
    /* Hidden names are the runtime's own, and "." and ".." nobody's. */
    if (id[0] == '.')
        return err_set(err, 0, "invalid container ID '%.64s': it begins with a dot", id);
    for (size_t i = 0; i < n; i++)
        if (!ascii_is_alnum(id[i]) && strchr("_+-.", id[i]) == NULL)
            return err_set(err, 0,
                           "invalid character in container ID '%.64s': only letters, digits and "
                           "_+-. are allowed",
                           id);
    return 0;
}
