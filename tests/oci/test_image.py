# SPDX-License-Identifier: Apache-2.0
"""
Images: those of the daemons as other tools see them, others' images as we see them, and archives that want out.

Most goes through mb-image, which has every operation; the verb `mailbox-run image` is the same library and has a test of its own.
"""
import gzip
import hashlib
import io
import json
import os
import pathlib
import shutil
import stat
import subprocess
import tarfile

import pytest

TOP = pathlib.Path(__file__).resolve().parents[2]
ARCHITECTURE = {"x86_64": "amd64", "aarch64": "arm64"}.get(os.uname().machine, os.uname().machine)
GZIP = "application/vnd.oci.image.layer.v1.tar+gzip"
TAR = "application/vnd.oci.image.layer.v1.tar"
ZSTD = "application/vnd.oci.image.layer.v1.tar+zstd"


@pytest.fixture(scope="session")
def mb_image(build_dir):
    """mb_image("show", ...) runs it, must succeed, and gives its output; fails=True: it must fail, and gives its message."""
    program = build_dir / "mb-image"
    if not os.access(program, os.X_OK):
        pytest.skip("mb-image is not built")

    def call(*args, fails=False, **more):
        result = subprocess.run([program, *map(str, args)], capture_output=True, text=True, timeout=120, check=False, **more)
        assert (result.returncode != 0) == fails, result.stderr
        assert result.returncode in (0, 1), result
        return result.stderr if fails else result.stdout

    return call


def digest_of(data):
    return "sha256:" + hashlib.sha256(data).hexdigest()


class Layout:
    """An OCI image layout made by hand."""

    def __init__(self, path):
        self.path = path
        self.manifests = []
        (path / "blobs/sha256").mkdir(parents=True)
        (path / "oci-layout").write_text('{"imageLayoutVersion": "1.0.0"}')

    def blob(self, data, kind):
        digest = digest_of(data)
        (self.path / "blobs/sha256" / digest[7:]).write_bytes(data)
        return {"mediaType": kind, "digest": digest, "size": len(data)}

    def image(self, name, *layers):
        """layers: archives as bytes, or (media type, blob, archive)."""
        triples = [x if isinstance(x, tuple) else (GZIP, gzip.compress(x), x) for x in layers]
        config = {"os": "linux", "architecture": ARCHITECTURE, "config": {},
                  "rootfs": {"type": "layers", "diff_ids": [digest_of(plain) for _, _, plain in triples]}}
        manifest = {"schemaVersion": 2,
                    "config": self.blob(json.dumps(config).encode(), "application/vnd.oci.image.config.v1+json"),
                    "layers": [self.blob(data, kind) for kind, data, _ in triples]}
        entry = self.blob(json.dumps(manifest).encode(), "application/vnd.oci.image.manifest.v1+json")
        entry["annotations"] = {"org.opencontainers.image.ref.name": name}
        self.manifests.append(entry)
        (self.path / "index.json").write_text(json.dumps({"schemaVersion": 2, "manifests": self.manifests}))
        return self


@pytest.fixture
def layout(tmp_path):
    return Layout(tmp_path / "layout")


def archive(*entries, form=tarfile.PAX_FORMAT):
    """entries: (name, type, content or link target), with more attributes of TarInfo in a dict at the end."""
    out = io.BytesIO()
    with tarfile.open(fileobj=out, mode="w", format=form) as tar:
        for name, kind, what, *more in entries:
            info = tarfile.TarInfo(name)
            info.type = kind
            info.mode = 0o755 if kind == tarfile.DIRTYPE else 0o644
            data = b""
            if kind == tarfile.REGTYPE:
                data = what.encode()
                info.size = len(data)
            else:
                info.linkname = what
            for key, value in (more[0] if more else {}).items():
                setattr(info, key, value)
            tar.addfile(info, io.BytesIO(data))
    return out.getvalue()


FILE, DIR, SYMLINK, HARDLINK = tarfile.REGTYPE, tarfile.DIRTYPE, tarfile.SYMTYPE, tarfile.LNKTYPE


# --- the daemons' images ------------------------------------------------------------------------------------------------


@pytest.fixture(scope="session")
def daemons(build_dir):
    """The layout of the daemons' images and their names."""
    path = build_dir / "images"
    if not (path / "index.json").is_file():
        pytest.skip("the images are not built (make images)")
    index = json.loads((path / "index.json").read_text())
    return path, [m["annotations"]["org.opencontainers.image.ref.name"] for m in index["manifests"]]


def test_skopeo_reads_every_daemons_image(daemons, need_tool):
    path, names = daemons
    skopeo = need_tool("skopeo")
    for name in names:
        out = subprocess.run([skopeo, "inspect", f"oci:{path}:{name}"], capture_output=True, text=True, check=True).stdout
        labels = json.loads(out)["Labels"]
        assert labels["org.opencontainers.image.title"] == name


def test_umoci_unpacks_a_daemons_image_to_the_same_tree(daemons, need_tool, mb_image, tmp_path):
    path, names = daemons
    umoci = need_tool("umoci")
    rootless = [] if os.geteuid() == 0 else ["--rootless"]
    name = names[0]
    subprocess.run([umoci, "unpack", *rootless, "--image", f"{path}:{name}", tmp_path / "theirs"], capture_output=True, check=True)
    mb_image("unpack", "-o", path, name, tmp_path / "ours")
    subprocess.run(["diff", "-r", tmp_path / "theirs/rootfs", tmp_path / "ours"], check=True)
    for ours in (tmp_path / "ours").rglob("*"):
        theirs = tmp_path / "theirs/rootfs" / ours.relative_to(tmp_path / "ours")
        a, b = ours.lstat(), theirs.lstat()
        assert (a.st_mode, a.st_uid, a.st_gid, a.st_mtime) == (b.st_mode, b.st_uid, b.st_gid, b.st_mtime), ours


def test_a_daemons_image_holds_one_program_and_no_shell(daemons, mb_image, tmp_path):
    path, names = daemons
    for name in names:
        root = tmp_path / name
        mb_image("unpack", "-o", path, name, root)
        programs = [p for p in root.rglob("*") if p.is_file() and p.stat().st_mode & 0o111]
        assert programs == [root / name]
        header = programs[0].read_bytes()
        assert header[:4] == b"\x7fELF"
        assert b"/lib64/ld-linux" not in header
        for directory in ("proc", "dev", "tmp", "run/mailstack", "etc/mailstack"):
            assert (root / directory).is_dir()


def recipe(directory, name, content=b"#!program\n"):
    (directory / "programs").mkdir(exist_ok=True)
    (directory / "programs" / name).write_bytes(content)
    path = directory / f"{name}.json"
    path.write_text(json.dumps({"name": name, "entrypoint": [f"/{name}"], "program": {"from": name, "to": f"/{name}"},
                                "directories": ["/tmp", "/etc/" + "n" * 150]}))
    return path


def test_the_same_sources_give_the_same_digests(mb_image, tmp_path):
    found = []
    for place in ("one", "two/deeper"):
        directory = tmp_path / place
        directory.mkdir(parents=True)
        paths = [recipe(directory, name) for name in ("a", "b")]
        os.utime(directory / "programs/a", (len(place), len(place)))
        (directory / "programs/a").chmod(0o700)
        found.append(mb_image("build", "-o", directory / "out", "--programs", directory / "programs", "--files",
                              TOP / "images/files", *(paths if place == "one" else reversed(paths)), cwd=directory))
    assert sorted(found[0].split()) == sorted(found[1].split())
    assert (tmp_path / "one/out/index.json").read_bytes() == (tmp_path / "two/deeper/out/index.json").read_bytes()


def test_building_anew_replaces_the_image_and_its_blobs(mb_image, tmp_path):
    out = tmp_path / "out"
    options = ("-o", out, "--programs", tmp_path / "programs")
    mb_image("build", *options, recipe(tmp_path, "a", b"first"))
    mb_image("build", *options, recipe(tmp_path, "a", b"second"))
    assert len(list((out / "blobs/sha256").iterdir())) == 3
    mb_image("unpack", "-o", out, "a", tmp_path / "root")
    assert (tmp_path / "root/a").read_bytes() == b"second"


def test_a_wrong_recipe_is_refused_with_its_place(mb_image, tmp_path):
    path = tmp_path / "r.json"
    path.write_text('{"name": "a", "entrypoint": ["/a"], "files": [{"from": "passwd", "to": "etc/passwd"}]}')
    assert "$.files[0]" in mb_image("build", "-o", tmp_path / "out", path, fails=True)


# --- others' images -----------------------------------------------------------------------------------------------------


def zstd(data):
    program = shutil.which("zstd")
    if not program:
        pytest.skip("zstd is not installed")
    return subprocess.run([program, "-c"], input=data, capture_output=True, check=True).stdout


@pytest.mark.parametrize("kind,pack", [(TAR, bytes), (GZIP, gzip.compress), (ZSTD, zstd)])
def test_layers_are_read_however_they_are_compressed(mb_image, layout, tmp_path, kind, pack):
    plain = archive(("f", FILE, "content " * 10000))
    layout.image("x", (kind, pack(plain), plain))
    mb_image("unpack", "-o", layout.path, "x", tmp_path / "root")
    assert (tmp_path / "root/f").read_text() == "content " * 10000


@pytest.mark.parametrize("form", [tarfile.USTAR_FORMAT, tarfile.GNU_FORMAT, tarfile.PAX_FORMAT])
def test_every_kind_of_tar_is_read(mb_image, layout, tmp_path, form):
    deep = "/".join(["d" * 40] * (2 if form == tarfile.USTAR_FORMAT else 20))
    layout.image("x", archive((deep, DIR, ""), (deep + "/f", FILE, "x", {"mode": 0o4755, "mtime": 1234567890}),
                              (deep + "/l", SYMLINK, "f"), ("h", HARDLINK, deep + "/f"), form=form))
    mb_image("unpack", "-o", layout.path, "x", tmp_path / "root")
    f = tmp_path / "root" / deep / "f"
    assert stat.S_IMODE(f.stat().st_mode) == 0o4755
    assert f.stat().st_mtime == 1234567890
    assert os.readlink(f.with_name("l")) == "f"
    assert (tmp_path / "root/h").stat().st_ino == f.stat().st_ino


def test_layers_whiteouts_and_opaque_directories(mb_image, layout, tmp_path):
    lower = archive(("a", FILE, "1"), ("d/x", FILE, "1"), ("d/sub/y", FILE, "1"), ("e/z", FILE, "1"), ("usr/bin", DIR, ""),
                    ("bin", SYMLINK, "usr/bin"))
    upper = archive(("d/new", FILE, "2"), ("d/.wh..wh..opq", FILE, ""), (".wh.a", FILE, ""), ("e/.wh.z", FILE, ""),
                    ("bin/tool", FILE, "2"))
    layout.image("x", lower, upper)
    mb_image("unpack", "-o", layout.path, "x", tmp_path / "root")
    found = sorted(str(p.relative_to(tmp_path / "root")) for p in (tmp_path / "root").rglob("*") if not p.is_dir() or p.is_symlink())
    assert found == ["bin", "d/new", "usr/bin/tool"]


def test_owners_are_kept_for_root_and_attributes_where_they_can_be(mb_image, layout, tmp_path):
    layout.image("x", archive(("f", FILE, "x", {"uid": 1234, "gid": 4321, "pax_headers": {"SCHILY.xattr.user.note": "value"}}),
                              ("big", FILE, "x", {"uid": 3000000, "gid": 3000000})))
    mb_image("unpack", "-o", layout.path, "x", tmp_path / "root")
    st = (tmp_path / "root/f").stat()
    if os.geteuid() == 0:
        assert (st.st_uid, st.st_gid) == (1234, 4321)
        assert (tmp_path / "root/big").stat().st_uid == 3000000
    else:
        assert st.st_uid == os.geteuid()
    (tmp_path / "probe").touch()
    try:
        os.setxattr(tmp_path / "probe", "user.probe", b"x")
    except OSError:
        return  # this file system has no user attributes
    assert os.getxattr(tmp_path / "root/f", "user.note") == b"value"


def test_an_ordinary_user_can_unpack_directories_without_write_permission(mb_image, layout, tmp_path, build_dir):
    layout.image("x", archive(("d", DIR, "", {"mode": 0o555}), ("d/f", FILE, "x", {"uid": 77}), ("null", tarfile.CHRTYPE, "")))
    home = tmp_path / "home"
    home.mkdir()
    program = shutil.copy(build_dir / "mb-image", home / "mb-image")  # the tree may be where only root gets
    command = [program, "unpack", "-o", layout.path, "x", "root"]
    more = {}
    if os.geteuid() == 0:
        os.chown(home, 65534, 65534)
        for up in (tmp_path, *tmp_path.parents):
            if not up.stat().st_mode & 0o001 and up.stat().st_uid == 0 and str(up).startswith("/tmp"):
                up.chmod(0o755)
        more = {"user": 65534, "group": 65534, "extra_groups": []}
    result = subprocess.run(command, cwd=home, capture_output=True, text=True, check=False, **more)
    if "permission denied" in result.stderr and "open the images" in result.stderr:
        pytest.skip("the tree is not readable by nobody")
    assert result.returncode == 0, result.stderr
    assert stat.S_IMODE((home / "root/d").stat().st_mode) == 0o555
    assert (home / "root/d/f").read_text() == "x"
    assert not (home / "root/null").exists()


@pytest.fixture(scope="session")
def busybox_image(tmp_path_factory, rootfs):
    """A layout with the image "busybox", made by umoci."""
    umoci = shutil.which("umoci")
    if not umoci:
        pytest.skip("umoci is not installed")
    top = tmp_path_factory.mktemp("busybox")
    rootless = [] if os.geteuid() == 0 else ["--rootless"]

    def call(*args):
        subprocess.run([umoci, *args], cwd=top, capture_output=True, check=True)

    call("init", "--layout", "layout")
    call("new", "--image", "layout:busybox")
    call("unpack", *rootless, "--image", "layout:busybox", "bundle")
    shutil.rmtree(top / "bundle/rootfs")
    shutil.copytree(rootfs, top / "bundle/rootfs", symlinks=True)
    (top / "bundle/rootfs/etc/gone").write_text("x")
    call("repack", "--image", "layout:busybox", "bundle")
    (top / "bundle/rootfs/etc/gone").unlink()
    call("repack", "--image", "layout:busybox", "bundle")
    call("config", "--image", "layout:busybox", "--config.entrypoint", "/bin/sh", "--config.env", "GREETING=hello")
    return top / "layout"


def test_a_busybox_image_of_umoci_is_imported_and_run(busybox_image, mb_image, tmp_path, bundle, runtime):
    mb_image("import", "-o", tmp_path / "store", f"oci:{busybox_image}:busybox")
    shown = mb_image("show", "-o", tmp_path / "store", "busybox")
    assert "/bin/sh" in shown and "GREETING=hello" in shown
    mb_image("unpack", "-o", tmp_path / "store", "busybox", bundle.path / "unpacked")
    assert not (bundle.path / "unpacked/etc/gone").exists()
    bundle.config["root"] = {"path": "unpacked", "readonly": True}
    result = runtime.run(bundle.shell("echo $((6 * 7)) from busybox"))
    assert result.returncode == 0, result.stderr
    assert result.stdout == "42 from busybox\n"


def test_archives_go_to_and_come_from_skopeo(busybox_image, mb_image, need_tool, tmp_path):
    skopeo = need_tool("skopeo")
    store = tmp_path / "store"

    def copy(*args):
        subprocess.run([skopeo, "copy", "--insecure-policy", *args], capture_output=True, check=True)

    copy(f"oci:{busybox_image}:busybox", f"docker-archive:{tmp_path}/docker.tar:busy/box:1")
    copy(f"oci:{busybox_image}:busybox", f"oci-archive:{tmp_path}/oci.tar:box")
    mb_image("import", "-o", store, f"docker-archive:{tmp_path}/docker.tar", "fromdocker")
    mb_image("import", "-o", store, tmp_path / "oci.tar")
    mb_image("export", "-o", store, "fromdocker", tmp_path / "out.tar")
    copy(f"oci-archive:{tmp_path}/out.tar", f"oci:{tmp_path}/back:back")
    for name in ("fromdocker", "box"):
        mb_image("unpack", "-o", store, name, tmp_path / name)
        assert os.readlink(tmp_path / name / "bin/sh") == "busybox"
    subprocess.run(["diff", "-r", "--no-dereference", tmp_path / "fromdocker", tmp_path / "box"], check=True)
    mb_image("unpack", "-o", tmp_path / "back", "back", tmp_path / "again")
    subprocess.run(["diff", "-r", "--no-dereference", tmp_path / "again", tmp_path / "box"], check=True)
    mb_image("rm", "-o", store, "fromdocker")
    mb_image("rm", "-o", store, "box")
    assert not list((store / "blobs/sha256").iterdir())


def test_podmans_saved_image_is_imported(busybox_image, mb_image, need_tool, tmp_path):
    """`podman save` writes docker archives whose layers are links or files by digest; skopeo's are alike, so this one is by hand."""
    plain = archive(("hello", FILE, "world"))
    config = json.dumps({"os": "linux", "architecture": ARCHITECTURE, "rootfs": {"type": "layers", "diff_ids": [digest_of(plain)]}})
    out = io.BytesIO()
    with tarfile.open(fileobj=out, mode="w") as tar:
        for name, data in (("abc/layer.tar", plain), ("c.json", config.encode()),
                           ("manifest.json", json.dumps([{"Config": "c.json", "RepoTags": ["localhost/hello:latest"],
                                                          "Layers": ["abc/layer.tar"]}]).encode())):
            info = tarfile.TarInfo(name)
            info.size = len(data)
            tar.addfile(info, io.BytesIO(data))
    (tmp_path / "saved.tar.gz").write_bytes(gzip.compress(out.getvalue()))
    mb_image("import", "-o", tmp_path / "store", tmp_path / "saved.tar.gz", "hello")
    mb_image("unpack", "-o", tmp_path / "store", "hello", tmp_path / "root")
    assert (tmp_path / "root/hello").read_text() == "world"


def test_the_verb_image_is_the_same(busybox_image, build_dir, tmp_path):
    program = build_dir / "mailbox-run-stack"
    if not os.access(program, os.X_OK):
        pytest.skip("mailbox-run-stack is not built")

    def call(*args, code=0):
        result = subprocess.run([build_dir / "mailbox-run", "image", *map(str, args)], capture_output=True, text=True,
                                env={**os.environ, "MAILBOX_RUN_STORE": str(tmp_path / "store")}, check=False)
        assert result.returncode == code, result.stderr
        return result.stdout

    call("import", f"oci:{busybox_image}:busybox", "--name", "box")
    assert [i["name"] for i in json.loads(call("list", "--json"))] == ["box"]
    assert json.loads(call("show", "--json", "box"))["entrypoint"] == ["/bin/sh"]
    call("export", "box", tmp_path / "box.tar")
    call("unpack", "box", tmp_path / "root")
    assert (tmp_path / "root/bin/busybox").is_file()
    call("rm", "box")
    call("import", tmp_path / "box.tar")
    assert "box" in call("list")
    call("show", "absent", code=1)
    call("paint", "box", code=2)
    call("show", code=2)


# --- hostile archives ---------------------------------------------------------------------------------------------------


@pytest.fixture
def outside(tmp_path):
    """A directory that nothing may touch, and what it must look like afterwards."""
    path = tmp_path / "outside"
    path.mkdir()
    (path / "secret").write_text("secret")
    (path / "secret").chmod(0o600)
    before = (path / "secret").stat()
    yield path
    assert [p.name for p in path.iterdir()] == ["secret"]
    after = (path / "secret").stat()
    assert (before.st_ino, before.st_mode, before.st_nlink, before.st_uid, before.st_mtime) == \
        (after.st_ino, after.st_mode, after.st_nlink, after.st_uid, after.st_mtime)
    assert (path / "secret").read_text() == "secret"


# Each makes entries from the absolute path of `outside` and its path relative to the root; whether unpacking fails is said
# where it must.
HOSTILE = {
    "dots": (lambda a, r: [(f"{r}/new", FILE, "x")], True),
    "dots in the middle": (lambda a, r: [("d", DIR, ""), (f"d/../{r}/new", FILE, "x")], True),
    "dots to a secret": (lambda a, r: [(f"{r}/secret", FILE, "x")], True),
    "an absolute name": (lambda a, r: [(f"{a}/new", FILE, "x")], False),
    "a file through an absolute link": (lambda a, r: [("l", SYMLINK, a), ("l/new", FILE, "x")], True),
    "a file through a relative link": (lambda a, r: [("l", SYMLINK, r), ("l/new", FILE, "x")], True),
    "a file through two links": (lambda a, r: [("m", SYMLINK, ".."), ("l", SYMLINK, "m/outside"), ("l/new", FILE, "x")], True),
    "a file over a link": (lambda a, r: [("l", SYMLINK, f"{a}/secret"), ("l", FILE, "x")], False),
    "a directory over a link": (lambda a, r: [("l", SYMLINK, a), ("l", DIR, "", {"mode": 0o777}), ("l/new", FILE, "x")], False),
    "a hard link by an absolute name": (lambda a, r: [("h", HARDLINK, f"{a}/secret"), ("h", FILE, "x")], True),
    "a hard link by dots": (lambda a, r: [("h", HARDLINK, f"{r}/secret")], True),
    "a hard link through a link": (lambda a, r: [("l", SYMLINK, a), ("h", HARDLINK, "l/secret")], True),
    "a hard link to a link": (lambda a, r: [("l", SYMLINK, f"{a}/secret"), ("h", HARDLINK, "l", {"mode": 0o777}), ("h", FILE, "x")],
                              False),
    "a whiteout by dots": (lambda a, r: [(f"{r}/.wh.secret", FILE, "")], True),
    "a whiteout of dots": (lambda a, r: [(".wh...", FILE, "")], True),
    "a whiteout through a link": (lambda a, r: [("l", SYMLINK, a), ("l/.wh.secret", FILE, "")], True),
    "an opaque directory through a link": (lambda a, r: [("l", SYMLINK, a), ("l/.wh..wh..opq", FILE, "")], True),
    "a link in /proc": (lambda a, r: [("l", SYMLINK, "/proc/self/cwd"), ("l/new", FILE, "x")], True),
    "the root as a link": (lambda a, r: [(".", SYMLINK, a), ("new", FILE, "x")], True),
    "the root as a file": (lambda a, r: [("./", FILE, "x")], None),
    "a device of the host": (lambda a, r: [("sda", tarfile.BLKTYPE, "", {"devmajor": 8})], False),
}


@pytest.mark.parametrize("case", HOSTILE)
@pytest.mark.parametrize("layers", ["in one layer", "in a layer each"])
def test_a_hostile_archive_writes_nothing_outside(mb_image, layout, tmp_path, outside, case, layers):
    make, fails = HOSTILE[case]
    entries = make(str(outside), "../outside")
    layout.image("x", *([archive(*entries)] if layers == "in one layer" else [archive(e) for e in entries]))
    root = tmp_path / "root"
    command = ["unpack", "-o", layout.path, "x", root]
    if fails is None:
        fails = False
        try:
            mb_image(*command)
        except AssertionError:
            fails = True
    else:
        mb_image(*command, fails=fails)
    assert root.exists() != fails
    if root.exists():
        assert not [p for p in root.rglob("*") if not p.is_symlink() and (p.is_block_device() or p.is_char_device())]


def test_a_hostile_import_writes_nothing_outside(mb_image, tmp_path, outside):
    for name, make in ((name, make) for name, (make, _) in HOSTILE.items()):
        (tmp_path / "bad.tar").write_bytes(archive(*make(str(outside), "../../outside")))
        mb_image("import", "-o", tmp_path / "store", tmp_path / "bad.tar", "x", fails=True)
        assert [p.name for p in (tmp_path / "store").iterdir() if p.name.startswith(".import")] == [], name


def test_a_saved_image_cannot_name_files_of_the_host(mb_image, tmp_path, outside):
    for config, layer in ((f"{outside}/secret", "l.tar"), ("c.json", f"{outside}/secret"), ("c.json", "../../outside/secret"),
                          ("link", "l.tar"), ("c.json", "link")):
        manifest = json.dumps([{"Config": config, "RepoTags": ["x:1"], "Layers": [layer]}])
        (tmp_path / "bad.tar").write_bytes(archive(("manifest.json", FILE, manifest), ("link", SYMLINK, f"{outside}/secret"),
                                                   ("l.tar", FILE, "x"), ("c.json", FILE, "{}")))
        mb_image("import", "-o", tmp_path / "store", tmp_path / "bad.tar", fails=True)
    assert not list((tmp_path / "store/blobs/sha256").iterdir())


def test_a_bomb_of_entries_or_sizes_ends_early(mb_image, layout, tmp_path):
    huge = bytearray(archive(("f", FILE, "x")))
    huge[124:136] = b"\x80" + (1 << 62).to_bytes(11, "big")
    huge[148:156] = b"        "
    huge[148:156] = b"%06o\0 " % sum(huge[:512])
    layout.image("huge", bytes(huge))
    assert "claims" in mb_image("unpack", "-o", layout.path, "huge", tmp_path / "root", fails=True)


@pytest.mark.parametrize("part", ["layer", "config", "manifest"])
def test_a_blob_that_does_not_fit_its_digest_is_refused(mb_image, layout, tmp_path, part):
    layout.image("x", archive(("f", FILE, "x")))
    manifest_path = layout.path / "blobs/sha256" / layout.manifests[0]["digest"][7:]
    manifest = json.loads(manifest_path.read_text())
    path = {"manifest": manifest_path, "config": layout.path / "blobs/sha256" / manifest["config"]["digest"][7:],
            "layer": layout.path / "blobs/sha256" / manifest["layers"][0]["digest"][7:]}[part]
    data = bytearray(path.read_bytes())
    data[-2] ^= 1
    path.write_bytes(data)
    assert "digest" in mb_image("unpack", "-o", layout.path, "x", tmp_path / "root", fails=True)
    assert not (tmp_path / "root").exists()


def test_a_layer_that_is_not_what_the_configuration_promises_is_refused(mb_image, layout, tmp_path):
    layout.image("x", (GZIP, gzip.compress(archive(("f", FILE, "x"))), archive(("g", FILE, "y"))))
    assert "its digest is" in mb_image("unpack", "-o", layout.path, "x", tmp_path / "root", fails=True)
    assert not (tmp_path / "root").exists()
