#!/bin/sh
# SPDX-License-Identifier: Apache-2.0
#
# PID 1 of the guest: this machine's root, read-only through 9p, with a layer in memory above it; cgroup v2 alone; then
# the command that vm.py put beside it. What it says and how it ends goes over the console.
export PATH=/bin
busybox mkdir -p /proc /sys /dev /below /above /root
busybox mount -t proc proc /proc
busybox mount -t sysfs sysfs /sys
busybox mount -t devtmpfs devtmpfs /dev

while read -r module; do
    busybox insmod "/modules/$module"
done < /modules/order

busybox mount -t 9p -o ro,trans=virtio,version=9p2000.L,msize=262144,cache=loose host /below
busybox mount -t tmpfs -o mode=755,size=75% above /above
busybox mkdir /above/changes /above/work
busybox mount -t overlay -o lowerdir=/below,upperdir=/above/changes,workdir=/above/work overlay /root

for moved in dev sys proc; do
    busybox mkdir -p "/root/$moved"
    busybox mount --move "/$moved" "/root/$moved"
done
in_root() { busybox chroot /root /bin/busybox "$@"; }
in_root mkdir -p /dev/pts /dev/shm /dev/mqueue
in_root mount -t devpts -o gid=5,mode=620,ptmxmode=666 devpts /dev/pts
in_root mount -t tmpfs -o mode=1777 shm /dev/shm
in_root mount -t mqueue mqueue /dev/mqueue
in_root mount -t tmpfs -o mode=755 run /run
in_root mount -t tmpfs -o mode=1777 tmp /tmp
in_root mount -t securityfs securityfs /sys/kernel/security
in_root mount -t bpf bpf /sys/fs/bpf
in_root mount -t cgroup2 -o nsdelegate,memory_recursiveprot cgroup2 /sys/fs/cgroup
[ -d /root/sys/fs/selinux ] && in_root mount -t selinuxfs selinuxfs /sys/fs/selinux
in_root ln -sf /proc/self/fd /dev/fd
in_root ln -sf /proc/self/fd/0 /dev/stdin
in_root ln -sf /proc/self/fd/1 /dev/stdout
in_root ln -sf /proc/self/fd/2 /dev/stderr
in_root ip link set lo up
in_root hostname guest

busybox cp /command /root/run/command
# The modules of this kernel, for what the command may want to load.
[ -d "/root$(busybox cat /kernel_dir)" ] && in_root mkdir -p /lib/modules && in_root mount --bind "$(busybox cat /kernel_dir)" /lib/modules

# Not in a chroot: from there no user namespace can be made.
busybox cat > /root/run/start <<'END'
exec < /dev/null > /dev/hvc0 2>&1
echo "guest: up"
# As under systemd: the kernel gives process 1 no more than 4096, which is less than a service asks for.
ulimit -H -n 524288
ulimit -S -n 1024
setsid sh -c 'if [ -w "$0" ]; then echo $$ > "$0"; fi; exec bash /run/command' /sys/fs/cgroup/command/cgroup.procs
echo "guest: exit status $?"
/bin/busybox sync
/bin/busybox reboot -f
END
if [ -e /systemd.sh ]; then
    busybox cp /systemd.sh /root/run/systemd.sh
    exec busybox switch_root /root /bin/busybox sh /run/systemd.sh < /root/dev/null
fi

# A group that holds processes passes no controllers down, so the command has one of its own beside the containers'.
for controller in $(in_root cat /sys/fs/cgroup/cgroup.controllers); do
    echo "+$controller" > /root/sys/fs/cgroup/cgroup.subtree_control
done
in_root mkdir /sys/fs/cgroup/command
exec busybox switch_root /root /bin/busybox sh /run/start < /root/dev/null
