/* SPDX-License-Identifier: Apache-2.0 */
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include "runtime/base/own.h"
#include "runtime/base/str.h"

#include "mailstack/lib/daemon/daemon.h"

/* One datagram for each call, as sd_notify(3) sends it; a supervisor that does not listen is no
 * error. */
void daemon_notify(const char *state)
{
    const char *path = getenv("NOTIFY_SOCKET"); // NOLINT(concurrency-mt-unsafe): one thread
    struct sockaddr_un to = {.sun_family = AF_UNIX};
    struct str s = str_of(path);

    if (s.n == 0 || s.n >= sizeof(to.sun_path))
        return;
    own_fd int fd = socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC, 0);

    if (fd < 0)
        return;
    memcpy(to.sun_path, s.p, s.n);
    if (to.sun_path[0] == '@') /* an abstract name, as systemd writes it */
        to.sun_path[0] = '\0';
    (void)sendto(fd, state, strlen(state), MSG_NOSIGNAL, (const struct sockaddr *)&to,
                 (socklen_t)(offsetof(struct sockaddr_un, sun_path) + s.n));
}
