/* SPDX-License-Identifier: Apache-2.0 */
#include "images/lib/describe.h"

#include <string.h>

#include "runtime/base/buf.h"
#include "runtime/base/jw.h"
#include "runtime/base/num.h"

#include "images/lib/digest.h"
#include "images/lib/image.h"

#define REF_WIDTH_MIN 10
#define SHORT_DIGITS  12

/* Control characters of a document do not reach a terminal. */
static void put_plain(struct buf *out, const char *text)
{
    for (; *text; text++)
        buf_append_char(out, (unsigned char)*text < 0x20 || *text == 0x7f ? '?' : *text);
}

void describe_list(const struct image_info *v, size_t n, struct buf *out)
{
    int width = REF_WIDTH_MIN;

    for (size_t i = 0; i < n; i++)
        if ((int)strlen(v[i].ref) > width)
            width = (int)strlen(v[i].ref);
    buf_printf(out, "%-*s  %-*s  %8s  %s\n", width, "IMAGE", SHORT_DIGITS, "DIGEST", "SIZE",
               "CREATED");
    for (size_t i = 0; i < n; i++) {
        char size[NUM_TEXT_MAX];
        size_t at = out->n;

        num_format_size(v[i].size, size);
        put_plain(out, *v[i].ref ? v[i].ref : "-");
        buf_printf(out, "%*s", width - (int)(out->n - at) + 2, "");
        buf_printf(out, "%.*s  %8s  ", SHORT_DIGITS, digest_hex(v[i].digest), size);
        put_plain(out, v[i].config.created);
        buf_append_char(out, '\n');
    }
}

static void put_row(struct buf *out, const char *name, const char *value)
{
    if (!*value)
        return;
    buf_printf(out, "%-12s ", name);
    put_plain(out, value);
    buf_append_char(out, '\n');
}

static void put_rows(struct buf *out, const char *name, const struct image_strings *s)
{
    for (size_t i = 0; i < s->n; i++)
        put_row(out, i == 0 ? name : "", s->v[i]);
}

void describe_image(const struct image_info *i, struct buf *out)
{
    char size[NUM_TEXT_MAX];

    put_row(out, "image", i->ref);
    put_row(out, "manifest", i->digest);
    put_row(out, "config", i->config_digest);
    buf_printf(out, "%-12s ", "platform");
    put_plain(out, i->config.os);
    buf_append_char(out, '/');
    put_plain(out, i->config.architecture);
    buf_append_char(out, '\n');
    put_row(out, "created", i->config.created);
    num_format_size(i->size, size);
    put_row(out, "size", size);
    put_rows(out, "entrypoint", &i->config.entrypoint);
    put_rows(out, "cmd", &i->config.cmd);
    put_rows(out, "env", &i->config.env);
    put_row(out, "user", i->config.user);
    put_row(out, "workdir", i->config.workdir);
    put_row(out, "stop signal", i->config.stop_signal);
    put_rows(out, "labels", &i->config.labels);
    for (size_t k = 0; k < i->layers_n; k++) {
        num_format_size(i->layers[k].size, size);
        buf_printf(out, "%-12s %s %s\n", k == 0 ? "layers" : "", i->layers[k].digest, size);
    }
}

/* --- JSON --------------------------------------------------------------------------------------*/

static void put_strings(struct jw *w, const char *key, const struct image_strings *s)
{
    jw_array(w, key);
    for (size_t i = 0; i < s->n; i++)
        jw_c(w, NULL, s->v[i]);
    jw_end(w);
}

static void put_layers(struct jw *w, const struct image_info *i)
{
    jw_array(w, "layers");
    for (size_t k = 0; k < i->layers_n; k++) {
        jw_object(w, NULL);
        jw_c(w, "media_type", i->layers[k].media_type);
        jw_c(w, "digest", i->layers[k].digest);
        jw_c(w, "diff_id", i->layers[k].diff_id);
        jw_uint(w, "size", i->layers[k].size);
        jw_end(w);
    }
    jw_end(w);
}

static void put_image(struct jw *w, const struct image_info *i)
{
    jw_object(w, NULL);
    jw_c(w, "name", i->ref);
    jw_c(w, "digest", i->digest);
    jw_c(w, "config_digest", i->config_digest);
    jw_c(w, "os", i->config.os);
    jw_c(w, "architecture", i->config.architecture);
    jw_c(w, "created", i->config.created);
    jw_uint(w, "size", i->size);
    put_strings(w, "entrypoint", &i->config.entrypoint);
    put_strings(w, "cmd", &i->config.cmd);
    put_strings(w, "env", &i->config.env);
    jw_c(w, "user", i->config.user);
    jw_c(w, "workdir", i->config.workdir);
    jw_c(w, "stop_signal", i->config.stop_signal);
    put_strings(w, "labels", &i->config.labels);
    put_layers(w, i);
    jw_end(w);
}

void describe_list_json(const struct image_info *v, size_t n, struct buf *out)
{
    struct jw w = jw_start(out, JW_INDENT_TWO);

    jw_array(&w, NULL);
    for (size_t i = 0; i < n; i++)
        put_image(&w, &v[i]);
    jw_end(&w);
    buf_append_char(out, '\n');
}

void describe_image_json(const struct image_info *i, struct buf *out)
{
    struct jw w = jw_start(out, JW_INDENT_TWO);

    put_image(&w, i);
    buf_append_char(out, '\n');
}
