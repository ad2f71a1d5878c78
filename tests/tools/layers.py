#!/usr/bin/python3
# SPDX-License-Identifier: Apache-2.0
"""layers - refuses an include that points up

The arrows between the rooms are those of the table in README.md. Includes are written from the root of the tree, so each
shows its arrow. Libraries that only some rooms may know are arrows too.
"""
import pathlib
import re
import sys

BASE, SPEC, KERNEL, CONTAINER = "runtime/base", "runtime/spec", "runtime/kernel", "runtime/container"
IMAGE = "images/lib"
PURE = ("mailstack/lib/mail", "mailstack/lib/proto")

# The longest prefix that fits decides. A room always may use itself.
ROOMS = {
    BASE: (),
    SPEC: (BASE,),
    KERNEL: (BASE,),
    CONTAINER: (SPEC, KERNEL, BASE),
    "runtime/stack": (CONTAINER, IMAGE, SPEC, BASE),
    "runtime/cli": ("runtime", IMAGE),
    IMAGE: (BASE,),
    "images/tool": (IMAGE, BASE),
    "mailstack/lib/mail": (*PURE, BASE),
    "mailstack/lib/proto": (*PURE, BASE),
    "mailstack/lib": ("mailstack/lib", BASE),
    "mailstack": ("mailstack/lib", BASE),
    "tests": ("runtime", "images", "mailstack"),
}

# Which rooms may include a system header; every other one may not.
LIBRARIES = {
    r"jansson\.h": (BASE, SPEC, CONTAINER, "runtime/stack", "runtime/cli", "images", "mailstack/lib/daemon", "mailstack/lib/auth",
                    "mailstack", "tests"),
    r"seccomp\.h": (KERNEL, "tests"),
    r"sys/capability\.h": (KERNEL, "tests"),
    r"netlink/.*": (KERNEL, "tests"),
    r"openssl/.*": (IMAGE, "runtime/stack", "runtime/cli/stack", "mailstack/lib", "mailstack/smtpd", "mailstack/frontd",
                    "mailstack/queued", "mailstack/filterd", "mailstack/authd", "tests"),
    r"sqlite3\.h": ("mailstack/lib/store", "mailstack/filterd", "tests"),
    r"unbound\.h": ("mailstack/dnsd", "tests"),
    r"(zlib|zstd)\.h": (IMAGE, "tests"),
    r"cmocka\.h": ("tests",),
}
# Single includes that point elsewhere, each with its reason.
EXCEPTIONS = {
    # The filter's actions and comparisons as constants: a table of our own for them would only be a copy.
    ("runtime/container/filter.c", "seccomp.h"),
    # dnsd's pair of network devices belongs to the stack, not to the container that is put behind it.
    ("runtime/stack/dnsnet.c", "runtime/kernel/veth.h"),
    ("runtime/stack/dnsnet.c", "runtime/kernel/nat.h"),
}
# No I/O of any kind in the parsers.
NO_IO = re.compile(r"^(unistd|fcntl|poll|dirent|sys/(socket|stat|epoll|uio|mman)|openssl/ssl)\.h$")

INCLUDE = re.compile(r'^\s*#\s*include\s+(?:"([^"]+)"|<([^>]+)>)', re.M)


def beneath(path, prefix):
    return path == prefix or path.startswith(prefix + "/")


def room_of(path):
    fits = [r for r in ROOMS if beneath(path, r)]
    room = max(fits, key=len) if fits else None
    if room == "mailstack":  # each daemon is a room of its own
        room = "/".join(path.split("/")[:2])
    if room == "mailstack/lib":
        room = "/".join(path.split("/")[:3])
    return room


def allowed(room):
    if room.startswith("mailstack/lib/") and room not in PURE:
        return (room, *ROOMS["mailstack/lib"])
    return (room, *ROOMS.get(room, ROOMS["mailstack"]))


def check(root, path):
    rel = str(path.relative_to(root))
    room = room_of(rel)
    for own, system in INCLUDE.findall(path.read_text(encoding="utf-8")):
        if (rel, own or system) in EXCEPTIONS:
            continue
        if own and not (root / own).is_file():
            yield f'{rel}: "{own}" is not a path from the root of the tree'
        elif own and not any(beneath(own, a) for a in allowed(room)):
            yield f"{rel}: {room} may not include {own}"
        for pattern, rooms in LIBRARIES.items():
            if system and re.fullmatch(pattern, system) and not any(beneath(rel, r) for r in rooms):
                yield f"{rel}: {room} may not include <{system}>"
        if room in PURE and NO_IO.match(system):
            yield f"{rel}: {room} does no I/O and may not include <{system}>"


def main():
    root = pathlib.Path(__file__).resolve().parents[2]
    found = [line for top in ("runtime", "images", "mailstack", "tests") for path in sorted((root / top).rglob("*.[ch]"))
             for line in check(root, path)]
    print("\n".join(found), end="\n" if found else "")
    return 1 if found else 0


if __name__ == "__main__":
    sys.exit(main())
