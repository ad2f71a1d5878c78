/* SPDX-License-Identifier: Apache-2.0 */
/*
 * peers - how many connections each address has in this worker; of IPv6, each /64
 *
 * Tests:     tests/mail/test_smtpd.py
 */
#ifndef MR_SMTPD_PEERS_H
#define MR_SMTPD_PEERS_H

#include <netinet/in.h>
#include <stddef.h>

struct smtpd;

/* Counts one more and says how many there are now. */
size_t peers_enter(struct smtpd *d, const struct in6_addr *ip);
void peers_leave(struct smtpd *d, const struct in6_addr *ip);

#endif
