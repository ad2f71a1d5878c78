/* SPDX-License-Identifier: Apache-2.0 */
#include "mailstack/filterd/attach.h"

#include <string.h>

/* What Windows or a desktop runs at a double click. Sorted by kind. */
static const char *const programs[] = {
    "exe",      "com", "scr",  "pif",        "bat",         "cmd",
    "cpl",      "dll", "ocx",  "sys",        "drv",         "msi",
    "msp",      "mst", "msix", "appx",       "gadget",      "js",
    "jse",      "vb",  "vbs",  "vbe",        "wsf",         "wsh",
    "wsc",      "sct", "hta",  "ps1",        "psm1",        "ps1xml",
    "psc1",     "lnk", "scf",  "reg",        "inf",         "chm",
    "hlp",      "jar", "jnlp", "class",      "application", "appref-ms",
    "xll",      "app", "apk",  "deb",        "rpm",         "desktop",
    "appimage", "pkg", "dmg",  "command",    "shs",         "shb",
    "url",      "ade", "adp",  "mde",        "msc",         "vhd",
    "vhdx",     "iso", "img",  "library-ms", "search-ms",   "settingcontent-ms",
};

static const char *const scripts[] = {
    "sh", "bash", "csh", "ksh", "zsh", "py",  "pyc", "pyw",
    "pl", "rb",   "php", "tcl", "lua", "bin", "run", "elf",
};

/* What a program's name is dressed up as. */
static const char *const harmless[] = {
    "pdf", "doc", "docx", "xls",  "xlsx", "ppt", "pptx", "rtf", "txt",  "csv",
    "odt", "ods", "jpg",  "jpeg", "png",  "gif", "bmp",  "tif", "tiff", "mp3",
    "mp4", "avi", "mov",  "wav",  "zip",  "htm", "html", "eml", "msg",
};

static bool is_in(struct str s, const char *const *list, size_t n)
{
    for (size_t i = 0; i < n; i++)
        if (str_ieq_c(s, list[i]))
            return true;
    return false;
}

bool attach_is_program_name(struct str name)
{
    struct str stem, extension, inner;

    name = str_trim_set(name, " \t\r\n\"'");
    while (name.n > 0 && str_find_any(str_skip(name, name.n - 1), ". \"'") == 0)
        name.n--; /* Windows drops dots and spaces at the end */
    if (!str_rcut(name, '.', &stem, &extension))
        return false;
    extension = str_trim(extension);
    if (is_in(extension, programs, ARRAY_N(programs)))
        return true;
    return is_in(extension, scripts, ARRAY_N(scripts)) && str_rcut(stem, '.', &stem, &inner) &&
           is_in(str_trim(inner), harmless, ARRAY_N(harmless));
}

static bool has_control(struct str s)
{
    for (size_t i = 0; i < s.n; i++)
        if ((unsigned char)s.p[i] < 9)
            return true;
    return false;
}

bool attach_is_program(struct str first)
{
    static const struct str magics[] = {
        STR_INIT("\x7f"
                 "ELF"),
        STR_INIT("\xfe\xed\xfa\xce"), /* Mach-O */
        STR_INIT("\xfe\xed\xfa\xcf"),
        STR_INIT("\xce\xfa\xed\xfe"),
        STR_INIT("\xcf\xfa\xed\xfe"),
        STR_INIT("\xca\xfe\xba\xbe"),      /* Java, and Mach-O of several kinds */
        STR_INIT("L\0\0\0\x01\x14\x02\0"), /* a shortcut of Windows */
    };

    /* Two letters may begin a text, too: a program has zeros soon behind them. */
    if (str_starts(first, STR("MZ")))
        return has_control(first);
    for (size_t i = 0; i < ARRAY_N(magics); i++)
        if (str_starts(first, magics[i]))
            return true;
    return false;
}

/* --- ZIP ---------------------------------------------------------------------------------------
 */

#define LOCAL_HEAD_N 30

static size_t le16(const unsigned char *p)
{
    return (size_t)p[0] | (size_t)p[1] << 8;
}

/* "PK\3\4" of a file, "PK\1\2" of an entry in the directory. */
static void look_for_mark(struct attach_zip *z, unsigned char c)
{
    bool fits = z->mark_n == 0   ? c == 'P'
                : z->mark_n == 1 ? c == 'K'
                : z->mark_n == 2 ? c == 1 || c == 3
                                 : c == z->mark[2] + 1;

    if (!fits) {
        z->mark_n = c == 'P';
        z->mark[0] = c;
        return;
    }
    z->mark[z->mark_n++] = c;
    if (z->mark_n < sizeof(z->mark))
        return;
    z->head_want = c == 2 ? ATTACH_ZIP_HEAD_N : LOCAL_HEAD_N;
    memcpy(z->head, z->mark, sizeof(z->mark));
    z->head_n = sizeof(z->mark);
    z->mark_n = 0;
}

static void end_of_name(struct attach_zip *z)
{
    struct str name = {z->name, z->name_n};

    z->found = attach_is_program_name(name);
    z->head_n = 0;
    z->name_n = z->found ? z->name_n : 0;
}

static void take_name(struct attach_zip *z, unsigned char c)
{
    if (z->name_n == sizeof(z->name)) { /* the end is what matters */
        memmove(z->name, z->name + 1, sizeof(z->name) - 1);
        z->name_n--;
    }
    z->name[z->name_n++] = (char)c;
    if (--z->name_want == 0)
        end_of_name(z);
}

static void take_head(struct attach_zip *z, unsigned char c)
{
    z->head[z->head_n++] = c;
    if (z->head_n < z->head_want)
        return;
    z->name_want = le16(z->head + (z->head_want == LOCAL_HEAD_N ? 26 : 28));
    z->name_n = 0;
    if (z->name_want == 0)
        z->head_n = 0;
}

/* Bytes that cannot begin a mark. */
static size_t dull(const struct attach_zip *z, struct str s)
{
    const char *p;

    if (z->mark_n > 0 || z->head_n > 0)
        return 0;
    p = memchr(s.p, 'P', s.n);
    return p ? (size_t)(p - s.p) : s.n;
}

void attach_zip_feed(struct attach_zip *z, struct str bytes)
{
    while (bytes.n > 0 && !z->found) {
        size_t skip = dull(z, bytes);

        if (skip > 0) {
            bytes = str_skip(bytes, skip);
            continue;
        }
        unsigned char c = (unsigned char)bytes.p[0];

        if (z->name_want > 0)
            take_name(z, c);
        else if (z->head_n > 0)
            take_head(z, c);
        else
            look_for_mark(z, c);
        bytes = str_skip(bytes, 1);
    }
}

/* --- uuencode ----------------------------------------------------------------------------------
 */

/* "begin MODE NAME", the mode of three or four octal digits. */
static bool is_uu_begin(struct str line, struct str *name)
{
    struct str word, mode, rest;

    if (!str_cut(line, ' ', &word, &rest) || !str_eq_c(word, "begin") ||
        !str_cut(rest, ' ', &mode, &rest) || mode.n < 3 || mode.n > 4)
        return false;
    for (size_t i = 0; i < mode.n; i++)
        if (mode.p[i] < '0' || mode.p[i] > '7')
            return false;
    *name = str_trim(rest);
    return true;
}

void attach_uu_end(struct attach_uu *u)
{
    struct str name;

    if (!u->found && !u->dull && is_uu_begin((struct str){u->line, u->line_n}, &name) &&
        attach_is_program_name(name)) {
        u->found = true;
        u->name = name;
        return;
    }
    if (u->found)
        return;
    u->line_n = 0;
    u->dull = false;
}

/* Bytes of the present line; it is dull as soon as it cannot be a beginning. */
static void take_line(struct attach_uu *u, struct str s)
{
    static const struct str mark = STR_INIT("begin ");
    size_t n = u->line_n;

    if (u->dull)
        return;
    u->dull = s.n > sizeof(u->line) - n;
    if (u->dull)
        return;
    memcpy(u->line + n, s.p, s.n);
    u->line_n += s.n;
    n = u->line_n < mark.n ? u->line_n : mark.n;
    u->dull = memcmp(u->line, mark.p, n) != 0;
}

void attach_uu_feed(struct attach_uu *u, struct str bytes)
{
    while (bytes.n > 0 && !u->found) {
        ptrdiff_t end = str_find(bytes, '\n');
        size_t n = end < 0 ? bytes.n : (size_t)end;

        if (n > 0)
            take_line(u, str_head(bytes, n));
        if (end < 0)
            return;
        attach_uu_end(u);
        bytes = str_skip(bytes, n + 1);
    }
}
