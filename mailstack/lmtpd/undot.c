/* SPDX-License-Identifier: Apache-2.0 */
#include "mailstack/lmtpd/undot.h"

static struct str take(struct str *in, size_t n)
{
    struct str head = str_head(*in, n);

    *in = str_skip(*in, n);
    return head;
}

/* Up to and with the next CR, or all. */
static struct str take_inside(struct undot *u, struct str *in)
{
    ptrdiff_t cr = str_find(*in, '\r');

    u->state = cr < 0 ? UNDOT_INSIDE : UNDOT_CR;
    return take(in, cr < 0 ? in->n : (size_t)cr + 1);
}

static struct str after_cr(struct undot *u, struct str *in)
{
    if (in->p[0] == '\n') {
        u->state = UNDOT_LINE_START;
        return take(in, 1);
    }
    return take_inside(u, in);
}

bool undot_next(struct undot *u, struct str *in, struct str *out)
{
    char c = in->p[0];

    *out = STR_NONE;
    switch (u->state) {
    case UNDOT_INSIDE:
        *out = take_inside(u, in);
        return false;
    case UNDOT_CR:
        *out = after_cr(u, in);
        return false;
    case UNDOT_LINE_START:
        if (c != '.') {
            *out = take_inside(u, in);
            return false;
        }
        (void)take(in, 1); /* the dot of the end, or one that was added */
        u->state = UNDOT_DOT;
        return false;
    case UNDOT_DOT:
        if (c == '\r') {
            (void)take(in, 1); /* the end, unless no LF follows */
            u->state = UNDOT_DOT_CR;
            return false;
        }
        *out = take_inside(u, in);
        return false;
    case UNDOT_DOT_CR:
        if (c == '\n') {
            (void)take(in, 1); /* the end */
            u->state = UNDOT_LINE_START;
            return true;
        }
        *out = STR("\r");
        u->state = UNDOT_CR;
        return false;
    }
    return false;
}
