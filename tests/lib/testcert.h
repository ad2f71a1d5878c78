/* SPDX-License-Identifier: Apache-2.0 */
/*
 * testcert - a self-signed certificate and its key, as PEM files in a test's directory
 *
 * Only tests that use it link libcrypto.
 */
#ifndef MR_TESTS_TESTCERT_H
#define MR_TESTS_TESTCERT_H

/* For the DNS name, good for a day. Aborts on failure: no test can go on. */
void testcert_write(const char *name, const char *cert_path, const char *key_path);

#endif
