/* SPDX-License-Identifier: Apache-2.0 */
#include "mailstack/filterd/attach.h"

#include "tests/lib/test.h"

static void names_of_programs_are_known(void **state)
{
    static const char *const yes[] = {"a.exe",     "A.EXE",      "a.b.scr",   "a.exe. ",
                                      "\"a.exe\"", "a.js",       "x.pdf.sh",  "a. exe",
                                      ".exe",      "dir\\a.bat", "cv.docx.py"};
    static const char *const no[] = {"",          "exe",   "a.txt", "a.sh", "x.tar.sh",
                                     "a.exe.txt", "a.pdf", "a.",    "sh",   "a.exec"};

    (void)state;
    for (size_t i = 0; i < ARRAY_N(yes); i++)
        if (!attach_is_program_name(str_of(yes[i])))
            fail_msg("'%s' is a program", yes[i]);
    for (size_t i = 0; i < ARRAY_N(no); i++)
        if (attach_is_program_name(str_of(no[i])))
            fail_msg("'%s' is no program", no[i]);
}

static void first_bytes_of_programs_are_known(void **state)
{
    (void)state;
    assert_true(attach_is_program(STR("\x7f"
                                      "ELF\x02")));
    assert_true(attach_is_program(STR("MZ\x90\0\x03")));
    assert_true(attach_is_program(STR("\xca\xfe\xba\xbe")));
    assert_true(attach_is_program(STR("L\0\0\0\x01\x14\x02\0abc")));
    assert_false(attach_is_program(STR("MZ is a county")));
    assert_false(attach_is_program(STR("%PDF-1.4")));
    assert_false(attach_is_program(STR("ELF")));
    assert_false(attach_is_program(STR("")));
}

#define LOCAL "PK\x03\x04\x14\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0" /* up to the lengths */
#define ENTRY "PK\x01\x02\x14\0\x14\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0"

static void names_in_archives_are_found_however_cut(void **state)
{
    static const struct {
        struct str bytes;
        const char *name; /* NULL: none */
    } rows[] = {
        {STR_INIT(LOCAL "\x05\0\0\0a.exedata"), "a.exe"},
        {STR_INIT("junkPPK" LOCAL "\x05\0\0\0a.txt" LOCAL "\x05\0\0\0b.exe"), "b.exe"},
        {STR_INIT(ENTRY "\x07\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0d/a.com"), "d/a.com"},
        {STR_INIT(LOCAL "\x05\0\0\0a.txt"), NULL},
        {STR_INIT(LOCAL "\0\0\0\0a.exe"), NULL},
        {STR_INIT("PK\x03\x02 a.exe PK\x05\x06"), NULL},
    };

    (void)state;
    for (size_t i = 0; i < ARRAY_N(rows); i++) {
        for (size_t cut = 0; cut <= rows[i].bytes.n; cut++) {
            struct attach_zip z = {0};

            attach_zip_feed(&z, str_head(rows[i].bytes, cut));
            attach_zip_feed(&z, str_skip(rows[i].bytes, cut));
            assert_int_equal(z.found, rows[i].name != NULL);
            if (z.found)
                assert_str(((struct str){z.name, z.name_n}), rows[i].name);
        }
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(names_of_programs_are_known),
        cmocka_unit_test(first_bytes_of_programs_are_known),
        cmocka_unit_test(names_in_archives_are_found_however_cut),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
