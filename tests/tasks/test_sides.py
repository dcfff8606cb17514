"""ctdet with boxes as four sides: what is written is read, and the flags go together."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

from centernet import cli
from centernet.datasets.source import Info
from centernet.heads.parts.sides import SAMPLES, mirror_sides
from centernet.runtime.errors import UserError
from centernet.structures.objects import Objects
from centernet.tasks.ctdet import Ctdet, CtdetOptions
from tests.tiny_coco import write_tiny_coco

INFO = Info("cells", ("red", "white"), (1, 2), max_objects=4)
BOXES = np.array([[2.5, 3, 8.5, 9], [10, 12, 17, 16], [0, 1, 21, 18]], np.float32)
SIZE = (20, 24)


@pytest.mark.parametrize("samples", SAMPLES)
@pytest.mark.parametrize("log", [False, True])
@pytest.mark.parametrize("radius", ["published", "ttf"])
def test_what_is_written_is_read(samples: str, log: bool, radius: str) -> None:
    options = CtdetOptions(
        box="ltrb", box_samples=samples, box_log=log, box_multiplier=3.0, radius=radius
    )
    task = Ctdet(INFO, options)
    assert list(task.heads) == ["hm", "ltrb"]
    targets = task.encode(Objects(boxes=BOXES, classes=np.array([1, 0, 0])), SIZE)
    tensors = {k: torch.from_numpy(v) for k, v in targets.items()}
    truth = task.truth(tensors, SIZE, frozenset(task.heads))
    raw = {k: torch.nan_to_num(v)[None].requires_grad_() for k, v in truth.items()}
    batch = {k: v[None] for k, v in tensors.items()}
    loss = next(t for t in task.terms if t.stat == "wh_loss")
    value = loss.value(raw, batch, loss.counts(batch))
    assert value.item() == pytest.approx(0, abs=1e-4)
    assert torch.isfinite(torch.autograd.grad(value, raw["ltrb"])[0]).all()
    maps = task.activate({k: v.detach() for k, v in raw.items()})
    found = task.decode(maps, 3)
    order = found["boxes"][0, :, 0].argsort()
    expected = torch.from_numpy(BOXES[BOXES[:, 0].argsort()])
    torch.testing.assert_close(found["boxes"][0][order], expected, atol=1e-3, rtol=1e-4)


def test_more_cells_learn() -> None:
    objects = Objects(boxes=BOXES[2:], classes=np.array([1]))
    learning = {}
    for samples in SAMPLES:
        task = Ctdet(INFO, CtdetOptions(box="ltrb", box_samples=samples))
        learning[samples] = int((task.encode(objects, SIZE)["box_mask"] > 0).sum())
    assert learning["centre"] == 1
    assert learning["3x3"] == 9
    assert learning["gaussian"] > 9


def test_of_a_mirrored_map_left_is_right() -> None:
    maps = torch.rand(1, 4, 3, 5)
    back = mirror_sides(maps)
    assert torch.equal(back[0, 0, 1, 0], maps[0, 2, 1, 4])
    assert torch.equal(mirror_sides(back), maps)


@pytest.mark.parametrize(
    ("options", "said"),
    [
        ({"box_loss": "giou"}, "--box_loss is of --box ltrb"),
        ({"box_samples": "3x3"}, "--box_samples is of --box ltrb"),
        ({"box": "ltrb", "cat_spec_wh": True}, "--cat_spec_wh is of --box wh"),
        ({"box": "ltrb", "box_multiplier": 0.0}, "--box_multiplier 0"),
    ],
)
def test_flags_that_do_not_go_together(options: dict[str, Any], said: str) -> None:
    with pytest.raises(UserError, match=said):
        _ = Ctdet(INFO, CtdetOptions(**options)).heads


def test_a_network_of_the_wider_family_learns_and_is_tested(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    data = write_tiny_coco(tmp_path / "d")
    words = ["ctdet", "--arch", "resnet18+fpn", "--neck_channels", "32", "--head_depth", "2"]
    words += ["--head_norm", "bn", "--prior", "0.01", "--box", "ltrb", "--box_loss", "ciou"]
    words += ["--box_samples", "3x3", "--box_multiplier", "16", "--heat_loss", "quality"]
    words += ["--radius", "ttf", "--weights", "none", "--lr", "1e-3", "--num_epochs", "2"]
    run = ["--root", str(tmp_path), "--gpus", "-1", "--input_res", "64", "--num_workers", "0"]
    assert cli.main(["train", *words, *data, *run, "--batch_size", "4"]) == 0
    assert cli.main(["test", "ctdet", *data, *run, "--resume", "--flip_test"]) == 0
    assert "AP" in capsys.readouterr().out
    last = tmp_path / "exp" / "ctdet" / "default" / "model_last.pth"
    image = tmp_path / "d" / "images" / "9.png"
    show = ["--load_model", str(last), "--demo", str(image), "--output", str(tmp_path / "o")]
    assert cli.main(["demo", "ctdet", *show, "--root", str(tmp_path), "--gpus", "-1"]) == 0
    assert (tmp_path / "o" / "results.json").exists()
