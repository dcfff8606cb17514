"""Published weights by name: found, fetched, refused, and understood by the commands."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import cv2
import numpy as np
import pytest
import torch

from centernet import cli
from centernet.datasets.published import PUBLISHED
from centernet.io.download import DownloadError, Remote
from centernet.models import zoo
from centernet.models.create import create_model
from centernet.models.networks import BACKBONES
from centernet.models.zoo import ZOO, Weights, locate
from centernet.runtime.errors import UserError
from centernet.tasks import TASKS
from tests.loopback import Loopback, loopback


@pytest.fixture
def server() -> Iterator[Loopback]:
    with loopback() as running:
        yield running


@pytest.fixture
def tiny(server: Loopback, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Weights:
    """A published checkpoint that says nothing of itself, under the name "tiny"."""
    torch.manual_seed(0)
    model = create_model("mobilenetv3", {"hm": 20, "wh": 2, "reg": 2})
    keys = {key.partition(".")[2]: value for key, value in model.state_dict().items()}
    torch.save({"epoch": 9, "state_dict": keys}, tmp_path / "saved")
    remote = server.offer("tiny.pth", (tmp_path / "saved").read_bytes())
    known = {"task": "ctdet", "arch": "mobilenetv3", "dataset": "pascal", "input_size": (64, 64)}
    weights = Weights(replace(remote, page="https://example.org"), "", "MIT", known)
    monkeypatch.setitem(zoo.ZOO, "tiny", weights)
    cv2.imwrite(str(tmp_path / "a.png"), np.zeros((50, 70, 3), np.uint8))
    return weights


def demo(root: Path, words: str) -> int:
    line = f"--demo {root / 'a.png'} --gpus -1 --vis_thresh 0 {words}"
    return cli.demo(line.split(), root)


def test_the_name_is_enough(
    tiny: Weights, server: Loopback, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert demo(tmp_path, "--load_model tiny") == 0
    assert [path.name for path in (tmp_path / "models").iterdir()] == ["tiny.pth"]
    said = capsys.readouterr().out
    assert any(name in said for name in PUBLISHED["pascal"].class_names), said
    assert demo(tmp_path, "--load_model tiny --offline") == 0  # is there now
    assert len(server.asked) == 1


def test_an_address(tiny: Weights, tmp_path: Path) -> None:
    line = f"ctdet --arch mobilenetv3 --dataset pascal --load_model {tiny.remote.url}"
    assert demo(tmp_path, line) == 0
    assert (tmp_path / "models" / "tiny.pth").exists()


def test_two_addresses_of_one_name(server: Loopback, tmp_path: Path) -> None:
    """The second is not mistaken for the first; a file placed by hand serves any."""
    one, other = (server.offer(f"{folder}/model.pth", b"w") for folder in "ab")
    path, _ = locate(one.url, tmp_path / "models")
    assert locate(one.url, tmp_path / "models")[0] == path
    with pytest.raises(UserError, match=f"came from {one.url}, not from {other.url}"):
        locate(other.url, tmp_path / "models")
    path.with_name("model.pth.url").unlink()
    assert locate(other.url, tmp_path / "models")[0] == path
    assert len(server.asked) == 1


@pytest.mark.parametrize("word", ["tiny", "URL"])
def test_offline(
    word: str, tiny: Weights, server: Loopback, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    word = word.replace("URL", tiny.remote.url)
    assert demo(tmp_path, f"ctdet --load_model {word} --offline") == 2
    said = capsys.readouterr().err
    assert len(said.splitlines()) == 1
    assert f"cannot download {tiny.remote.url} (--offline); place the file at" in said
    assert str(tmp_path / "models" / "tiny.pth") in said
    assert server.asked == []


def test_a_dead_link(
    tiny: Weights, server: Loopback, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    server.files.clear()
    assert demo(tmp_path, "--load_model tiny") == 2
    said = capsys.readouterr().err
    assert "HTTP 404" in said
    assert "by hand from https://example.org" in said


def test_an_unfinished_download_is_completed(
    tiny: Weights, server: Loopback, tmp_path: Path
) -> None:
    content = server.files["tiny.pth"]
    (tmp_path / "models").mkdir()
    (tmp_path / "models" / "tiny.pth.part").write_bytes(content[:1000])
    assert demo(tmp_path, "--load_model tiny") == 0
    assert server.asked == [("/tiny.pth", "bytes=1000-")]


def test_dry_run_tells_and_does_not_fetch(
    tiny: Weights, server: Loopback, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert demo(tmp_path, "--load_model tiny --dry_run") == 0
    assert f"{tiny.remote.url} is downloaded to" in capsys.readouterr().out
    assert demo(tmp_path, "--load_model tiny --dry_run --offline") == 2
    assert server.asked == []
    assert not (tmp_path / "models").exists()


def test_paths_come_first(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    Path("ddd_sub").write_bytes(b"mine")
    assert locate("ddd_sub", "models") == (Path("ddd_sub"), {})


@pytest.mark.parametrize(
    ("word", "hint"),
    [
        ("no.pth", "no.pth: no such checkpoint$"),
        ("../models/ctdet_coco_dla_2x.pth", "--load_model ctdet_coco_dla_2x fetches it"),
        ("ctdet_coco_dla2x", "did you mean ctdet_coco_dla_[12]x, which is published?"),
        ("ftp://a.org/m.pth", r"not the http\(s\) address of a file"),
    ],
)
def test_what_is_not_there(word: str, hint: str, tmp_path: Path) -> None:
    with pytest.raises(UserError, match=hint):
        locate(word, tmp_path)


def test_without_a_direct_link(tmp_path: Path) -> None:
    with pytest.raises(DownloadError, match=r"no direct link.*exdet_coco_dla\.pth by hand from"):
        locate("exdet_coco_dla", tmp_path)


@pytest.mark.parametrize("name", ZOO)
def test_the_table(name: str) -> None:
    weights = ZOO[name]
    known = weights.known
    assert known.get("task") in {None, "triplet", *TASKS}
    assert known.get("arch") in {None, *BACKBONES}
    assert known.get("dataset") in {None, *PUBLISHED}
    assert weights.licence
    assert weights.source.startswith("https://")
    assert weights.remote.url or weights.remote.page
    assert Path(weights.remote.name).suffix in (".pth", ".pkl")


def test_no_two_rows_share_a_file() -> None:
    links = [weights.remote.url or weights.remote.page for weights in ZOO.values()]
    names = [weights.remote.name for weights in ZOO.values()]
    assert len(set(links)) == len(links)
    assert len(set(names)) == len(names)


def test_every_official_row_is_there() -> None:
    official = [name for name, weights in ZOO.items() if weights.source == zoo.OFFICIAL]
    assert len(official) == 19
    drives = {weights.remote.page for name, weights in ZOO.items() if name in official}
    assert (
        sum(bool(re.fullmatch(r"https://drive\.google\.com/file/d/[\w-]{33}", d)) for d in drives)
        == 18
    )


def test_hashes_stand_in_the_names_of_mmdetection() -> None:
    for weights in ZOO.values():
        if weights.source == zoo.MMDETECTION:
            digits = weights.remote.digest.removeprefix("sha256:")
            assert Path(weights.remote.name).stem.endswith(f"-{digits}")
    assert isinstance(ZOO["ddd_sub"].remote, Remote)
