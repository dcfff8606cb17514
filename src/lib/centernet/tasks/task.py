"""The contract of a task: which maps the network draws, how they are taught and how they are read.

A task is one file. Training uses `encode` and `loss` and never sees decoding; export uses
`activate` and `decode` and never sees a loss.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Collection, Mapping, Sequence
from dataclasses import fields
from types import MappingProxyType
from typing import Any, ClassVar

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from centernet.datasets.framing import Augmentation, SquareFraming
from centernet.datasets.source import Info
from centernet.geometry.view import View
from centernet.heads.head import Head
from centernet.heads.head_map import Dense, Lazy, Logits, Maps, PutOff
from centernet.heads.part import Placing
from centernet.heads.term import Balance, Term, true_maps, weighted_sum
from centernet.models.inputs import IMAGE_ALONE, Input
from centernet.structures.detections import Detections
from centernet.structures.known import Known
from centernet.structures.merge import merge_scales
from centernet.structures.objects import Objects
from centernet.tasks.options import TaskOptions

FIELDS = frozenset(f.name for f in fields(Detections))  # what else a task finds is a column


class Task(ABC):
    """What to detect; built from the facts of a data set and the task's own options."""

    name: ClassVar[str]
    needs: ClassVar[frozenset[str]]  # of a data set's `provides`
    spares: ClassVar[frozenset[str]] = frozenset()  # of these, what still images do without
    Options: ClassVar[type[TaskOptions]]  # its flags, title and published data set
    options: TaskOptions  # their values: each task declares its own type
    framing: SquareFraming = SquareFraming()
    colour_jitter: ClassVar[bool] = True  # whether training varies the colours
    metric: ClassVar[str] = "AP"  # by which the best epoch is chosen; higher is better
    balance: Balance = staticmethod(weighted_sum)  # how the terms make one loss
    inputs: Mapping[str, Input] = IMAGE_ALONE  # what the network sees; see `models/inputs.py`

    def __init__(self, info: Info, options: Any = None) -> None:
        self.info = info
        self.options = self.Options() if options is None else options
        self.heads = self.make_heads()
        self.terms = tuple(self.make_terms())

    @classmethod
    def resolution(cls, info: Info, options: Any) -> tuple[int, int]:
        """(height, width) of the input where none is asked for: the data set's own."""
        return info.resolution

    @abstractmethod
    def make_heads(self) -> dict[str, Head]:
        """The output maps, in the order of the published checkpoints."""

    def augmentation(self, common: Augmentation) -> Augmentation:
        """What training varies: `common` to all tasks, with what the task's own flags say."""
        return common

    @abstractmethod
    def make_terms(self) -> Sequence[Term]:
        """What training minimises."""

    @property
    def active_terms(self) -> list[Term]:
        """The terms whose weight is not 0; the others are neither computed nor logged."""
        return [term for term in self.terms if term.weight > 0]

    @property
    def learners(self) -> nn.ModuleList:
        """What losses and balance learn themselves; it is trained and kept with the network."""
        parts = [*(term.loss for term in self.active_terms), self.balance]
        return nn.ModuleList([part for part in parts if isinstance(part, nn.Module)])

    @property
    def sparse(self) -> frozenset[str]:
        """The heads of which decoding reads single places alone."""
        return frozenset(name for name, head in self.heads.items() if head.reads == "places")

    @property
    def peaked(self) -> frozenset[str]:
        """The heat maps of which decoding reads the best peaks and single places alone."""
        return frozenset(name for name, head in self.heads.items() if head.reads == "peaks")

    @abstractmethod
    def encode(self, objects: Objects, size: tuple[int, int]) -> dict[str, NDArray]:
        """Targets of one image whose `objects` are in the pixels of maps of `size` (h, w)."""

    def sketch(self, objects: Objects, size: tuple[int, int]) -> dict[str, NDArray]:
        """As `encode`, but heat maps may stand as lists of spots for `spots.drawn` to draw."""
        return self.encode(objects, size)

    def remember(
        self,
        objects: Objects | Detections,
        view: View,
        size: tuple[int, int],
        rng: np.random.Generator | None = None,
    ) -> Known:
        """What is known of the previous frame's `objects`, through `view` on an input of `size`.

        With `rng`, in training, the task may disturb it as testing will.
        """
        return Known.of(objects.boxes, objects.identities, view, size)

    def recall(self, known: Known) -> dict[str, NDArray[np.float32]]:
        """The further inputs that are no images, each (channels, h, w); for training and testing.

        What is `known` is of the previous frame; nothing, before there is one.
        """
        return {}

    @abstractmethod
    def decode(self, maps: Maps, k: int) -> dict[str, Tensor]:
        """Activated maps (see `HeadMap`) -> the `k` best detections, in map pixels.

        At least boxes (B, K, 4) x1 y1 x2 y2, scores (B, K), classes (B, K). Pure tensor code.
        """

    def counts(self, targets: Mapping[str, Tensor]) -> list[Tensor]:
        """What the loss of each active term is divided by on this batch: (T,) each."""
        return [term.counts(targets) for term in self.active_terms]

    def loss(
        self,
        stages: Sequence[Mapping[str, Tensor]],
        targets: Mapping[str, Tensor],
        counts: Sequence[Tensor] | None = None,
    ) -> dict[str, Tensor]:
        """{"loss": what `balance` makes of the terms, then every `stat`}, averaged over the stages.

        Computed in float32, or in float64 where the maps are.

        `counts` replaces this batch's own divisors by those of a larger whole (several processes,
        accumulated parts).
        """
        if counts is None:
            counts = self.counts(targets)
        stats: dict[str, Tensor] = {}
        terms, values = self.active_terms, []
        for term, count in zip(terms, counts, strict=True):
            each = [term.value(maps, targets, count) for maps in stages]
            mean = torch.stack(each).mean()
            values.append(mean)
            stats[term.stat] = stats[term.stat] + mean if term.stat in stats else mean
        return {"loss": self.balance(terms, values), **stats}

    def activate(
        self,
        raw: Mapping[str, Tensor],
        put_off: Mapping[str, PutOff] = MappingProxyType({}),
        logits: Collection[str] = (),
    ) -> Maps:
        """Raw maps of the last stage as `decode` reads them: probabilities, metres, pixels.

        `put_off` are those that are computed where they are read, in place of their raw ones. The
        heat maps named by `logits`, heads that `reads` the peaks of, are kept as such.
        """
        done: Maps = {}
        for name, head in self.heads.items():
            if name in put_off:
                done[name] = Lazy(put_off[name], head.activation)
            elif name in logits:
                done[name] = Logits(raw[name].float())
            else:
                values = raw[name].float()
                done[name] = Dense(head.activation(values) if head.activation else values)
        return done

    def merge_flip(self, maps: Maps) -> Maps:
        """Maps of [images, mirrored images] (2 B, ...) -> of the images (B, ...)."""
        return {name: both.flip_averaged(self.heads[name].flip) for name, both in maps.items()}

    def camera(self, size: tuple[int, int]) -> NDArray[np.float32] | None:
        """The (3, 4) matrix for an image of `size` (h, w) that comes without one, if one is needed.

        A task that has to assume it says so.
        """
        return None

    def postprocess(
        self,
        arrays: Mapping[str, NDArray],
        views: Sequence[View],
        map_size: tuple[int, int],
        calibrations: Sequence[NDArray | None] = (),
    ) -> list[Detections]:
        """A batch's decoded arrays (B, K, ...) -> for each image detections in its own pixels.

        `views` are the B windows, `calibrations` B camera matrices (3, 4) where a task needs them.
        """
        cameras = calibrations or [None] * len(views)
        placing = Placing(ways_back(views, map_size), views, cameras)
        found = self.placed({name: np.asarray(value) for name, value in arrays.items()}, placing)
        columns = {name: found.pop(name) for name in [*found] if name not in FIELDS}
        return [
            Detections(
                class_names=self.info.class_names,
                columns={name: value[row] for name, value in columns.items()},
                **{name: value[row] for name, value in found.items()},
            )
            for row in range(len(views))
        ]

    def placed(self, arrays: Mapping[str, NDArray], placing: Placing) -> dict[str, Any]:
        """Fields or columns of Detections, by name: B values each, with one row an object."""
        found: dict[str, Any] = {name: arrays[name] for name in ("scores", "classes")}
        for name in ("boxes", "keypoints", "extremes"):
            if name in arrays:
                found[name] = placing.points(arrays[name])
        return found

    def truth(
        self, targets: Mapping[str, Tensor], size: tuple[int, int], wanted: frozenset[str]
    ) -> dict[str, Tensor]:
        """Raw maps (C, h, w) of the `wanted` heads that leave nothing to learn, for the oracle.

        From one image's `targets`, for maps of `size`; NaN where any value would do.
        """
        return true_maps(self.terms, targets, size, wanted)

    def merge(self, parts: Sequence[Detections], *, nms: bool, limit: int = 100) -> Detections:
        """Detections of several scales -> one set of at most about `limit`.

        Soft-NMS runs class by class when there are several scales or `nms` asks for it.
        """
        return merge_scales(parts, nms=nms or len(parts) > 1, limit=limit)


def ways_back(views: Sequence[View], map_size: tuple[int, int]) -> NDArray[np.float64]:
    """Affine matrices (B, 2, 3) from the pixels of maps of `map_size` (h, w) to those of images."""
    return np.array([view.back((map_size[1], map_size[0])) for view in views])
