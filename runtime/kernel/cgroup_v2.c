/* SPDX-License-Identifier: Apache-2.0 */
#include "runtime/kernel/cgroup_v2.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "runtime/base/arena.h"
#include "runtime/base/buf.h"
#include "runtime/base/err.h"
#include "runtime/base/file.h"
#include "runtime/base/mem.h"
#include "runtime/base/own.h"
#include "runtime/kernel/cgroup_devices.h"
#include "runtime/kernel/cgroup_hier.h"
#include "runtime/kernel/sys.h"

#define LIST_MAX 4096

/* "cpu memory pids" to "+cpu +memory +pids" that the directory does not pass down yet. */
static void wanted(struct str available, struct str passed, struct buf *out)
{
    struct str name = STR_NONE;

    while (str_next(&available, ' ', &name)) {
        struct str rest = passed, have = STR_NONE;
        bool found = false;

        while (!found && str_next(&rest, ' ', &have))
            found = str_eq(have, name);
        if (!found && name.n > 0)
            buf_printf(out, "%s+%.*s", out->n > 0 ? " " : "", STR_ARG(name));
    }
}

static void pass_one_by_one(int dir_fd, struct str all)
{
    struct str name = STR_NONE;
    struct err ignored;

    while (str_next(&all, ' ', &name))
        if (file_poke(dir_fd, "cgroup.subtree_control", name, &ignored) < 0)
            continue;
}

static int pass_down(const char *path, struct err *err)
{
    own_buf struct buf available = BUF_INIT(LIST_MAX), passed = BUF_INIT(LIST_MAX),
                       text = BUF_INIT(LIST_MAX);
    own_fd int dir_fd = open(path, O_PATH | O_DIRECTORY | O_CLOEXEC);

    if (dir_fd < 0)
        return err_set(err, errno, "open cgroup '%s'", path);
    if (file_read(dir_fd, "cgroup.controllers", &available, err) < 0 ||
        file_read(dir_fd, "cgroup.subtree_control", &passed, err) < 0)
        return err_wrap(err, "cgroup '%s'", path);
    wanted(str_trim(buf_str(&available)), str_trim(buf_str(&passed)), &text);
    if (text.n == 0)
        return 0;
    /* One that refuses must not keep the others from their children. But a group that holds
     * processes (EBUSY) must not be made to pass down a few: it would become the root of a threaded
     * subtree, which nothing but threads of those processes can enter. */
    if (file_poke(dir_fd, "cgroup.subtree_control", buf_str(&text), err) < 0 && err->code != EBUSY)
        pass_one_by_one(dir_fd, buf_str(&text));
    err_reset(err);
    return 0;
}

int cgroup_v2_level(const char *path, size_t base, bool leaf, struct err *err)
{
    char parent[PATH_MAX];
    const char *slash = strrchr(path, '/');
    size_t n = slash == NULL ? 0 : (size_t)(slash - path);

    if (n == base && n < sizeof parent) {
        memcpy(parent, path, n);
        parent[n] = '\0';
        if (pass_down(parent, err) < 0)
            return -1;
    }
    return leaf ? 0 : pass_down(path, err);
}

bool cgroup_v2_is_inner(const struct cgroup_hier *h)
{
    own_buf struct buf text = BUF_INIT(LIST_MAX);
    struct err ignored;

    return cgroup_read(h, "cgroup.subtree_control", &text, &ignored) == 0 &&
           str_trim(buf_str(&text)).n > 0;
}

struct str cgroup_v2_line(struct str text)
{
    struct str line = STR_NONE;

    while (str_next(&text, '\n', &line))
        if (str_starts(line, STR("0::")))
            return str_skip(line, 3);
    return STR_NONE;
}

int cgroup_v2_follow(struct arena *a, struct cgroup_hier *h, pid_t pid, struct err *err)
{
    own_buf struct buf text = BUF_INIT(LIST_MAX * 16);
    struct str own = str_of(h->path);
    struct str path;
    char file[64];

    (void)snprintf(file, sizeof file, "/proc/%d/cgroup", pid);
    if (file_read(AT_FDCWD, file, &text, err) < 0)
        return -1;
    path = cgroup_v2_line(buf_str(&text));
    if (!str_starts(path, own) || path.n <= own.n || path.p[own.n] != '/')
        return 0;
    h->path = arena_copy(a, path);
    return h->path == NULL ? err_set(err, ENOMEM, "a cgroup") : 0;
}

/* --- the device program ------------------------------------------------------------------------
 *
 * The context holds the access and type (one word), major and minor. Each rule is a row of tests
 * that jump to the next rule; a rule whose tests all hold ends the program. */

struct program {
    struct bpf_insn *v;
    size_t n;
    size_t max;
    bool full;
};

static void emit(struct program *p, int code, int dst, int src, int off, int imm)
{
    if (p->n >= p->max) {
        p->full = true;
        return;
    }
    p->v[p->n++] = (struct bpf_insn){.code = (unsigned char)code,
                                     .dst_reg = (unsigned char)(dst & 0xf),
                                     .src_reg = (unsigned char)(src & 0xf),
                                     .off = (short)off,
                                     .imm = imm};
}

static void emit_return(struct program *p, bool allow)
{
    emit(p, BPF_ALU64 | BPF_MOV | BPF_K, BPF_REG_0, 0, 0, allow);
    emit(p, BPF_JMP | BPF_EXIT, 0, 0, 0, 0);
}

static void emit_head(struct program *p)
{
    emit(p, BPF_LDX | BPF_MEM | BPF_W, BPF_REG_2, BPF_REG_1, 0, 0);
    emit(p, BPF_ALU | BPF_AND | BPF_K, BPF_REG_2, 0, 0, 0xffff);
    emit(p, BPF_LDX | BPF_MEM | BPF_W, BPF_REG_3, BPF_REG_1, 0, 0);
    emit(p, BPF_ALU | BPF_RSH | BPF_K, BPF_REG_3, 0, 0, 16);
    emit(p, BPF_LDX | BPF_MEM | BPF_W, BPF_REG_4, BPF_REG_1, 4, 0);
    emit(p, BPF_LDX | BPF_MEM | BPF_W, BPF_REG_5, BPF_REG_1, 8, 0);
}

static int kernel_access(unsigned access)
{
    return ((access & CGROUP_DEVICE_READ) != 0 ? BPF_DEVCG_ACC_READ : 0) |
           ((access & CGROUP_DEVICE_WRITE) != 0 ? BPF_DEVCG_ACC_WRITE : 0) |
           ((access & CGROUP_DEVICE_MKNOD) != 0 ? BPF_DEVCG_ACC_MKNOD : 0);
}

/* A rule that permits must cover all that is asked; one that forbids, any of it. */
static void emit_access(struct program *p, const struct cgroup_device *d, bool permits)
{
    int bits = kernel_access(d->access);

    if (d->access == CGROUP_DEVICE_ALL)
        return;
    emit(p, BPF_ALU | BPF_MOV | BPF_X, BPF_REG_0, BPF_REG_3, 0, 0);
    emit(p, BPF_ALU | BPF_AND | BPF_K, BPF_REG_0, 0, 0, permits ? ~bits : bits);
    emit(p, BPF_JMP | (permits ? BPF_JNE : BPF_JEQ) | BPF_K, BPF_REG_0, 0, 0, 0);
}

static void emit_rule(struct program *p, const struct cgroup_device *d, bool permits)
{
    size_t from = p->n;

    if (d->type != 'a')
        emit(p, BPF_JMP | BPF_JNE | BPF_K, BPF_REG_2, 0, 0,
             d->type == 'b' ? BPF_DEVCG_DEV_BLOCK : BPF_DEVCG_DEV_CHAR);
    emit_access(p, d, permits);
    if (d->major >= 0)
        emit(p, BPF_JMP | BPF_JNE | BPF_K, BPF_REG_4, 0, 0, (int)d->major);
    if (d->minor >= 0)
        emit(p, BPF_JMP | BPF_JNE | BPF_K, BPF_REG_5, 0, 0, (int)d->minor);
    emit_return(p, permits);
    for (size_t i = from; i < p->n; i++)
        if (BPF_CLASS(p->v[i].code) == BPF_JMP && BPF_OP(p->v[i].code) != BPF_EXIT)
            p->v[i].off = (short)(p->n - i - 1);
}

int cgroup_v2_program(const struct cgroup_devices *d, struct bpf_insn *out, size_t max)
{
    struct program p = {.v = out, .max = max};

    emit_head(&p);
    for (size_t i = 0; i < d->n; i++)
        emit_rule(&p, &d->v[i], !d->allow);
    emit_return(&p, d->allow);
    return p.full ? -1 : (int)p.n;
}

static int load(const struct bpf_insn *code, int n, struct err *err)
{
    union bpf_attr attr = {.prog_type = BPF_PROG_TYPE_CGROUP_DEVICE,
                           .insn_cnt = (unsigned)n,
                           .insns = (uintptr_t)code,
                           .license = (uintptr_t) "Apache-2.0"};
    int fd = sys_bpf(BPF_PROG_LOAD, &attr, sizeof attr);

    return fd >= 0 ? fd : err_set(err, errno, "load the program for devices");
}

#define OLD_MAX 64 /* programs that a group can have: BPF_CGROUP_MAX_PROGS */

/* The programs of the group itself; without the right to ask there are none of ours. */
static unsigned list_programs(int dir_fd, unsigned ids[OLD_MAX])
{
    union bpf_attr attr = {.query = {.target_fd = (unsigned)dir_fd,
                                     .attach_type = BPF_CGROUP_DEVICE,
                                     .prog_ids = (uintptr_t)ids,
                                     .prog_cnt = OLD_MAX}};

    return sys_bpf(BPF_PROG_QUERY, &attr, sizeof attr) < 0 ? 0 : attr.query.prog_cnt;
}

/* All programs of a group must agree, so those of before an update would forbid what it allows. */
static int detach_old(int dir_fd, const unsigned *ids, unsigned n, struct err *err)
{
    for (unsigned i = 0; i < n; i++) {
        union bpf_attr by_id = {.prog_id = ids[i]};
        own_fd int old_fd = sys_bpf(BPF_PROG_GET_FD_BY_ID, &by_id, sizeof by_id);
        union bpf_attr attr = {.target_fd = (unsigned)dir_fd,
                               .attach_bpf_fd = (unsigned)old_fd,
                               .attach_type = BPF_CGROUP_DEVICE};

        if (old_fd < 0 || sys_bpf(BPF_PROG_DETACH, &attr, sizeof attr) < 0)
            return err_set(err, errno, "detach the former program for devices");
    }
    return 0;
}

static int open_group(const struct cgroup_hier *h, char path[PATH_MAX], struct err *err)
{
    int fd = -1;

    if (cgroup_hier_path(h, "", path, err) < 0)
        return -1;
    fd = open(path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    return fd >= 0 ? fd : err_set(err, errno, "open cgroup '%s'", path);
}

/* Most programs are short, and memory costs when it is touched. */
static size_t room_for(const struct cgroup_devices *d)
{
    size_t n = CGROUP_V2_INSNS(d->n);

    return n < CGROUP_V2_INSNS_MAX ? n : CGROUP_V2_INSNS_MAX;
}

int cgroup_v2_devices(const struct cgroup_hier *h, const struct cgroup_devices *d, struct err *err)
{
    size_t max = room_for(d);
    own_free struct bpf_insn *code = mem_array(max, sizeof *code);
    int n = cgroup_v2_program(d, code, max);
    char path[PATH_MAX];
    union bpf_attr attr = {.attach_type = BPF_CGROUP_DEVICE, .attach_flags = BPF_F_ALLOW_MULTI};
    own_fd int prog_fd = n < 0 ? err_set(err, E2BIG, "too many device rules") : load(code, n, err);
    own_fd int dir_fd = -1;
    unsigned old[OLD_MAX], old_n = 0;

    if (prog_fd < 0)
        return -1;
    dir_fd = open_group(h, path, err);
    if (dir_fd < 0)
        return -1;
    old_n = list_programs(dir_fd, old);
    attr.target_fd = (unsigned)dir_fd;
    attr.attach_bpf_fd = (unsigned)prog_fd;
    if (sys_bpf(BPF_PROG_ATTACH, &attr, sizeof attr) < 0)
        return err_set(err, errno, "attach the program for devices to cgroup '%s'", path);
    return detach_old(dir_fd, old, old_n, err);
}

/* --- ownership -------------------------------------------------------------------------------- */

#define DELEGATE "/sys/kernel/cgroup/delegate"

/* A file that this kernel or this group does not have is none that could be given. */
static int give_one(int dir_fd, struct str name, uid_t uid, struct err *err)
{
    char file[NAME_MAX + 1];

    if (name.n == 0 || name.n > NAME_MAX || str_find(name, '/') >= 0)
        return 0;
    memcpy(file, name.p, name.n);
    file[name.n] = '\0';
    if (fchownat(dir_fd, file, uid, (gid_t)-1, AT_SYMLINK_NOFOLLOW) == 0 || errno == ENOENT)
        return 0;
    return err_set(err, errno, "give '%s' to user %u", file, uid);
}

int cgroup_v2_give(const struct cgroup_hier *h, uid_t uid, struct err *err)
{
    own_buf struct buf text = BUF_INIT(LIST_MAX);
    char path[PATH_MAX];
    struct str rest = STR("cgroup.procs\ncgroup.subtree_control\ncgroup.threads"), name = STR_NONE;
    own_fd int fd = open_group(h, path, err);
    struct err ignored; /* an older kernel: the list above, as the specification has it */

    if (fd < 0)
        return -1;
    if (fchown(fd, uid, (gid_t)-1) < 0)
        return err_set(err, errno, "give cgroup '%s' to user %u", path, uid);
    if (file_read(AT_FDCWD, DELEGATE, &text, &ignored) == 0)
        rest = buf_str(&text);
    while (str_next(&rest, '\n', &name))
        if (give_one(fd, name, uid, err) < 0)
            return err_wrap(err, "cgroup '%s'", path);
    return 0;
}
