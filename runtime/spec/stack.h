/* SPDX-License-Identifier: Apache-2.0 */
/*
 * stack - mailstack.json and its accounts file as checked C structs; pure
 *
 * stack_load reads the file and the accounts file it names, checks each value by itself and then
 * the rules across sections (stack_check.c): alias targets that do not exist, ports asked for
 * twice, accounts in unknown domains. All complaints are collected, one line each, with the
 * document and the JSON path, so that a person repairs a file in one round. Unknown keys are
 * complaints that name the nearest known key.
 *
 * Lifetime:  everything lives in the arena given to the loader.
 * Limits:    STACK_x below; a longer document or list is refused before memory is taken for it.
 * Schema:    specs/mailstack.schema.json and runtime/man/mailstack.json.5 describe each key.
 * Tests:     tests/unit/runtime/spec/test_stack_load.c, test_stack_check.c
 * Fuzz:      tests/fuzz/runtime/spec/fuzz_stack.c
 */
#ifndef MR_SPEC_STACK_H
#define MR_SPEC_STACK_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/socket.h>

#include "runtime/base/attr.h"
#include "runtime/base/str.h"

struct arena;
struct buf;
struct err;

#define STACK_TEXT_MAX      (4U << 20)  /* bytes of mailstack.json */
#define STACK_ACCOUNTS_MAX  (64U << 20) /* bytes of accounts.json: some 300,000 accounts */
#define STACK_ARENA_MAX     (512U << 20)
#define STACK_LIST_MAX      100000 /* members of an object, elements of an array */
#define STACK_TEXTS_MAX     1000   /* targets of an alias, members of a list */
#define STACK_LISTEN_MAX    16     /* addresses of one protocol */
#define STACK_COMPLAINTS    100    /* lines reported; more are counted */
#define STACK_REPORT_MAX    (256U << 10)
#define STACK_MESSAGE_MAX   (1U << 30)
#define STACK_SIZE_MAX      ((uint64_t)1 << 50)
#define STACK_DAY_S         86400U
#define STACK_PLAINTEXT_MAX 64 /* networks of "plaintext_login" */
#define STACK_DOMAINS_MAX   10000
#define STACK_SERVERS_MAX   16  /* of DNS */
#define STACK_ADDRESS_MAX   254 /* RFC 5321 section 4.5.3.1.3, without the brackets */

struct stack_strings { /* v[n] is NULL */
    const char **v;
    size_t n;
};

/* The protocols under "listen", in the order of the table that `up` prints. */
enum stack_port {
    STACK_SMTP,
    STACK_SUBMISSION,
    STACK_SUBMISSIONS,
    STACK_IMAP,
    STACK_IMAPS,
    STACK_POP3,
    STACK_POP3S,
    STACK_PORTS
};

extern const char *const stack_port_names[STACK_PORTS + 1]; /* "smtp", ... NULL */

struct stack_addr {
    const char *text; /* "127.0.0.1:2525" */
    struct sockaddr_storage sa;
    bool optional; /* the IPv6 half of ":25": a host without IPv6 does without */
};

struct stack_listen {
    struct stack_addr v[STACK_LISTEN_MAX];
    size_t n;
};

struct stack_net { /* "10.0.0.0/8", "2001:db8::/32", "192.0.2.1" */
    const char *text;
    int family;
    uint8_t addr[16]; /* AF_INET uses the first four */
    unsigned bits;
};

struct stack_nets {
    struct stack_net *v;
    size_t n;
};

struct stack_alias {
    const char *name; /* local part */
    struct stack_strings to;
};

enum stack_dkim_algorithm {
    STACK_ED25519,
    STACK_RSA2048
};

extern const char *const stack_dkim_names[]; /* "ed25519", "rsa2048", NULL */

struct stack_dkim {
    const char *selector;
    enum stack_dkim_algorithm algorithm;
};

struct stack_domain {
    const char *name; /* lower case */
    struct stack_alias *aliases;
    size_t aliases_n;
    const char *catch_all; /* NULL: none */
    struct stack_dkim *dkim;
    size_t dkim_n;
};

struct stack_list { /* a mailing list */
    const char *address;
    struct stack_strings members;
    struct stack_strings owners;
    const char *post; /* "anyone", "members" or "owners": who may write to it */
};

struct stack_account {
    const char *address;
    const char *password; /* crypt(3) or {SCHEME}...; "!" in front: no login */
    uint64_t quota;       /* 0: the default */
    struct stack_strings aliases;
};

struct stack_accounts {
    struct stack_account *v;
    size_t n;
};

struct stack_route {
    const char *domain; /* "partner.example", or "*" for every other */
    const char *url;    /* as written: smtp://HOST[:PORT] */
    const char *host;
    uint16_t port;
};

struct stack_relay {
    bool set;
    const char *host;
    uint16_t port;
    const char *user;     /* NULL: no authentication */
    const char *password; /* what password_file holds */
    const char *ca;       /* absolute; who signs its certificate; NULL: any is taken */
};

enum stack_tls_mode {
    STACK_TLS_SELF_SIGNED,
    STACK_TLS_FILES
};

struct stack_tls {
    enum stack_tls_mode mode;
    const char *cert; /* absolute; NULL unless STACK_TLS_FILES */
    const char *key;
    struct stack_nets plaintext_login;
};

struct stack_smtp {
    uint64_t message_size;
    uint32_t recipients;
    uint32_t connections;
    uint32_t connections_per_ip;
    uint64_t idle_s;
    uint16_t port; /* of remote servers: 25, but in a test */
    struct stack_route *routes;
    size_t routes_n;
    struct stack_relay relay;
};

struct stack_queue {
    uint64_t first_s;
    uint64_t max_s;
    uint64_t give_up_s;
    uint32_t senders;
    uint32_t per_domain;
};

struct stack_mailbox {
    const char *format; /* "maildir" */
    uint64_t quota;     /* 0: none */
    const char *subaddress;
    uint32_t users;
    uint32_t sessions_per_user;
};

struct stack_filter {
    bool spf;
    bool dkim;
    bool dmarc;
    const char *executables; /* "junk", "reject", "accept" */
};

enum stack_dns_mode {
    STACK_DNS_OWN, /* a network namespace with a veth pair; the host's where that cannot be had */
    STACK_DNS_HOST
};

struct stack_dns {
    struct stack_strings servers; /* "192.0.2.53", "192.0.2.53:5353" */
    struct sockaddr_storage *server_sa;
    bool dnssec;
    uint64_t cache;
    enum stack_dns_mode mode;
    bool network_set; /* "network" names a /30 of which the veth pair takes the two addresses */
    struct stack_net network;
};

/* Limits of a service; 0 where mailstack.json does not name one. */
struct stack_limits {
    const char *service;
    uint64_t memory;
    uint32_t pids;
    uint32_t cpu_milli; /* thousandths of a CPU */
    uint32_t nofile;
    uint32_t workers;
};

struct stack_log {
    const char *level; /* "error", "warn", "info", "debug" */
    uint64_t size;     /* rotated beyond */
    uint32_t keep;
};

struct stack_config {
    const char *file; /* absolute */
    const char *dir;  /* of the file; relative paths are relative to it */
    const char *hostname;
    struct stack_domain *domains;
    size_t domains_n;
    const char *accounts_file;
    struct stack_accounts accounts;
    struct stack_list *lists;
    size_t lists_n;
    struct stack_tls tls;
    struct stack_listen listen[STACK_PORTS];
    const char *storage;
    struct stack_smtp smtp;
    struct stack_queue queue;
    struct stack_mailbox mailbox;
    struct stack_filter filter;
    struct stack_dns dns;
    struct stack_nets dial_allow;
    struct stack_limits *limits;
    size_t limits_n;
    uint32_t ids_base;
    struct stack_log log;
};

/* Loads and checks. -1: `report` holds at least one line, "FILE: $.PATH: what" each. */
must_check int stack_load(struct arena *a, const char *file, struct stack_config **out,
                          struct buf *report);

/* The same from text, without the files it names (accounts, password_file): for the fuzzer. */
must_check int stack_load_str(struct arena *a, struct str text, const char *file,
                              struct stack_config **out, struct buf *report);

/* Just the accounts, as a supervisor does that was told of a change. `domains` are c's. */
must_check int stack_load_accounts(struct arena *a, const struct stack_config *c,
                                   struct stack_accounts *out, struct buf *report);

/* --- looking things up ------------------------------------------------------------------------ */

const struct stack_domain *stack_domain_get(const struct stack_config *c, struct str name);
const struct stack_limits *stack_limits_get(const struct stack_config *c, const char *service);
bool stack_net_has(const struct stack_net *n, const struct sockaddr_storage *a);
bool stack_nets_have(const struct stack_nets *n, const struct sockaddr_storage *a);
/* "10.0.0.0/8"; bits beyond the prefix must be zero. */
must_check int stack_net_parse(struct str s, struct stack_net *out, struct err *err);
/* local@domain: sound, and split; the views look into s. */
must_check int stack_address_split(struct str s, struct str *local, struct str *domain,
                                   struct err *err);
must_check int stack_domain_is_sound(struct str s, struct err *err);

#endif
