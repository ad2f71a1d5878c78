/* SPDX-License-Identifier: Apache-2.0 */
#include <string.h>
#include <sys/mount.h>

#include "runtime/base/arena.h"
#include "runtime/base/buf.h"
#include "runtime/base/own.h"
#include "runtime/spec/oci.h"
#include "runtime/stack/bundle.h"
#include "runtime/stack/layout.h"

#include "tests/lib/stackconf.h"
#include "tests/lib/test.h"

#define ALL_PORTS                                                                                           \
    "\"listen\": {\"smtp\": [\"127.0.0.1:25\", \"127.0.0.2:25\"], \"submission\": [\"127.0.0.1:587\"],"     \
    " \"submissions\": [\"127.0.0.1:465\"], \"imap\": [\"127.0.0.1:143\"], \"imaps\": [\"127.0.0.1:993\"]," \
    " \"pop3\": [\"127.0.0.1:110\"], \"pop3s\": [\"127.0.0.1:995\"]}"

static const struct layout where = {.file = "/etc/mailstack.json",
                                    .id = "mailstack-12345678",
                                    .top = "/run/mailbox-run",
                                    .run = "/run/mailbox-run/mailstack-12345678",
                                    .containers = "/run/mailbox-run/mailstack-12345678/containers",
                                    .cgroup = ""};

static struct oci_config *make(struct stackconf *s, const char *service, bool host_network)
{
    struct bundle_make m = {.c = s->c,
                            .t = &s->t,
                            .s = svc_get(&s->t, service),
                            .l = &where,
                            .rootfs = "/images/rootfs",
                            .program = "/smtpd",
                            .host_network = host_network};
    struct oci_config *out = NULL;
    struct err err = {0};

    assert_ok(bundle_config(s->a, &m, &out, &err), &err);
    assert_ok(oci_check(out, &err), &err);
    return out;
}

static void nothing_is_granted_that_the_row_does_not_name(void **state)
{
    struct stackconf s;

    (void)state;
    stackconf_load(&s, "/nowhere", ALL_PORTS, "");
    for (size_t i = 0; i < SVC_N; i++) {
        struct oci_config *c = make(&s, s.t.v[i].name, false);
        const struct oci_process *p = &c->process;

        assert_true(c->root.readonly);
        assert_true(p->no_new_privs && p->caps.set);
        assert_int_equal(p->user.uid, svc_uid(&s.t.v[i], s.c));
        assert_int_not_equal(p->user.uid, 0);
        assert_true(c->linux_.seccomp.set);
        for (int n = 0; n < OCI_NS_KINDS; n++)
            assert_int_equal(c->linux_.ns[n].mode, OCI_NS_NEW);
        for (size_t k = 0; k < c->linux_.uid_maps.n; k++) {
            assert_int_equal(c->linux_.uid_maps.v[k].size, 1);
            assert_int_not_equal(c->linux_.uid_maps.v[k].host_id, 0);
        }
        for (size_t k = 0; k < c->mounts_n; k++)
            assert_int_equal(c->mounts[k].ms_set & (MS_NOSUID | MS_NOEXEC), MS_NOSUID | MS_NOEXEC);
        assert_true(c->linux_.resources.memory.limit.set && c->linux_.resources.pids_limit.set);
    }
    stackconf_done(&s);
}

static void dnsd_alone_may_share_the_hosts_network(void **state)
{
    struct stackconf s;

    (void)state;
    stackconf_load(&s, "/nowhere", ALL_PORTS, "");
    for (size_t i = 0; i < SVC_N; i++) {
        const struct oci_config *c = make(&s, s.t.v[i].name, true);

        assert_int_equal(c->linux_.ns[OCI_NS_NETWORK].mode,
                         strcmp(s.t.v[i].name, "dnsd") == 0 ? OCI_NS_HOST : OCI_NS_NEW);
    }
    stackconf_done(&s);
}

static const char *env_of(const struct oci_config *c, const char *name)
{
    for (size_t i = 0; i < c->process.env.n; i++)
        if (str_starts(str_of(c->process.env.v[i]), str_of(name)))
            return c->process.env.v[i] + strlen(name);
    return NULL;
}

static void descriptors_have_names_in_order(void **state)
{
    struct stackconf s;
    const char *names[BUNDLE_FDS_MAX];
    const struct oci_config *c;

    (void)state;
    stackconf_load(&s, "/nowhere", ALL_PORTS, "");
    c = make(&s, "smtpd", false);
    assert_string_equal(env_of(c, "LISTEN_FDNAMES="), "smtp:smtp:submission:submissions:counters");
    assert_string_equal(env_of(c, "LISTEN_FDS="), "5");
    assert_string_equal(env_of(c, "LISTEN_PID="), "1");
    assert_int_equal(bundle_fd_names(s.c, svc_get(&s.t, "smtpd"), names), 5);
    c = make(&s, "queued", false);
    assert_string_equal(env_of(c, "LISTEN_FDNAMES="), "lmtp:control:counters:dial");
    stackconf_done(&s);
}

static const struct oci_mount *mount_at(const struct oci_config *c, const char *at)
{
    for (size_t i = 0; i < c->mounts_n; i++)
        if (strcmp(c->mounts[i].destination, at) == 0)
            return &c->mounts[i];
    return NULL;
}

static void a_service_sees_its_own_files_and_sockets(void **state)
{
    struct stackconf s;
    const struct oci_config *c;

    (void)state;
    stackconf_load(&s, "/nowhere", "\"listen\": {\"imaps\": [\"127.0.0.1:993\"]}", "");
    c = make(&s, "imapd", false);
    assert_true(mount_at(c, "/etc/mailstack")->ms_set & MS_RDONLY);
    assert_string_equal(mount_at(c, "/var/mail")->source, "/nowhere/storage/mail");
    assert_null(mount_at(c, "/var/spool/mailstack"));
    assert_null(mount_at(c, "/run/mailstack/auth.sock"));
    c = make(&s, "frontd", false);
    assert_non_null(mount_at(c, "/run/mailstack/auth.sock"));
    assert_non_null(mount_at(c, "/run/mailstack/imapd.sock"));
    assert_null(mount_at(c, "/run/mailstack/pop3d.sock")); /* there is no pop3d */
    assert_null(mount_at(c, "/var/mail"));
    stackconf_done(&s);
}

/* What is written out is what is run: the text loads to the same text. */
static void the_text_says_the_same(void **state)
{
    struct stackconf s;

    (void)state;
    stackconf_load(&s, "/nowhere", ALL_PORTS, "");
    for (size_t i = 0; i < SVC_N; i++) {
        own_buf struct buf text = BUF_INIT(OCI_TEXT_MAX);
        own_buf struct buf again = BUF_INIT(OCI_TEXT_MAX);
        struct oci_config *c = NULL;
        struct err err = {0};

        oci_dump(make(&s, s.t.v[i].name, false), &text);
        assert_ok(oci_load_str(s.a, buf_str(&text), "config.json", &c, &err), &err);
        oci_dump(c, &again);
        assert_string_equal(buf_c(&text), buf_c(&again));
    }
    stackconf_done(&s);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(nothing_is_granted_that_the_row_does_not_name),
        cmocka_unit_test(dnsd_alone_may_share_the_hosts_network),
        cmocka_unit_test(descriptors_have_names_in_order),
        cmocka_unit_test(a_service_sees_its_own_files_and_sockets),
        cmocka_unit_test(the_text_says_the_same),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
