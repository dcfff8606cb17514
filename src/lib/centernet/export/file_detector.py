"""Detection with an exported file: the views, scales and merging of a detector, no network."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from pathlib import Path
from typing import Any, NoReturn

import numpy as np
import torch
from numpy.typing import NDArray

from centernet.detectors.detector import Detector
from centernet.detectors.finite import check_finite
from centernet.detectors.preprocess import Prepared, Preprocess
from centernet.detectors.timing import Timings
from centernet.export.program import CAMERA
from centernet.export.runtimes.runtime import Runtime
from centernet.geometry.view import Size
from centernet.heads.head_map import Maps
from centernet.models.description import info_of, options_of
from centernet.runtime.errors import UserError
from centernet.structures.detections import Detections
from centernet.tasks import TASKS, Task

UNUSED = frozenset({"locations", "rotations", "confirmed"})  # found again by the task


class FileDetector(Detector):
    """A Detector whose network and decoding are in a file; it has no maps to look at.

    `settings` are those of Detector that are not decided by the file.
    """

    def __init__(
        self,
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
    ) -> None:
        card = runtime.card
        self.runtime, self.name = runtime, name
        if card.raw:
            raise UserError(f"{name}: gives the network's raw maps; export it without --raw")
        if flip_test and not card.flip_test:
            raise UserError(f"{name}: has no flip test inside; export it with --flip_test")
        self.task = task_of(card.description, name, flags or {})
        own = card.framing == "keep_res" if keep_res is None else keep_res
        size = input_size or card.input_size
        if not own or self.task.framing.one_size:
            card.sizes.check(size, name)
        self.device = torch.device("cpu")
        self.precision = None
        self.preprocess = Preprocess(
            framing=self.task.framing,
            mean=card.mean,  # type: ignore[arg-type]
            std=card.std,  # type: ignore[arg-type]
            input_size=size,
            pad=card.sizes.multiple - 1,
            keep_res=own,
        )
        self.flip_test, self.scales, self.nms = card.flip_test, tuple(scales), nms
        self.k, self.limit, self.batch_size = card.k, limit, batch_size
        self.timings = Timings(self.device)

    def __setattr__(self, name: str, value: Any) -> None:
        if name == "oracle" and value is not None:
            self._no_maps("--eval_oracle")
        super().__setattr__(name, value)

    def _detect_batch(
        self,
        inputs: Sequence[Prepared],
        calibrations: Sequence[np.ndarray | None],
        paths: Sequence[Path | None] = (),
    ) -> list[Detections]:
        card, count = self.runtime.card, len(inputs)
        asked = card.sizes.batch or count
        parts = []
        with self.timings.stage("net"):
            for first in range(0, count, asked):
                some = list(inputs[first : first + asked])
                some += [some[-1]] * (asked - len(some))
                parts.append(self.runtime.run(self._arrays(some)))
        arrays = {
            name: np.concatenate([part[name] for part in parts])[:count]
            for name in card.outputs
            if name not in UNUSED
        }
        check_finite(arrays, paths, narrow=card.precision == "fp16")
        height, width = inputs[0].shape[1:]
        with self.timings.stage("post"):
            views = [prepared.view for prepared in inputs]
            return self.task.finish(arrays, views, (height, width), calibrations)

    def _arrays(self, inputs: Sequence[Prepared]) -> dict[str, NDArray]:
        """The file's inputs; where a camera is asked for, any: what it tells is not read."""
        card = self.runtime.card
        if card.colours_inside:
            pictures = np.stack([self.preprocess.picture(each) for each in inputs])
        else:
            pictures = np.stack([each.input for each in inputs])
        camera = np.repeat(np.eye(3, 4, dtype=np.float32)[None], len(inputs), 0)
        every = {card.inputs[0]: np.ascontiguousarray(pictures), CAMERA: camera}
        return {name: every[name] for name in card.inputs}

    def maps(self, inputs: Sequence[Prepared]) -> Maps:
        self._no_maps("--debug")

    def _maps(
        self,
        inputs: Sequence[Prepared],
        sparse: Collection[str] = (),
        peaked: Collection[str] = (),
    ) -> Maps:
        self._no_maps("--debug")

    def _no_maps(self, flag: str) -> NoReturn:
        raise UserError(
            f"{self.name}: an exported file has no maps, which {flag} needs; use the checkpoint"
        )


def task_of(description: Mapping[str, Any], name: str, flags: Mapping[str, Any]) -> Task:
    """The task as the file was made for it; `flags` are those of its options that differ."""
    kind = TASKS[description["task"]] if description.get("task") in TASKS else None
    info = info_of(description)
    if kind is None or info is None:
        raise UserError(f"{name}: of task {description.get('task')!r}, which this version has not")
    return kind(info, options_of(kind.Options, description, flags))
