"""A task with further inputs through training, detecting, a session and an exported program."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch
from numpy.random import Generator
from numpy.typing import NDArray

from centernet.datasets.evaluate.evaluation import Evaluation
from centernet.datasets.framing import NO_AUGMENTATION, Augmentation
from centernet.datasets.source import Info, Source
from centernet.detectors.detector import Detector
from centernet.detectors.session import Session
from centernet.export.file_engine import FileEngine
from centernet.export.job import Job
from centernet.export.making import card_for
from centernet.export.program import Colours, Program, made_ready
from centernet.export.settings import Settings
from centernet.heads.recollection import Noise, disturbed, heat_of
from centernet.io.stream import Frame
from centernet.models.create import create_model
from centernet.models.model import CenterNet
from centernet.models.published import our_names, published_key
from centernet.runtime.errors import UserError
from centernet.structures.known import Known
from centernet.structures.objects import Objects
from centernet.trackers.center import CenterRule, CenterTracker
from centernet.trains.loader import EpochLoader
from centernet.trains.optimisers import adam
from centernet.trains.samples import Dataset
from centernet.trains.step import Step
from tests.detectors.moving import Moving
from tests.trains.tiny import TinyBackbone

SIZE = (64, 96)
INFO = Info(
    "film", ("square",), (1,), frozenset({"boxes", "identities"}), resolution=SIZE, max_objects=4
)


class Film(Source):
    """A bright square that moves 3 pixels to the right a frame, and one that stands still."""

    def __init__(self, length: int = 8) -> None:
        self.info, self.length = INFO, length

    def __len__(self) -> int:
        return self.length

    def image_id(self, index: int) -> int:
        return index

    def path(self, index: int) -> Path:
        return Path(f"film/{index}.png")

    def objects(self, index: int) -> Objects:
        x = 10 + 3 * index
        boxes = np.array([[x, 12, x + 16, 28], [60, 36, 76, 52]], np.float32)
        return Objects(boxes, np.zeros(2, np.int64), identities=np.array([7, 9]))

    def image(self, index: int) -> NDArray[np.uint8]:
        image = np.full((*SIZE, 3), 60, np.uint8)
        for x1, y1, x2, y2 in self.objects(index).boxes.astype(int):
            image[y1:y2, x1:x2] = 220
        return image

    def previous(self, index: int, rng: Generator | None = None, within: int = 3) -> int:
        return max(index - 1, 0)

    def evaluate(self, results: Mapping, folder: Path) -> Evaluation:
        raise NotImplementedError


@pytest.fixture(scope="module")
def network() -> tuple[Moving, CenterNet]:
    """The task and a network that has learnt its film for some steps."""
    torch.manual_seed(0)
    task = Moving(INFO)
    model = create_model("unet", task.heads, inputs=task.inputs)
    still = replace(Augmentation(), random_crop=False, flip=0.0, shift=0.0, scale=0.0)
    loader = EpochLoader(
        Dataset(Film(), task, size=SIZE, augmentation=still, unfinished=True), 8, workers=0
    )
    step = Step(task, model, adam(model.parameters(), 2e-3))
    start = {name: value.clone() for name, value in model.stems.state_dict().items()}
    for epoch in range(120):
        for batch in loader.epoch(epoch):
            step([batch])
    moved = [n for n, v in model.stems.state_dict().items() if not torch.equal(v, start[n])]
    assert {name.split(".")[0] for name in moved} == {"previous", "heat"}  # both have learnt
    return task, model


def frames(count: int = 6) -> list[Frame]:
    return [Frame(Film().image(index), str(index)) for index in range(count)]


def detector(network: tuple[Moving, CenterNet], **settings: object) -> Detector:
    task, model = network
    return Detector.of(task, model, device="cpu", k=8, **settings)


def test_a_sample_sees_the_frame_before() -> None:
    task, film = Moving(INFO), Film()
    sample = Dataset(film, task, size=SIZE)[3]
    assert set(sample["inputs"]) == {"image", "previous", "heat"}
    earlier = Dataset(film, task, size=SIZE)[2]
    assert torch.equal(sample["inputs"]["previous"], earlier["inputs"]["image"])
    heat = sample["inputs"]["heat"][0]
    view = task.framing.whole(SIZE, SIZE, pad=31, keep_res=False)[0]
    known = Known.of(film.objects(2).boxes, film.objects(2).identities, view, SIZE)
    for x, y in known.centres.astype(int):
        assert heat[y, x] == 1
    assert sample["tracking_mask"].sum() == 4
    # Both are where they were a frame ago: 3 pixels to the left of the one, in place the other.
    index = sample["ind"][:2]
    cells = torch.stack([index % 24, index // 24], 1)
    before = film.objects(2).boxes.reshape(2, 2, 2).mean(1) / 4
    torch.testing.assert_close(sample["tracking"][:2] + cells, torch.from_numpy(before))


def test_a_still_image_is_its_own_past() -> None:
    task = Moving(INFO)
    film = Film()
    film.previous = lambda *_, **__: None  # type: ignore[method-assign]
    film.objects = lambda index: replace(Film().objects(index), identities=None)  # type: ignore
    shifted = Augmentation(random_crop=False, flip=0.0, shift=0.05, scale=0.05, colour=False)
    for augmentation in (NO_AUGMENTATION, shifted):
        sample = Dataset(film, task, size=SIZE, augmentation=augmentation)[3]
        images = sample["inputs"]
        same = torch.equal(images["previous"], images["image"])
        assert same == (augmentation is NO_AUGMENTATION)
        assert sample["tracking_mask"][:2].all()
        moved = sample["tracking"][:2] - (sample["reg"][:2])
        assert (moved.abs().max() > 0.2) != same


def test_a_session_recalls_the_frame_before(network: tuple[Moving, CenterNet]) -> None:
    found = detector(network)
    seen: list[dict[str, torch.Tensor]] = []
    run = found.engine.run
    found.engine.run = lambda inputs, *more: (seen.append(dict(inputs)), run(inputs, *more))[1]
    session = Session(found, CenterTracker(CenterRule(new_thresh=0.3)))
    tracked = list(session.run(frames()))
    assert all(sorted(each.identities.tolist()) == [1, 2] for each in tracked)
    assert torch.equal(seen[0]["previous"], seen[0]["image"])
    assert not seen[0]["heat"].any()
    for before, after, known in zip(seen, seen[1:], tracked, strict=False):
        assert torch.equal(after["previous"], before["image"])
        view = found.prepare(frames()[0].image).scales[0].view
        told = Known.of(known.boxes, known.identities, view, SIZE)
        np.testing.assert_array_equal(after["heat"][0].numpy(), heat_of(told))
    list(session.run(frames(1)))
    assert not seen[-1]["heat"].any()  # another video knows nothing of the last
    back = [each.columns["displacements"] for each in tracked[1:]]
    assert np.mean([each[:, 0].min() for each in back]) < -1  # one moves 3 pixels a frame


def test_engines_agree(network: tuple[Moving, CenterNet]) -> None:
    for settings in ({"flip_test": True}, {}):
        fast, plain = (
            list(Session(detector(network, fuse=fuse, **settings)).run(frames()))
            for fuse in (True, False)
        )
        for one, other in zip(fast, plain, strict=True):
            np.testing.assert_allclose(one.boxes, other.boxes, atol=1e-2)
            np.testing.assert_allclose(one.scores, other.scores, atol=1e-4)


class Exported:
    """The exported program of torch.export in the place of a file."""

    name = "torch.export"

    def __init__(self, job: Job) -> None:
        self.card, self.call = job.card, job.exported.module()

    def run(self, inputs: Mapping[str, NDArray]) -> dict[str, NDArray]:
        values = self.call(*(torch.from_numpy(inputs[name]) for name in self.card.inputs))
        return {n: v.numpy() for n, v in zip(self.card.outputs, values, strict=True)}


@pytest.mark.parametrize("floats", [False, True])
@pytest.mark.slow
def test_an_exported_program_takes_them_too(
    network: tuple[Moving, CenterNet], floats: bool
) -> None:
    task, model = network
    wanted = Settings(k=8, floats=floats)
    colours = None if floats else Colours(INFO.mean, INFO.std)
    program = Program(task, made_ready(model), k=8, colours=colours).eval()
    job = Job(program, card_for(program, wanted, {"task": "moving"}, pad=31, stride=4))
    assert job.card.inputs == ("images" if floats else "image", "previous", "heat")
    reference = detector(network)
    by_file = Detector(task, FileEngine(Exported(job), "film"), reference.preprocess, k=8)
    ours = list(Session(reference).run(frames()))
    for one, other in zip(ours, Session(by_file).run(frames()), strict=True):
        np.testing.assert_allclose(one.scores, other.scores, atol=1e-4)
        strong = one.scores > 0.1
        np.testing.assert_allclose(one.boxes[strong], other.boxes[strong], atol=0.05)
        back = [each.columns["displacements"][strong] for each in (one, other)]
        np.testing.assert_allclose(*back, atol=0.05)


def test_networks_with_and_without_place_for_them() -> None:
    task = Moving(INFO)
    with pytest.raises(UserError, match="takes an image alone"):
        CenterNet(TinyBackbone(), task.heads, inputs=task.inputs)
    for arch in ("dla_34", "res_18", "mobilenetv3", "tiny_hourglass", "resnet18+simple"):
        with torch.device("meta"):
            model = create_model(arch, task.heads, inputs=task.inputs).eval()
            side = model.backbone.pad + 1
            inputs = {n: torch.empty(1, i.channels, side, side) for n, i in task.inputs.items()}
            assert model(inputs)[-1]["tracking"].shape[1] == 2
            with pytest.raises(ValueError, match="image, previous, heat"):
                model(inputs["image"])


def test_centertracks_names() -> None:
    task = Moving(INFO)
    with torch.device("meta"):
        keys = list(create_model("dla_34", task.heads, inputs=task.inputs).state_dict())
    published = [published_key(key) for key in keys]
    assert "base.pre_img_layer.0.weight" in published
    assert "base.pre_hm_layer.1.running_var" in published
    assert list(our_names(dict.fromkeys(published, torch.zeros(1)), keys)) == keys


class Script:
    """Draws that are written down."""

    def __init__(self, *values: float) -> None:
        self.values = list(values)

    def standard_normal(self) -> float:
        return self.values.pop(0)

    random = standard_normal


def test_disturbances() -> None:
    known = Known(
        (40, 60),
        np.array([[20, 10], [40, 30]], np.float32),
        np.array([[10, 20], [8, 8]], np.float32),
        np.array([3, 4]),
    )
    noise = Noise(shift=0.1, lost=0.4, ghost=0.5)
    draws = Script(1, -1, 0.9, 0.2, 2, 2, *(1, 1, 0.3, 0.2, 2, 2))
    told = disturbed(known, noise, draws)
    assert not draws.values
    assert told.seen is not None
    assert told.seen[:, :2].tolist() == [[21, 8], [21, 12]]  # the second object is forgotten
    np.testing.assert_allclose(told.centres, [[20, 10], [40.8, 30.8]], rtol=1e-6)
    heat = heat_of(told)
    assert heat.max() == 1
    assert heat[0, 30, 40] == 0
