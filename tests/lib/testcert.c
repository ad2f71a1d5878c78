/* SPDX-License-Identifier: Apache-2.0 */
#include "tests/lib/testcert.h"

#include <openssl/ec.h>
#include <openssl/evp.h>
#include <openssl/pem.h>
#include <openssl/x509v3.h>
#include <stdio.h>
#include <stdlib.h>

static void must(int ok)
{
    if (!ok)
        abort();
}

static void add_name(X509 *x, const char *name)
{
    X509_NAME *subject = X509_get_subject_name(x);
    X509V3_CTX ctx;
    char text[128];

    must(X509_NAME_add_entry_by_txt(subject, "CN", MBSTRING_ASC, (const unsigned char *)name, -1,
                                    -1, 0));
    must(X509_set_issuer_name(x, subject));
    (void)snprintf(text, sizeof(text), "DNS:%s", name);
    X509V3_set_ctx(&ctx, x, x, NULL, NULL, 0);
    X509_EXTENSION *san = X509V3_EXT_conf_nid(NULL, &ctx, NID_subject_alt_name, text);

    must(san && X509_add_ext(x, san, -1));
    X509_EXTENSION_free(san);
}

static X509 *sign(EVP_PKEY *key, const char *name)
{
    X509 *x = X509_new();

    must(x && X509_set_version(x, X509_VERSION_3) && X509_set_pubkey(x, key));
    must(ASN1_INTEGER_set(X509_get_serialNumber(x), 1));
    must(X509_gmtime_adj(X509_getm_notBefore(x), -3600) != NULL);
    must(X509_gmtime_adj(X509_getm_notAfter(x), 86400) != NULL);
    add_name(x, name);
    must(X509_sign(x, key, EVP_sha256()) > 0);
    return x;
}

void testcert_write(const char *name, const char *cert_path, const char *key_path)
{
    EVP_PKEY *key = EVP_EC_gen("P-256");
    FILE *cert_file = fopen(cert_path, "we");
    FILE *key_file = fopen(key_path, "we");

    must(key && cert_file && key_file);
    X509 *x = sign(key, name);

    must(PEM_write_X509(cert_file, x));
    must(PEM_write_PrivateKey(key_file, key, NULL, NULL, 0, NULL, NULL));
    must(fclose(cert_file) == 0 && fclose(key_file) == 0);
    X509_free(x);
    EVP_PKEY_free(key);
}
