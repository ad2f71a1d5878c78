/* SPDX-License-Identifier: Apache-2.0 */
/*
 * dbus - as much of the D-Bus protocol as it takes to ask a service manager for something
 *
 * A connection to a bus over a unix socket, calls with their replies, and signals. Messages are
 * little-endian; others are refused. The library of the service manager would be several times the
 * size of this program, and cannot be loaded by a static one.
 *
 * Arguments are appended to a buffer in the order of the signature, aligned as the protocol
 * demands; the buffer is the message's body. Of what comes back only numbers, strings and object
 * paths are read.
 *
 * Limits:    DBUS_MESSAGE_MAX bytes a message; DBUS_WAIT_MS for each reply.
 * Tests:     tests/unit/runtime/kernel/test_dbus.c, tests/oci/test_systemd.py
 * Fuzz:      tests/fuzz/runtime/kernel/fuzz_dbus.c
 */
#ifndef MR_KERNEL_DBUS_H
#define MR_KERNEL_DBUS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "runtime/base/attr.h"
#include "runtime/base/str.h"

struct buf;
struct err;

#define DBUS_MESSAGE_MAX (1U << 20)
#define DBUS_WAIT_MS     30000

/* --- messages, pure --------------------------------------------------------------------------- */

enum dbus_type {
    DBUS_CALL = 1,
    DBUS_REPLY = 2,
    DBUS_ERROR = 3,
    DBUS_SIGNAL = 4
};

struct dbus_msg { /* views into the bytes it was parsed from; n 0 where absent */
    enum dbus_type type;
    uint32_t serial;
    uint32_t reply_serial;
    struct str path;
    struct str interface;
    struct str member;
    struct str error;
    struct str destination;
    struct str signature;
    struct str body;
};

enum dbus_parsed {
    DBUS_PARSE_ERROR = -1,
    DBUS_PARSE_MORE = 0, /* nothing consumed */
    DBUS_PARSE_DONE = 1
};

must_check enum dbus_parsed dbus_parse(struct str in, struct dbus_msg *out, size_t *used,
                                       struct err *err);
/* Appends the message. */
void dbus_format(const struct dbus_msg *m, struct buf *out);

/* Appending arguments. */
void dbus_put_bool(struct buf *body, bool v);
void dbus_put_u32(struct buf *body, uint32_t v);
void dbus_put_u64(struct buf *body, uint64_t v);
void dbus_put_str(struct buf *body, struct str v);          /* s, o */
void dbus_put_signature(struct buf *body, const char *sig); /* g; in front of a variant's value */
void dbus_put_struct(struct buf *body);                     /* before its members */
/* Around the elements, whose alignment (8 for structs) is given. */
size_t dbus_array_begin(struct buf *body, size_t align);
void dbus_array_end(struct buf *body, size_t at, size_t align);

/* Reading them, in order; false where the body is too short. */
struct dbus_reader {
    struct str body;
    size_t at;
};

must_check bool dbus_get_u32(struct dbus_reader *r, uint32_t *out);
must_check bool dbus_get_str(struct dbus_reader *r, struct str *out);

/* --- a connection ----------------------------------------------------------------------------- */

struct dbus;

/* address: "unix:path=/run/dbus/system_bus_socket", or a list of such with ';' between. */
must_check struct dbus *dbus_open(const char *address, struct err *err);
void dbus_close(struct dbus *d); /* NULL is fine */

/* Sends a call and waits for its reply; an error reply is an error here, with the name in the text.
 * The views in *reply live until the next use of d. Signals that come meanwhile are dropped. */
must_check int dbus_call(struct dbus *d, struct dbus_msg *call, struct dbus_msg *reply,
                         struct err *err);
/* The next message of any kind, until the deadline (clock_now_ms). */
must_check int dbus_next(struct dbus *d, uint64_t until_ms, struct dbus_msg *out, struct err *err);

#endif
