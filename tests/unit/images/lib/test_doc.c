/* SPDX-License-Identifier: Apache-2.0 */
#include "runtime/base/arena.h"
#include "runtime/base/buf.h"
#include "runtime/base/own.h"

#include "images/lib/doc.h"

#include "tests/lib/test.h"

#define ARENA_MAX (16U << 20)
#define D         "sha256:e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855"
#define TEXT_MAX  100000

static int setup(void **state)
{
    *state = arena_new(ARENA_MAX);
    return 0;
}

static int teardown(void **state)
{
    arena_free(*state);
    return 0;
}

static void an_index_tells_type_digest_size_name_and_platform(void **state)
{
    static const char text[] =
        "{\"schemaVersion\":2,\"unknown\":{},\"manifests\":[{\"mediaType\":\"" DOC_TYPE_MANIFEST
        "\",\"digest\":\"" D "\",\"size\":7,\"annotations\":{\"other\":\"x\",\"" DOC_REF_KEY
        "\":\"name\"},\"platform\":{\"os\":\"linux\",\"architecture\":\"arm64\"}},{\"digest\":\"" D
        "\",\"size\":0}]}";
    struct doc_index i;
    struct err err;

    assert_ok(doc_parse_index(str_of(text), *state, &i, &err), &err);
    assert_int_equal(i.n, 2);
    assert_string_equal(i.v[0].media_type, DOC_TYPE_MANIFEST);
    assert_string_equal(i.v[0].digest, D);
    assert_int_equal(i.v[0].size, 7);
    assert_string_equal(i.v[0].ref, "name");
    assert_string_equal(i.v[0].architecture, "arm64");
    assert_string_equal(i.v[1].ref, "");
    assert_string_equal(i.v[1].os, "");
}

static void wrong_documents_name_the_place(void **state)
{
    static const struct {
        const char *text;
        const char *why;
    } bad[] = {
        {"", "index"},
        {"[]", "object"},
        {"{}", "schemaVersion"},
        {"{\"schemaVersion\":1,\"manifests\":[]}", "schemaVersion"},
        {"{\"schemaVersion\":2}", "manifests"},
        {"{\"schemaVersion\":2,\"manifests\":[1]}", "$.manifests[0]"},
        {"{\"schemaVersion\":2,\"manifests\":[{\"digest\":\"" D "\"}]}", "$.manifests[0].size"},
        {"{\"schemaVersion\":2,\"manifests\":[{\"digest\":\"" D "\",\"size\":-1}]}", "size"},
        {"{\"schemaVersion\":2,\"manifests\":[{\"digest\":\"" D "\",\"size\":99999999999999}]}",
         "size"},
        {"{\"schemaVersion\":2,\"manifests\":[{\"digest\":\"sha256:../..\",\"size\":1}]}",
         "no sha256 digest"},
        {"{\"schemaVersion\":2,\"manifests\":[{\"digest\":\"sha512:00\",\"size\":1}]}",
         "no sha256 digest"},
    };
    struct doc_index i;

    for (size_t k = 0; k < ARRAY_N(bad); k++) {
        struct err err = {0};

        if (doc_parse_index(str_of(bad[k].text), *state, &i, &err) == 0)
            fail_msg("case %zu was accepted", k);
        assert_err(&err, bad[k].why);
    }
}

static void a_configuration_is_read_with_what_is_absent_empty(void **state)
{
    static const char full[] =
        "{\"os\":\"linux\",\"architecture\":\"amd64\",\"config\":{\"Entrypoint\":[\"/a\",\"-b\"],"
        "\"Cmd\":null,\"Env\":[\"A=b\"],\"User\":\"1\",\"WorkingDir\":\"/w\","
        "\"Labels\":{\"z\":\"1\",\"a\":\"2\"}},\"rootfs\":{\"type\":\"layers\",\"diff_ids\":[\"" D
        "\"]}}";
    struct doc_config c;
    struct err err;

    assert_ok(doc_parse_config(str_of(full), *state, &c, &err), &err);
    assert_int_equal(c.image.entrypoint.n, 2);
    assert_string_equal(c.image.entrypoint.v[1], "-b");
    assert_null(c.image.entrypoint.v[2]);
    assert_int_equal(c.image.cmd.n, 0);
    assert_string_equal(c.image.labels.v[0], "a=2");
    assert_string_equal(c.image.workdir, "/w");
    assert_string_equal(c.image.stop_signal, "");
    assert_int_equal(c.diff_ids.n, 1);
    assert_ok(doc_parse_config(STR("{\"rootfs\":{}}"), *state, &c, &err), &err);
    assert_int_equal(c.image.entrypoint.n, 0);
    assert_string_equal(c.image.user, "");
    assert_int_equal(doc_parse_config(STR("{}"), *state, &c, &err), -1);
    assert_int_equal(doc_parse_config(STR("{\"rootfs\":{\"diff_ids\":[\"x\"]}}"), *state, &c, &err),
                     -1);
}

static void what_is_written_is_read_again(void **state)
{
    own_buf struct buf b = BUF_INIT(TEXT_MAX);
    struct doc_descriptor layers[2] = {
        {.media_type = DOC_TYPE_TAR, .digest = D, .size = 1},
        {.media_type = DOC_TYPE_TAR_GZIP, .digest = D, .size = 1ULL << 33}};
    struct doc_manifest m = {{.media_type = DOC_TYPE_CONFIG, .digest = D, .size = 3}, layers, 2};
    struct err err;

    doc_format_manifest(&m, &b);
    assert_ok(doc_parse_manifest(buf_str(&b), *state, &m, &err), &err);
    assert_int_equal(m.layers_n, 2);
    assert_int_equal(m.layers[1].size, 1ULL << 33);
    assert_string_equal(m.config.media_type, DOC_TYPE_CONFIG);
    const char *words[] = {"/a \"b\"", NULL};
    const char *labels[] = {"k=v=w", NULL};
    const char *ids[] = {D, NULL};
    struct doc_config c = {.image = {.entrypoint = {words, 1},
                                     .labels = {labels, 1},
                                     .os = "linux",
                                     .architecture = "amd64",
                                     .created = "1970-01-01T00:00:00Z"},
                           .diff_ids = {ids, 1}};
    buf_reset(&b);
    doc_format_config(&c, "by hand", &b);
    assert_ok(doc_parse_config(buf_str(&b), *state, &c, &err), &err);
    assert_string_equal(c.image.entrypoint.v[0], "/a \"b\"");
    assert_string_equal(c.image.labels.v[0], "k=v=w");
    buf_reset(&b);
    doc_format_layout(&b);
    assert_ok(doc_check_layout(buf_str(&b), &err), &err);
    assert_int_equal(doc_check_layout(STR("{\"imageLayoutVersion\":\"2.0.0\"}"), &err), -1);
}

static void what_docker_saves_is_read(void **state)
{
    struct doc_saved *v;
    size_t n;
    struct err err;

    assert_ok(doc_parse_saved(STR("[{\"Config\":\"c.json\",\"RepoTags\":[\"a:1\",\"a:2\"],"
                                  "\"Layers\":[\"l/layer.tar\"]},{\"Config\":\"d\",\"RepoTags\":"
                                  "null,\"Layers\":[]}]"),
                              *state, &v, &n, &err),
              &err);
    assert_int_equal(n, 2);
    assert_string_equal(v[0].tags.v[1], "a:2");
    assert_string_equal(v[0].layers.v[0], "l/layer.tar");
    assert_int_equal(v[1].tags.n, 0);
    assert_int_equal(doc_parse_saved(STR("{}"), *state, &v, &n, &err), -1);
}

static void media_types_of_both_worlds_are_known(void **state)
{
    (void)state;
    assert_int_equal(doc_kind_of(DOC_TYPE_TAR_ZSTD), DOC_LAYER);
    assert_int_equal(doc_kind_of("application/vnd.docker.distribution.manifest.list.v2+json"),
                     DOC_INDEX);
    assert_int_equal(doc_kind_of("application/vnd.docker.image.rootfs.diff.tar.gzip"), DOC_LAYER);
    assert_int_equal(doc_kind_of("application/vnd.oci.image.layer.v1.tar+encrypted"), DOC_OTHER);
    assert_int_equal(doc_kind_of(""), DOC_OTHER);
}

static void references_are_judged(void **state)
{
    static const char *const good[] = {"smtpd", "busybox:1.36", "registry.example/a:b", "a@b+c"};
    static const char *const bad[] = {"", "-a", "/a", ".", "a b", "a\nb", "a\\b", "a\xc3\xa4"};

    (void)state;
    for (size_t i = 0; i < ARRAY_N(good); i++)
        assert_true(doc_ref_is_sound(str_of(good[i])));
    for (size_t i = 0; i < ARRAY_N(bad); i++)
        assert_false(doc_ref_is_sound(str_of(bad[i])));
}

int main(void)
{
#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)
    const struct CMUnitTest tests[] = {
        TEST(an_index_tells_type_digest_size_name_and_platform),
        TEST(wrong_documents_name_the_place),
        TEST(a_configuration_is_read_with_what_is_absent_empty),
        TEST(what_is_written_is_read_again),
        TEST(what_docker_saves_is_read),
        TEST(media_types_of_both_worlds_are_known),
        TEST(references_are_judged),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
