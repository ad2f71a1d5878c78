/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The C library's name service and dynamic loading, refused. libcrypto and libunbound refer to them
 * in parts that no daemon uses; in a static program the real ones would load shared libraries from
 * the root file system, of which there are none. Names are resolved by dnsd. Linked as an object
 * into every daemon, in front of the libraries.
 */
#include <dlfcn.h>
#include <netdb.h>
#include <pwd.h>
#include <stddef.h>

__attribute__((visibility("default"))) int getaddrinfo(const char *restrict name,
                                                       const char *restrict service,
                                                       const struct addrinfo *restrict req,
                                                       struct addrinfo **restrict pai)
{
    (void)name;
    (void)service;
    (void)req;
    *pai = NULL;
    return EAI_FAIL;
}

__attribute__((visibility("default"))) void freeaddrinfo(struct addrinfo *ai)
{
    (void)ai;
}

__attribute__((visibility("default"))) struct hostent *gethostbyname(const char *name)
{
    (void)name;
    return NULL;
}

__attribute__((visibility("default"))) struct passwd *getpwnam(const char *name)
{
    (void)name;
    return NULL;
}

__attribute__((visibility("default"))) struct protoent *getprotobyname(const char *name)
{
    (void)name;
    return NULL;
}

__attribute__((visibility("default"))) struct protoent *getprotobynumber(int proto)
{
    (void)proto;
    return NULL;
}

__attribute__((visibility("default"))) void endprotoent(void)
{
}

__attribute__((visibility("default"))) struct servent *getservbyname(const char *name,
                                                                     const char *proto)
{
    (void)name;
    (void)proto;
    return NULL;
}

__attribute__((visibility("default"))) void endservent(void)
{
}

/* What a call of dlopen is linked to (--wrap). */
void *__wrap_dlopen(const char *file, int mode);

__attribute__((visibility("default"))) void *__wrap_dlopen(const char *file, int mode)
{
    (void)file;
    (void)mode;
    return NULL;
}

__attribute__((visibility("default"))) void *dlsym(void *restrict handle, const char *restrict name)
{
    (void)handle;
    (void)name;
    return NULL;
}

__attribute__((visibility("default"))) int dlclose(void *handle)
{
    (void)handle;
    return 0;
}

__attribute__((visibility("default"))) char *dlerror(void)
{
    return NULL;
}

__attribute__((visibility("default"))) int dladdr(const void *address, Dl_info *info)
{
    (void)address;
    (void)info;
    return 0;
}
