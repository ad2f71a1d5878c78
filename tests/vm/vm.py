#!/usr/bin/python3
# SPDX-License-Identifier: Apache-2.0
"""vm - a command in a guest with cgroup v2 alone, under qemu's emulation

    vm.py prepare DIR            fetch Debian's kernel and make the guest's first file system in DIR
    vm.py run DIR COMMAND...     run it as root in the current directory; exit as it did (124: no end in time, 125: the guest died)

The guest's root is this machine's, read-only, with a layer in memory above it: what is built here is there, and nothing that
happens there is seen here. It needs no /dev/kvm and no root. Memory in MiB and time in seconds: $VM_MEMORY (2048), $VM_TIME (1800).
"""
import os
import pathlib
import re
import shlex
import signal
import subprocess
import sys
import threading

HERE = pathlib.Path(__file__).resolve().parent
MODULES = ("virtio_pci", "virtio_mmio", "virtio_console", "virtio_rng", "9pnet_virtio", "9p", "overlay")
END = re.compile(rb"guest: exit status (\d+)\r?\n")
ENVIRONMENT = re.compile(r"(PATH|HOME|LANG|LC_\w+|MR_\w+|OCI_\w+)$")


class Cpio:
    """An archive of the form that the kernel unpacks ("newc")."""

    def __init__(self):
        self.out, self.inode = bytearray(), 0

    def add(self, name, data=b"", mode=0o100644):
        self.inode += 1
        encoded = name.encode() + b"\0"
        fields = (self.inode, mode, 0, 0, 1, 0, len(data), 0, 0, 0, 0, len(encoded), 0)
        for part in (b"070701" + b"".join(b"%08X" % f for f in fields) + encoded, data):
            self.out += part
            self.out += bytes(-len(self.out) % 4)

    def directory(self, name):
        self.add(name, mode=0o040755)

    def end(self):
        self.add("TRAILER!!!")
        return bytes(self.out)


def output(*command, **more):
    return subprocess.run(command, check=True, stdout=subprocess.PIPE, text=True, **more).stdout


def fetch_kernel(top):
    """The package of the kernel, unpacked; nothing of it is installed here."""
    found = re.search(r"Depends: (linux-image-\S+)", output("apt-cache", "depends", "linux-image-amd64"))
    if found is None:
        sys.exit("vm: apt knows no linux-image-amd64")
    for old in top.glob("linux-image-*.deb"):
        old.unlink()
    subprocess.run(["apt-get", "-q", "download", found[1]], cwd=top, check=True, stdout=subprocess.DEVNULL)
    package = next(top.glob("linux-image-*.deb"))
    subprocess.run(["dpkg-deb", "-x", package, top / "kernel"], check=True)
    package.unlink()


def kernel_version(top):
    return next((top / "kernel" / "lib" / "modules").iterdir()).name


def module_files(top):
    """The modules in the order in which they can be loaded."""
    version = kernel_version(top)
    subprocess.run(["depmod", "-b", top / "kernel", version], check=True)
    files = []
    for name in MODULES:
        text = output("modprobe", "-d", top / "kernel", "-S", version, "--show-depends", name)
        files += [line.split()[1] for line in text.splitlines() if line.startswith("insmod")]
    return [pathlib.Path(f) for f in dict.fromkeys(files)]


def make_initrd(top):
    archive = Cpio()
    for name in ("bin", "modules"):
        archive.directory(name)
    archive.add("bin/busybox", pathlib.Path("/bin/busybox").read_bytes(), 0o100755)
    archive.add("bin/sh", b"busybox", 0o120777)
    files = module_files(top)
    for f in files:
        archive.add(f"modules/{f.name}", f.read_bytes())
    archive.add("modules/order", "".join(f"{f.name}\n" for f in files).encode())
    archive.add("kernel_dir", str((top / "kernel" / "lib" / "modules").resolve()).encode())
    archive.add("init", (HERE / "init.sh").read_bytes(), 0o100755)
    (top / "initrd.tmp").write_bytes(archive.end())
    (top / "initrd.tmp").rename(top / "initrd")


def prepare(top):
    top.mkdir(parents=True, exist_ok=True)
    if not (top / "kernel" / "boot").is_dir():
        fetch_kernel(top)
    make_initrd(top)


def command_archive(command):
    """A second archive, which the kernel unpacks over the first."""
    lines = [f"export {k}={shlex.quote(v)}" for k, v in os.environ.items() if ENVIRONMENT.match(k)]
    lines += [f"cd {shlex.quote(os.getcwd())}", command if isinstance(command, str) else shlex.join(command)]
    archive = Cpio()
    archive.add("command", ("\n".join(lines) + "\n").encode())
    return archive.end()


def clock_khz():
    found = re.search(r"cpu MHz\s*:\s*([\d.]+)", pathlib.Path("/proc/cpuinfo").read_text(encoding="ascii"))
    return int(float(found[1]) * 1000) if found else 2000000


def qemu(top, initrd):
    # microvm has neither the timer nor the table from which the kernel would learn the clock's rate.
    append = ("console=ttyS0 quiet panic=-1 mitigations=off cgroup_no_v1=all random.trust_cpu=on no_timer_check "
              f"tsc=reliable tsc_early_khz={clock_khz()} nowatchdog reboot=t")
    share = "local,id=host,path=/,security_model=none,readonly=on,multidevs=remap"
    return ["qemu-system-x86_64", "-M", "microvm,acpi=on,pit=on,pic=on,isa-serial=on,rtc=on", "-accel", "tcg,thread=multi",
            "-cpu", "max", "-smp", "2", "-m", os.environ.get("VM_MEMORY", "2048"), "-nodefaults", "-no-user-config",
            "-display", "none", "-no-reboot", "-kernel", str(next((top / "kernel" / "boot").glob("vmlinuz-*"))),
            "-initrd", str(initrd), "-append", append, "-fsdev", share,
            "-device", "virtio-9p-device,fsdev=host,mount_tag=host", "-device", "virtio-rng-device",
            "-device", "virtio-serial-device", "-chardev", "stdio,id=out,signal=off", "-device", "virtconsole,chardev=out",
            "-serial", f"file:{top}/serial.{os.getpid()}"]


def stream(process):
    """Copies the guest's output; the exit status that it ends with, or None."""
    for line in process.stdout:
        found = END.search(line)
        if found:
            return int(found[1])
        sys.stdout.buffer.write(line)
        sys.stdout.buffer.flush()
    return None


def run(top, command):
    initrd = top / f"initrd.{os.getpid()}"
    serial = top / f"serial.{os.getpid()}"
    late = threading.Event()
    try:
        initrd.write_bytes((top / "initrd").read_bytes() + command_archive(command))
        with subprocess.Popen(qemu(top, initrd), stdin=subprocess.DEVNULL, stdout=subprocess.PIPE) as process:
            timer = threading.Timer(float(os.environ.get("VM_TIME", "1800")), lambda: (late.set(), process.kill()))
            timer.start()
            signal.signal(signal.SIGTERM, lambda *_: process.kill())
            status = stream(process)
            timer.cancel()
            process.kill()
        if late.is_set():
            return 124
        if status is None:
            sys.stderr.write(serial.read_text(errors="replace")[-4000:] + "\nvm: the guest died\n")
        return 125 if status is None else status
    finally:
        initrd.unlink(missing_ok=True)
        serial.unlink(missing_ok=True)


def main():
    if len(sys.argv) == 3 and sys.argv[1] == "prepare":
        prepare(pathlib.Path(sys.argv[2]))
        return 0
    if len(sys.argv) < 4 or sys.argv[1] != "run":
        sys.exit(__doc__)
    return run(pathlib.Path(sys.argv[2]), sys.argv[3] if len(sys.argv) == 4 else sys.argv[3:])


if __name__ == "__main__":
    sys.exit(main())
