/* SPDX-License-Identifier: Apache-2.0 */
#include <sys/socket.h>
#include <unistd.h>

#include "runtime/base/buf.h"
#include "runtime/base/fd.h"
#include "runtime/base/jv.h"
#include "runtime/base/own.h"
#include "runtime/container/container.h"
#include "runtime/container/listener.h"
#include "runtime/spec/oci.h"

#include "tests/lib/test.h"

static void the_message_says_whose_descriptor_it_is(void **state)
{
    struct container_pair pair = {"key", "va\"lue"};
    struct container_state s = {.id = "c",
                                .bundle = "/b",
                                .status = CONTAINER_RUNNING,
                                .pid = 7,
                                .annotations = &pair,
                                .annotations_n = 1};
    struct oci_seccomp section = {.listener_metadata = "meta"};
    own_buf struct buf text = BUF_INIT(4096);

    (void)state;
    listener_format(&section, &s, 8, &text);
    assert_string_equal(buf_c(&text),
                        "{\"ociVersion\":\"" OCI_VERSION
                        "\",\"fds\":[\"seccompFd\"],\"pid\":8,\"metadata\":\"meta\","
                        "\"state\":{\"ociVersion\":\"" OCI_VERSION
                        "\",\"id\":\"c\",\"status\":\"running\",\"pid\":7,"
                        "\"bundle\":\"/b\",\"annotations\":{\"key\":\"va\\\"lue\"}}}");
}

static void nobody_at_the_path_is_an_error(void **state)
{
    struct container_state s = {.id = "c", .bundle = "/b"};
    struct oci_seccomp section = {.listener_path = "/nowhere/at/all"};
    struct err err = {0};

    (void)state;
    assert_int_equal(listener_hand(&section, &s, 1, 0, &err), -1);
    assert_err(&err, "$.linux.seccomp.listenerPath");
    assert_int_equal(listener_hand(&section, &s, 1, -1, &err), -1);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(the_message_says_whose_descriptor_it_is),
        cmocka_unit_test(nobody_at_the_path_is_an_error),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
