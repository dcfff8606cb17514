"""What stands around the network, beside the detector of 2019: `python bench/run.py decode`.

Pre-processing of 640 x 480 pixels to 512 x 512, decoding of 80 classes on maps of 128 x 128 from
raw maps to boxes, and post-processing of the 100 best boxes.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator

import cv2
import numpy as np
import torch
from baselines import detection as published
from report import Row, row
from timer import Ceilings, compare

from centernet.datasets.published import PUBLISHED
from centernet.detectors.preprocess import Preprocess, to_batch
from centernet.tasks.ctdet import Ctdet

THEIRS, OURS = "2019", "here"
INFO = PUBLISHED["coco"]
TASK = Ctdet(INFO)
PREPARE = Preprocess(TASK.framing, INFO.mean, INFO.std, (512, 512))
Sides = dict[str, Callable[[], object]]


def picture() -> np.ndarray:
    """(480, 640, 3) uint8, smooth as photographs are."""
    noise = np.random.default_rng(0).integers(0, 256, (48, 64, 3), dtype=np.uint8)
    return cv2.resize(noise, (640, 480), interpolation=cv2.INTER_CUBIC)


def heat_of_a_picture() -> torch.Tensor:
    """Logits (1, 80, 128, 128): low, with some hundred soft peaks, as trained networks give."""
    random = torch.Generator().manual_seed(0)
    heat = torch.randn(1, 80, 128, 128, generator=random) * 0.5
    spots = torch.zeros_like(heat)
    spots.view(-1)[torch.randint(heat.numel(), (300,), generator=random)] = 1
    soft = torch.nn.functional.avg_pool2d(spots, 5, 1, 2) * 25
    return heat - 6 + 6 * soft * torch.rand(1, 80, 1, 1, generator=random)


def raw_maps(order: torch.memory_format) -> dict[str, torch.Tensor]:
    random = torch.Generator().manual_seed(1)
    maps = {
        "hm": heat_of_a_picture(),
        "wh": torch.rand(1, 2, 128, 128, generator=random) * 30,
        "reg": torch.rand(1, 2, 128, 128, generator=random),
    }
    return {name: each.to(memory_format=order) for name, each in maps.items()}


def pre_sides() -> Sides:
    image = picture()

    def ours() -> torch.Tensor:
        return to_batch([PREPARE(image).input])

    def theirs() -> torch.Tensor:
        return published.pre_process(image, 512, INFO.mean, INFO.std)[0]

    torch.testing.assert_close(ours().contiguous(), theirs(), rtol=1e-5, atol=1e-5)
    return {THEIRS: theirs, OURS: ours}


def decode_sides() -> Sides:
    apart, together = raw_maps(torch.contiguous_format), raw_maps(torch.channels_last)

    def ours() -> dict[str, torch.Tensor]:
        return TASK.decode(TASK.activate(together, logits=TASK.peaked), 100)

    def theirs() -> torch.Tensor:
        return published.decode(apart)

    found, expected = ours(), theirs()
    torch.testing.assert_close(found["boxes"], expected[:, :, :4])
    torch.testing.assert_close(found["scores"], expected[:, :, 4])
    assert torch.equal(found["classes"], expected[:, :, 5].long())
    return {THEIRS: theirs, OURS: ours}


def post_sides() -> Sides:
    decoded = TASK.decode(TASK.activate(raw_maps(torch.contiguous_format)), 100)
    arrays = {name: value.numpy() for name, value in decoded.items()}
    columns = [decoded[name].view(1, 100, -1).float() for name in ("boxes", "scores", "classes")]
    table = torch.cat(columns, 2).numpy()
    prepared = PREPARE(picture())
    centre, side = np.array(prepared.view.center, np.float32), 640.0

    def ours() -> object:
        found = TASK.postprocess(arrays, [prepared.view], (128, 128))
        return TASK.merge(found, nms=False, limit=100)

    def theirs() -> dict[int, np.ndarray]:
        results = published.post_process(table.copy(), centre, side, 128, 80)
        return published.merge(results)

    found, expected = ours(), theirs()
    for j, own in expected.items():
        mine = found.select(found.classes == j - 1)
        np.testing.assert_allclose(mine.boxes, own[:, :4], atol=1e-2)
        np.testing.assert_allclose(mine.scores, own[:, 4])
    return {THEIRS: theirs, OURS: ours}


def rows(short: bool, ceilings: Ceilings) -> Iterator[Row]:
    """Milliseconds an image; agreement is asserted first."""
    cv2.setNumThreads(1)
    works = {"pre-process": pre_sides, "decode": decode_sides, "post-process": post_sides}
    for case, sides in works.items():
        with torch.inference_mode():
            rounds = compare(sides(), rounds=9 if short else 25, warm_up=5)
        yield row("decode", case, rounds, THEIRS, OURS)
