/* SPDX-License-Identifier: Apache-2.0 */
/*
 * report - what a stack tells about itself: JSON, Prometheus text, the table of endpoints
 *
 * Tests:     tests/stack/test_verbs.py
 */
#ifndef MR_STACK_REPORT_H
#define MR_STACK_REPORT_H

struct buf;
struct super;
struct stack_config;

void report_json(const struct super *s, struct buf *out);
void report_prometheus(const struct super *s, struct buf *out);
/* Protocol, address, TLS; one line each. */
void report_endpoints(const struct stack_config *c, struct buf *out);
void report_accounts(const struct stack_config *c, struct buf *out);

#endif
