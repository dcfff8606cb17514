"""One detector for all tasks: prepare, engine, image coordinates, merge."""

from __future__ import annotations

import time
from collections import defaultdict
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import replace
from itertools import islice
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar

import numpy as np
import torch

from centernet.detectors.engine import Engine
from centernet.detectors.finite import check_finite
from centernet.detectors.preprocess import (
    Prepared,
    Preprocess,
    Ready,
    Triple,
    as_image,
    batched,
)
from centernet.detectors.session import Session
from centernet.detectors.timing import Timings
from centernet.detectors.torch_engine import TorchEngine, decoded
from centernet.geometry.view import Size, map_size
from centernet.io.stream import Frame, Pictures, SourceLike, Video, as_path, open_stream
from centernet.models.inputs import IMAGE, PREVIOUS
from centernet.models.model import CenterNet
from centernet.runtime.device import check_device
from centernet.runtime.errors import ArgumentError, UserError
from centernet.structures.detections import Detections
from centernet.structures.known import Known
from centernet.trackers.byte import ByteTracker

if TYPE_CHECKING:
    from centernet.heads.head_map import Maps
    from centernet.structures.objects import Objects
    from centernet.tasks.oracle import Oracle
    from centernet.tasks.task import Task
    from centernet.trackers.tracker import Tracker

# Images of one shape are collected from this many batches when shapes vary.
WINDOW = 4

Item = TypeVar("Item")


class Detector:
    """`task` and an `engine` joined to something that turns images into Detections.

    Args:
        task: what to detect; gives class names, framing and the reading of what the engine found.
        engine: the network, made ready.
        preprocess: what the network sees of an image.
        scales: test scales; more than one are merged by soft-NMS.
        nms: soft-NMS also for a single scale.
        k: candidates taken from the maps of one scale.
        limit: detections kept of an image, but for ties; 0 keeps all.
        batch_size: images of one shape that go through the network together.
        oracle: puts true maps in the place of predicted ones, for images prepared with their
            objects; the engine must have maps.

    `timings` holds the seconds of each stage since it was made or last warmed up. UserError if the
    network cannot divide the input size, or takes another.
    """

    def __init__(
        self,
        task: Task,
        engine: Engine,
        preprocess: Preprocess,
        *,
        scales: Sequence[float] = (1.0,),
        nms: bool = False,
        k: int = 100,
        limit: int = 100,
        batch_size: int = 1,
        oracle: Oracle | None = None,
    ) -> None:
        if not scales or min(scales) <= 0:
            raise ArgumentError(f"test scales must be positive, not {scales}")
        for name, value, least in (("k", k, 1), ("batch_size", batch_size, 1), ("limit", limit, 0)):
            if isinstance(value, bool) or value < least:
                raise ArgumentError(f"{name} must be at least {least}, not {value!r}")
        self.task, self.engine, self.preprocess = task, engine, preprocess
        self.scales, self.nms = tuple(scales), nms
        self.k, self.limit, self.batch_size = k, limit, batch_size
        self.oracle = oracle
        self.timings = Timings(engine.device)
        self._check_size()

    @classmethod
    def of(
        cls,
        task: Task,
        model: CenterNet,
        *,
        mean: Triple | None = None,
        std: Triple | None = None,
        input_size: Size | None = None,
        keep_res: bool = False,
        flip_test: bool = False,
        device: str | torch.device | None = None,
        amp: str | None = None,
        channels_last: bool = False,
        fuse: bool = True,
        in_place: bool = False,
        scales: Sequence[float] = (1.0,),
        nms: bool = False,
        k: int = 100,
        limit: int = 100,
        batch_size: int = 1,
        oracle: Oracle | None = None,
    ) -> Detector:
        """A detector of `model` in PyTorch.

        mean, std: of colours in [0, 1], BGR; the data set's by default. input_size: (height, width)
        the network sees; the task's resolution by default. keep_res: let the network see each image
        in its own size instead. The others are those of `TorchEngine` and of `Detector`.
        """
        if input_size is not None and (isinstance(input_size, int) or len(input_size) != 2):
            raise ArgumentError(
                f"input_size must be (height, width), as (512, 512), not {input_size!r}"
            )
        check_device(device)
        preprocess = Preprocess(
            framing=task.framing,
            mean=mean or task.info.mean,
            std=std or task.info.std,
            input_size=input_size or task.resolution(task.info, task.options),
            pad=model.backbone.pad,
            keep_res=keep_res,
        )
        engine = TorchEngine(
            task,
            model,
            flip_test=flip_test,
            device=device,
            amp=amp,
            channels_last=channels_last,
            fuse=fuse,
            in_place=in_place,
        )
        return cls(
            task,
            engine,
            preprocess,
            scales=scales,
            nms=nms,
            k=k,
            limit=limit,
            batch_size=batch_size,
            oracle=oracle,
        )

    def with_oracle(self, oracle: Oracle | None) -> Detector:
        """The same, on the same engine, with other heads perfect."""
        return Detector(
            self.task,
            self.engine,
            self.preprocess,
            scales=self.scales,
            nms=self.nms,
            k=self.k,
            limit=self.limit,
            batch_size=self.batch_size,
            oracle=oracle,
        )

    def _check_size(self) -> None:
        free = self.preprocess.keep_res and not self.task.framing.one_size
        one = self.engine.size
        if not free:
            self.engine.check(self.preprocess.input_size)
        elif one is not None:
            raise UserError(
                f"keep_res: this network takes images of {one[0]} x {one[1]} alone (leave out"
                " --keep_res)"
            )

    def detect(self, source: np.ndarray | SourceLike) -> Detections | list[Detections]:
        """Detections of one image, or a list of them for several.

        Args:
            source: an image (H, W, 3) uint8 BGR or the path of one gives Detections; a list of
                either, a folder, a pattern or a video gives a list, in its order. Files are read
                upright (Exif orientation). UserError when a file is missing or unreadable; among
                several images that are not a list, unreadable ones are left out.
        """
        if isinstance(source, np.ndarray):
            return next(self.run([Frame(as_image(source), "image")]))
        if isinstance(source, bytes | bytearray):
            raise UserError(
                "bytes are no image yet: cv2.imdecode(np.frombuffer(data, np.uint8),"
                " cv2.IMREAD_COLOR) makes the array (H, W, 3) uint8 BGR of them"
            )
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
        """Load and compile what detecting will need, so that it is in no timing."""
        camera = np.eye(3, 4, dtype=np.float32)  # any: none need be assumed
        black = np.zeros((*self.preprocess.input_size, 3), np.uint8)
        ready = self.prepare(black, calibration=camera)
        for prepared in ready.scales:
            self.engine.warm_up(batched([prepared]), self.k)
        list(self.predict([ready]))
        self.timings = Timings(self.engine.device)

    def _frames(self, sources: Sequence[Any]) -> Iterator[Frame]:
        for source in sources:
            if isinstance(source, np.ndarray):
                yield Frame(as_image(source), "image")
            else:
                yield from Pictures([as_path(source)], workers=0)

    def run(self, frames: Iterable[Frame] | Video | Pictures) -> Iterator[Detections]:
        """Detections of each frame, in order, computed `batch_size` frames at a time."""
        return (found for _, found in self.predict(self.prepared(frames)))

    def prepared(self, frames: Iterable[Frame] | Video | Pictures) -> Iterator[Ready]:
        """Each frame, prepared for the network."""
        return (self.prepare(f.image, f.path, load=f.seconds) for f in frames)

    def prepare(
        self,
        image: np.ndarray,
        path: Path | None = None,
        calibration: np.ndarray | None = None,
        load: float = 0.0,
        objects: Objects | None = None,
        index: int = 0,
    ) -> Ready:
        """The stage before the network; touches no device, so that threads may do it ahead.

        `calibration` (3, 4) is the camera matrix, for tasks that need one: without it the task's
        `camera` says what to take. `load` is the seconds it took to read the image, `objects` what
        is truly in it, for the oracle, `index` which of the caller's images it is.
        """
        start = time.perf_counter()
        scales = [self.alone(self.preprocess(image, scale)) for scale in self.scales]
        if self.oracle is not None and objects is not None:
            scales = [self._with_truth(self.oracle, prepared, objects) for prepared in scales]
        size = image.shape[0], image.shape[1]
        if calibration is None:
            calibration = self.task.camera(size)
        seconds = time.perf_counter() - start
        return Ready(scales, size, path, calibration, load, seconds, index)

    def alone(self, prepared: Prepared) -> Prepared:
        """`prepared` as the first frame of a video: the frame before is itself, nothing is known.

        That is what the network sees of a still image too.
        """
        if len(self.task.inputs) == 1:
            return prepared
        known = Known.nothing((prepared.shape[1], prepared.shape[2]))
        return self._with_inputs(prepared, prepared.input, known)

    def after(self, prepared: Prepared, before: Prepared, found: Detections) -> Prepared:
        """`prepared` as the frame that follows `before`, in which `found` was found.

        A frame of another size begins a video of its own.
        """
        if before.shape != prepared.shape:
            return prepared
        size = prepared.shape[1], prepared.shape[2]
        known = self.task.remember(found, prepared.view, size)
        return self._with_inputs(prepared, before.input, known)

    def _with_inputs(self, prepared: Prepared, before: np.ndarray, known: Known) -> Prepared:
        every = {PREVIOUS: before, **self.task.recall(known)}
        more = {name: every[name] for name in self.task.inputs if name != IMAGE}
        return replace(prepared, more=more)

    def _with_truth(self, oracle: Oracle, prepared: Prepared, objects: Objects) -> Prepared:
        size = map_size((prepared.shape[1], prepared.shape[2]), self.engine.stride)
        mirrored = self.engine.flip_test
        return replace(
            prepared, truth=oracle.truth(objects, prepared.view, size, mirrored=mirrored)
        )

    def predict(self, images: Iterable[Ready]) -> Iterator[tuple[Ready, Detections]]:
        """Prepared images with their detections, in their order.

        Images of equal input shape share a batch. Batching changes nothing but the order in which
        floating-point sums are rounded: scores agree with those of single images to about 1e-5.
        """
        window = self.batch_size * (WINDOW if self.preprocess.keep_res else 1)
        for group in chunks(images, window):
            yield from zip(group, self._predict_group(group), strict=True)

    def _predict_group(self, group: Sequence[Ready]) -> list[Detections]:
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
                found = self.predict_batch(inputs, matrices, paths)
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

    def predict_batch(
        self,
        inputs: Sequence[Prepared],
        calibrations: Sequence[np.ndarray | None],
        paths: Sequence[Path | None] = (),
    ) -> list[Detections]:
        """Detections of inputs of one shape; UserError, with the image, if any is not finite."""
        if self.oracle is None:
            found = self.engine.run(batched(inputs), self.k, self.timings)
        else:
            maps = self.maps(inputs)
            with self.timings.stage("dec"):
                found = decoded(self.task, maps, self.k)
        check_finite(found.arrays, paths, narrow=self.engine.narrow)
        with self.timings.stage("post"):
            views = [prepared.view for prepared in inputs]
            return self.task.postprocess(found.arrays, views, found.size, calibrations)

    def maps(self, inputs: Sequence[Prepared]) -> Maps:
        """The network's activated maps (B, C, h, w) of inputs of one shape, flips averaged.

        With an oracle the truth is put in, where the inputs carry it.
        """
        maps = self.engine.maps(batched(inputs), self.timings)
        truths = [prepared.truth for prepared in inputs if prepared.truth is not None]
        return self.oracle.correct(maps, truths) if self.oracle and truths else maps

    def _merge(self, parts: list[Detections], ready: Ready) -> Detections:
        merged = self.task.merge(parts, nms=self.nms, limit=self.limit)
        return replace(
            merged,
            image_size=ready.image_size,
            path=ready.path,
            skeleton=self.task.info.skeleton,
            calibration=merged.calibration if ready.calibration is None else ready.calibration,
        )


def chunks(items: Iterable[Item], size: int) -> Iterator[list[Item]]:
    """Lists of `size` successive items; the last may be shorter."""
    rest = iter(items)
    while chunk := list(islice(rest, size)):
        yield chunk
