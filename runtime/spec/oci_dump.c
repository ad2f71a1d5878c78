/* SPDX-License-Identifier: Apache-2.0 */
/*
 * struct oci_config back to JSON, and the configuration that `spec` starts people with.
 */
#include <assert.h>
#include <stdio.h>

#include "runtime/base/buf.h"
#include "runtime/spec/oci_field.h"

void oci_dump(const struct oci_config *c, struct buf *out)
{
    struct jw w = jw_start(out, JW_INDENT_TABS);

    jw_object(&w, NULL);
    fields_dump(&w, &oci_fields_config, c);
    jw_end(&w);
    buf_append_char(out, '\n');
}

/* The default is written as the JSON it becomes and goes through the loader: it cannot drift away
 * from what the loader accepts. */
static const char head[] =
    "{\"ociVersion\":\"" OCI_VERSION "\",\"process\":{\"terminal\":true,"
    "\"user\":{\"uid\":0,\"gid\":0},\"args\":[\"sh\"],"
    "\"env\":[\"PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin\","
    "\"TERM=xterm\"],\"cwd\":\"/\",\"capabilities\":{"
    "\"bounding\":[\"CAP_AUDIT_WRITE\",\"CAP_KILL\",\"CAP_NET_BIND_SERVICE\"],"
    "\"effective\":[\"CAP_AUDIT_WRITE\",\"CAP_KILL\",\"CAP_NET_BIND_SERVICE\"],"
    "\"permitted\":[\"CAP_AUDIT_WRITE\",\"CAP_KILL\",\"CAP_NET_BIND_SERVICE\"]},"
    "\"rlimits\":[{\"type\":\"RLIMIT_NOFILE\",\"hard\":1024,\"soft\":1024}],"
    "\"noNewPrivileges\":true},\"root\":{\"path\":\"rootfs\",\"readonly\":true},"
    "\"hostname\":\"mailbox-run\",\"mounts\":["
    "{\"destination\":\"/proc\",\"type\":\"proc\",\"source\":\"proc\"},"
    "{\"destination\":\"/dev\",\"type\":\"tmpfs\",\"source\":\"tmpfs\","
    "\"options\":[\"nosuid\",\"strictatime\",\"mode=755\",\"size=65536k\"]},"
    "{\"destination\":\"/dev/pts\",\"type\":\"devpts\",\"source\":\"devpts\",\"options\":"
    "[\"nosuid\",\"noexec\",\"newinstance\",\"ptmxmode=0666\",\"mode=0620\"%s]},"
    "{\"destination\":\"/dev/shm\",\"type\":\"tmpfs\",\"source\":\"shm\","
    "\"options\":[\"nosuid\",\"noexec\",\"nodev\",\"mode=1777\",\"size=65536k\"]},"
    "{\"destination\":\"/dev/mqueue\",\"type\":\"mqueue\",\"source\":\"mqueue\","
    "\"options\":[\"nosuid\",\"noexec\",\"nodev\"]},%s"
    "{\"destination\":\"/sys/fs/cgroup\",\"type\":\"cgroup\",\"source\":\"cgroup\","
    "\"options\":[\"nosuid\",\"noexec\",\"nodev\",\"relatime\",\"ro\"]}],\"linux\":{%s,"
    "\"maskedPaths\":[\"/proc/acpi\",\"/proc/asound\",\"/proc/kcore\",\"/proc/keys\","
    "\"/proc/latency_stats\",\"/proc/timer_list\",\"/proc/timer_stats\",\"/proc/sched_debug\","
    "\"/sys/firmware\",\"/proc/scsi\"],\"readonlyPaths\":[\"/proc/bus\",\"/proc/fs\",\"/proc/irq\","
    "\"/proc/sys\",\"/proc/sysrq-trigger\"]}}";

static const char sysfs_new[] = "{\"destination\":\"/sys\",\"type\":\"sysfs\",\"source\":\"sysfs\","
                                "\"options\":[\"nosuid\",\"noexec\",\"nodev\",\"ro\"]},";
/* sysfs belongs to the network namespace, which a rootless container shares with the host. */
static const char sysfs_bound[] =
    "{\"destination\":\"/sys\",\"type\":\"none\",\"source\":\"/sys\","
    "\"options\":[\"rbind\",\"nosuid\",\"noexec\",\"nodev\",\"ro\"]},";

static const char linux_default[] =
    "\"resources\":{\"devices\":[{\"allow\":false,\"access\":\"rwm\"}]},"
    "\"namespaces\":[{\"type\":\"pid\"},{\"type\":\"network\"},{\"type\":\"ipc\"},"
    "{\"type\":\"uts\"},{\"type\":\"mount\"},{\"type\":\"cgroup\"}]";
static const char linux_rootless[] =
    "\"uidMappings\":[{\"containerID\":0,\"hostID\":%u,\"size\":1}],"
    "\"gidMappings\":[{\"containerID\":0,\"hostID\":%u,\"size\":1}],"
    "\"namespaces\":[{\"type\":\"pid\"},{\"type\":\"ipc\"},{\"type\":\"uts\"},"
    "{\"type\":\"mount\"},{\"type\":\"cgroup\"},{\"type\":\"user\"}]";

#define DEFAULT_MAX 8192

struct oci_config *oci_default(struct arena *a, enum oci_flavour flavour, uid_t uid, gid_t gid)
{
    struct buf text = BUF_INIT(DEFAULT_MAX);
    char maps[512];
    struct oci_config *c = NULL;
    struct err err;
    int rc;

    (void)snprintf(maps, sizeof maps, linux_rootless, uid, gid); /* fits: two numbers */
    if (flavour == OCI_DEFAULT)
        buf_printf(&text, head, ",\"gid=5\"", sysfs_new, linux_default);
    else
        buf_printf(&text, head, "", sysfs_bound, maps);
    rc = oci_load_str(a, buf_str(&text), "the default", &c, &err);
    assert(rc == 0); /* our own text, in an arena of sane size */
    buf_done(&text);
    return c;
}
