/* SPDX-License-Identifier: Apache-2.0 */
#include "mailstack/lib/proto/sasl.h"

#include <errno.h>
#include <string.h>

#include "runtime/base/buf.h"
#include "runtime/base/err.h"
#include "runtime/base/own.h"

/* base64 of "Username:" and "Password:", as every LOGIN client expects them. */
static const char ask_user[] = "VXNlcm5hbWU6";
static const char ask_password[] = "UGFzc3dvcmQ6";

bool sasl_mech_parse(struct str name, enum sasl_mech *out)
{
    if (str_ieq(name, STR("PLAIN")))
        *out = SASL_PLAIN;
    else if (str_ieq(name, STR("LOGIN")))
        *out = SASL_LOGIN;
    else
        return false;
    return true;
}

bool sasl_is_cancel(struct str response)
{
    return str_eq_c(response, "*");
}

static int keep(char *to, size_t *to_n, struct str value, const char *what, struct err *err)
{
    if (value.n > SASL_VALUE_MAX)
        return err_set(err, EMSGSIZE, "%s of more than %d bytes", what, SASL_VALUE_MAX);
    if (str_has_nul(value))
        return err_set(err, 0, "%s with a NUL in it", what);
    if (value.n)
        memcpy(to, value.p, value.n);
    *to_n = value.n;
    return 0;
}

static int keep_user(struct sasl *s, struct str value, struct err *err)
{
    if (value.n == 0)
        return err_set(err, 0, "an empty user name");
    return keep(s->user, &s->user_n, value, "a user name", err);
}

static int keep_password(struct sasl *s, struct str value, struct err *err)
{
    return keep(s->password, &s->password_n, value, "a password", err);
}

/* authzid NUL authcid NUL passwd */
static int take_plain(struct sasl *s, struct str raw, struct err *err)
{
    struct str authz;
    struct str user;
    struct str password;

    if (!str_cut(raw, '\0', &authz, &raw) || !str_cut(raw, '\0', &user, &password))
        return err_set(err, 0, "PLAIN: two NULs expected");
    if (authz.n && !str_ieq(authz, user))
        return err_set(err, 0, "PLAIN: acting for another user is not offered");
    if (keep_user(s, user, err) < 0)
        return -1;
    return keep_password(s, password, err);
}

static enum sasl_result step_plain(struct sasl *s, struct str raw, struct err *err)
{
    return take_plain(s, raw, err) < 0 ? SASL_ERROR : SASL_DONE;
}

static enum sasl_result step_login(struct sasl *s, struct str raw, struct err *err)
{
    if (s->step++ == 0) {
        s->challenge = ask_password;
        return keep_user(s, raw, err) < 0 ? SASL_ERROR : SASL_CHALLENGE;
    }
    return keep_password(s, raw, err) < 0 ? SASL_ERROR : SASL_DONE;
}

enum sasl_result sasl_feed(struct sasl *s, struct str response, struct err *err)
{
    own_buf struct buf raw = BUF_INIT(SASL_RESPONSE_MAX);
    enum sasl_result r = SASL_ERROR;

    if (sasl_is_cancel(response)) {
        (void)err_set(err, ECANCELED, "the client gave up");
        return SASL_ERROR;
    }
    if (response.n > SASL_RESPONSE_MAX) {
        (void)err_set(err, EMSGSIZE, "a response of more than %d bytes", SASL_RESPONSE_MAX);
        return SASL_ERROR;
    }
    if (buf_append_unbase64(&raw, response, err) == 0)
        r = s->mech == SASL_PLAIN ? step_plain(s, buf_str(&raw), err)
                                  : step_login(s, buf_str(&raw), err);
    if (raw.p)
        explicit_bzero(raw.p, raw.n);
    return r;
}

enum sasl_result sasl_begin(struct sasl *s, enum sasl_mech mech, struct str initial,
                            struct err *err)
{
    s->mech = mech;
    s->step = 0;
    s->user_n = 0;
    s->password_n = 0;
    s->challenge = mech == SASL_PLAIN ? "" : ask_user;
    if (!initial.p)
        return SASL_CHALLENGE;
    return sasl_feed(s, str_eq_c(initial, "=") ? STR_NONE : initial, err);
}

struct str sasl_user(const struct sasl *s)
{
    return (struct str){s->user, s->user_n};
}

struct str sasl_password(const struct sasl *s)
{
    return (struct str){s->password, s->password_n};
}

void sasl_done(struct sasl *s)
{
    explicit_bzero(s, sizeof(*s));
}
