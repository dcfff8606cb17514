"""get_data against small stand-ins for the published sets, served from this machine."""

from __future__ import annotations

import io
import subprocess
import sys
import tarfile
import zipfile
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest

from centernet.commands import get_data
from centernet.datasets.owners import OWNERS, Counted, Files, Listed, Part, Published
from centernet.options.layers import parse
from centernet.options.verbs import VERBS
from centernet.runtime.errors import UserError
from tests.loopback import Loopback, loopback


@pytest.fixture
def server() -> Iterator[Loopback]:
    with loopback() as running:
        yield running


def zip_of(files: dict[str, bytes]) -> bytes:
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w") as target:
        for name, content in files.items():
            target.writestr(name, content)
    return buffer.getvalue()


def tar_of(files: dict[str, bytes]) -> bytes:
    buffer = io.BytesIO()
    with tarfile.open(fileobj=buffer, mode="w") as target:
        for name, content in files.items():
            info = tarfile.TarInfo(name)
            info.size = len(content)
            target.addfile(info, io.BytesIO(content))
    return buffer.getvalue()


def small(name: str, server: Loopback) -> dict[str, Published]:
    """The published set `name` with archives of three members each, in its own layout."""
    published = OWNERS[name]
    parts = []
    for part in published.parts:
        if part.remote.url:
            part = shrunk(part, server)
        parts.append(part)
    return {name: replace(published, parts=tuple(parts))}


def shrunk(part: Part, server: Loopback) -> Part:
    files, holds = {}, []
    for content in part.holds:
        if isinstance(content, Files):
            files |= {file.replace("ImageSets_3dop", "some/where"): b"{}" for file in content.names}
        elif isinstance(content, Counted):
            folder = content.folders[0]
            files |= {f"{folder}/{number:06}{content.suffix}": b"0" for number in range(3)}
            content = replace(content, count=3)
        else:
            stems = [f"{content.count}_{number}" for number in range(3)]
            files[content.list] = "".join(f"{stem}\n" for stem in stems).encode()
            files |= {f"{content.folder}/{stem}{content.suffix}": b"0" for stem in stems}
            content = replace(content, count=3)
        holds.append(content)
    pack = zip_of if part.remote.name.endswith(".zip") else tar_of
    return replace(part, remote=server.offer(part.remote.name, pack(files)), holds=tuple(holds))


def run(words: str, root: Path, owners: dict[str, Published]) -> list[str]:
    said: list[str] = []
    fetch(words, root, said, owners)
    return said


def fetch(
    words: str, root: Path, said: list[str], owners: dict[str, Published] | None = None
) -> None:
    options = parse(VERBS["get_data"], words.split(), root)
    more = {} if owners is None else {"owners": owners}
    get_data.get_data(options.of(get_data.GetData), options.data.data_dir, log=said.append, **more)


@pytest.mark.parametrize("name", OWNERS)
def test_each_set_is_laid_out_and_then_left_alone(
    name: str, server: Loopback, tmp_path: Path
) -> None:
    owners = small(name, server)
    run(name, tmp_path, owners)
    folder = tmp_path / "data" / owners[name].folder
    for part in owners[name].parts:
        assert (part.faults(folder) == []) == part.usual
    assert not list(folder.glob("*.zip")) + list(folder.glob("*.tar*"))
    asked = len(server.asked)
    said = run(name, tmp_path, owners)
    assert len(server.asked) == asked
    assert sum("complete" in line for line in said) == sum(p.usual for p in owners[name].parts)
    run(f"{name} --check", tmp_path, owners)


def test_where_the_readers_look(server: Loopback, tmp_path: Path) -> None:
    """The folders are those that the readers of the sets open."""
    for name in OWNERS:
        run(name, tmp_path, small(name, server))
    for path in (
        *("coco/annotations/instances_train2017.json", "coco/train2017", "coco/val2017"),
        "coco/annotations/image_info_test-dev2017.json",
        *("voc/VOCdevkit/VOC2007/ImageSets/Main/trainval.txt", "voc/VOCdevkit/VOC2012/JPEGImages"),
        *("kitti/training/image_2", "kitti/training/calib", "kitti/testing/image_2"),
        "kitti/ImageSets_3dop/train.txt",
    ):
        assert (tmp_path / "data" / path).exists(), path


def test_a_server_that_drops_connections(server: Loopback, tmp_path: Path) -> None:
    owners = small("coco", server)
    server.drops, server.drop_after = 2, 150
    run("coco --parts val2017", tmp_path, owners)
    assert [r for _, r in server.asked] == [None, "bytes=150-", "bytes=300-"]
    assert len(list((tmp_path / "data" / "coco" / "val2017").iterdir())) == 3


def test_a_wrong_size_leaves_nothing(server: Loopback, tmp_path: Path) -> None:
    owners = small("coco", server)
    server.files["val2017.zip"] += b"more"
    said: list[str] = []
    with pytest.raises(UserError, match=r"missing: coco val2017; the lines above say"):
        fetch("coco --parts val2017", tmp_path, said, owners)
    assert "published are" in said[-1]
    assert "place the file at" in said[-1]
    assert not (tmp_path / "data" / "coco" / "val2017").exists()


def test_a_hostile_archive_leaves_nothing(server: Loopback, tmp_path: Path) -> None:
    owners = small("coco", server)
    hostile = server.offer("val2017.zip", zip_of({"val2017/0.jpg": b"0", "../../../evil": b"!"}))
    coco = owners["coco"]
    parts = [replace(p, remote=hostile) if p.name == "val2017" else p for p in coco.parts]
    owners = {"coco": replace(coco, parts=tuple(parts))}
    with pytest.raises(UserError, match=r"'\.\./\.\./\.\./evil' lies outside"):
        run("coco --parts val2017", tmp_path, owners)
    assert [path.name for path in tmp_path.rglob("*") if path.is_file()] == ["val2017.zip"]


def test_one_that_fails_does_not_stop_the_others(server: Loopback, tmp_path: Path) -> None:
    owners = small("pascal", server)
    del server.files["VOCtest_06-Nov-2007.tar"]
    with pytest.raises(UserError, match="missing: pascal voc2007_test;"):
        run("pascal", tmp_path, owners)
    voc = tmp_path / "data" / "voc" / "VOCdevkit"
    assert (voc / "VOC2007" / "JPEGImages").exists()
    assert (voc / "VOC2012" / "JPEGImages").exists()


def test_an_archive_without_what_it_should_hold(server: Loopback, tmp_path: Path) -> None:
    owners = small("coco", server)
    part = owners["coco"].parts[2]
    short = replace(part, holds=(Counted(("val2017",), ".jpg", 5),))
    owners = {"coco": replace(owners["coco"], parts=(short,))}
    said: list[str] = []
    with pytest.raises(UserError, match="missing: coco val2017"):
        fetch("coco", tmp_path, said, owners)
    assert "3 files unpacked, but 3 of 5 *.jpg" in said[-1]


def test_check_names_what_is_missing(server: Loopback, tmp_path: Path) -> None:
    said: list[str] = []
    with pytest.raises(UserError, match="missing: coco annotations_trainval2017, coco image_info"):
        fetch("coco --check", tmp_path, said)
    assert any("train2017: missing (19.34 GB): 0 of 118287 *.jpg" in line for line in said)
    assert "CC BY 4.0" in said[0]
    assert server.asked == []
    assert not (tmp_path / "data").exists()


def test_lists_that_name_absent_images(tmp_path: Path) -> None:
    content = Listed("list.txt", "images", ".jpg", 2)
    assert "no " in content.fault(tmp_path)
    (tmp_path / "list.txt").write_text("a  1\nb -1\n")
    (tmp_path / "images").mkdir()
    (tmp_path / "images" / "a.jpg").touch()
    assert content.fault(tmp_path).startswith("1 of 2 images, such as")
    (tmp_path / "images" / "b.jpg").touch()
    assert content.fault(tmp_path) is None
    assert replace(content, count=3).fault(tmp_path).startswith("2 of 3 lines")


def test_by_hand_where_there_is_no_link(server: Loopback, tmp_path: Path) -> None:
    said: list[str] = []
    with pytest.raises(UserError, match="missing: kitti subcnn"):
        fetch("kitti --parts subcnn", tmp_path, said)
    assert "ImageSets_subcnn/train.txt; place by hand, from https://github.com" in said[-1]


@pytest.mark.parametrize(
    ("words", "said"),
    [
        ("", "name at least one set: one or more of: coco"),
        ("cocoo", "unknown data set 'cocoo'; did you mean coco?"),
        ("coco --parts val", "unknown part 'val'; did you mean val2017?"),
        ("coco --partz val", "unknown word '--partz'; did you mean --parts?"),
    ],
)
def test_mistakes(words: str, said: str, tmp_path: Path) -> None:
    with pytest.raises(UserError) as error:
        run(words, tmp_path, OWNERS)
    assert said in str(error.value)


def test_what_is_published_is_written_down_once() -> None:
    names = [part.name for published in OWNERS.values() for part in published.parts]
    assert len(names) == len(set(names))
    for published in OWNERS.values():
        for part in published.parts:
            kind, _, digest = part.remote.digest.partition(":")
            assert len(digest) == {"sha256": 64, "md5": 32, "": 0}[kind]
            assert bool(part.remote.url) or bool(part.remote.page)


SRC = Path(__file__).resolve().parents[2] / "src"


@pytest.mark.parametrize("call", [[SRC / "tools" / "get_data.py"], ["-m", "centernet", "get_data"]])
def test_from_the_command_line(call: list, tmp_path: Path) -> None:
    words = [sys.executable, *map(str, call), "coco", "--check", "--data_dir", str(tmp_path)]
    done = subprocess.run(words, capture_output=True, text=True, check=False, cwd=tmp_path)
    assert done.returncode == 2
    assert "val2017: missing (815.6 MB): 0 of 5000 *.jpg" in done.stdout
    assert len(done.stderr.splitlines()) == 1
    assert "missing: coco annotations_trainval2017" in done.stderr
