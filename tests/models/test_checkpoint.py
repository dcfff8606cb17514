"""Checkpoints: layouts that are read, code that is refused, mismatches put in words."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
import torch
from torch import nn

from centernet.models.checkpoint import Checkpoint, load_weights, read_checkpoint, save_checkpoint
from centernet.models.published import EXTREMENET_HEADS, published_key
from centernet.runtime.errors import UserError
from tests.parity_cases import folder

DESCRIPTION = {
    "task": "ctdet",
    "arch": "tiny",
    "class_names": ("cat", "dog", "bird", "fish"),
    "mean": (0.1, 0.2, 0.3),
}


class Tiny(nn.Module):
    """Backbone and heads under the names every network here has."""

    def __init__(self, classes: int = 4, heads: tuple[str, ...] = ("hm", "wh")) -> None:
        super().__init__()
        self.backbone = nn.Sequential(nn.Conv2d(3, 4, 3), nn.BatchNorm2d(4))
        channels = {"hm": classes}
        self.heads = nn.ModuleDict(
            {
                name: nn.Sequential(
                    nn.Conv2d(4, 4, 3), nn.ReLU(), nn.Conv2d(4, channels.get(name, 2), 1)
                )
                for name in heads
            }
        )


@pytest.fixture
def saved(tmp_path: Path) -> tuple[Path, Tiny]:
    model = Tiny()
    training = {"best": np.float64(0.5), "optimizer": {"state": {0: {"step": torch.tensor(3.0)}}}}
    path = save_checkpoint(tmp_path / "model.pth", model, DESCRIPTION, training, epoch=7)
    return path, model


def same(a: nn.Module, b: nn.Module) -> bool:
    left, right = a.state_dict(), b.state_dict()
    return all(torch.equal(left[key], right[key]) for key in left)


def test_round_trip(saved: tuple[Path, Tiny]) -> None:
    path, model = saved
    checkpoint = read_checkpoint(path)
    assert checkpoint.epoch == 7
    assert checkpoint.description == DESCRIPTION
    assert checkpoint.training["best"] == 0.5
    other = Tiny()
    assert not same(model, other)
    assert load_weights(other, checkpoint, strict=True) == "loaded 15/15"
    assert same(model, other)


def test_wrapped_model_is_saved_under_its_own_keys(tmp_path: Path) -> None:
    model = Tiny()
    path = save_checkpoint(tmp_path / "m.pth", nn.DataParallel(model), {})
    assert list(read_checkpoint(path).weights) == list(model.state_dict())


@pytest.mark.parametrize("wrapper", ["module.", ""])
@pytest.mark.parametrize("nested", [True, False], ids=["nested", "bare"])
@pytest.mark.parametrize("zipped", [True, False], ids=["zip", "legacy"])
def test_published_layouts(tmp_path: Path, wrapper: str, nested: bool, zipped: bool) -> None:
    model = Tiny()
    weights = {wrapper + published_key(k): v for k, v in model.state_dict().items()}
    optimizer = torch.optim.Adam(model.parameters()).state_dict()
    content = {"epoch": 140, "state_dict": weights, "optimizer": optimizer} if nested else weights
    torch.save(content, tmp_path / "p.pth", _use_new_zipfile_serialization=zipped)
    checkpoint = read_checkpoint(tmp_path / "p.pth")
    assert checkpoint.epoch == (140 if nested else 0)
    assert (checkpoint.training == {"optimizer": optimizer}) is nested
    other = Tiny()
    load_weights(other, checkpoint, strict=True)
    assert same(model, other)


def test_counters_may_be_absent() -> None:
    """Files of PyTorch 0.4.0 have no num_batches_tracked; nothing depends on it."""
    model, other = Tiny(), Tiny()
    weights = {k: v for k, v in model.state_dict().items() if "num_batches" not in k}
    assert load_weights(other, weights, strict=True) == "loaded 14/14"


class Hostile:
    def __reduce__(self) -> tuple:
        return (os.system, ("exit 1",))


class Whole(nn.Module):
    pass


@pytest.mark.parametrize(
    ("content", "named"),
    [
        ({"state_dict": {"a": torch.zeros(1)}, "x": Hostile()}, "system"),
        (Whole(), "Whole"),
        ({"state_dict": {"a": torch.zeros(1)}, "best": np.float64(1)}, "multiarray.scalar"),
    ],
    ids=["hostile", "whole-module", "numpy"],
)
@pytest.mark.parametrize("zipped", [True, False], ids=["zip", "legacy"])
@pytest.mark.filterwarnings("ignore")
def test_pickled_code_is_refused(tmp_path: Path, content: object, named: str, zipped: bool) -> None:
    path = tmp_path / "bad.pth"
    torch.save(content, path, _use_new_zipfile_serialization=zipped)
    with pytest.raises(UserError, match="never executed") as error:
        read_checkpoint(path)
    message = str(error.value)
    assert message.startswith(f"{path}: contains pickled code")
    assert named in message
    assert "torch.save(model.state_dict(), path)" in message
    assert "\n" not in message


def bytes_of(kind: str, good: bytes) -> bytes:
    return {
        "truncated": good[: len(good) // 2],
        "empty": b"",
        "html": b"<!DOCTYPE html><html>404</html>\n" * 9,
        "text": b"version https://git-lfs.github.com/spec/v1\n",
        "image": b"\xff\xd8\xff\xe0\x00\x10JFIF" * 20,
    }[kind]


@pytest.mark.parametrize("kind", ["truncated", "empty", "html", "text", "image"])
def test_not_a_checkpoint(saved: tuple[Path, Tiny], kind: str) -> None:
    path = saved[0]
    path.write_bytes(bytes_of(kind, path.read_bytes()))
    with pytest.raises(UserError, match="not a checkpoint, or a truncated one") as error:
        read_checkpoint(path)
    assert str(path) in str(error.value)
    assert "\n" not in str(error.value)


@pytest.mark.parametrize("share", [0.1, 0.4, 0.49, 0.5, 0.9, 0.99])
def test_truncated_anywhere(tmp_path: Path, share: float) -> None:
    path = tmp_path / "model.pth"
    torch.save({"state_dict": {"a": torch.zeros(10_000)}}, path)
    path.write_bytes(path.read_bytes()[: int(path.stat().st_size * share)])
    with pytest.raises(UserError, match="not a checkpoint, or a truncated one"):
        read_checkpoint(path)


@pytest.mark.parametrize("odd", [{"epoch": "x"}, {"epoch": None}, {"description": "mine"}])
def test_what_other_programs_keep_beside_the_weights(tmp_path: Path, odd: dict) -> None:
    path = tmp_path / "model.pth"
    torch.save({"state_dict": {"a": torch.zeros(2)}, **odd}, path)
    checkpoint = read_checkpoint(path)
    assert (checkpoint.epoch, checkpoint.description) == (0, {})


def test_missing_file_folder_and_other_content(tmp_path: Path) -> None:
    with pytest.raises(UserError, match="no such checkpoint"):
        read_checkpoint(tmp_path / "none.pth")
    with pytest.raises(UserError, match="is a folder"):
        read_checkpoint(tmp_path)
    for content in ([1, 2], {"epoch": 3}, {"state_dict": {}}, {"state_dict": {"a": 1}}):
        torch.save(content, tmp_path / "x.pth")
        with pytest.raises(UserError, match="not a checkpoint"):
            read_checkpoint(tmp_path / "x.pth")


def test_only_plain_values_are_saved(tmp_path: Path) -> None:
    with pytest.raises(TypeError, match=r"description\['task'\] is a Hostile"):
        save_checkpoint(tmp_path / "m.pth", Tiny(), {"task": Hostile()})
    assert list(tmp_path.iterdir()) == []


def test_number_of_classes_in_words() -> None:
    file = Checkpoint(Tiny(4).state_dict(), DESCRIPTION, path=Path("m.pth"))
    model = Tiny(2)
    with pytest.raises(UserError) as error:
        load_weights(model, file, strict=True, wanted={"class_names": ["RBC", "WBC"]})
    assert str(error.value).startswith(
        "m.pth: checkpoint has 4 classes (cat, dog, bird, ...), data has 2 classes (RBC, WBC)"
        " (tensors hm.2.weight, hm.2.bias)"
    )
    report = load_weights(model, file, strict=False)
    assert report == "loaded 13/15; re-initialised hm.2.weight, hm.2.bias (4 -> 2 classes)"


def test_missing_tensor_is_named() -> None:
    weights = Tiny().state_dict()
    del weights["backbone.0.weight"]
    with pytest.raises(UserError, match=r"tensor 0\.weight is missing"):
        load_weights(Tiny(), weights, strict=True)
    report = load_weights(Tiny(), weights, strict=False)
    assert report == "loaded 14/15; re-initialised 0.weight (not in the checkpoint)"


def test_misshapen_tensor_is_named() -> None:
    weights = Tiny().state_dict()
    weights["backbone.0.weight"] = torch.zeros(4, 3, 5, 5)
    with pytest.raises(UserError, match=r"tensor 0\.weight is 4x3x5x5, expected 4x3x3x3"):
        load_weights(Tiny(), weights, strict=True)


def test_nothing_is_loaded_when_refused() -> None:
    model, other = Tiny(4), Tiny(2)
    before = {k: v.clone() for k, v in other.state_dict().items()}
    with pytest.raises(UserError):
        load_weights(other, model.state_dict(), strict=True)
    assert all(torch.equal(before[k], v) for k, v in other.state_dict().items())


def test_checkpoint_of_another_task() -> None:
    other = Checkpoint(Tiny().state_dict(), {**DESCRIPTION, "task": "multi_pose"})
    with pytest.raises(UserError, match="is a checkpoint of task multi_pose, not of ctdet"):
        load_weights(Tiny(), other, strict=True, wanted=DESCRIPTION)
    assert load_weights(Tiny(), other, strict=False, wanted=DESCRIPTION) == "loaded 15/15"


def test_published_checkpoint_of_another_task() -> None:
    weights = {published_key(k): v for k, v in Tiny(heads=("hm", "wh")).state_dict().items()}
    with pytest.raises(UserError, match=r"has no head dep \(its heads: hm, wh\)"):
        load_weights(Tiny(heads=("hm", "dep")), weights, strict=True)
    report = load_weights(Tiny(heads=("hm", "dep")), weights, strict=False)
    assert report == (
        "loaded 11/15; re-initialised dep.0.weight, dep.0.bias, dep.2.weight and 1 more"
        " (not in the checkpoint); not used: wh.0.weight, wh.0.bias, wh.2.weight and 1 more"
    )


def test_another_architecture() -> None:
    file = Checkpoint({"conv1.weight": torch.zeros(1)}, {"arch": "res_18"})
    with pytest.raises(UserError, match="was trained with --arch res_18, not tiny"):
        load_weights(Tiny(), file, strict=True, wanted=DESCRIPTION)
    with pytest.raises(UserError, match="is not of this architecture: 14 of 14 tensors"):
        load_weights(Tiny(), file.weights, strict=True)
    with pytest.raises(UserError, match="none of its 1 tensors fits"):
        load_weights(Tiny(), file, strict=False)


def test_other_class_names_are_reported() -> None:
    file = Checkpoint(Tiny().state_dict(), DESCRIPTION)
    wanted = {"class_names": ["a", "b", "c", "d"]}
    report = load_weights(Tiny(), file, strict=True, wanted=wanted)
    assert report == "loaded 15/15; its classes were 4 classes (cat, dog, bird, ...)"


def test_classes_in_another_order_are_other_classes() -> None:
    file = Checkpoint(Tiny().state_dict(), DESCRIPTION)
    wanted = {"class_names": ["dog", "cat", "bird", "fish"]}
    with pytest.raises(UserError, match="order cat, dog, bird, fish, the data dog, cat, bird, fi"):
        load_weights(Tiny(), file, strict=True, wanted=wanted)


def test_extremenet_head_names() -> None:
    """Heat maps and offsets arrive in exdet's heads; `ct_heats` is not taken for `t_heats`."""
    names = ("hm_t", "hm_l", "hm_b", "hm_r", "hm_c", "reg_t", "reg_l", "reg_b", "reg_r")
    theirs = [f"{side}_heats" for side in ("t", "l", "b", "r", "ct")]
    theirs += [f"{side}_regrs" for side in ("t", "l", "b", "r")]
    model, other = Tiny(heads=names), Tiny(heads=names)
    weights = {}
    for key, value in model.state_dict().items():
        head, _, rest = published_key(key).partition(".")
        head = dict(zip(names, theirs, strict=True)).get(head, head)
        weights[f"module.{head}.{rest}"] = value
    load_weights(other, weights, strict=True)
    assert same(model, other)


KILLED_WHILE_SAVING = """
import sys, torch
from torch import nn
from centernet.models.checkpoint import save_checkpoint
model = nn.Conv2d(64, 256, 3)
step = 0
while True:
    step += 1
    nn.init.constant_(model.weight, float(step))
    save_checkpoint(sys.argv[1], model, {"step": step})
    print(step, flush=True)
"""


def test_killed_while_saving_leaves_a_whole_file(tmp_path: Path) -> None:
    path = tmp_path / "model_last.pth"
    rng = np.random.default_rng(0)
    for _ in range(3):
        process = subprocess.Popen(
            [sys.executable, "-c", KILLED_WHILE_SAVING, str(path)],
            stdout=subprocess.PIPE,
            text=True,
        )
        finished = int(process.stdout.readline())
        try:
            process.wait(float(rng.uniform(0.01, 0.3)))
        except subprocess.TimeoutExpired:
            process.send_signal(signal.SIGKILL)
        finished = max([finished, *map(int, process.stdout.read().split())])
        process.wait()
        checkpoint = read_checkpoint(path)
        assert checkpoint.description["step"] in (finished, finished + 1)
        assert checkpoint.weights["weight"].eq(checkpoint.description["step"]).all()


def test_extremenet_names_are_the_recorded_ones() -> None:
    path = folder() / "specs" / "extremenet_key_map.json"
    if not path.is_file():
        pytest.skip(f"{path} is absent (set CENTERNET_PARITY to a folder that has it)")
    assert dict(json.loads(path.read_text())) == EXTREMENET_HEADS
