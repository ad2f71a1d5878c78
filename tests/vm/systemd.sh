#!/bin/sh
# SPDX-License-Identifier: Apache-2.0
#
# The guest with systemd (VM_INIT=systemd): writes the units that are wanted, hides every other, and becomes systemd.
# Runs as process 1 in the guest's root; all it writes is in the guest's memory. /run/start is the command's unit.
set -u

units=/run/systemd/system
mkdir -p "$units" /run/systemd/system-generators /run/systemd/user /run/systemd/user-generators

# What this machine would start is nothing to the guest: no generator, no file systems of its own, no wants of others.
for kind in system user; do
    for generator in "/lib/systemd/$kind-generators"/* "/etc/systemd/$kind-generators"/*; do
        ln -sf /dev/null "/run/systemd/$kind-generators/${generator##*/}"
    done
done
: > /etc/fstab
rm -rf /etc/systemd/system /etc/systemd/user
mkdir -p /etc/systemd/system /etc/systemd/user
[ -s /etc/machine-id ] || echo 00112233445566778899aabbccddeeff > /etc/machine-id

# An ordinary user for tests (MR_USER), with ids of its own to map.
echo 'guest:x:20000:20000::/tmp:/bin/sh' >> /etc/passwd
echo 'guest:x:20000:' >> /etc/group
echo 'guest:2000000:65536' >> /etc/subuid
echo 'guest:2000000:65536' >> /etc/subgid

# The bus of the system, and nothing that dbus.service of the distribution waits for.
cat > "$units/dbus.socket" <<'END'
[Unit]
DefaultDependencies=no
[Socket]
ListenStream=/run/dbus/system_bus_socket
END
cat > "$units/dbus.service" <<'END'
[Unit]
DefaultDependencies=no
Requires=dbus.socket
[Service]
Type=notify
NotifyAccess=main
ExecStart=/usr/bin/dbus-daemon --system --address=systemd: --nofork --nopidfile --nosyslog
END

# An ordinary user's manager: `systemctl start user@UID` brings up its bus and passes these controllers down to it.
cat > "$units/user@.service" <<'END'
[Unit]
DefaultDependencies=no
After=dbus.service
[Service]
User=%i
Type=notify
Slice=user-%i.slice
KillMode=mixed
Delegate=pids memory cpu cpuset io
TasksMax=infinity
LimitNOFILE=524288
Environment=XDG_RUNTIME_DIR=/run/user/%i DBUS_SESSION_BUS_ADDRESS=unix:path=/run/user/%i/bus
ExecStartPre=+/bin/busybox sh -c "mkdir -p -m 700 /run/user/%i && chown %i /run/user/%i"
ExecStart=/lib/systemd/systemd --user --unit=basic.target --log-target=console
ExecStopPost=+/bin/busybox rm -rf /run/user/%i
TimeoutStopSec=20s
StandardError=file:/run/user-manager.log
END
for unit in gpg-agent.socket gpg-agent-browser.socket gpg-agent-extra.socket gpg-agent-ssh.socket dirmngr.socket \
    systemd-tmpfiles-setup.service systemd-tmpfiles-clean.timer podman.socket podman-auto-update.timer fetchmail.service; do
    ln -sf /dev/null "/run/systemd/user/$unit"
done
for unit in logind timedated hostnamed localed machined networkd resolved; do
    ln -sf /dev/null "$units/systemd-$unit.service"
done

cat > "$units/command.service" <<'END'
[Unit]
DefaultDependencies=no
Requires=dbus.socket
After=dbus.socket
[Service]
ExecStart=/bin/busybox sh /run/start
LimitNOFILE=1024:524288
TasksMax=infinity
Delegate=yes
KillMode=process
OOMPolicy=continue
END
cat > "$units/guest.target" <<'END'
[Unit]
DefaultDependencies=no
Requires=command.service
AllowIsolate=yes
END
cat > /run/system.conf <<'END'
[Manager]
DefaultTimeoutStartSec=60s
DefaultTimeoutStopSec=20s
ShowStatus=no
LogTarget=console
LogLevel=warning
END
mkdir -p /etc/systemd
cp /run/system.conf /etc/systemd/system.conf
exec /lib/systemd/systemd --unit=guest.target
