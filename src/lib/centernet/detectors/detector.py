"""One detector for all tasks: prepare, network, decode, image coordinates, merge."""

from __future__ import annotations

import time
from collections import defaultdict
from collections.abc import Collection, Iterable, Iterator, Sequence
from contextlib import AbstractContextManager, nullcontext
from dataclasses import replace
from itertools import islice
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar

import numpy as np
import torch
from torch import Tensor

from centernet.detectors.finite import check_finite
from centernet.detectors.preprocess import (
    Prepared,
    Preprocess,
    Ready,
    Triple,
    as_image,
    to_batch,
)
from centernet.detectors.session import Session
from centernet.detectors.timing import Timings
from centernet.geometry.view import Size, divisible, map_size
from centernet.io.stream import Frame, Pictures, SourceLike, Video, as_path, open_stream
from centernet.models.fuse import fused
from centernet.models.model import CenterNet
from centernet.models.sparse import SparseMap
from centernet.runtime.errors import UserError
from centernet.structures.detections import Detections
from centernet.trackers.byte import ByteTracker

if TYPE_CHECKING:
    from centernet.heads.head_map import Maps
    from centernet.structures.objects import Objects
    from centernet.tasks.oracle import Oracle
    from centernet.tasks.task import Task
    from centernet.trackers.tracker import Tracker

PRECISIONS = {"bf16": torch.bfloat16, "fp16": torch.float16}
# Images of one shape are collected from this many batches when shapes vary.
WINDOW = 4

Thing = TypeVar("Thing")


class Detector:
    """`task` and `model` joined to something that turns images into Detections.

    Args:
        task: what to detect; gives class names, framing and the reading of the maps.
        model: the network, whose heads are the task's. With `fuse` it is left alone; else it is
            moved to `device` and set to eval.
        mean, std: of colours in [0, 1], BGR; the data set's by default.
        input_size: (height, width) the network sees; the data set's resolution by default.
        keep_res: let the network see each image in its own size instead.
        flip_test: average the maps with those of the mirrored image.
        scales: test scales; more than one are merged by soft-NMS.
        nms: soft-NMS also for a single scale.
        k: candidates taken from the maps of one scale.
        limit: detections kept of an image, but for ties.
        batch_size: images of one shape that go through the network together.
        device: "cpu", "cuda", "cuda:1" ...; None takes CUDA if there is one.
        amp: None (float32), "bf16" or "fp16".
        channels_last: the memory layout that some devices compute faster in; always if `fuse`.
        fuse: run a copy of the network that is made for testing: BN folded into the convolutions,
            all of it in the precision of `amp`, regressions computed at the peaks alone. Else
            `model` itself runs as it was trained. Results agree to rounding.
        in_place: let `fuse` change `model` itself, which then is of no other use: half the memory.

    The attribute `model` is the network that runs. Its weights are those that were given only
    without `fuse`; with it neither names nor values of its state dict are.
    `timings` holds the seconds of each stage since it was made or last replaced. `oracle`, unless
    None, puts true maps in the place of predicted ones, for images prepared with their objects.
    """

    oracle: Oracle | None = None

    def __init__(
        self,
        task: Task,
        model: CenterNet,
        *,
        mean: Triple | None = None,
        std: Triple | None = None,
        input_size: Size | None = None,
        keep_res: bool = False,
        flip_test: bool = False,
        scales: Sequence[float] = (1.0,),
        nms: bool = False,
        k: int = 100,
        limit: int = 100,
        batch_size: int = 1,
        device: str | torch.device | None = None,
        amp: str | None = None,
        channels_last: bool = False,
        fuse: bool = True,
        in_place: bool = False,
    ) -> None:
        if not scales or min(scales) <= 0:
            raise ValueError(f"test scales must be positive, not {scales}")
        if amp is not None and amp not in PRECISIONS:
            raise ValueError(f"amp must be None, {' or '.join(PRECISIONS)}, not {amp!r}")
        if k < 1:
            raise ValueError(f"k must be at least 1, not {k}")
        size = input_size or task.resolution(task.info, task.options)
        pad, stride = model.backbone.pad, model.backbone.stride
        used = not keep_res or task.framing.one_size
        if used and not divisible(size, pad, stride):
            raise UserError(
                f"input of {size[0]} x {size[1]}: height and width must be multiples of {pad + 1}"
                " for this network; set input_size (--input_res, or --input_h and --input_w)"
            )
        self.task = task
        self.device = torch.device(device or ("cuda" if torch.cuda.is_available() else "cpu"))
        self.precision = None if amp is None else PRECISIONS[amp]
        self.fuse = fuse and isinstance(model, CenterNet)
        fast = channels_last or self.fuse
        self.layout = torch.channels_last if fast else torch.contiguous_format
        if self.fuse:
            model = fused(model, in_place).to(dtype=self.precision)
        self.model = model.to(self.device, memory_format=self.layout).eval()
        self.preprocess = Preprocess(
            framing=task.framing,
            mean=mean or task.info.mean,
            std=std or task.info.std,
            input_size=size,
            pad=model.backbone.pad,
            keep_res=keep_res,
        )
        self.flip_test, self.scales, self.nms = flip_test, tuple(scales), nms
        self.k, self.limit, self.batch_size = k, limit, batch_size
        self.timings = Timings(self.device)

    def detect(self, source: np.ndarray | SourceLike) -> Detections | list[Detections]:
        """Detections of one image, or a list of them for several.

        Args:
            source: an image (H, W, 3) uint8 BGR or the path of one gives Detections; a list of
                either, a folder, a pattern or a video gives a list, in its order. Files are read
                upright (Exif orientation). UserError when a file is missing or unreadable; among
                several pictures that are not a list, unreadable ones are left out.
        """
        if isinstance(source, np.ndarray):
            return next(self.run([Frame(as_image(source), "image")]))
        if isinstance(source, Sequence) and not isinstance(source, str):
            return list(self.run(self._frames(source)))
        stream = open_stream(source)
        found = list(self.run(stream))
        alone = isinstance(stream, Pictures) and stream.single
        return found[0] if alone else found

    def inference_tracking(
        self, source: SourceLike, tracker: Tracker | None = None
    ) -> Iterator[Detections]:
        """Detections with `identities`, frame by frame, of one video or of a folder's images.

        Nothing of the video is kept in memory. `tracker` is ByteTrack's by default.
        """
        return Session(self, tracker or ByteTracker()).run(open_stream(source))

    def warm_up(self) -> None:
        """Detect in a black image: what loads or compiles at its first use is then in no timing."""
        camera = np.eye(3, 4, dtype=np.float32)  # any: none need be assumed
        black = np.zeros((*self.preprocess.input_size, 3), np.uint8)
        list(self.finish([self.prepare(black, calibration=camera)]))
        self.timings = Timings(self.device)

    def _frames(self, sources: Sequence[Any]) -> Iterator[Frame]:
        for source in sources:
            if isinstance(source, np.ndarray):
                yield Frame(as_image(source), "image")
            else:
                yield from Pictures([as_path(source)], workers=0)

    def run(self, frames: Iterable[Frame] | Video | Pictures) -> Iterator[Detections]:
        """Detections of each frame, in order, computed `batch_size` frames at a time."""
        return self.finish(self.prepare(f.image, f.path, load=f.seconds) for f in frames)

    def prepare(
        self,
        image: np.ndarray,
        path: Path | None = None,
        calibration: np.ndarray | None = None,
        load: float = 0.0,
        objects: Objects | None = None,
    ) -> Ready:
        """The stage before the network; touches no device, so that threads may do it ahead.

        `calibration` (3, 4) is the camera matrix, for tasks that need one: without it the task's
        `camera` says what to take. `load` is the seconds it took to read the image,
        `objects` what is truly in it, for the oracle.
        """
        start = time.perf_counter()
        scales = [self.preprocess(image, scale) for scale in self.scales]
        if self.oracle is not None and objects is not None:
            scales = [self._with_truth(prepared, objects) for prepared in scales]
        size = image.shape[0], image.shape[1]
        if calibration is None:
            calibration = self.task.camera(size)
        return Ready(scales, size, path, calibration, load, time.perf_counter() - start)

    def _with_truth(self, prepared: Prepared, objects: Objects) -> Prepared:
        assert self.oracle is not None
        seen = prepared.shape[1], prepared.shape[2]
        size = map_size(seen, self.model.backbone.stride)
        truth = self.oracle.truth(objects, prepared.view, size, mirrored=self.flip_test)
        return replace(prepared, truth=truth)

    def finish(self, images: Iterable[Ready]) -> Iterator[Detections]:
        """Detections of prepared images, in their order.

        Images of equal input shape share a batch. Batching changes nothing but the order in which
        floating-point sums are rounded: scores agree with those of single images to about 1e-5.
        """
        window = self.batch_size * (WINDOW if self.preprocess.keep_res else 1)
        for group in chunks(images, window):
            yield from self._finish_group(group)

    def _finish_group(self, group: Sequence[Ready]) -> list[Detections]:
        shapes: defaultdict[tuple[int, ...], list[tuple[int, int]]] = defaultdict(list)
        for image, ready in enumerate(group):
            for scale, prepared in enumerate(ready.scales):
                shapes[prepared.shape].append((image, scale))
        parts: dict[tuple[int, int], Detections] = {}
        for places in shapes.values():
            for batch in chunks(places, self.batch_size):
                inputs = [group[image].scales[scale] for image, scale in batch]
                matrices = [group[image].calibration for image, _ in batch]
                paths = [group[image].path for image, _ in batch]
                found = self._detect_batch(inputs, matrices, paths)
                parts.update(zip(batch, found, strict=True))
        results = []
        with self.timings.stage("merge"):
            for image, ready in enumerate(group):
                found = [parts[image, scale] for scale in range(len(ready.scales))]
                results.append(self._merge(found, ready))
        for ready in group:
            self.timings.add("load", ready.load_seconds)
            self.timings.add("pre", ready.pre_seconds)
        self.timings.images += len(group)
        return results

    def _detect_batch(
        self,
        inputs: Sequence[Prepared],
        calibrations: Sequence[np.ndarray | None],
        paths: Sequence[Path | None] = (),
    ) -> list[Detections]:
        """Detections of inputs of one shape; UserError, with the image, if any is not finite."""
        maps = self._maps(inputs, self._sparse(), self._peaked())
        with self.timings.stage("dec"), torch.inference_mode():
            decoded = self.task.decode(maps, self.k)
            arrays = {name: value.cpu().numpy() for name, value in decoded.items()}
        check_finite(arrays, paths, narrow=self.precision is torch.float16)
        size = next(iter(maps.values())).shape[-2:]
        with self.timings.stage("post"):
            views = [prepared.view for prepared in inputs]
            return self.task.finish(arrays, views, (int(size[0]), int(size[1])), calibrations)

    def maps(self, inputs: Sequence[Prepared]) -> Maps:
        """The network's activated maps (B, C, h, w) of inputs of one shape, flips averaged.

        With an oracle the truth is put in, where the inputs carry it.
        """
        return self._maps(inputs)

    def _sparse(self) -> frozenset[str]:
        """The heads that need not be computed all over: none that is looked at or corrected."""
        return self.task.sparse if self.fuse and self.oracle is None else frozenset()

    def _peaked(self) -> frozenset[str]:
        """The heat maps that may stay logits: on the CPU, if nothing is averaged or corrected."""
        alone = self.device.type == "cpu" and self.oracle is None and not self.flip_test
        return self.task.peaked if alone else frozenset()

    @torch.inference_mode()
    def _maps(
        self,
        inputs: Sequence[Prepared],
        sparse: Collection[str] = (),
        peaked: Collection[str] = (),
    ) -> Maps:
        with self.timings.stage("net"):
            batch: Tensor = to_batch([prepared.input for prepared in inputs], self.flip_test)
            batch = batch.to(self.device, memory_format=self.layout)
            raw, put_off = self._raw(batch, sparse)
            maps = self.task.activate(raw, put_off, peaked)
            maps = self.task.merge_flip(maps) if self.flip_test else maps
        truths = [prepared.truth for prepared in inputs if prepared.truth is not None]
        return self.oracle.correct(maps, truths) if self.oracle and truths else maps

    def _raw(
        self, batch: Tensor, sparse: Collection[str]
    ) -> tuple[dict[str, Tensor], dict[str, SparseMap]]:
        if self.fuse:
            return self.model.last_maps(batch.to(dtype=self.precision), sparse)
        with self._autocast():
            return self.model(batch, last_only=True)[-1], {}

    def _autocast(self) -> AbstractContextManager[Any]:
        if self.precision is None:
            return nullcontext()
        return torch.autocast(self.device.type, self.precision)

    def _merge(self, parts: list[Detections], ready: Ready) -> Detections:
        merged = self.task.merge(parts, nms=self.nms, limit=self.limit)
        return replace(
            merged,
            image_size=ready.image_size,
            path=ready.path,
            skeleton=self.task.info.skeleton,
            calibration=merged.calibration if ready.calibration is None else ready.calibration,
        )


def chunks(things: Iterable[Thing], size: int) -> Iterator[list[Thing]]:
    """Lists of `size` successive things; the last may be shorter."""
    rest = iter(things)
    while chunk := list(islice(rest, size)):
        yield chunk
