/* SPDX-License-Identifier: Apache-2.0 */
/*
 * cmd - the commands of POP3 after login, one function a verb, found by table
 *
 * Tests:     tests/mail/test_pop3.py
 */
#ifndef MR_POP3D_CMD_H
#define MR_POP3D_CMD_H

#include <stddef.h>

struct pop3_cmd;
struct session;

struct cmd {
    const char *verb;
    size_t args_min;
    size_t args_max;
    void (*run)(struct session *s, const struct pop3_cmd *c);
};

/* NULL if there is none of that name. */
const struct cmd *cmd_find(const struct pop3_cmd *c);

void cmd_stat(struct session *s, const struct pop3_cmd *c);
void cmd_list(struct session *s, const struct pop3_cmd *c);
void cmd_uidl(struct session *s, const struct pop3_cmd *c);
void cmd_retr(struct session *s, const struct pop3_cmd *c);
void cmd_top(struct session *s, const struct pop3_cmd *c);
void cmd_dele(struct session *s, const struct pop3_cmd *c);
void cmd_rset(struct session *s, const struct pop3_cmd *c);
void cmd_quit(struct session *s, const struct pop3_cmd *c);
void cmd_noop(struct session *s, const struct pop3_cmd *c);
void cmd_capa(struct session *s, const struct pop3_cmd *c);

#endif
