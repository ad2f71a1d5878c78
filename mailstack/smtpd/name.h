/* SPDX-License-Identifier: Apache-2.0 */
/*
 * name - the verified name of a client: what its address leads to, if that leads back
 *
 * Asked of dnsd when a client connects; nothing waits for it. A name that is not known when a
 * message has arrived is not in its Received field.
 *
 * Tests:     tests/mail/test_smtpd.py
 */
#ifndef MR_SMTPD_NAME_H
#define MR_SMTPD_NAME_H

struct session;

void name_ask(struct session *s);
void name_cancel(struct session *s);

#endif
