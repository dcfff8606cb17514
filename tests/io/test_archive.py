"""Archives that mean well, and archives that do not."""

from __future__ import annotations

import io
import shutil
import stat
import tarfile
import zipfile
from collections.abc import Callable
from pathlib import Path

import pytest

from centernet.io import archive
from centernet.runtime.errors import UserError

FILES = {"set/a.txt": b"first", "set/deep/b.jpg": b"\xff\xd8" * 500, "list.txt": b""}


def zipped(path: Path, files: dict[str, bytes]) -> Path:
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as target:
        target.writestr("set/", b"")
        for name, content in files.items():
            target.writestr(name, content)
    return path


def tarred(path: Path, files: dict[str, bytes], kind: bytes = tarfile.REGTYPE) -> Path:
    mode = "w:gz" if path.suffix == ".gz" else "w"
    with tarfile.open(path, mode) as target:
        for name, content in files.items():
            info = tarfile.TarInfo(name)
            info.type, info.mode = kind, 0o4777
            info.size = len(content) if kind == tarfile.REGTYPE else 0
            info.linkname = "/etc/passwd"
            target.addfile(info, io.BytesIO(content))
    return path


def tree(folder: Path) -> dict[str, bytes]:
    return {
        path.relative_to(folder).as_posix(): path.read_bytes()
        for path in folder.rglob("*")
        if path.is_file()
    }


def unpack(path: Path, folder: Path, **more: object) -> int:
    return archive.unpack(path, folder, log=lambda line: None, **more)


MAKERS = [(zipped, "a.zip"), (tarred, "a.tar"), (tarred, "a.tar.gz")]


@pytest.mark.parametrize(("make", "name"), MAKERS)
def test_everything_arrives(make: Callable, name: str, tmp_path: Path) -> None:
    path = make(tmp_path / name, FILES)
    assert unpack(path, tmp_path / "out") == 3
    assert tree(tmp_path / "out") == FILES
    mode = (tmp_path / "out" / "set" / "a.txt").stat().st_mode
    assert not mode & (stat.S_ISUID | stat.S_IXUSR)


def test_members_can_be_moved_and_left_out(tmp_path: Path) -> None:
    path = tarred(tmp_path / "a.tar", FILES)
    place = {"set/a.txt": "lists/a.txt"}.get
    assert unpack(path, tmp_path / "out", place=place) == 1
    assert tree(tmp_path / "out") == {"lists/a.txt": b"first"}


OUTSIDE = ["../evil", "set/../../evil", "/evil", "\\evil", "..\\evil", "C:/evil", "C:\\evil", "C:e"]


@pytest.mark.parametrize("name", OUTSIDE)
@pytest.mark.parametrize("make", [zipped, tarred])
def test_nothing_lands_outside(make: Callable, name: str, tmp_path: Path) -> None:
    out = tmp_path / "deep" / "out"
    path = make(tmp_path / "hostile", {**FILES, name: b"evil"})
    with pytest.raises(UserError, match="lies outside of the folder; nothing was unpacked"):
        unpack(path, out)
    assert tree(tmp_path).keys() == {"hostile"}


@pytest.mark.parametrize(
    "kind", [tarfile.SYMTYPE, tarfile.LNKTYPE, tarfile.CHRTYPE, tarfile.FIFOTYPE]
)
def test_links_and_devices_in_a_tar(kind: bytes, tmp_path: Path) -> None:
    path = tarred(tmp_path / "hostile", {"set/link": b""}, kind)
    with pytest.raises(UserError, match="a link or a device; nothing was unpacked"):
        unpack(path, tmp_path / "out")
    assert not (tmp_path / "out").exists()


def test_links_in_a_zip(tmp_path: Path) -> None:
    info = zipfile.ZipInfo("set/link")
    info.external_attr = (stat.S_IFLNK | 0o777) << 16
    with zipfile.ZipFile(tmp_path / "hostile", "w") as target:
        target.writestr("set/a.txt", b"first")
        target.writestr(info, b"/etc/passwd")
    with pytest.raises(UserError, match="'set/link' is a link or a device"):
        unpack(tmp_path / "hostile", tmp_path / "out")
    assert not (tmp_path / "out").exists()


@pytest.mark.parametrize(("make", "name"), MAKERS)
def test_damage_is_one_line(make: Callable, name: str, tmp_path: Path) -> None:
    path = make(tmp_path / name, {"set/a.bin": bytes(range(256)) * 400})
    whole = path.read_bytes()
    cut = len(whole) // 2
    for content in (b"", b"<html>moved</html>", whole[:cut]):
        path.write_bytes(content)
        with pytest.raises(UserError, match=r"damaged one .*delete it and fetch it again"):
            unpack(path, tmp_path / "out")
        assert tree(tmp_path / "out") == {}


def test_a_changed_byte_in_a_zip(tmp_path: Path) -> None:
    path = tmp_path / "a.zip"
    with zipfile.ZipFile(path, "w") as target:
        target.writestr("a.bin", b"x" * 1000)
    content = bytearray(path.read_bytes())
    content[500] ^= 1
    path.write_bytes(content)
    with pytest.raises(UserError, match="CRC"):
        unpack(path, tmp_path / "out")
    assert tree(tmp_path / "out") == {}


def test_an_interrupted_call_is_completed(tmp_path: Path) -> None:
    path = zipped(tmp_path / "a.zip", FILES)
    out = tmp_path / "out"
    (out / "set").mkdir(parents=True)
    (out / "set" / "a.txt").write_bytes(b"fir")  # cut off: another size
    (out / "list.txt").write_bytes(b"")
    assert unpack(path, out) == 3
    assert tree(out) == FILES


def test_no_room(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = zipped(tmp_path / "a.zip", {"bomb": b"\0" * 1_000_000})
    usage = shutil.disk_usage(tmp_path)._replace(free=1000)
    monkeypatch.setattr(shutil, "disk_usage", lambda folder: usage)
    with pytest.raises(UserError, match=r"needs 1000000 bytes in .*, where 1000 are free"):
        unpack(path, tmp_path / "out")
    assert not (tmp_path / "out").exists()


def test_a_file_where_a_folder_should_be(tmp_path: Path) -> None:
    (tmp_path / "out").mkdir()
    (tmp_path / "out" / "set").write_text("in the way")
    with pytest.raises(UserError, match="cannot be unpacked"):
        unpack(zipped(tmp_path / "a.zip", {"set/a": b"1"}), tmp_path / "out")
