/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A transaction is one buffer: BATCH_BEGIN, the changes, BATCH_END. The kernel carries out all of
 * them or none, and acknowledges each.
 */
#include "runtime/kernel/nat.h"

#include <arpa/inet.h>
#include <errno.h>
#include <linux/netfilter.h>
#include <linux/netfilter/nf_tables.h>
#include <linux/netfilter/nfnetlink.h>
#include <netlink/attr.h>
#include <netlink/errno.h>
#include <netlink/msg.h>
#include <netlink/netlink.h>
#include <string.h>

#include "runtime/base/buf.h"
#include "runtime/base/err.h"
#include "runtime/base/own.h"

#define BATCH_MAX (256U << 10)

struct batch {
    struct buf bytes;
    const char *table;
    const char *chain; /* of the rules that follow */
    unsigned acks;     /* messages that will be answered */
    struct nl_msg *msg;
    struct nlattr *exprs;
};

static struct nl_msg *begin(struct batch *b, int type, int flags, uint8_t family, uint16_t res_id)
{
    struct nl_msg *m = nlmsg_alloc();
    struct nfgenmsg *g;

    (void)nlmsg_put(m, NL_AUTO_PORT, b->acks + 1, type, sizeof(*g), NLM_F_REQUEST | flags);
    g = nlmsg_data(nlmsg_hdr(m));
    *g =
        (struct nfgenmsg){.nfgen_family = family, .version = NFNETLINK_V0, .res_id = htons(res_id)};
    return m;
}

static void end(struct batch *b, struct nl_msg *m)
{
    struct nlmsghdr *h = nlmsg_hdr(m);

    if (h->nlmsg_flags & NLM_F_ACK)
        b->acks++;
    buf_append_n(&b->bytes, h, NLMSG_ALIGN(h->nlmsg_len));
    nlmsg_free(m);
}

static void mark(struct batch *b, int type)
{
    end(b, begin(b, type, 0, AF_UNSPEC, NFNL_SUBSYS_NFTABLES));
}

static struct nl_msg *change(struct batch *b, int type, int flags)
{
    return begin(b, (NFNL_SUBSYS_NFTABLES << 8) | type, flags | NLM_F_ACK, NFPROTO_IPV4, 0);
}

static void table_message(struct batch *b, int type, int flags)
{
    struct nl_msg *m = change(b, type, flags);

    (void)nla_put_string(m, NFTA_TABLE_NAME, b->table);
    end(b, m);
}

static void add_chain(struct batch *b, const char *name, const char *type, uint32_t hook,
                      int32_t priority)
{
    struct nl_msg *m = change(b, NFT_MSG_NEWCHAIN, NLM_F_CREATE);
    struct nlattr *nest;

    (void)nla_put_string(m, NFTA_CHAIN_TABLE, b->table);
    (void)nla_put_string(m, NFTA_CHAIN_NAME, name);
    nest = nla_nest_start(m, NFTA_CHAIN_HOOK);
    (void)nla_put_u32(m, NFTA_HOOK_HOOKNUM, htonl(hook));
    (void)nla_put_u32(m, NFTA_HOOK_PRIORITY, htonl((uint32_t)priority));
    (void)nla_nest_end(m, nest);
    (void)nla_put_string(m, NFTA_CHAIN_TYPE, type);
    end(b, m);
    b->chain = name;
}

/* --- rules: a list of expressions over one register ------------------------------------------- */

static void rule(struct batch *b)
{
    b->msg = change(b, NFT_MSG_NEWRULE, NLM_F_CREATE | NLM_F_APPEND);
    (void)nla_put_string(b->msg, NFTA_RULE_TABLE, b->table);
    (void)nla_put_string(b->msg, NFTA_RULE_CHAIN, b->chain);
    b->exprs = nla_nest_start(b->msg, NFTA_RULE_EXPRESSIONS);
}

static void rule_end(struct batch *b)
{
    (void)nla_nest_end(b->msg, b->exprs);
    end(b, b->msg);
}

struct nest { /* of one expression */
    struct nlattr *elem;
    struct nlattr *data;
};

static struct nest expr(struct batch *b, const char *name)
{
    struct nest n = {.elem = nla_nest_start(b->msg, NFTA_LIST_ELEM)};

    (void)nla_put_string(b->msg, NFTA_EXPR_NAME, name);
    n.data = nla_nest_start(b->msg, NFTA_EXPR_DATA);
    return n;
}

static void expr_end(struct batch *b, struct nest n)
{
    (void)nla_nest_end(b->msg, n.data);
    (void)nla_nest_end(b->msg, n.elem);
}

static void put_u32(struct batch *b, int attr, uint32_t v)
{
    (void)nla_put_u32(b->msg, attr, htonl(v));
}

static void put_value(struct batch *b, int attr, const void *p, size_t n)
{
    struct nlattr *nest = nla_nest_start(b->msg, attr);

    (void)nla_put(b->msg, NFTA_DATA_VALUE, (int)n, p);
    (void)nla_nest_end(b->msg, nest);
}

static void compare(struct batch *b, uint32_t op, const void *p, size_t n)
{
    struct nest e = expr(b, "cmp");

    put_u32(b, NFTA_CMP_SREG, NFT_REG_1);
    put_u32(b, NFTA_CMP_OP, op);
    put_value(b, NFTA_CMP_DATA, p, n);
    expr_end(b, e);
}

static void meta_is(struct batch *b, uint32_t key, const void *p, size_t n)
{
    struct nest e = expr(b, "meta");

    put_u32(b, NFTA_META_KEY, key);
    put_u32(b, NFTA_META_DREG, NFT_REG_1);
    expr_end(b, e);
    compare(b, NFT_CMP_EQ, p, n);
}

static void interface_is(struct batch *b, uint32_t key, const char *name)
{
    char padded[16] = ""; /* IFNAMSIZ */

    memcpy(padded, name, strnlen(name, sizeof(padded) - 1));
    meta_is(b, key, padded, sizeof(padded));
}

static void payload_is(struct batch *b, uint32_t base, uint32_t offset, const void *p, size_t n)
{
    struct nest e = expr(b, "payload");

    put_u32(b, NFTA_PAYLOAD_DREG, NFT_REG_1);
    put_u32(b, NFTA_PAYLOAD_BASE, base);
    put_u32(b, NFTA_PAYLOAD_OFFSET, offset);
    put_u32(b, NFTA_PAYLOAD_LEN, (uint32_t)n);
    expr_end(b, e);
    compare(b, NFT_CMP_EQ, p, n);
}

static void established(struct batch *b)
{
    /* NF_CT_STATE_BIT(IP_CT_ESTABLISHED) | NF_CT_STATE_BIT(IP_CT_RELATED), in host order */
    uint32_t mask = (1U << 1) | (1U << 2);
    uint32_t zero = 0;
    struct nest e = expr(b, "ct");

    put_u32(b, NFTA_CT_KEY, NFT_CT_STATE);
    put_u32(b, NFTA_CT_DREG, NFT_REG_1);
    expr_end(b, e);
    e = expr(b, "bitwise");
    put_u32(b, NFTA_BITWISE_SREG, NFT_REG_1);
    put_u32(b, NFTA_BITWISE_DREG, NFT_REG_1);
    put_u32(b, NFTA_BITWISE_LEN, sizeof(mask));
    put_value(b, NFTA_BITWISE_MASK, &mask, sizeof(mask));
    put_value(b, NFTA_BITWISE_XOR, &zero, sizeof(zero));
    expr_end(b, e);
    compare(b, NFT_CMP_NEQ, &zero, sizeof(zero));
}

static void verdict(struct batch *b, uint32_t code)
{
    struct nest e = expr(b, "immediate");
    struct nlattr *data;
    struct nlattr *v;

    put_u32(b, NFTA_IMMEDIATE_DREG, NFT_REG_VERDICT);
    data = nla_nest_start(b->msg, NFTA_IMMEDIATE_DATA);
    v = nla_nest_start(b->msg, NFTA_DATA_VERDICT);
    put_u32(b, NFTA_VERDICT_CODE, code);
    (void)nla_nest_end(b->msg, v);
    (void)nla_nest_end(b->msg, data);
    expr_end(b, e);
}

static void masquerade(struct batch *b)
{
    expr_end(b, expr(b, "masq"));
}

/* What DNS is: UDP or TCP, to port 53 or to a server. */
static void is_dns(struct batch *b, uint8_t protocol, const struct nat_server *server)
{
    uint16_t port = server ? server->port : htons(53);

    meta_is(b, NFT_META_L4PROTO, &protocol, 1);
    if (server)
        payload_is(b, NFT_PAYLOAD_NETWORK_HEADER, 16, &server->addr, 4);
    payload_is(b, NFT_PAYLOAD_TRANSPORT_HEADER, 2, &port, 2);
}

static void accept_dns(struct batch *b, const struct nat *n, const struct nat_server *server)
{
    static const uint8_t protocols[] = {IPPROTO_UDP, IPPROTO_TCP};

    for (size_t i = 0; i < ARRAY_N(protocols); i++) {
        rule(b);
        interface_is(b, NFT_META_IIFNAME, n->interface);
        is_dns(b, protocols[i], server);
        verdict(b, NF_ACCEPT);
        rule_end(b);
    }
}

static void accept_all_dns(struct batch *b, const struct nat *n)
{
    if (n->servers_n == 0)
        accept_dns(b, n, NULL);
    for (size_t i = 0; i < n->servers_n; i++)
        accept_dns(b, n, &n->servers[i]);
}

static void drop_rest(struct batch *b, uint32_t key, const char *interface)
{
    rule(b);
    interface_is(b, key, interface);
    verdict(b, NF_DROP);
    rule_end(b);
}

static void add_masquerade(struct batch *b, const struct nat *n)
{
    static const uint8_t protocols[] = {IPPROTO_UDP, IPPROTO_TCP};

    add_chain(b, "postrouting", "nat", NF_INET_POST_ROUTING, 100);
    for (size_t i = 0; i < ARRAY_N(protocols); i++) {
        rule(b);
        payload_is(b, NFT_PAYLOAD_NETWORK_HEADER, 12, &n->addr, 4);
        meta_is(b, NFT_META_L4PROTO, &protocols[i], 1);
        masquerade(b);
        rule_end(b);
    }
}

static void add_filter(struct batch *b, const struct nat *n)
{
    add_chain(b, "forward", "filter", NF_INET_FORWARD, 0);
    accept_all_dns(b, n);
    drop_rest(b, NFT_META_IIFNAME, n->interface);
    rule(b);
    interface_is(b, NFT_META_OIFNAME, n->interface);
    established(b);
    verdict(b, NF_ACCEPT);
    rule_end(b);
    drop_rest(b, NFT_META_OIFNAME, n->interface);
    add_chain(b, "input", "filter", NF_INET_LOCAL_IN, 0);
    if (n->servers_n)
        accept_all_dns(b, n);
    drop_rest(b, NFT_META_IIFNAME, n->interface);
}

/* --- sending ---------------------------------------------------------------------------------- */

static void free_sock(struct nl_sock **s)
{
    nl_socket_free(*s);
}

static int send_batch(struct batch *b, struct err *err)
{
    __attribute__((cleanup(free_sock))) struct nl_sock *s = nl_socket_alloc();
    int rc = s ? nl_connect(s, NETLINK_NETFILTER) : -NLE_NOMEM;

    if (rc < 0)
        return err_set(err, 0, "netfilter: %s", nl_geterror(rc));
    nl_socket_disable_auto_ack(s);
    nl_socket_disable_seq_check(s);
    if (buf_check(&b->bytes, "netfilter transaction", err) < 0)
        return -1;
    rc = nl_sendto(s, b->bytes.p, b->bytes.n);
    for (unsigned i = 0; rc >= 0 && i < b->acks; i++)
        rc = nl_wait_for_ack(s);
    return rc < 0 ? err_set(err, rc == -NLE_OBJ_NOTFOUND ? ENOENT : 0, "nf_tables: %s",
                            nl_geterror(rc))
                  : 0;
}

int nat_add(const struct nat *n, struct err *err)
{
    struct batch b = {.bytes = BUF_INIT(BATCH_MAX), .table = n->table};
    int rc;

    if (n->servers_n > NAT_SERVERS_MAX)
        return err_set(err, 0, "more than %d DNS servers", NAT_SERVERS_MAX);
    mark(&b, NFNL_MSG_BATCH_BEGIN);
    table_message(&b, NFT_MSG_NEWTABLE, NLM_F_CREATE); /* so that there is one to delete */
    table_message(&b, NFT_MSG_DELTABLE, 0);
    table_message(&b, NFT_MSG_NEWTABLE, NLM_F_CREATE);
    add_masquerade(&b, n);
    add_filter(&b, n);
    mark(&b, NFNL_MSG_BATCH_END);
    rc = send_batch(&b, err);
    buf_done(&b.bytes);
    return rc;
}

int nat_delete(const char *table, struct err *err)
{
    struct batch b = {.bytes = BUF_INIT(BATCH_MAX), .table = table};
    int rc;

    mark(&b, NFNL_MSG_BATCH_BEGIN);
    table_message(&b, NFT_MSG_DELTABLE, 0);
    mark(&b, NFNL_MSG_BATCH_END);
    rc = send_batch(&b, err);
    buf_done(&b.bytes);
    return rc < 0 && err->code == ENOENT ? 0 : rc;
}
