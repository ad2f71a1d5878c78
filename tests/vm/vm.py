#!/usr/bin/python3
# SPDX-License-Identifier: Apache-2.0
"""vm - a command in a guest with cgroup v2 alone, under qemu's emulation

    vm.py prepare DIR            fetch Debian's kernel and make the guest's first file system in DIR
    vm.py run DIR COMMAND...     run it as root in the current directory; exit as it did (124: no end in time, 125: the guest died)

The guest's root is this machine's, read-only, with a layer in memory above it: what is built here is there, and nothing that
happens there is seen here. It needs no /dev/kvm and no root. Memory in MiB: $VM_MEMORY (4096); seconds for all, and for the boot
alone: $VM_TIME (3000), $VM_BOOT (180); VM_INIT=systemd: with systemd as process 1; $VM_LSM: apparmor, or selinux without a
policy. qemu is a child and dies with this process, however that ends.
"""
import os
import pathlib
import re
import shlex
import shutil
import signal
import subprocess
import sys
import threading

HERE = pathlib.Path(__file__).resolve().parent
MODULES = ("virtio_pci", "virtio_mmio", "virtio_console", "virtio_rng", "9pnet_virtio", "9p", "overlay")
# Both at once cannot be had: each wants to be the one that labels processes.
LSM = {"apparmor": "lsm=landlock,yama,apparmor,bpf", "selinux": "lsm=landlock,yama,selinux,bpf enforcing=0"}
UP = b"guest: up"
END = re.compile(rb"guest: exit status (\d+)\r?\n")
ENVIRONMENT = re.compile(r"(PATH|HOME|LANG|LC_\w+|MR_\w+|OCI_\w+|VM_\w+|PYTEST_\w+)$")


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


class Fatal(Exception):
    """What is missing, or did not work, as a sentence."""


def need(*programs):
    missing = [p for p in programs if shutil.which(p) is None]
    if missing:
        raise Fatal(f"not installed here: {', '.join(missing)}")


def output(*command, cwd=None):
    done = subprocess.run(command, cwd=cwd, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, check=False)
    if done.returncode != 0:
        raise Fatal(f"'{shlex.join(str(c) for c in command)}' failed: {(done.stderr.strip().splitlines() or ['it does not say why'])[-1]}")
    return done.stdout


def fetch_kernel(top):
    """The newest kernel that apt knows, unpacked; nothing of it is installed here."""
    need("apt-get", "apt-cache", "dpkg-deb")
    found = re.search(r"Depends: (linux-image-\S+)", output("apt-cache", "depends", "linux-image-amd64"))
    if found is None:
        raise Fatal("apt knows no linux-image-amd64 here; 'apt-get update' may help")
    for old in top.glob("linux-image-*.deb"):
        old.unlink()
    output("apt-get", "-q", "download", found[1], cwd=top)
    package = next(top.glob("linux-image-*.deb"))
    shutil.rmtree(top / "kernel.tmp", ignore_errors=True)
    output("dpkg-deb", "-x", package, top / "kernel.tmp")
    (top / "kernel.tmp").rename(top / "kernel")
    package.unlink()


def kernel_version(top):
    return next((top / "kernel" / "lib" / "modules").iterdir()).name


def module_files(top):
    """The modules in the order in which they can be loaded."""
    version = kernel_version(top)
    output("depmod", "-b", top / "kernel", version)
    files = []
    for name in MODULES:
        text = output("modprobe", "-d", top / "kernel", "-S", version, "--show-depends", name)
        files += [line.split()[1] for line in text.splitlines() if line.startswith("insmod")]
    return [pathlib.Path(f) for f in dict.fromkeys(files)]


def make_initrd(top):
    archive = Cpio()
    for name in ("bin", "modules"):
        archive.directory(name)
    archive.add("bin/busybox", pathlib.Path(shutil.which("busybox")).read_bytes(), 0o100755)
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
    need("busybox", "depmod", "modprobe")
    top.mkdir(parents=True, exist_ok=True)
    if not (top / "kernel").is_dir():
        fetch_kernel(top)
    make_initrd(top)


def command_archive(command):
    """A second archive, which the kernel unpacks over the first."""
    lines = [f"export {k}={shlex.quote(v)}" for k, v in os.environ.items() if ENVIRONMENT.match(k)]
    lines += [f"cd {shlex.quote(os.getcwd())}", command if isinstance(command, str) else shlex.join(command)]
    archive = Cpio()
    archive.add("command", ("\n".join(lines) + "\n").encode())
    if os.environ.get("VM_INIT", "") == "systemd":
        archive.add("systemd.sh", (HERE / "systemd.sh").read_bytes(), 0o100755)
    return archive.end()


def clock_khz():
    found = re.search(r"cpu MHz\s*:\s*([\d.]+)", pathlib.Path("/proc/cpuinfo").read_text(encoding="ascii"))
    return int(float(found[1]) * 1000) if found else 2000000


def qemu(top, initrd, serial):
    # microvm has neither the timer nor the table from which the kernel would learn the clock's rate.
    append = ("console=ttyS0 quiet panic=-1 mitigations=off cgroup_no_v1=all random.trust_cpu=on no_timer_check "
              f"tsc=reliable tsc_early_khz={clock_khz()} nowatchdog reboot=t " + LSM[os.environ.get("VM_LSM", "apparmor")])
    share = "local,id=host,path=/,security_model=none,readonly=on,multidevs=remap"
    return ["setpriv", "--pdeathsig", "KILL", "qemu-system-x86_64", "-M", "microvm,acpi=on,pit=on,pic=on,isa-serial=on,rtc=on", "-accel", "tcg,thread=multi",
            "-cpu", "max", "-smp", "2", "-m", os.environ.get("VM_MEMORY", "4096"), "-nodefaults", "-no-user-config",
            "-display", "none", "-no-reboot", "-kernel", str(next((top / "kernel" / "boot").glob("vmlinuz-*"))),
            "-initrd", initrd, "-append", append, "-fsdev", share,
            "-device", "virtio-9p-device,fsdev=host,mount_tag=host", "-device", "virtio-rng-device",
            "-device", "virtio-serial-device", "-chardev", "stdio,id=out,signal=off", "-device", "virtconsole,chardev=out",
            "-serial", f"file:{serial}"]


class Guest:
    """qemu, and what it says; killed when its time is over, or this process is asked to end."""

    def __init__(self, command, pass_fds):
        self.process = subprocess.Popen(command, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, pass_fds=pass_fds)
        self.late, self.ended_by = None, None
        self.timers = [self.timer("VM_TIME", 3000, "the command has not ended"), self.timer("VM_BOOT", 180, "the guest is not up")]
        for number in (signal.SIGTERM, signal.SIGINT, signal.SIGHUP):
            signal.signal(number, self.end_by)

    def timer(self, variable, default, what):
        seconds = float(os.environ.get(variable, default))
        timer = threading.Timer(seconds, self.end_late, (f"{what} after {seconds:.0f} s (${variable})",))
        timer.start()
        return timer

    def end_by(self, number, _frame):
        self.ended_by = number
        self.process.kill()

    def end_late(self, what):
        self.late = what
        self.process.kill()

    def follow(self):
        """Copies what the command prints; the exit status that it ends with, or None."""
        for line in self.process.stdout:
            found = END.search(line)
            if found:
                return int(found[1])
            if line.startswith(UP):
                self.timers[1].cancel()
                continue
            sys.stdout.buffer.write(line)
            sys.stdout.buffer.flush()
        return None

    def finish(self):
        for timer in self.timers:
            timer.cancel()
        self.process.kill()
        self.process.wait()


def run(top, command):
    need("qemu-system-x86_64", "setpriv")
    if not (top / "initrd").is_file():
        raise Fatal(f"{top} is not prepared: 'vm.py prepare {top}'")
    # Both live in memory, so that nothing is left whatever becomes of this process.
    with open(os.memfd_create("initrd"), "r+b") as initrd, open(os.memfd_create("serial"), "r+b") as serial:
        initrd.write((top / "initrd").read_bytes() + command_archive(command))
        initrd.flush()
        fds = (initrd.fileno(), serial.fileno())
        guest = Guest(qemu(top, *(f"/proc/self/fd/{fd}" for fd in fds)), fds)
        try:
            status = guest.follow()
        finally:
            guest.finish()
        return end_status(guest, status, serial)


def end_status(guest, status, serial):
    if guest.ended_by is not None:
        return 128 + guest.ended_by
    if guest.late is not None:
        print(f"vm: {guest.late}", file=sys.stderr)
        return 124
    if status is None:
        serial.seek(0)
        sys.stderr.write(serial.read().decode(errors="replace")[-4000:] + "\nvm: the guest died\n")
        return 125
    return status


def main():
    os.environ["PATH"] += ":/usr/sbin:/sbin"
    verb, *rest = sys.argv[1:] or [""]
    if verb == "prepare" and len(rest) == 1:
        prepare(pathlib.Path(rest[0]))
        return 0
    if verb != "run" or len(rest) < 2:
        sys.exit(__doc__)
    return run(pathlib.Path(rest[0]), rest[1] if len(rest) == 2 else rest[1:])


if __name__ == "__main__":
    try:
        sys.exit(main())
    except (Fatal, OSError) as e:
        sys.exit(f"vm: {e}")
