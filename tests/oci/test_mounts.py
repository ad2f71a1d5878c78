# SPDX-License-Identifier: Apache-2.0
"""Mounts, their options, masked and read-only paths."""
import json
import os
import resource

import pytest



def options_of(runtime, bundle, target):
    out = runtime.run(bundle.shell("cat /proc/self/mountinfo"))
    assert out.returncode == 0, out.stderr
    for line in out.stdout.splitlines():
        part = line.split()
        if part[4] == target:
            return part[5].split(",")
    return None


def test_a_file_and_a_directory_are_bound(runtime, bundle, own_rootfs, tmp_path):
    (tmp_path / "file").write_text("in the file\n")
    bundle.mount(destination="/made/here", type="bind", source=str(tmp_path / "file"),
                 options=["bind", "ro"])
    bundle.mount(destination="/data", type="bind", source=str(tmp_path), options=["rbind", "rw"])
    out = runtime.run(bundle.shell("cat /made/here; echo new > /data/new; echo x > /made/here"))
    assert out.stdout == "in the file\n"
    assert "Read-only" in out.stderr
    assert (tmp_path / "new").read_text() == "new\n"


def read_only(bundle, target):
    for m in bundle.config["mounts"]:
        if m["destination"] == target:
            m["options"] = [*(o for o in m["options"] if o != "rw"), "ro"]
            return bundle
    raise KeyError(target)


def test_a_read_only_dev_has_its_devices_and_mounts(runtime, bundle):
    read_only(bundle, "/dev").shell("test -c /dev/null && test -d /dev/pts && echo x > /dev/null && echo y > /dev/shm/y && echo z > /dev/z")
    out = runtime.run(bundle)
    assert out.returncode == 1 and "/dev/z: Read-only" in out.stderr
    assert "ro" in options_of(runtime, bundle, "/dev")


@pytest.mark.parametrize("target", ["/run", "/run/"])
def test_a_read_only_tmpfs_has_the_places_of_mounts_in_it(runtime, bundle, target):
    bundle.mount(destination=target, type="tmpfs", source="tmpfs", options=["ro", "nosuid"])
    bundle.mount(destination="/run/lock", type="tmpfs", source="tmpfs", options=["rw"])
    out = runtime.run(bundle.shell("echo x > /run/lock/x && echo y > /run/y"))
    assert out.returncode == 1 and "/run/y: Read-only" in out.stderr
    assert {"ro", "nosuid"} <= set(options_of(runtime, bundle, "/run"))


def test_a_relative_source_lies_in_the_bundle(runtime, bundle, own_rootfs):
    (bundle.path / "here").write_text("beside the config\n")
    bundle.mount(destination="/f", source="here", options=["bind"])
    assert runtime.run(bundle.shell("cat /f")).stdout == "beside the config\n"


def test_a_missing_source_is_named(runtime, bundle):
    bundle.mount(destination="/f", type="bind", source="/no/such/file", options=["bind"])
    out = runtime.run(bundle)
    assert out.returncode == 1 and "/no/such/file" in out.stderr and "/f" in out.stderr


def test_recursive_read_only_reaches_what_is_beneath(runtime, bundle, own_rootfs):
    bundle.mount(destination="/a", type="tmpfs", source="tmpfs")
    bundle.mount(destination="/a/b", type="tmpfs", source="tmpfs")
    bundle.mount(destination="/c", type="bind", source="/proc", options=["rbind", "rro"])
    bundle.args("sh", "-c", "cat /proc/self/mountinfo")
    out = runtime.run(bundle)
    rows = [l.split() for l in out.stdout.splitlines() if l.split()[4].startswith("/c")]
    assert rows and all("ro" in r[5].split(",") for r in rows)


def test_tmpcopyup(runtime, bundle, own_rootfs):
    (own_rootfs / "etc" / "deep").mkdir()
    (own_rootfs / "etc" / "deep" / "file").write_text("copied\n")
    bundle.mount(destination="/etc", type="tmpfs", source="tmpfs", options=["tmpcopyup"])
    out = runtime.run(bundle.shell("cat /etc/deep/file; echo x > /etc/new && echo wrote"))
    assert out.stdout == "copied\nwrote\n"
    assert not (own_rootfs / "etc" / "new").exists()


@pytest.mark.parametrize("options, found", [(["bind", "dest-nofollow", "src-nofollow"], "target\n"),
                                            (["bind", "src-nofollow", "dest-nofollow", "ro"], "target\n")])
def test_a_link_is_bound_upon_a_link(runtime, bundle, own_rootfs, tmp_path, options, found):
    (tmp_path / "link").symlink_to("target")
    (own_rootfs / "at").symlink_to("/nowhere")
    bundle.mount(destination="/at", type="bind", source=str(tmp_path / "link"), options=options)
    out = runtime.run(bundle.args("readlink", "/at"))
    assert (out.returncode, out.stdout) == (0, found), out.stderr
    assert os.readlink(own_rootfs / "at") == "/nowhere" and not (own_rootfs / "nowhere").exists()


def test_a_file_is_bound_upon_a_link_and_upon_what_is_not_there(runtime, bundle, own_rootfs, tmp_path):
    (tmp_path / "file").write_text("content\n")
    (own_rootfs / "at").symlink_to("/nowhere")
    for place in ("/at", "/made/file"):
        bundle.mount(destination=place, type="bind", source=str(tmp_path / "file"),
                     options=["bind", "dest-nofollow"])
    out = runtime.run(bundle.shell("cat /at /made/file"))
    assert out.stdout == "content\ncontent\n", out.stderr
    assert not (own_rootfs / "nowhere").exists()


def test_nothing_is_bound_upon_a_link_of_procfs(runtime, bundle, tmp_path):
    (tmp_path / "link").symlink_to("1")
    bundle.mount(destination="/proc/self", type="bind", source=str(tmp_path / "link"),
                 options=["bind", "dest-nofollow", "src-nofollow"])
    out = runtime.run(bundle)
    assert out.returncode == 1 and "'/proc/self' is a link of procfs" in out.stderr


def test_a_link_is_copied_and_a_file_bound(runtime, bundle, own_rootfs, tmp_path):
    (tmp_path / "link").symlink_to("no/such/file")
    (tmp_path / "file").write_text("content\n")
    for name in ("link", "file"):
        bundle.mount(destination=f"/made/{name}", type="bind", source=str(tmp_path / name),
                     options=["rbind", "copy-symlink"])
    bundle.shell("readlink /made/link; cat /made/file; grep -c /made/ /proc/self/mountinfo")
    for _ in range(2):
        out = runtime.run(bundle)
        assert out.stdout == "no/such/file\ncontent\n1\n", out.stderr
    (own_rootfs / "made" / "link").unlink()
    (own_rootfs / "made" / "link").symlink_to("else")
    out = runtime.run(bundle)
    assert out.returncode == 1 and "link '/made/link' to 'no/such/file': file exists" in out.stderr.lower()


def test_propagation(runtime, bundle, own_rootfs):
    bundle.mount(destination="/s", type="tmpfs", source="tmpfs", options=["shared"])
    out = runtime.run(bundle.shell("cat /proc/self/mountinfo"))
    row = [l for l in out.stdout.splitlines() if l.split()[4] == "/s"]
    assert "shared:" in row[0]


def test_an_option_the_file_system_refuses_is_told(runtime, bundle):
    bundle.mount(destination="/tmp", type="tmpfs", source="tmpfs", options=["nonsense=1"])
    out = runtime.run(bundle)
    assert out.returncode == 1
    assert "nonsense" in out.stderr and "/tmp" in out.stderr


# Each option of the specification's table, with the flag of the mount or of its file system that it leaves; "" leaves none.
OPTIONS = {
    "async": "", "atime": "", "defaults": "", "dev": "", "diratime": "", "dirsync": "dirsync", "exec": "", "iversion": "",
    "lazytime": "lazytime", "loud": "", "mand": "", "noatime": "noatime", "nodev": "nodev", "nodiratime": "nodiratime",
    "noexec": "noexec", "noiversion": "", "nolazytime": "", "nomand": "", "norelatime": "", "nostrictatime": "",
    "nosuid": "nosuid", "nosymfollow": "nosymfollow", "relatime": "relatime", "ro": "ro", "rw": "", "silent": "",
    "strictatime": "strictatime", "suid": "", "symfollow": "", "sync": "sync", "ratime": "", "rdev": "", "rdiratime": "",
    "rexec": "", "rnoatime": "noatime", "rnodev": "nodev", "rnodiratime": "nodiratime", "rnoexec": "noexec",
    "rnorelatime": "strictatime", "rnostrictatime": "", "rnosuid": "nosuid", "rnosymfollow": "nosymfollow",
    "rrelatime": "", "rro": "ro", "rrw": "", "rstrictatime": "strictatime", "rsuid": "", "rsymfollow": "",
    "private": "", "rprivate": "", "shared": "shared", "rshared": "shared", "slave": "", "rslave": "",
    "unbindable": "unbindable", "runbindable": "unbindable",
}
FLAGS = {"dirsync", "lazytime", "noatime", "nodev", "nodiratime", "noexec", "nosuid", "nosymfollow", "ro", "sync",
         "shared", "unbindable"}


def test_every_option_of_the_specification(runtime, bundle, own_rootfs):
    for name in OPTIONS:
        bundle.mount(destination=f"/m/{name}", type="tmpfs", source="tmpfs", options=[name])
    out = runtime.run(bundle.shell("cat /proc/self/mountinfo"))
    assert out.returncode == 0, out.stderr
    rows = {l.split()[4]: l.split() for l in out.stdout.splitlines()}
    for name, flag in OPTIONS.items():
        row = rows[f"/m/{name}"]
        dash = row.index("-")
        seen = set(row[5].split(",")) | {f.split(":")[0] for f in row[6:dash]} | set(row[dash + 3].split(","))
        assert seen & FLAGS == {flag} & FLAGS, (name, row)
        if flag != "noatime":
            assert ("relatime" in seen) == (flag != "strictatime"), (name, row)


def test_features_names_them_all(runtime):
    listed = set(json.loads(runtime.ok("features"))["mountOptions"])
    assert set(OPTIONS) | {"bind", "rbind", "remount", "idmap", "ridmap"} <= listed


@pytest.mark.parametrize("options, flags", [
    (["ro", "rw"], ""), (["rw", "ro"], "ro"), (["noexec", "exec", "nodev"], "nodev"), (["rro", "rrw"], ""),
    (["noatime", "strictatime", "relatime"], ""),
], ids=str)
def test_the_later_option_counts(runtime, bundle, own_rootfs, options, flags):
    bundle.mount(destination="/m", type="tmpfs", source="tmpfs", options=options)
    assert set(options_of(runtime, bundle, "/m")) & FLAGS == {flags} & FLAGS


def test_a_remount_changes_the_mount_that_is_there(runtime, bundle, own_rootfs):
    bundle.mount(destination="/m", type="tmpfs", source="tmpfs")
    bundle.mount(destination="/m", type="none", source="/m", options=["bind", "remount", "ro", "noexec"])
    assert {"ro", "noexec"} <= set(options_of(runtime, bundle, "/m"))


def test_mounts_are_made_in_their_order_and_may_cover_each_other(runtime, bundle, own_rootfs, tmp_path):
    for i in ("first", "second"):
        (tmp_path / i).write_text(f"{i}\n")
        bundle.mount(destination="/m/f", type="bind", source=str(tmp_path / i), options=["bind"])
    bundle.mount(destination="/t", type="tmpfs", source="tmpfs")
    bundle.mount(destination="/t/below", type="bind", source=str(tmp_path / "first"), options=["bind"])
    assert runtime.run(bundle.shell("cat /m/f /t/below")).stdout == "second\nfirst\n"


def test_a_relative_destination_is_taken_from_the_root(runtime, bundle, own_rootfs):
    bundle.process["cwd"] = "/tmp"
    bundle.mount(destination="rel/here", type="tmpfs", source="tmpfs")
    out = runtime.run(bundle.shell("grep -c ' /rel/here ' /proc/mounts"))
    assert out.stdout == "1\n" and "warning" in out.stderr and "rel/here" in out.stderr


@pytest.mark.parametrize("kind", ["none", "bind", "", None])
def test_the_type_of_a_bind_mount_is_a_dummy(runtime, bundle, own_rootfs, tmp_path, kind):
    (tmp_path / "f").write_text("bound\n")
    bundle.mount(destination="/f", source=str(tmp_path / "f"), options=["bind"], **({} if kind is None else {"type": kind}))
    assert runtime.run(bundle.shell("cat /f")).stdout == "bound\n"


def test_other_options_go_to_the_file_system(runtime, bundle, own_rootfs):
    bundle.mount(destination="/m", type="tmpfs", source="tmpfs", options=["size=64k", "mode=1751", "nr_inodes=20", "uid=5"])
    out = runtime.run(bundle.shell("stat -c '%a %u' /m; grep ' /m ' /proc/mounts"))
    assert out.stdout.startswith("1751 5\n") and "size=64k" in out.stdout and "nr_inodes=20" in out.stdout


def test_a_tmpfs_is_everybody_s_unless_a_directory_was_there(runtime, bundle, own_rootfs):
    (own_rootfs / "there").mkdir(mode=0o710)
    for target in ("/there", "/missing/too"):
        bundle.mount(destination=target, type="tmpfs", source="tmpfs")
    assert runtime.run(bundle.args("stat", "-c", "%a", "/there", "/missing/too")).stdout == "710\n1777\n"


def test_mappings_need_each_other(runtime, bundle, own_rootfs, tmp_path):
    bundle.mount(destination="/m", type="bind", source=str(tmp_path), options=["bind", "idmap"],
                 uidMappings=[{"containerID": 0, "hostID": 0, "size": 1}])
    out = runtime.run(bundle)
    assert out.returncode == 1 and "uidMappings and gidMappings need each other" in out.stderr


@pytest.mark.parametrize("value, mark", [("shared", "shared"), ("slave", None), ("private", None), ("unbindable", "unbindable")])
def test_the_propagation_of_the_root(runtime, bundle, value, mark):
    bundle.linux["rootfsPropagation"] = value
    out = runtime.run(bundle.shell("cat /proc/self/mountinfo"))
    row = next(l.split() for l in out.stdout.splitlines() if l.split()[4] == "/")
    fields = [f.split(":")[0] for f in row[6:row.index("-")]]
    assert fields == ([] if mark is None else [mark]) or (value == "slave" and fields == ["master"])


def test_masked_paths_are_empty(runtime, bundle):
    bundle.linux["maskedPaths"] = ["/proc/keys", "/proc/bus", "/proc/not-there"]
    out = runtime.run(bundle.shell("cat /proc/keys; ls /proc/bus; echo x > /proc/bus/x"))
    assert out.stdout == ""
    assert "Read-only" in out.stderr


def test_read_only_paths(runtime, bundle):
    bundle.linux["readonlyPaths"] = ["/proc/sys"]
    out = runtime.run(bundle.shell("echo x > /proc/sys/kernel/hostname"))
    assert "Read-only" in out.stderr


def test_the_root_is_read_only(runtime, bundle):
    bundle.config["root"]["readonly"] = True
    assert "ro" in options_of(runtime, bundle, "/")
    assert "Read-only" in runtime.run(bundle.shell("touch /x")).stderr


def test_nothing_of_the_host_is_mounted(runtime, bundle):
    out = runtime.run(bundle.shell("cat /proc/self/mountinfo"))
    roots = [l for l in out.stdout.splitlines() if l.split()[4] == "/"]
    assert len(roots) == 1


def test_no_pivot(runtime, bundle):
    assert runtime.run(bundle.shell("ls /bin/busybox"), "--no-pivot").stdout == "/bin/busybox\n"


def mapped(runtime, bundle, tmp_path, *options, **maps):
    """What the owner of a file of user 1000 and of one in a mount beneath looks like through the mount."""
    source = tmp_path / "source"
    source.mkdir()
    source.chmod(0o777)
    (source / "file").touch()
    os.chown(source / "file", 1000, 1000)
    bundle.mount(destination="/m", type="bind", source=str(source), options=list(options), **maps)
    out = runtime.run(bundle.shell("stat -c '%u %g' /m/file; touch /m/new"))
    if "its file system may not be able to" in out.stderr:
        pytest.skip("the file system of the test directory has no id-mapped mounts")
    assert out.returncode == 0, out.stderr
    return out.stdout.strip(), os.stat(source / "new").st_uid


def one_map(inside, outside, size=1):
    return [{"containerID": inside, "hostID": outside, "size": size}]


@pytest.mark.parametrize("options", [["bind"], ["bind", "idmap"], ["rbind", "ridmap"]], ids=str)
def test_a_mount_with_maps_of_its_own(runtime, bundle, own_rootfs, tmp_path, options):
    maps = one_map(1000, 0) + one_map(0, 2000)
    seen, made = mapped(runtime, bundle, tmp_path, *options, uidMappings=maps, gidMappings=maps)
    assert seen == "0 0"
    assert made == 1000


def test_a_mount_mapped_as_the_container(runtime, bundle, own_rootfs, tmp_path):
    own_rootfs.chmod(0o755)
    (own_rootfs / "m").mkdir()
    bundle.linux["namespaces"].append({"type": "user"})
    bundle.linux["uidMappings"] = one_map(0, 100000, 65536)
    bundle.linux["gidMappings"] = one_map(0, 100000, 65536)
    seen, made = mapped(runtime, bundle, tmp_path, "bind", "idmap")
    assert seen == "1000 1000"
    assert made == 0


def test_an_id_mapped_mount_needs_maps(runtime, bundle, tmp_path):
    bundle.mount(destination="/tmp", type="bind", source=str(tmp_path), options=["bind", "idmap"])
    out = runtime.run(bundle)
    assert out.returncode == 1 and "$.mounts[7]" in out.stderr


def mounts_file(bundle, *mounts):
    (bundle.path / "mounts.json").write_text(json.dumps(list(mounts)))
    return bundle.path / "mounts.json"


@pytest.mark.parametrize("user_ns", [False, True])
def test_a_running_container_gets_mounts_and_loses_them(runtime, bundle, own_rootfs, tmp_path, user_ns):
    own_rootfs.chmod(0o755)
    (own_rootfs / "m").mkdir()
    (own_rootfs / "f").touch()
    (tmp_path / "source").mkdir()
    (tmp_path / "source" / "x").write_text("shown\n")
    if user_ns:
        bundle.linux["namespaces"].append({"type": "user"})
        bundle.linux["uidMappings"] = bundle.linux["gidMappings"] = one_map(0, 100000, 65536)
    name = runtime.start_detached(bundle.args("sleep", "60"))
    added = mounts_file(
        bundle,
        {"destination": "/m", "type": "bind", "source": str(tmp_path / "source"), "options": ["bind", "ro"]},
        {"destination": "/f", "type": "bind", "source": str(tmp_path / "source" / "x"), "options": ["bind"]},
        {"destination": "/tmp", "type": "tmpfs", "source": "tmpfs", "options": ["size=64k", "noexec"]})
    runtime.ok("mounts", "add", name, added)
    assert runtime.ok("exec", name, "cat", "/m/x", "/f") == "shown\nshown\n"
    assert "Read-only" in runtime("exec", name, "touch", "/m/y").stderr
    table = runtime.ok("exec", name, "cat", "/proc/self/mountinfo")
    assert any(l.split()[4] == "/tmp" and "noexec" in l and "size=64k" in l for l in table.splitlines())
    runtime.ok("mounts", "remove", name, added)
    assert runtime.ok("exec", name, "ls", "/m", "/f") == "/f\n\n/m:\n"
    out = runtime("mounts", "remove", name, added)
    assert out.returncode == 1 and "unmount /m" in out.stderr


def test_a_mount_that_cannot_be_added_is_told(runtime, bundle, own_rootfs):
    name = runtime.start_detached(bundle.args("sleep", "60"))
    for mount, text in (({"destination": "/m", "type": "bind", "source": "/no/such", "options": ["bind"]}, "/no/such"),
                        ({"destination": "/m", "type": "nofs"}, "nofs"), ({"type": "tmpfs"}, "destination")):
        out = runtime("mounts", "add", name, mounts_file(bundle, mount))
        assert out.returncode == 1 and text in out.stderr
    assert runtime("mounts", "move", name, mounts_file(bundle)).returncode == 1
    runtime.ok("delete", "--force", name)
    assert "does not exist" in runtime("mounts", "add", name, mounts_file(bundle)).stderr


# --- what the maker makes while the process makes its namespaces ---------------------------------

# The devices, links and groups of a container, with their modes, and their mounts.
LISTING = "cd /dev; stat -c '%A %u %g %t %T %N' . * pts/* shm; ls /sys/fs/cgroup;" \
    "cut -d' ' -f 5-6,8- /proc/self/mountinfo"


def listing(runtime, bundle, **more):
    out = runtime.run(bundle.shell(LISTING), **more)
    assert out.returncode == 0, out.stderr
    return out.stdout


def test_the_mask_of_the_caller_and_its_number_of_files_change_nothing(runtime, bundle):
    usual = listing(runtime, bundle)
    assert listing(runtime, bundle, preexec_fn=lambda: os.umask(0o77)) == usual
    few = (40, resource.getrlimit(resource.RLIMIT_NOFILE)[1])
    assert listing(runtime, bundle, preexec_fn=lambda: resource.setrlimit(resource.RLIMIT_NOFILE, few)) == usual


def test_two_mounts_of_the_groups_show_the_same(runtime, bundle):
    (one,) = (m for m in bundle.config["mounts"] if m["type"] == "cgroup")
    bundle.mount(**{**one, "destination": "/run/groups"})
    out = runtime.run(bundle.shell("cd /sys/fs/cgroup && find . | sort > /dev/shm/a; cd /run/groups && find . | sort | cmp - /dev/shm/a"
                                   " && ! mkdir /run/groups/new 2> /dev/null && grep -c . /dev/shm/a"))
    assert out.returncode == 0, out.stdout + out.stderr
    assert int(out.stdout) > 10


def test_a_mount_beneath_dev_comes_first_and_is_kept(runtime, bundle, tmp_path):
    (tmp_path / "f").write_text("from outside\n")
    bundle.mount(destination="/dev/mine", source=str(tmp_path / "f"), options=["bind"])
    assert runtime.run(bundle.shell("cat /dev/mine; test -c /dev/null")).stdout == "from outside\n"
    bundle.mount(destination="/dev/full", source=str(tmp_path / "f"), options=["bind"])
    out = runtime.run(bundle.shell("true"))
    assert out.returncode != 0 and "'/dev/full' is there and is not that device" in out.stderr


def test_dev_may_be_mounted_twice(runtime, bundle):
    (dev,) = (m for m in bundle.config["mounts"] if m["destination"] == "/dev")
    bundle.config["mounts"].insert(bundle.config["mounts"].index(dev), {**dev, "options": ["nosuid", "size=4k"]})
    assert runtime.run(bundle.shell("test -c /dev/null && test -L /dev/fd && stat -f -c %b /dev")).returncode == 0


def test_a_file_system_that_cannot_be_made_is_told_of_by_its_step(runtime, bundle):
    bundle.mount(destination="/t", type="tmpfs", source="tmpfs", options=["size=many"])
    out = runtime.run(bundle.shell("true"))
    assert out.returncode != 0 and "mount /t (tmpfs)" in out.stderr and "size" in out.stderr
