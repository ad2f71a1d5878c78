/* SPDX-License-Identifier: Apache-2.0 */
#include "mailstack/pop3d/cmd.h"

#include "runtime/base/attr.h"

#include "mailstack/lib/proto/pop3_cmd.h"
#include "mailstack/pop3d/session.h"

static const struct cmd cmds[] = {
    {"CAPA", 0, 0, cmd_capa}, {"DELE", 1, 1, cmd_dele}, {"LIST", 0, 1, cmd_list},
    {"NOOP", 0, 0, cmd_noop}, {"QUIT", 0, 0, cmd_quit}, {"RETR", 1, 1, cmd_retr},
    {"RSET", 0, 0, cmd_rset}, {"STAT", 0, 0, cmd_stat}, {"TOP", 2, 2, cmd_top},
    {"UIDL", 0, 1, cmd_uidl},
};

const struct cmd *cmd_find(const struct pop3_cmd *c)
{
    for (size_t i = 0; i < ARRAY_N(cmds); i++)
        if (str_ieq_c(c->verb, cmds[i].verb))
            return &cmds[i];
    return NULL;
}

void cmd_noop(struct session *s, const struct pop3_cmd *c)
{
    (void)c;
    session_ok(s, "nothing done");
}

void cmd_capa(struct session *s, const struct pop3_cmd *c)
{
    static const char *const capabilities[] = {"TOP", "UIDL", "RESP-CODES", "PIPELINING",
                                               "EXPIRE NEVER"};

    (void)c;
    session_ok(s, "capabilities follow");
    for (size_t i = 0; i < ARRAY_N(capabilities); i++)
        session_line(s, "%s", capabilities[i]);
    session_line(s, ".");
}
