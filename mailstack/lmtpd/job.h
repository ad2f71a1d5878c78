/* SPDX-License-Identifier: Apache-2.0 */
/*
 * job - one message on its way into the mailboxes of its recipients
 *
 * The header is held back until it is complete, because it decides the folder (X-Spam-Flag); then
 * each recipient's file is made and all are written as the bytes arrive. job_finish flushes all,
 * publishes all, flushes the directories: a recipient whose result is ok has its copy on stable
 * storage. A failure is the one recipient's only. What was begun and not published is taken back.
 *
 * Lifetime:  job_init/job_reset; job_done ends it.
 * Limits:    JOB_RCPTS_MAX recipients; JOB_HEADER_MAX bytes of header are looked at.
 * Tests:     tests/unit/mailstack/lmtpd/test_job.c
 */
#ifndef MR_LMTPD_JOB_H
#define MR_LMTPD_JOB_H

#include <stdbool.h>
#include <stdint.h>

#include "runtime/base/attr.h"
#include "runtime/base/buf.h"
#include "runtime/base/err.h"

#include "mailstack/lib/proto/lmtp_cmd.h"
#include "mailstack/lib/store/deliver.h"

struct store;

#define JOB_RCPTS_MAX  1000
#define JOB_HEADER_MAX 262144

struct job_rcpt {
    char addr[LMTP_ADDR_MAX + 1]; /* as the peer gave it */
    uint64_t quota;               /* QUOTA_NOT_TOLD: the one told last stands */
    size_t same_as;               /* an earlier recipient of the same mailbox, or its own number */
    int home_fd;
    bool begun;
    bool reserved; /* its size is counted in the quota */
    bool failed;
    struct err err; /* why */
    struct deliver d;
    uint32_t uid;
};

struct job {
    const struct store *st;
    char sender[LMTP_ADDR_MAX + 1];
    struct job_rcpt *rcpts;
    size_t rcpts_n;
    struct buf header;
    bool started;  /* the header is complete and the files are being written */
    uint64_t size; /* of the content so far */
};

void job_init(struct job *j, const struct store *st);
void job_reset(struct job *j); /* no sender, no recipients; what was begun is taken back */
void job_done(struct job *j);

/* EDQUOT: its mailbox is full already (counting `size`, the sender's estimate); EINVAL: not an
 * address that can have a mailbox; EMSGSIZE: too many recipients. */
must_check int job_add_rcpt(struct job *j, const struct lmtp_cmd *rcpt, uint64_t size,
                            struct err *err);
void job_write(struct job *j, struct str bytes);
void job_finish(struct job *j);
/* The result of recipient i after job_finish: NULL, or why not. */
const struct err *job_result(const struct job *j, size_t i);

#endif
