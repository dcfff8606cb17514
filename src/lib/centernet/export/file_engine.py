"""The engine that an exported file is: network and decoding, in a runtime of its own."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray

from centernet.detectors.detector import Detector
from centernet.detectors.engine import Decoded, Inputs
from centernet.detectors.preprocess import Preprocess, as_picture
from centernet.detectors.timing import Timings
from centernet.export.program import CAMERA
from centernet.export.runtimes.runtime import Runtime
from centernet.geometry.view import Size
from centernet.heads.head_map import Maps
from centernet.models.description import info_of, options_of
from centernet.models.inputs import IMAGE, PREVIOUS
from centernet.runtime.errors import UserError
from centernet.tasks import TASKS, Task

UNUSED = frozenset({"locations", "rotations", "confirmed"})  # found again by the task


class FileEngine:
    """An exported file, opened as `runtime`; it has no maps to look at.

    Its number of candidates is in the file. Boxes come in the pixels of the input, so that the
    input itself is the map that they are read from.
    """

    stride = 1
    has_maps = False
    device = torch.device("cpu")  # nothing of PyTorch's is waited for

    def __init__(self, runtime: Runtime, name: str) -> None:
        if runtime.card.raw:
            raise UserError(f"{name}: gives the network's raw maps; export it without --raw")
        self.runtime, self.name = runtime, name
        self.size, self.flip_test = runtime.card.sizes.fixed, runtime.card.flip_test
        self.narrow = runtime.card.precision == "fp16"

    @property
    def place(self) -> str:
        """The runtime, the precision and the sizes of the file."""
        card = self.runtime.card
        return f"{self.runtime.name} ({card.precision}, {card.sizes})"

    def check(self, size: Size) -> None:
        """See `Engine.check`."""
        self.runtime.card.sizes.check(size, self.name)

    def run(self, inputs: Inputs, k: int, timings: Timings) -> Decoded:
        """See `Engine.run`; the `k` best are those that the file was made for."""
        card, given = self.runtime.card, {name: x.numpy() for name, x in inputs.items()}
        count = len(given[IMAGE])
        asked = card.sizes.batch or count
        parts = []
        with timings.stage("net"):
            for first in range(0, count, asked):
                whole = first + asked <= count
                rows = np.arange(first, first + asked).clip(max=count - 1)  # the last fills up
                part = slice(first, first + asked) if whole else rows
                some = {name: array[part] for name, array in given.items()}
                parts.append(self.runtime.run(self._arrays(some)))
        arrays = {
            name: np.concatenate([part[name] for part in parts])[:count]
            for name in card.outputs
            if name not in UNUSED
        }
        height, width = given[IMAGE].shape[2:]
        return Decoded(arrays, (height, width))

    def maps(self, inputs: Inputs, timings: Timings) -> Maps:
        """There are none: UserError."""
        raise UserError(
            f"{self.name}: an exported file has no maps, which --eval_oracle and --debug 2 need;"
            " use the checkpoint"
        )

    def warm_up(self, inputs: Inputs, k: int) -> None:
        """Nothing: a runtime has made itself ready when it opened the file."""

    def _arrays(self, given: Mapping[str, NDArray[np.float32]]) -> dict[str, NDArray]:
        """The file's inputs; where a camera is asked for, any: what it tells is not read."""
        card = self.runtime.card
        made: dict[str, NDArray] = {name: np.ascontiguousarray(x) for name, x in given.items()}
        for name in {IMAGE, PREVIOUS} & set(given):
            if card.colours_inside:
                made[name] = as_picture(given[name], _triple(card.mean), _triple(card.std))
        made[card.inputs[0]] = made[IMAGE]
        made[CAMERA] = np.repeat(np.eye(3, 4, dtype=np.float32)[None], len(made[IMAGE]), 0)
        return {name: made[name] for name in card.inputs}


def file_detector(
    runtime: Runtime,
    name: str,
    *,
    flags: Mapping[str, Any] | None = None,
    input_size: Size | None = None,
    keep_res: bool | None = None,
    scales: Sequence[float] = (1.0,),
    nms: bool = False,
    limit: int = 100,
    batch_size: int = 1,
    flip_test: bool = False,
) -> Detector:
    """The detector of an exported file, called `name` in messages.

    `flags` are options of the task that differ, `input_size` and `keep_res` those of the file by
    default; the others are those of Detector that a file does not decide.
    """
    card, engine = runtime.card, FileEngine(runtime, name)
    if flip_test and not card.flip_test:
        raise UserError(f"{name}: has no flip test inside; export it with --flip_test")
    task = task_of(card.description, name, flags or {})
    preprocess = Preprocess(
        framing=task.framing,
        mean=_triple(card.mean),
        std=_triple(card.std),
        input_size=input_size or card.input_size,
        pad=card.sizes.multiple - 1,
        keep_res=card.framing == "keep_res" if keep_res is None else keep_res,
    )
    return Detector(
        task,
        engine,
        preprocess,
        scales=scales,
        nms=nms,
        k=card.k,
        limit=limit,
        batch_size=batch_size,
    )


def task_of(description: Mapping[str, Any], name: str, flags: Mapping[str, Any]) -> Task:
    """The task as the file was made for it; `flags` are those of its options that differ."""
    kind = TASKS[description["task"]] if description.get("task") in TASKS else None
    info = info_of(description)
    if kind is None or info is None:
        raise UserError(f"{name}: of task {description.get('task')!r}, which this version has not")
    return kind(info, options_of(kind.Options, description, flags))


def _triple(values: Sequence[float]) -> tuple[float, float, float]:
    b, g, r = values
    return b, g, r
