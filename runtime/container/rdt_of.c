/* SPDX-License-Identifier: Apache-2.0 */
#include "runtime/container/rdt_of.h"

#include <errno.h>

#include "runtime/base/arena.h"
#include "runtime/base/err.h"
#include "runtime/spec/oci.h"

int rdt_of(struct arena *a, const struct oci_rdt *o, const char *id, struct rdt *out,
           struct err *err)
{
    const char **lines = arena_array(a, o->schemata.n + 2, sizeof *lines);
    size_t n = 0;

    if (lines == NULL)
        return err_set(err, ENOMEM, "$.linux.intelRdt");
    if (o->l3_cache_schema != NULL)
        lines[n++] = o->l3_cache_schema;
    if (o->mem_bw_schema != NULL)
        lines[n++] = o->mem_bw_schema;
    for (size_t i = 0; i < o->schemata.n; i++)
        lines[n++] = o->schemata.v[i];
    *out = (struct rdt){.root = RDT_ROOT,
                        .group = o->clos_id != NULL ? o->clos_id : id,
                        .shared = o->clos_id != NULL,
                        .monitor = o->enable_monitoring ? id : NULL,
                        .schema = lines,
                        .schema_n = n};
    return 0;
}
