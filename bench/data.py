"""Suite `data`: training samples beside the way of 2019.

CPU time of the loading process alone: of samples one by one, and of whole batches, collated. The
pictures are 640 x 480 JPEG of about 80 kB with 7 or 100 boxes of 80 classes, the input 512 x 512.
"""

from __future__ import annotations

import tempfile
from collections.abc import Callable, Iterator
from functools import partial
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import torch
from baselines import samples
from report import Row, row
from timer import Ceilings, compare
from torch.utils.data import default_collate

from centernet.datasets.colour import Colour
from centernet.datasets.evaluate.evaluation import Evaluation
from centernet.datasets.framing import Augmentation, SquareFraming
from centernet.datasets.source import Info, Source
from centernet.geometry.view import View
from centernet.structures.objects import Objects
from centernet.tasks.ctdet import Ctdet
from centernet.trains.on_device import complete_on_device
from centernet.trains.samples import Dataset, Look

NAMES = tuple(f"class {n}" for n in range(80))
INFO = Info("made up", NAMES, tuple(range(80)), resolution=(512, 512), max_objects=128)
SIZE, MAP, BATCH = (512, 512), (128, 128), 8
OLD, HERE, LIGHT, DECODE = "2019", "whole", "unfinished", "decode"
ROUNDS = 9


class Pictures(Source):
    """BATCH files of smooth noise, every one with `count` boxes."""

    def __init__(self, folder: Path, count: int) -> None:
        self.info, self.folder = INFO, folder
        random = np.random.default_rng(0)
        corner = random.uniform(0, 400, (BATCH, count, 2))
        size = random.uniform(10, 200, (BATCH, count, 2))
        self.boxes = np.concatenate([corner, corner + size], axis=2).astype(np.float32)
        self.classes = random.integers(0, 80, (BATCH, count))
        for index in range(BATCH):
            coarse = random.integers(0, 256, (30, 40, 3), np.uint8)
            image = cv2.resize(coarse, (640, 480), interpolation=cv2.INTER_CUBIC)
            noise = random.normal(0, 1.5, image.shape)
            image = np.clip(image + noise, 0, 255).astype(np.uint8)
            cv2.imwrite(str(self.path(index)), image, [cv2.IMWRITE_JPEG_QUALITY, 92])

    def __len__(self) -> int:
        return BATCH

    def image_id(self, index: int) -> int:
        return index

    def path(self, index: int) -> Path:
        return self.folder / f"{index}.jpg"

    def objects(self, index: int) -> Objects:
        return Objects(self.boxes[index], self.classes[index])

    def evaluate(self, results: Any, folder: Path) -> Evaluation:
        raise NotImplementedError  # nothing is tested here


def old_samples(source: Pictures, random: np.random.Generator) -> Iterator[dict[str, Any]]:
    """Samples in the way of 2019, with draws of the published augmentation."""
    for index in range(BATCH):
        framing, shape = SquareFraming(), (480, 640)
        whole, _ = framing.whole(shape, SIZE, pad=31, keep_res=False)
        view = framing.train(shape, whole, Augmentation(), random, SIZE)
        alphas = (1 + random.uniform(-0.4, 0.4, 3)).tolist()
        jitter = (random.permutation(3).tolist(), alphas, random.normal(scale=0.1, size=3))
        yield old_sample(source, index, view, jitter)


def old_sample(source: Pictures, index: int, view: View, jitter: tuple) -> dict[str, Any]:
    mean, std = np.array(INFO.mean, np.float32), np.array(INFO.std, np.float32)
    picture = samples.picture(str(source.path(index)), view, SIZE, mean, std, jitter)
    boxes, classes = source.boxes[index], source.classes[index]
    targets = samples.targets(boxes, classes, view, 80, 128, MAP)
    return {"inputs": {"image": picture}, **targets, "index": index}


def agree(source: Pictures, whole: Dataset, light: Dataset) -> None:
    """Raise AssertionError unless one view in one jitter gives the same sample on every side."""
    view = View((300.0, 250.0), 560.0, mirror=640, strayed=True)
    order, alphas, noise = [2, 0, 1], [0.7, 1.3, 1.2], np.array([0.1, -0.05, 0.02])
    colour = Colour()
    for step, alpha in zip(order, alphas, strict=True):
        colour = (colour.brightness, colour.contrast, colour.saturation)[step](alpha)
    colour = colour.lighting(noise)
    old = old_sample(source, 3, view, (order, alphas, noise))
    look = Look(3, source.image(3), view, colour)
    here = whole.see(look, SIZE)
    batch = default_collate([light.see(look, SIZE)])
    done = complete_on_device(batch, light.task, 4, torch.device("cpu"))
    pictures = done.pop("inputs")["image"]
    done = {name: value[0] for name, value in done.items()}
    for sample, picture in ((here, here["inputs"]["image"]), (done, pictures[0])):
        np.testing.assert_array_equal(sample["hm"], old["hm"])
        for name in ("reg_mask", "ind", "wh", "reg"):
            np.testing.assert_allclose(sample[name], old[name], atol=1e-4, err_msg=name)
        # A mirrored image is interpolated at mirrored places: a grey level of difference.
        np.testing.assert_allclose(picture, old["inputs"]["image"], atol=0.03)


def rows(short: bool, ceilings: Ceilings) -> Iterator[Row]:
    """Milliseconds a batch; agreement is asserted first."""
    cv2.setNumThreads(1)
    for count in (7,) if short else (7, 100):
        with tempfile.TemporaryDirectory() as folder:
            source, task = Pictures(Path(folder), count), Ctdet(INFO)
            whole, light = (
                Dataset(source, task, size=SIZE, augmentation=Augmentation(), unfinished=unfinished)
                for unfinished in (False, True)
            )
            agree(source, whole, light)
            random = np.random.default_rng(1)
            sides: dict[str, Callable[[], Iterator[dict[str, Any]]]] = {
                OLD: partial(old_samples, source, random),
                HERE: partial(new_samples, whole),
                LIGHT: partial(new_samples, light),
            }
            done = {DECODE: partial(decode, source)}
            singly, together = (
                compare({**{k: partial(use, work) for k, work in sides.items()}, **done}, ROUNDS)
                for use in (one_by_one, collated)
            )
        for case, rounds in (("samples", singly), ("batch", together)):
            for fast in (HERE, LIGHT):
                share = rounds.least(DECODE) / rounds.least(fast)  # nothing beats decoding alone
                yield row("data", f"{case} of {BATCH}, {count} boxes", rounds, OLD, fast, share)


def new_samples(data: Dataset) -> Iterator[dict[str, Any]]:
    return (data[index] for index in range(BATCH))


def one_by_one(make: Callable[[], Iterator[dict[str, Any]]]) -> None:
    for _ in make():
        pass


def collated(make: Callable[[], Iterator[dict[str, Any]]]) -> dict[str, Any]:
    return default_collate(list(make()))


def decode(source: Pictures) -> None:
    for index in range(BATCH):
        source.image(index)
