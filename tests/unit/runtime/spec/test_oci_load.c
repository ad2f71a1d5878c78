/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Each row is a config.json: what is wrong with it must be said with its JSON path, and what is
 * right must come back the same after a dump.
 */
#include <stdio.h>
#include <string.h>

#include "runtime/base/arena.h"
#include "runtime/base/buf.h"
#include "runtime/base/err.h"
#include "runtime/base/own.h"
#include "runtime/spec/oci.h"

#include "tests/lib/test.h"

#define TEXT_MAX (8U << 20)

/* The smallest config.json with something added at the top, in process, and in linux. */
static void make(struct buf *out, const char *top, const char *process, const char *lin)
{
    buf_printf(out,
               "{\"ociVersion\":\"1.0.2\",\"root\":{\"path\":\"rootfs\"}%s%s,"
               "\"process\":{\"cwd\":\"/\",\"args\":[\"sh\"]%s%s},\"linux\":{%s}}",
               *top ? "," : "", top, *process ? "," : "", process, lin);
}

static int load(struct arena *a, const char *top, const char *process, const char *lin,
                struct oci_config **c, struct err *err)
{
    own_buf struct buf text = BUF_INIT(TEXT_MAX);

    make(&text, top, process, lin);
    assert_false(text.failed);
    return oci_load_str(a, buf_str(&text), "config.json", c, err);
}

struct wrong {
    const char *top, *process, *lin;
    const char *text; /* what the error must hold */
};

static void expect_wrong(const struct wrong *rows, size_t n)
{
    for (size_t i = 0; i < n; i++) {
        struct arena *a = arena_new(OCI_ARENA_MAX);
        struct oci_config *c = NULL;
        struct err err = {0};
        int rc = load(a, rows[i].top, rows[i].process, rows[i].lin, &c, &err);

        if (rc == 0)
            rc = oci_check(c, &err);
        if (rc == 0 || strstr(err.text, rows[i].text) == NULL)
            print_error("row %zu (%s|%s|%s): found \"%s\"\n", i, rows[i].top, rows[i].process,
                        rows[i].lin, err.text);
        assert_int_equal(rc, -1);
        assert_non_null(strstr(err.text, rows[i].text));
        arena_free(a);
    }
}

static void a_wrong_document_is_refused(void **state)
{
    static const struct {
        const char *in;
        const char *text;
    } rows[] = {
        {"", "config.json"},
        {"{", "config.json"},
        {"[]", "$: expected an object, found an array"},
        {"{}", "$: the key 'ociVersion' is missing"},
        {"{\"ociVersion\":\"2.0.0\"}", "$.ociVersion: expected a version 1.x.y, found '2.0.0'"},
        {"{\"ociVersion\":\"1.\"}", "$.ociVersion"},
        {"{\"ociVersion\":\"1.0\"}", "$.ociVersion: expected a version 1.x.y"},
        {"{\"ociVersion\":\"1.0.0.0\"}", "$.ociVersion: expected a version 1.x.y"},
        {"{\"ociVersion\":\"01.0.0\"}", "$.ociVersion: expected a version 1.x.y"},
        {"{\"ociVersion\":\"1.02.0\"}", "$.ociVersion: expected a version 1.x.y"},
        {"{\"ociVersion\":\"1.2.x\"}", "$.ociVersion: expected a version 1.x.y"},
        {"{\"ociVersion\":\"1.2.0-\"}", "$.ociVersion: expected a version 1.x.y"},
        {"{\"ociVersion\":\"1.2.0-a..b\"}", "$.ociVersion: expected a version 1.x.y"},
        {"{\"ociVersion\":\"1.2.0+\"}", "$.ociVersion: expected a version 1.x.y"},
        {"{\"ociVersion\":\"1.2.0.\"}", "$.ociVersion: expected a version 1.x.y"},
        {"{\"ociVersion\":\"1.2.0 \"}", "$.ociVersion: expected a version 1.x.y"},
        {"{\"ociVersion\":\"invalid\"}", "$.ociVersion: expected a version 1.x.y"},
        {"{\"ociVersion\":1}", "$.ociVersion: expected a string, found a number"},
        {"{\"ociVersion\":\"1.0.0\"}", "$: the key 'root' is missing"},
        {"{\"ociVersion\":\"1.0.0\",\"root\":{}}", "$.root: the key 'path' is missing"},
        {"{\"ociVersion\":\"1.0.0\",\"root\":{\"path\":\"\"}}", "$.root.path"},
        {"{\"ociVersion\":\"1.0.0\",\"root\":{\"path\":\"a\\u0000b\"}}", "NUL"},
        {"{\"ociVersion\":\"1.0.0\",\"root\":[]}", "$.root: expected an object, found an array"},
        {"{\"ociVersion\":\"1.0.0\",\"root\":{\"path\":\"r\",\"readonly\":\"yes\"}}",
         "$.root.readonly: expected true or false, found a string"},
        {"{\"ociVersion\":\"1.0.0\",\"ociVersion\":\"1.0.0\"}", "config.json"},
        {"{\"ociVersion\":\"1.0.0\",\"x\":99999999999999999999999}", "config.json"},
    };

    (void)state;
    for (size_t i = 0; i < ARRAY_N(rows); i++) {
        struct arena *a = arena_new(OCI_ARENA_MAX);
        struct oci_config *c = NULL;
        struct err err = {0};

        assert_int_equal(oci_load_str(a, str_of(rows[i].in), "config.json", &c, &err), -1);
        if (strstr(err.text, rows[i].text) == NULL)
            print_error("row %zu: found \"%s\"\n", i, err.text);
        assert_non_null(strstr(err.text, rows[i].text));
        assert_null(c);
        arena_free(a);
    }
}

static void a_wrong_process_is_refused(void **state)
{
    static const struct wrong rows[] = {
        {"", "\"terminal\":1", "", "$.process.terminal: expected true or false, found a number"},
        {"", "\"user\":{\"uid\":\"0\"}", "",
         "$.process.user.uid: expected a number from 0 to 4294967294, found a string"},
        {"", "\"user\":{\"uid\":-1}", "", "$.process.user.uid: expected a number from 0 to"},
        {"", "\"user\":{\"uid\":4294967295}", "", "found 4294967295"},
        {"", "\"user\":{\"gid\":1.5}", "", "$.process.user.gid: expected a number"},
        {"", "\"user\":{\"umask\":512}", "", "$.process.user.umask"},
        {"", "\"user\":{\"additionalGids\":[1,\"x\"]}", "", "$.process.user.additionalGids[1]"},
        {"", "\"user\":[]", "", "$.process.user: expected an object"},
        {"", "\"env\":\"A=1\"", "", "$.process.env: expected an array"},
        {"", "\"env\":[\"A\",1]", "", "$.process.env[1]: expected a string, found a number"},
        {"", "\"capabilities\":{\"bounding\":\"CAP_KILL\"}", "", "$.process.capabilities.bounding"},
        {"", "\"capabilities\":[]", "", "$.process.capabilities: expected an object"},
        {"", "\"rlimits\":[{\"type\":\"RLIMIT_X\",\"hard\":1,\"soft\":1}]", "",
         "$.process.rlimits[0].type"},
        {"", "\"rlimits\":[{\"type\":\"RLIMIT_CPU\",\"hard\":1,\"soft\":2}]", "",
         "$.process.rlimits[0]: the soft limit 2 is above the hard limit 1"},
        {"", "\"rlimits\":[{\"type\":\"RLIMIT_CPU\",\"hard\":1}]", "", "'soft' is missing"},
        {"", "\"rlimits\":[{\"type\":\"RLIMIT_CPU\",\"hard\":1,\"soft\":-1}]", "",
         "$.process.rlimits[0].soft"},
        {"",
         "\"rlimits\":[{\"type\":\"RLIMIT_CPU\",\"hard\":1,\"soft\":1},"
         "{\"type\":\"RLIMIT_CPU\",\"hard\":1,\"soft\":1}]",
         "", "'RLIMIT_CPU' twice"},
        {"", "\"oomScoreAdj\":1001", "", "$.process.oomScoreAdj: expected a number from -1000"},
        {"", "\"scheduler\":{\"policy\":\"SCHED_NICE\"}", "", "$.process.scheduler.policy"},
        {"", "\"scheduler\":{\"policy\":\"SCHED_OTHER\",\"priority\":1}", "",
         "$.process.scheduler: a priority needs"},
        {"", "\"scheduler\":{}", "", "'policy' is missing"},
        {"", "\"scheduler\":{\"policy\":\"SCHED_FIFO\",\"flags\":[\"X\"]}", "",
         "$.process.scheduler.flags[0]"},
        {"", "\"ioPriority\":{\"class\":\"IOPRIO_CLASS_BE\",\"priority\":8}", "",
         "$.process.ioPriority.priority"},
        {"", "\"execCPUAffinity\":{\"initial\":\"0-\"}", "", "$.process.execCPUAffinity.initial"},
        {"", "\"terminal\":true,\"consoleSize\":{\"height\":70000,\"width\":1}", "",
         "$.process.consoleSize.height"},
        {"", "\"cwd\":\"relative\"", "", "config.json"}, /* a key twice */
    };

    (void)state;
    expect_wrong(rows, ARRAY_N(rows));
}

static void a_relative_cwd_and_missing_args_are_refused(void **state)
{
    static const struct {
        const char *process;
        const char *text;
    } rows[] = {
        {"{\"cwd\":\"x\",\"args\":[\"a\"]}", "$.process.cwd: expected an absolute path"},
        {"{\"args\":[\"a\"]}", "$.process: the key 'cwd' is missing"},
        {"{\"cwd\":\"\",\"args\":[\"a\"]}", "$.process.cwd"},
        {"{\"cwd\":\"/\"}", "$.process.args: expected at least one element"},
        {"{\"cwd\":\"/\",\"args\":[]}", "$.process.args: expected at least one element"},
        {"{\"cwd\":\"/\",\"args\":[\"\"]}", "$.process.args[0]"},
    };

    (void)state;
    for (size_t i = 0; i < ARRAY_N(rows); i++) {
        struct arena *a = arena_new(OCI_ARENA_MAX);
        own_buf struct buf text = BUF_INIT(4096);
        struct oci_config *c;
        struct err err = {0};

        buf_printf(&text, "{\"ociVersion\":\"1.0.0\",\"root\":{\"path\":\"r\"},\"process\":%s}",
                   rows[i].process);
        assert_true(oci_load_str(a, buf_str(&text), "config.json", &c, &err) < 0 ||
                    oci_check(c, &err) < 0);
        assert_non_null(strstr(err.text, rows[i].text));
        arena_free(a);
    }
}

static void a_wrong_mount_or_hook_is_refused(void **state)
{
    static const struct wrong rows[] = {
        {"\"mounts\":{}", "", "", "$.mounts: expected an array, found an object"},
        {"\"mounts\":[{}]", "", "", "$.mounts[0]: the key 'destination' is missing"},
        {"\"mounts\":[{\"destination\":\"/a\",\"options\":\"ro\"}]", "", "",
         "$.mounts[0].options: expected an array"},
        {"\"mounts\":[{\"destination\":\"/a\",\"type\":\"bind\"}]", "", "",
         "$.mounts[0]: a bind mount needs a source"},
        {"\"mounts\":[{\"destination\":\"/a\",\"type\":\"tmpfs\",\"options\":[\"idmap\"]}]", "", "",
         "$.mounts[0]: an id-mapped mount must be a bind mount"},
        {"\"mounts\":[{\"destination\":\"/a\",\"type\":\"tmpfs\",\"options\":[\"shared\"]}]", "",
         "", "$.mounts[0].options: propagation needs a mount namespace"},
        {"\"hooks\":[]", "", "", "$.hooks: expected an object"},
        {"\"hooks\":{\"prestart\":[{}]}", "", "", "$.hooks.prestart[0]: the key 'path' is missing"},
        {"\"hooks\":{\"poststop\":[{\"path\":\"x\"}]}", "", "",
         "$.hooks.poststop[0].path: expected an absolute path, found 'x'"},
        {"\"hooks\":{\"poststop\":[{\"path\":\"/x\",\"timeout\":0}]}", "", "",
         "$.hooks.poststop[0].timeout"},
        {"\"annotations\":{\"\":\"x\"}", "", "", "$.annotations: an empty key"},
        {"\"annotations\":{\"a\":1}", "", "", "$.annotations.a: expected a string"},
        {"\"hostname\":7", "", "", "$.hostname: expected a string"},
        {"\"hostname\":\"h\"", "", "", "$.hostname: needs a uts namespace"},
        {"\"domainname\":\"h\"", "", "", "$.domainname: needs a uts namespace"},
    };

    (void)state;
    expect_wrong(rows, ARRAY_N(rows));
}

static void a_wrong_linux_section_is_refused(void **state)
{
    static const struct wrong rows[] = {
        {"", "", "\"namespaces\":[{\"type\":\"pod\"}]", "$.linux.namespaces[0].type: expected one"},
        {"", "", "\"namespaces\":[{\"type\":\"pid\"},{\"type\":\"pid\"}]",
         "$.linux.namespaces[1]: the namespace 'pid' is listed twice"},
        {"", "", "\"namespaces\":[{\"type\":\"pid\",\"path\":\"proc\"}]",
         "$.linux.namespaces[0].path: expected an absolute path"},
        {"", "",
         "\"namespaces\":[{\"type\":\"user\"}],"
         "\"uidMappings\":[{\"containerID\":0,\"hostID\":0,\"size\":1}]",
         "$.linux: uidMappings and gidMappings need each other"},
        {"", "", "\"uidMappings\":[{\"containerID\":0,\"hostID\":0,\"size\":1}]",
         "$.linux.uidMappings: needs a user namespace"},
        {"", "", "\"uidMappings\":[{\"containerID\":0,\"hostID\":0,\"size\":0}]",
         "$.linux.uidMappings[0].size: expected a number from 1"},
        {"", "", "\"uidMappings\":[{\"containerID\":1,\"hostID\":0,\"size\":4294967295}]",
         "$.linux.uidMappings[0]: the mapping goes beyond"},
        {"", "",
         "\"gidMappings\":[{\"containerID\":0,\"hostID\":0,\"size\":10},"
         "{\"containerID\":9,\"hostID\":90,\"size\":1}]",
         "gidMappings[1] overlaps gidMappings[0]"},
        {"", "", "\"devices\":[{\"path\":\"/dev/x\"}]", "$.linux.devices[0]: the key 'type'"},
        {"", "", "\"devices\":[{\"path\":\"dev/x\",\"type\":\"c\"}]", "$.linux.devices[0].path"},
        {"", "", "\"devices\":[{\"path\":\"/dev/x\",\"type\":\"z\"}]", "$.linux.devices[0].type"},
        {"", "", "\"devices\":[{\"path\":\"/dev/x\",\"type\":\"c\",\"major\":-1}]",
         "$.linux.devices[0].major"},
        {"", "", "\"sysctl\":{\"kernel.msgmax\":1}", "$.linux.sysctl[\"kernel.msgmax\"]"},
        {"", "", "\"sysctl\":{\"kernel.msgmax\":\"1\"}", "needs an ipc namespace"},
        {"", "", "\"sysctl\":{\"vm.swappiness\":\"1\"}", "belongs to no namespace"},
        {"", "", "\"sysctl\":{\"net/ipv4/ip_forward\":\"1\"}", "needs a network namespace"},
        {"", "", "\"sysctl\":{\"net..x\":\"1\"}", "is no name of a sysctl"},
        {"", "", "\"sysctl\":{\"kernel.hostname\":\"1\"}", "belongs into $.hostname"},
        {"", "", "\"maskedPaths\":[\"proc\"]", "$.linux.maskedPaths[0]: expected an absolute"},
        {"", "", "\"rootfsPropagation\":\"slave\"", "$.linux.rootfsPropagation: needs a mount"},
        {"", "", "\"rootfsPropagation\":\"public\"", "$.linux.rootfsPropagation: expected one of"},
        {"", "", "\"timeOffsets\":{\"realtime\":{\"secs\":1}}", "$.linux.timeOffsets"},
        {"", "", "\"timeOffsets\":{\"boottime\":{\"secs\":1}}", "needs a new time namespace"},
        {"", "", "\"timeOffsets\":{\"boottime\":{\"nanosecs\":1000000000}}",
         "$.linux.timeOffsets.boottime.nanosecs"},
        {"", "", "\"devices\":[{\"path\":\"/dev/x\",\"type\":\"c\",\"major\":1}]",
         "$.linux.devices[0]: a device of this type needs 'major' and 'minor'"},
        {"", "", "\"intelRdt\":{\"memBwSchema\":\"L3:0=1\"}",
         "$.linux.intelRdt: memBwSchema: expected 'MB:...'"},
        {"", "", "\"intelRdt\":{\"memBwSchema\":\"MB:0=1\\nL3:0=1\"}",
         "memBwSchema: expected one line"},
        {"", "", "\"intelRdt\":{\"schemata\":[\"MB:0=1\\nL3:0=1\"]}",
         "schemata: expected one line"},
        {"", "", "\"sysctl\":{\"\":\"1\"}", "$.linux.sysctl: an empty key"},
        {"", "", "\"personality\":{\"domain\":\"LINUX\",\"flags\":[\"X\"]}",
         "$.linux.personality.flags"},
        {"", "", "\"personality\":{\"domain\":\"BSD\"}", "$.linux.personality.domain"},
        {"", "", "\"intelRdt\":{\"closID\":\"..\"}", "$.linux.intelRdt: the closID '..'"},
        {"", "", "\"memoryPolicy\":{\"mode\":\"MPOL_X\"}", "$.linux.memoryPolicy.mode"},
        {"", "", "\"netDevices\":{\"a/b\":{}}", "no name of a network device"},
        {"", "", "\"netDevices\":{\"eth0\":{}}", "$.linux.netDevices: needs a network namespace"},
    };

    (void)state;
    expect_wrong(rows, ARRAY_N(rows));
}

static void wrong_resources_are_refused(void **state)
{
    static const struct wrong rows[] = {
        {"", "", "\"resources\":{\"memory\":{\"limit\":\"1\"}}", "$.linux.resources.memory.limit"},
        {"", "", "\"resources\":{\"memory\":{\"limit\":-2}}", "$.linux.resources.memory.limit"},
        {"", "", "\"resources\":{\"memory\":{\"limit\":5,\"swap\":4}}", "is below limit"},
        {"", "", "\"resources\":{\"memory\":{\"swappiness\":201}}", "swappiness goes from"},
        {"", "", "\"resources\":{\"cpu\":{\"shares\":-1}}", "$.linux.resources.cpu.shares"},
        {"", "", "\"resources\":{\"cpu\":{\"cpus\":\"3-1\"}}", "$.linux.resources.cpu.cpus"},
        {"", "", "\"resources\":{\"cpu\":{\"idle\":2}}", "$.linux.resources.cpu.idle"},
        {"", "", "\"resources\":{\"pids\":{\"limit\":true}}", "$.linux.resources.pids.limit"},
        {"", "", "\"resources\":{\"pids\":[]}", "$.linux.resources.pids: expected an object"},
        {"", "", "\"resources\":{\"devices\":[{\"allow\":true,\"access\":\"rx\"}]}",
         "$.linux.resources.devices[0].access"},
        {"", "", "\"resources\":{\"devices\":[{\"allow\":true,\"type\":\"p\"}]}",
         "$.linux.resources.devices[0].type"},
        {"", "", "\"resources\":{\"devices\":[{\"allow\":true,\"major\":-2}]}",
         "$.linux.resources.devices[0].major"},
        {"", "", "\"resources\":{\"blockIO\":{\"weight\":1001}}",
         "$.linux.resources.blockIO.weight"},
        {"", "", "\"resources\":{\"blockIO\":{\"throttleReadBpsDevice\":[{\"major\":8}]}}",
         "$.linux.resources.blockIO.throttleReadBpsDevice[0]: the key 'minor'"},
        {"", "", "\"resources\":{\"hugepageLimits\":[{\"pageSize\":\"../x\",\"limit\":1}]}",
         "$.linux.resources.hugepageLimits[0]: expected a page size"},
        {"", "", "\"resources\":{\"network\":{\"classID\":-1}}",
         "$.linux.resources.network.classID"},
        {"", "", "\"resources\":{\"rdma\":{\"mlx5_1\":{}}}",
         "expected 'hcaHandles' or 'hcaObjects'"},
        {"", "", "\"resources\":{\"blockIO\":{\"weightDevice\":[{\"major\":8,\"minor\":0}]}}",
         "$.linux.resources.blockIO.weightDevice[0]: expected 'weight' or 'leafWeight'"},
        {"", "", "\"resources\":{\"rdma\":{\"a/b\":{}}}", "no name of a device"},
        {"", "", "\"resources\":{\"unified\":{\"../x\":\"1\"}}", "'../x' is no name of a file"},
        {"", "", "\"resources\":[]", "$.linux.resources: expected an object"},
    };

    (void)state;
    expect_wrong(rows, ARRAY_N(rows));
}

static void a_wrong_seccomp_section_is_refused(void **state)
{
#define RULE(r) "\"seccomp\":{\"defaultAction\":\"SCMP_ACT_ALLOW\",\"syscalls\":[" r "]}"
    static const struct wrong rows[] = {
        {"", "", "\"seccomp\":{}", "$.linux.seccomp: the key 'defaultAction' is missing"},
        {"", "", "\"seccomp\":{\"defaultAction\":\"ALLOW\"}", "$.linux.seccomp.defaultAction"},
        {"", "", "\"seccomp\":{\"defaultAction\":\"SCMP_ACT_NOTIFY\"}", "cannot be the default"},
        {"", "", "\"seccomp\":{\"defaultAction\":\"SCMP_ACT_ALLOW\",\"defaultErrnoRet\":1}",
         "SCMP_ACT_ALLOW takes no errno"},
        {"", "", "\"seccomp\":{\"defaultAction\":\"SCMP_ACT_ALLOW\",\"architectures\":[\"VAX\"]}",
         "$.linux.seccomp.architectures[0]"},
        {"", "", "\"seccomp\":{\"defaultAction\":\"SCMP_ACT_ALLOW\",\"flags\":[\"X\"]}",
         "$.linux.seccomp.flags[0]"},
        {"", "", RULE("{\"action\":\"SCMP_ACT_ERRNO\"}"), "the key 'names' is missing"},
        {"", "", RULE("{\"names\":[],\"action\":\"SCMP_ACT_ERRNO\"}"),
         "$.linux.seccomp.syscalls[0].names: expected at least one"},
        {"", "", RULE("{\"names\":[\"a\"]}"), "the key 'action' is missing"},
        {"", "", RULE("{\"names\":[\"a\"],\"action\":\"SCMP_ACT_NOTIFY\"}"),
         "needs a listenerPath"},
        {"", "", RULE("{\"names\":[\"a\"],\"action\":\"SCMP_ACT_ERRNO\",\"errnoRet\":4096}"),
         "$.linux.seccomp.syscalls[0].errnoRet"},
        {"", "",
         RULE("{\"names\":[\"a\"],\"action\":\"SCMP_ACT_ERRNO\",\"args\":[{\"index\":6,\"value\":"
              "1,\"op\":\"SCMP_CMP_EQ\"}]}"),
         "$.linux.seccomp.syscalls[0].args[0].index"},
        {"", "",
         RULE("{\"names\":[\"a\"],\"action\":\"SCMP_ACT_ERRNO\",\"args\":[{\"index\":0,\"value\":"
              "1,\"op\":\"EQ\"}]}"),
         "$.linux.seccomp.syscalls[0].args[0].op"},
    };

    (void)state;
    expect_wrong(rows, ARRAY_N(rows));
}

/* --- what is right
 * ------------------------------------------------------------------------------------ */

static const char everything[] =
    "{\"ociVersion\":\"1.3.0\",\"process\":{\"terminal\":true,\"consoleSize\":{\"height\":24,"
    "\"width\":80},\"user\":{\"uid\":1,\"gid\":2,\"umask\":18,\"additionalGids\":[3,4]},"
    "\"args\":[\"a\",\"\"],\"env\":[\"A=1\",\"B=\\u00e4\\n\"],\"cwd\":\"/w\",\"capabilities\":{"
    "\"bounding\":[\"CAP_CHOWN\",\"CAP_BPF\"],\"effective\":[\"CAP_CHOWN\"],\"inheritable\":"
    "[\"CAP_KILL\"],\"permitted\":[\"CAP_CHOWN\"],\"ambient\":[\"CAP_KILL\"]},\"rlimits\":[{"
    "\"type\":\"RLIMIT_NOFILE\",\"hard\":18446744073709551615,\"soft\":1024}],"
    "\"noNewPrivileges\":true,\"oomScoreAdj\":-5,\"apparmorProfile\":\"p\",\"selinuxLabel\":\"s\","
    "\"scheduler\":{\"policy\":\"SCHED_FIFO\",\"priority\":5,\"flags\":[\"SCHED_FLAG_RESET_ON_FORK\""
    "]},\"ioPriority\":{\"class\":\"IOPRIO_CLASS_BE\",\"priority\":0},\"execCPUAffinity\":{"
    "\"initial\":\"0\",\"final\":\"0-1\"}},\"root\":{\"path\":\"r\",\"readonly\":true},"
    "\"hostname\":\"h\",\"domainname\":\"d\",\"mounts\":[{\"destination\":\"/a\",\"type\":\"tmpfs\","
    "\"source\":\"t\",\"options\":[\"nosuid\",\"ro\",\"rw\",\"mode=755\",\"size=1k\",\"rslave\","
    "\"tmpcopyup\"]},{\"destination\":\"/b\",\"type\":\"none\",\"source\":\"/x\",\"options\":["
    "\"rbind\",\"rro\",\"ridmap\"],\"uidMappings\":[{\"containerID\":0,\"hostID\":5,\"size\":1}],"
    "\"gidMappings\":[{\"containerID\":0,\"hostID\":5,\"size\":1}]}],\"hooks\":{\"prestart\":[{"
    "\"path\":\"/h\",\"args\":[\"h\",\"x\"],\"env\":[\"E=1\"],\"timeout\":7}],\"poststop\":[{"
    "\"path\":\"/i\"}]},\"annotations\":{\"k\":\"v\",\"e\":\"\"},\"linux\":{\"uidMappings\":[{"
    "\"containerID\":0,\"hostID\":100,\"size\":10}],\"gidMappings\":[{\"containerID\":0,\"hostID\":"
    "100,\"size\":10}],\"sysctl\":{\"net.ipv4.ip_forward\":\"1\"},\"resources\":{\"devices\":[{"
    "\"allow\":false,\"access\":\"rwm\"},{\"allow\":true,\"type\":\"c\",\"major\":1,\"minor\":3,"
    "\"access\":\"rw\"},{\"allow\":true,\"type\":\"b\",\"major\":0,\"access\":\"m\"}],\"memory\":{"
    "\"limit\":1048576,\"swap\":-1,\"swappiness\":0,\"disableOOMKiller\":false},\"cpu\":{\"shares\":"
    "2,\"quota\":-1,\"period\":100000,\"cpus\":\"0-1\",\"idle\":1},\"pids\":{\"limit\":9},"
    "\"blockIO\":{\"weight\":10,\"weightDevice\":[{\"major\":8,\"minor\":0,\"weight\":20}],"
    "\"throttleWriteIOPSDevice\":[{\"major\":8,\"minor\":0,\"rate\":18446744073709551614}]},"
    "\"hugepageLimits\":[{\"pageSize\":\"2MB\",\"limit\":0}],\"network\":{\"classID\":4294967295,"
    "\"priorities\":[{\"name\":\"lo\",\"priority\":1}]},\"rdma\":{\"mlx5_1\":{\"hcaHandles\":3}},"
    "\"unified\":{\"memory.high\":\"1\"}},\"cgroupsPath\":\"/c\",\"namespaces\":[{\"type\":\"user\"},"
    "{\"type\":\"pid\"},{\"type\":\"mount\"},{\"type\":\"network\",\"path\":\"/n\"},{\"type\":\"uts\"}"
    ",{\"type\":\"time\"}],\"devices\":[{\"path\":\"/dev/x\",\"type\":\"b\",\"major\":8,\"minor\":0,"
    "\"fileMode\":25008,\"uid\":0,\"gid\":6}],\"netDevices\":{\"e0\":{\"name\":\"e1\"},\"e2\":{}},"
    "\"seccomp\":{\"defaultAction\":\"SCMP_ACT_ERRNO\",\"defaultErrnoRet\":38,\"architectures\":["
    "\"SCMP_ARCH_X86_64\"],\"flags\":[],\"listenerPath\":\"/l\",\"listenerMetadata\":\"m\","
    "\"syscalls\":[{\"names\":[\"read\",\"nosuch\"],\"action\":\"SCMP_ACT_ALLOW\"},{\"names\":["
    "\"clone\"],\"action\":\"SCMP_ACT_TRACE\",\"errnoRet\":7,\"args\":[{\"index\":0,\"value\":"
    "18446744073709551615,\"valueTwo\":5,\"op\":\"SCMP_CMP_MASKED_EQ\"}]}]},"
    "\"rootfsPropagation\":\"rslave\",\"maskedPaths\":[\"/proc/kcore\"],\"readonlyPaths\":["
    "\"/proc/sys\"],\"mountLabel\":\"l\",\"intelRdt\":{\"closID\":\"g\",\"schemata\":[\"L3:0=f\"],"
    "\"enableMonitoring\":true},\"memoryPolicy\":{\"mode\":\"MPOL_BIND\",\"nodes\":\"0\",\"flags\":["
    "\"MPOL_F_STATIC_NODES\"]},\"personality\":{\"domain\":\"LINUX32\"},\"timeOffsets\":{"
    "\"monotonic\":{\"secs\":-5},\"boottime\":{\"secs\":1,\"nanosecs\":2}}}}";

static struct oci_config *load_ok(struct arena *a, struct str text)
{
    struct oci_config *c = NULL;
    struct err err = {0};

    if (oci_load_str(a, text, "config.json", &c, &err) < 0)
        print_error("%s\n", err.text);
    assert_non_null(c);
    return c;
}

static void everything_loads_dumps_and_loads_the_same(void **state)
{
    struct arena *a = arena_new(OCI_ARENA_MAX);
    own_buf struct buf first = BUF_INIT(TEXT_MAX), second = BUF_INIT(TEXT_MAX);

    (void)state;
    oci_dump(load_ok(a, str_of(everything)), &first);
    oci_dump(load_ok(a, buf_str(&first)), &second);
    assert_false(first.failed);
    assert_string_equal(buf_c(&first), buf_c(&second));
    /* nothing got lost: every key of the input is in the output */
    for (const char *p = everything; (p = strchr(p, '"')) != NULL;) {
        const char *end = strchr(p + 1, '"');
        char key[128];

        (void)snprintf(key, sizeof key, "%.*s", (int)(end + 1 - p), p);
        if (end[1] == ':' && strstr(buf_c(&first), key) == NULL)
            fail_msg("%s is lost", key);
        p = end + 1;
    }
    arena_free(a);
}

static void numbers_of_64_bits_survive(void **state)
{
    struct arena *a = arena_new(OCI_ARENA_MAX);
    struct oci_config *c = load_ok(a, str_of(everything));

    (void)state;
    assert_true(c->process.rlimits[0].hard == UINT64_MAX);
    assert_true(c->linux_.seccomp.rules[1].args[0].value == UINT64_MAX);
    assert_true(c->linux_.resources.blkio.throttle[OCI_THROTTLE_WRITE_IOPS].v[0].rate ==
                UINT64_MAX - 1);
    arena_free(a);
}

static void members_arrive_where_they_belong(void **state)
{
    struct arena *a = arena_new(OCI_ARENA_MAX);
    struct oci_config *c = load_ok(a, str_of(everything));
    const struct oci_resources *r = &c->linux_.resources;

    (void)state;
    assert_int_equal(c->process.console_rows, 24);
    assert_int_equal(c->process.user.umask.v, 022);
    assert_int_equal(c->process.user.gids[1], 4);
    assert_string_equal(c->process.args.v[1], "");
    assert_null(c->process.args.v[2]);
    assert_true(c->process.caps.mask[OCI_CAP_BOUNDING] == (1ULL | 1ULL << 39));
    assert_true(c->process.caps.mask[OCI_CAP_AMBIENT] == 1ULL << 5);
    assert_int_equal(c->process.oom_score_adj.v, -5);
    assert_int_equal(c->hooks[OCI_HOOK_PRESTART].v[0].timeout_s, 7);
    assert_null(c->hooks[OCI_HOOK_POSTSTOP].v[0].args.v);
    assert_int_equal(c->linux_.ns[OCI_NS_NETWORK].mode, OCI_NS_JOIN);
    assert_int_equal(c->linux_.ns[OCI_NS_IPC].mode, OCI_NS_HOST);
    assert_int_equal(c->linux_.ns[OCI_NS_PID].mode, OCI_NS_NEW);
    assert_int_equal(c->linux_.devices[0].mode.v, 0660);
    assert_int_equal(r->devices[0].type, 'a');
    assert_int_equal(r->devices[0].major, -1);
    assert_int_equal(r->devices[2].major, 0);
    assert_int_equal(r->devices[2].minor, -1);
    assert_int_equal(r->devices[2].access, OCI_DEV_MKNOD);
    assert_int_equal(r->memory.swap.v, -1);
    assert_true(r->memory.disable_oom_killer.set);
    assert_false(r->memory.kernel.set);
    assert_int_equal(c->linux_.seccomp.default_data, 38);
    assert_int_equal(c->linux_.seccomp.rules[1].data, 7);
    assert_true(c->linux_.seccomp.flags_given);
    assert_int_equal(c->linux_.monotonic.secs, -5);
    arena_free(a);
}

static void unknown_keys_and_nulls_are_no_errors(void **state)
{
    static const struct {
        const char *top, *process, *lin;
    } rows[] = {
        {"\"x-vendor\":{\"a\":[1]}", "\"x\":1", "\"y\":{}"},
        {"\"windows\":{\"layerFolders\":1},\"vm\":[],\"solaris\":1,\"zos\":2,\"freebsd\":3", "",
         ""},
        {"\"hostname\":null,\"mounts\":null,\"hooks\":null", "\"env\":null,\"capabilities\":null",
         "\"seccomp\":null,\"resources\":null,\"namespaces\":null"},
        {"\"hostname\":\"\"", "\"apparmorProfile\":\"\",\"selinuxLabel\":\"\"",
         "\"cgroupsPath\":\"\",\"rootfsPropagation\":null"},
        {"", "\"capabilities\":{\"bounding\":[\"CAP_FUTURE\",\"cap_kill\"]}", ""},
    };

    (void)state;
    for (size_t i = 0; i < ARRAY_N(rows); i++) {
        struct arena *a = arena_new(OCI_ARENA_MAX);
        struct oci_config *c = NULL;
        struct err err = {0};

        if (load(a, rows[i].top, rows[i].process, rows[i].lin, &c, &err) < 0 ||
            oci_check(c, &err) < 0)
            fail_msg("row %zu: %s", i, err.text);
        arena_free(a);
    }
}

static void an_unknown_capability_is_a_warning(void **state)
{
    struct arena *a = arena_new(OCI_ARENA_MAX);
    struct oci_config *c = NULL;
    struct err err;

    (void)state;
    assert_int_equal(load(a, "",
                          "\"capabilities\":{\"bounding\":[\"CAP_FUTURE\",\"CAP_KILL\"],"
                          "\"effective\":[\"CAP_FUTURE\"]}",
                          "", &c, &err),
                     0);
    assert_int_equal(c->process.caps.unknown.n, 1);
    assert_int_equal(c->warnings.n, 1);
    assert_non_null(strstr(c->warnings.v[0], "CAP_FUTURE"));
    assert_true(c->process.caps.mask[OCI_CAP_BOUNDING] == 1ULL << 5);
    arena_free(a);
}

static void any_version_one_is_accepted(void **state)
{
    static const char *const versions[] = {"1.0.0", "1.0.2-dev", "1.2.1", "1.3.0", "1.99.0+dev"};

    (void)state;
    for (size_t i = 0; i < ARRAY_N(versions); i++) {
        struct arena *a = arena_new(OCI_ARENA_MAX);
        own_buf struct buf text = BUF_INIT(4096);

        buf_printf(&text, "{\"ociVersion\":\"%s\",\"root\":{\"path\":\"r\"}}", versions[i]);
        assert_string_equal(load_ok(a, buf_str(&text))->version, versions[i]);
        arena_free(a);
    }
}

static void defaults_pass_their_own_checks(void **state)
{
    (void)state;
    for (int i = 0; i < 2; i++) {
        struct arena *a = arena_new(OCI_ARENA_MAX);
        struct oci_config *c = oci_default(a, i == 0 ? OCI_DEFAULT : OCI_ROOTLESS, 1000, 1001);
        own_buf struct buf text = BUF_INIT(TEXT_MAX);
        struct err err = {0};

        if (oci_check(c, &err) < 0)
            fail_msg("%s", err.text);
        oci_dump(c, &text);
        assert_int_equal(load_ok(a, buf_str(&text))->mounts_n, 7);
        if (i == 1)
            assert_int_equal(c->linux_.gid_maps.v[0].host_id, 1001);
        arena_free(a);
    }
}

/* --- size
 * ---------------------------------------------------------------------------------------------- */

static void too_many_mappings_are_refused(void **state)
{
    struct arena *a = arena_new(OCI_ARENA_MAX);
    own_buf struct buf text = BUF_INIT(TEXT_MAX);
    struct oci_config *c = NULL;
    struct err err = {0};

    (void)state;
    buf_append_c(&text, "{\"ociVersion\":\"1.0.0\",\"root\":{\"path\":\"r\"},\"linux\":{"
                        "\"uidMappings\":[");
    for (int i = 0; i < 100000; i++)
        buf_printf(&text, "%s{\"hostID\":%d}", i == 0 ? "" : ",", i);
    buf_append_c(&text, "]}}");
    assert_int_equal(oci_load_str(a, buf_str(&text), "config.json", &c, &err), -1);
    assert_non_null(strstr(err.text, "$.linux.uidMappings: expected at most 340 elements"));
    arena_free(a);
}

static void too_much_text_is_refused_unparsed(void **state)
{
    struct arena *a = arena_new(OCI_ARENA_MAX);
    own_buf struct buf text = BUF_INIT(TEXT_MAX);
    struct oci_config *c = NULL;
    struct err err = {0};

    (void)state;
    while (text.n <= OCI_TEXT_MAX)
        buf_append_c(&text, "                                                                ");
    assert_int_equal(oci_load_str(a, buf_str(&text), "config.json", &c, &err), -1);
    assert_non_null(strstr(err.text, "config.json"));
    arena_free(a);
}

static void deep_nesting_is_refused(void **state)
{
    struct arena *a = arena_new(OCI_ARENA_MAX);
    own_buf struct buf text = BUF_INIT(TEXT_MAX);
    struct oci_config *c = NULL;
    struct err err = {0};

    (void)state;
    for (int i = 0; i < 100000; i++)
        buf_append_char(&text, '[');
    assert_int_equal(oci_load_str(a, buf_str(&text), "config.json", &c, &err), -1);
    arena_free(a);
}

/* --- parts
 * --------------------------------------------------------------------------------------------- */

static void resources_load_alone(void **state)
{
    struct arena *a = arena_new(OCI_ARENA_MAX);
    struct oci_resources r;
    struct err err = {0};

    (void)state;
    assert_int_equal(
        oci_load_resources(a, STR("{\"memory\":{\"limit\":5},\"cpu\":{\"cpus\":\"\"}}"), &r, &err),
        0);
    assert_int_equal(r.memory.limit.v, 5);
    assert_null(r.cpu.cpus);
    assert_int_equal(oci_load_resources(a, STR("{\"memory\":5}"), &r, &err), -1);
    assert_string_equal(err.text, "$.memory: expected an object, found a number");
    arena_free(a);
}

static void zero_limits_are_no_limits(void **state)
{
    struct arena *a = arena_new(OCI_ARENA_MAX);
    struct oci_resources r;
    struct err err = {0};

    (void)state;
    assert_int_equal(
        oci_load_resources(a,
                           STR("{\"memory\":{\"limit\":0,\"swap\":0},\"cpu\":{\"shares\":0,"
                               "\"quota\":0,\"period\":0,\"idle\":0},\"blockIO\":{"
                               "\"weight\":0}}"),
                           &r, &err),
        0);
    assert_false(r.memory.limit.set || r.memory.swap.set || r.cpu.shares.set || r.cpu.quota.set);
    assert_false(r.cpu.period.set || r.blkio.weight.set);
    assert_true(r.cpu.idle.set);
    arena_free(a);
}

static void capability_names_go_both_ways(void **state)
{
    (void)state;
    for (int cap = 0; oci_cap_name(cap) != NULL; cap++) {
        assert_int_equal(oci_cap_parse(str_of(oci_cap_name(cap))), cap);
        assert_int_equal(oci_cap_parse(str_of(oci_cap_name(cap) + 4)), cap);
    }
    assert_int_equal(oci_cap_parse(STR("sys_admin")), 21);
    assert_int_equal(oci_cap_parse(STR("CAP_")), -1);
    assert_int_equal(oci_cap_parse(STR("")), -1);
    assert_null(oci_cap_name(-1));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_wrong_document_is_refused),
        cmocka_unit_test(a_wrong_process_is_refused),
        cmocka_unit_test(a_relative_cwd_and_missing_args_are_refused),
        cmocka_unit_test(a_wrong_mount_or_hook_is_refused),
        cmocka_unit_test(a_wrong_linux_section_is_refused),
        cmocka_unit_test(wrong_resources_are_refused),
        cmocka_unit_test(a_wrong_seccomp_section_is_refused),
        cmocka_unit_test(everything_loads_dumps_and_loads_the_same),
        cmocka_unit_test(numbers_of_64_bits_survive),
        cmocka_unit_test(members_arrive_where_they_belong),
        cmocka_unit_test(unknown_keys_and_nulls_are_no_errors),
        cmocka_unit_test(an_unknown_capability_is_a_warning),
        cmocka_unit_test(any_version_one_is_accepted),
        cmocka_unit_test(defaults_pass_their_own_checks),
        cmocka_unit_test(too_many_mappings_are_refused),
        cmocka_unit_test(too_much_text_is_refused_unparsed),
        cmocka_unit_test(deep_nesting_is_refused),
        cmocka_unit_test(resources_load_alone),
        cmocka_unit_test(zero_limits_are_no_limits),
        cmocka_unit_test(capability_names_go_both_ways),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
