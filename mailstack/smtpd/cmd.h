/* SPDX-License-Identifier: Apache-2.0 */
/*
 * cmd - the commands of a session, one function each
 *
 * Each sends its replies itself, at once or, having called session_wait, later.
 */
#ifndef MR_SMTPD_CMD_H
#define MR_SMTPD_CMD_H

#include "runtime/base/str.h"

struct session;

void cmd_helo(struct session *s, struct str args);
void cmd_ehlo(struct session *s, struct str args);
void cmd_mail(struct session *s, struct str args);
void cmd_rcpt(struct session *s, struct str args);
void cmd_data(struct session *s, struct str args);
void cmd_bdat(struct session *s, struct str args);
void cmd_rset(struct session *s, struct str args);
void cmd_noop(struct session *s, struct str args);
void cmd_vrfy(struct session *s, struct str args);
void cmd_expn(struct session *s, struct str args);
void cmd_help(struct session *s, struct str args);
void cmd_quit(struct session *s, struct str args);
void cmd_starttls(struct session *s, struct str args);
void cmd_auth(struct session *s, struct str args);

/* One line of an AUTH exchange. */
void cmd_auth_response(struct session *s, struct str line);

#endif
