/* SPDX-License-Identifier: Apache-2.0 */
#include "runtime/base/buf.h"
#include "runtime/base/own.h"

#include "mailstack/filterd/answer.h"
#include "mailstack/filterd/conf.h"
#include "mailstack/filterd/message.h"
#include "mailstack/lib/proto/milter.h"

#include "tests/lib/test.h"

static size_t held;

static const struct conf conf = {.hostname = (char[]){"mail.org"},
                                 .executables = CONF_EXECUTABLES_JUNK};

/* Packets as text: "m X-Spam-Flag 2 []", "i Name 0 [value]", "a". */
static void describe(struct str packets, struct buf *out)
{
    struct milter_header_change c;
    struct milter_packet p;
    struct err err = {0};
    size_t used;

    while (milter_parse(packets, &p, &used, &err) == PARSE_DONE) {
        if (milter_read_header_change(&p, &c, &err) == 0)
            buf_printf(out, "%c %.*s %u [%.*s]\n", c.command, STR_ARG(c.name), (unsigned)c.index,
                       STR_ARG(c.value));
        else
            buf_printf(out, "%c %.*s\n", p.command, STR_ARG(p.data));
        packets = str_skip(packets, used);
    }
}

static void on_judged(struct message *m, void *ctx)
{
    struct err err = {0};

    assert_ok(answer_format(m, true, ctx, &err), &err);
}

static void answer_to(bool user, const struct milter_pair *fields, size_t n, const char *body,
                      struct buf *text)
{
    own_buf struct buf packets = BUF_INIT(ANSWER_MAX);
    struct message_env env = {.held_n = &held, .conf = &conf};
    struct message_facts facts = {.submitted = user};
    struct message *m = message_new(&env, &facts);

    for (size_t i = 0; i < n; i++)
        message_field(m, fields[i].name, fields[i].value);
    message_header_end(m);
    message_body(m, str_of(body));
    message_end(m, on_judged, &packets);
    message_free(m);
    describe(buf_str(&packets), text);
}

static void what_others_claim_goes_from_the_bottom_up(void **state)
{
    static const struct milter_pair fields[] = {
        {STR_INIT("X-Spam-Flag"), STR_INIT(" NO")},
        {STR_INIT("Authentication-Results"), STR_INIT(" mail.org; none")},
        {STR_INIT("Authentication-Results"), STR_INIT(" other.org; none")},
        {STR_INIT("x-spam-flag"), STR_INIT(" YES")},
        {STR_INIT("authentication-results"), STR_INIT(" mail.org 1; none")},
        {STR_INIT("X-Spam-Reason"), STR_INIT(" none")},
    };
    own_buf struct buf text = BUF_INIT(4096);

    (void)state;
    answer_to(false, fields, ARRAY_N(fields), "x", &text);
    assert_str(buf_str(&text), "m X-Spam-Reason 1 []\n"
                               "m authentication-results 3 []\n"
                               "m x-spam-flag 2 []\n"
                               "m Authentication-Results 1 []\n"
                               "m X-Spam-Flag 1 []\n"
                               "i Authentication-Results 0 [ mail.org; none]\n"
                               "a \n");
}

static void junk_is_marked(void **state)
{
    static const struct milter_pair fields[] = {
        {STR_INIT("Content-Type"), STR_INIT(" a/b; name=a.exe")}};
    own_buf struct buf text = BUF_INIT(4096);

    (void)state;
    answer_to(true, fields, 1, "x", &text);
    assert_str(buf_str(&text), "i X-Spam-Reason 0 [ a program by its name: a.exe]\n"
                               "i X-Spam-Flag 0 [ YES]\n"
                               "a \n");
}

static void what_is_refused_is_not_changed(void **state)
{
    static const struct milter_pair fields[] = {{STR_INIT("X-Spam-Flag"), STR_INIT(" NO")}};
    own_buf struct buf text = BUF_INIT(4096);

    (void)state;
    answer_to(false, fields, 1,
              "XJS*C4JDBQADN1.NSBN3*2IDNEN*GTUBE-STANDARD-ANTI-UBE-TEST-EMAIL*C.34X", &text);
    assert_true(str_starts(buf_str(&text), STR("y 550 5.7.1 message refused as spam")));
    assert_int_equal(str_find(buf_str(&text), 'm'), 12);
}

static void results_name_what_was_checked(void **state)
{
    const struct conf all = {
        .hostname = (char[]){"mail.org"}, .spf = true, .dkim = true, .dmarc = true};
    struct dkim_signature s = {
        .domain = STR("example.org"), .selector = STR("s1"), .bytes = "abcdefghi", .bytes_n = 9};
    struct message_env env = {.held_n = &held, .conf = &all};
    struct message m = {
        .env = &env, .facts = {.helo = STR("client.example")}, .from = STR("example.org")};
    own_buf struct buf out = BUF_INIT(4096);

    (void)state;
    m.spf.result = SPF_SOFTFAIL;
    m.dkim.n = 2;
    m.dkim.at[0] = (struct dkim_verify_one){.signature = &s, .result = DKIM_PASS, .bits = 2048};
    m.dkim.at[1] = (struct dkim_verify_one){.result = DKIM_NEUTRAL, .why = "v= is not 1"};
    m.dmarc = (struct dmarc_outcome){.result = DMARC_PASS, .policy = DMARC_POLICY_QUARANTINE};
    answer_results(&m, &out);
    assert_str(buf_str(&out), "mail.org;\n\tspf=softfail smtp.helo=client.example;\n"
                              "\tdkim=pass (2048-bit key) header.d=example.org header.s=s1\n"
                              "\t  header.a=rsa-sha256 header.b=YWJjZGVm;\n"
                              "\tdkim=neutral (v= is not 1);\n"
                              "\tdmarc=pass (p=quarantine) header.from=example.org");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(what_others_claim_goes_from_the_bottom_up),
        cmocka_unit_test(junk_is_marked),
        cmocka_unit_test(what_is_refused_is_not_changed),
        cmocka_unit_test(results_name_what_was_checked),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
