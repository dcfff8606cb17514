"""From a checkpoint file to a detector, by what the file says or by what the caller names."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import torch

from centernet.builders.checkpoint import open_checkpoint
from centernet.builders.load import load_detector
from centernet.datasets.published import PUBLISHED
from centernet.datasets.source import Info
from centernet.models.checkpoint import read_checkpoint, save_checkpoint
from centernet.models.create import create_model
from centernet.models.description import describe, info_of, options_of
from centernet.models.model import CenterNet
from centernet.models.published import published_key
from centernet.opts import opts
from centernet.runtime.errors import UserError
from centernet.tasks.ctdet import Ctdet, CtdetOptions
from tests import real_data

INFO = Info(
    "shapes",
    ("disc", "square"),
    (4, 9),
    joints=("left_hand", "right_hand"),
    flip_pairs=((0, 1),),
    mean=(0.1, 0.2, 0.3),
    std=(0.4, 0.5, 0.6),
    max_objects=7,
)


def network(task: Ctdet) -> CenterNet:
    torch.manual_seed(0)
    return create_model("mobilenetv3", task.heads)


@pytest.fixture(scope="module")
def saved(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A checkpoint of ours with class-specific sizes, trained (so it says) on 64 x 96."""
    task = Ctdet(INFO, CtdetOptions(cat_spec_wh=True))
    model = network(task)
    description = describe(task, "mobilenetv3", model.head_conv, (64, 96), "toy")
    return save_checkpoint(tmp_path_factory.mktemp("model") / "m.pth", model, description)


@pytest.fixture(scope="module")
def published(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A checkpoint in the published layout: 80 classes, no word about itself."""
    model = network(Ctdet(PUBLISHED["coco"]))
    weights = {f"module.{published_key(k)}": v for k, v in model.state_dict().items()}
    path = tmp_path_factory.mktemp("published") / "ctdet.pth"
    torch.save({"epoch": 140, "state_dict": weights}, path)
    return path


def test_a_flag_that_the_task_does_not_have(saved: Path) -> None:
    with pytest.raises(UserError, match="flags: ctdet has no 'cat_spec'; it has mse_loss, "):
        load_detector(saved, flags={"cat_spec": True})


def test_description_survives_the_file(saved: Path) -> None:
    said = read_checkpoint(saved).description
    found = info_of(said)
    assert found == Info(**{**INFO.__dict__, "resolution": (64, 96)})
    assert options_of(CtdetOptions, said, {}) == CtdetOptions(cat_spec_wh=True)
    assert options_of(CtdetOptions, said, {"wh_weight": 2.0}).wh_weight == 2.0
    assert (said["arch"], said["dataset"], said["heads"]["wh"]) == ("mobilenetv3", "toy", 4)


def test_the_file_alone_is_enough(saved: Path) -> None:
    detector = load_detector(saved, device="cpu")
    assert detector.task.options.cat_spec_wh
    assert detector.preprocess.input_size == (64, 96)
    assert detector.preprocess.mean == INFO.mean
    found = detector.detect(np.zeros((50, 40, 3), np.uint8))
    assert found.class_names == ("disc", "square")


def test_the_weights_are_those_of_the_file_unless_folded(saved: Path) -> None:
    weights = read_checkpoint(saved).weights
    plain = load_detector(saved, device="cpu", fuse=False).engine.model
    loaded = plain.state_dict()
    assert list(loaded) == list(weights)
    assert all(torch.equal(loaded[key], value) for key, value in weights.items())
    folded = load_detector(saved, device="cpu").engine.model
    assert not any("running_mean" in key for key in folded.state_dict())
    x = torch.randn(1, 3, 64, 96)
    with torch.inference_mode():
        torch.testing.assert_close(folded(x), plain(x), atol=1e-5, rtol=1e-4)


def test_settings_of_the_detector_go_first(saved: Path) -> None:
    detector = load_detector(saved, device="cpu", input_size=(32, 32), scales=(0.5, 1.0), k=10)
    assert detector.preprocess.input_size == (32, 32)
    assert detector.scales == (0.5, 1.0)
    assert len(detector.detect(np.zeros((50, 40, 3), np.uint8))) <= 20


def test_a_published_file_needs_a_task_and_an_architecture(published: Path) -> None:
    detector = load_detector(
        published, task="ctdet", arch="mobilenetv3", device="cpu", input_size=(64, 64)
    )
    assert detector.detect(np.zeros((64, 64, 3), np.uint8)).class_names[0] == "person"
    with pytest.raises(UserError, match="does not say its task"):
        load_detector(published)
    with pytest.raises(UserError, match="does not say its architecture"):
        load_detector(published, task="ctdet")


def test_what_does_not_fit_is_an_error(saved: Path, published: Path) -> None:
    with pytest.raises(UserError, match="there are ctdet"):
        load_detector(saved, task="ctdett")
    with pytest.raises(UserError, match="is of task ctdet, not multi_pose; run ctdet"):
        load_detector(saved, task="multi_pose")
    with pytest.raises(UserError, match="add --arch mobilenetv3"):
        load_detector(saved, arch="res_18")
    with pytest.raises(UserError, match="80 classes"):
        load_detector(published, task="ctdet", arch="mobilenetv3", info=INFO)


def test_a_published_name_is_enough(tmp_path: Path) -> None:
    """As for --load_model: the same files in the same folder, the same lines."""
    task = Ctdet(PUBLISHED["coco"])
    model = create_model("resdcn_18", task.heads)
    weights = {f"module.{published_key(k)}": v for k, v in model.state_dict().items()}
    torch.save({"epoch": 140, "state_dict": weights}, tmp_path / "ctdet_coco_resdcn18.pth")
    detector = load_detector(
        "ctdet_coco_resdcn18", folder=tmp_path, device="cpu", input_size=(64, 64)
    )
    assert (detector.task.name, detector.task.info.num_classes) == ("ctdet", 80)
    assert len(detector.detect(np.zeros((64, 64, 3), np.uint8))) > 0
    calls = {
        "api": lambda: load_detector("ctdet_coco_dla_2x", folder=tmp_path, offline=True),
        "flag": lambda: open_checkpoint(
            opts(root=tmp_path.parent)
            .parse(["ctdet", "--load_model", "ctdet_coco_dla_2x", "--offline"])
            .options
        ),
    }
    lines = []
    for call in calls.values():
        with pytest.raises(UserError) as error:
            call()
        lines.append(str(error.value).replace(str(tmp_path), "models"))
    assert "ctdet_coco_dla_2x" in lines[0]
    assert lines[0] == lines[1].replace(str(tmp_path.parent / "models"), "models")
    with pytest.raises(UserError, match="no such checkpoint; did you mean ctdet_coco_dla_2x"):
        load_detector("ctdet_coco_dla_22x")


def test_arguments_that_have_no_effect_are_refused(saved: Path, tmp_path: Path) -> None:
    exported = tmp_path / "m.onnx"
    exported.touch()
    with pytest.raises(UserError, match=r"m\.onnx: an exported file has its own amp; leave out"):
        load_detector(exported, amp="bf16")
    with pytest.raises(UserError, match="are for exported files alone"):
        load_detector(saved, device="cpu", threads=2)
    with pytest.raises(UserError, match="k must be at least 1"):
        load_detector(saved, device="cpu", k=0)


class TestPublishedFacts:
    def test_counts(self) -> None:
        counts = {name: info.num_classes for name, info in PUBLISHED.items()}
        assert counts == {"coco": 80, "coco_hp": 1, "pascal": 20, "kitti": 3}
        for info in PUBLISHED.values():
            assert len(set(info.category_ids)) == info.num_classes
            assert len(set(info.class_names)) == info.num_classes

    def test_coco_is_as_its_annotation_files_say(self) -> None:
        from centernet.datasets.coco import open_coco

        folder = real_data.folder("coco_mini")
        images = folder / "train2017"
        read = open_coco(folder / "annotations" / "instances_train2017.json", images).info
        assert PUBLISHED["coco"].class_names == read.class_names
        assert PUBLISHED["coco"].category_ids == read.category_ids

    def test_limbs_and_pairs_are_of_the_body(self) -> None:
        info = PUBLISHED["coco_hp"]
        names = info.joints
        assert len(info.skeleton) == 19
        for a, b in info.flip_pairs:
            assert names[a].replace("left", "right") == names[b]
        # each limb has its mirror image among the limbs
        other = {a: b for pair in info.flip_pairs for a, b in (pair, pair[::-1])}
        limbs = {frozenset(limb) for limb in info.skeleton}
        assert {frozenset(other.get(j, j) for j in limb) for limb in limbs} == limbs
