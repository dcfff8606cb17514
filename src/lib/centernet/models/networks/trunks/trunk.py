"""A trunk: a classifier read at its strides."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from difflib import get_close_matches

import torch
from torch import Tensor, nn

from centernet.models.networks.backbone import Normalisation, Pretrained
from centernet.runtime.errors import UserError


class Trunk(nn.Module):
    """An image (B, 3, H, W) becomes one map a stride, (B, widths[i], H/strides[i], W/strides[i]).

    The steps are submodules that run one after another; `taps` names those whose output is a map.
    H and W are multiples of the last stride. Constructors never download: `pretrained` says where
    weights are, in the names of the trunk itself.
    """

    strides: tuple[int, ...]
    widths: tuple[int, ...]
    steps: tuple[str, ...]  # names of submodules, in the order in which they run
    taps: tuple[str, ...]  # the last step at each stride
    channels_last: bool = False  # the steps exchange (B, H, W, C), as Swin transformers do
    takes_more: bool = True  # whether the map of further inputs can be added to its first
    leaves_unused: bool = False  # has parameters that never reach a map
    pretrained: Pretrained | None = None
    normalisation: Normalisation = Normalisation()

    def __init__(self) -> None:
        super().__init__()
        self.frozen: tuple[str, ...] = ()

    def forward(self, x: Tensor, beside: Tensor | None = None) -> list[Tensor]:
        """The maps of `x` from fine to coarse; `beside` is added to the first of them."""
        maps = []
        for name in self.steps:
            x = self.get_submodule(name)(x)
            if name == self.taps[0] and beside is not None:
                x = x + (beside.permute(0, 2, 3, 1) if self.channels_last else beside)
            if name in self.taps:
                maps.append(x.permute(0, 3, 1, 2) if self.channels_last else x)
        return maps

    def renamed(self, state: Mapping[str, Tensor]) -> Mapping[str, Tensor]:
        """The tensors of the classifier's file under the names of this trunk."""
        return state

    def freeze(self, stages: int) -> None:
        """Keep the stem and the first `stages` stages (that to stride 4 is the first) as they are.

        Their parameters get no gradient and their BatchNorm stays in eval, also in training.
        UserError where the trunk has fewer stages.
        """
        deep = [stride for stride in self.strides if stride >= 4]
        if stages > len(deep):
            raise UserError(f"--frozen_stages {stages}: this trunk has {len(deep)} stages")
        if stages > 0:
            last = self.taps[self.strides.index(deep[stages - 1])]
            self.frozen = self.steps[: self.steps.index(last) + 1]
            for name in self.frozen:
                self.get_submodule(name).requires_grad_(False).eval()

    def depth(self, name: str) -> int:
        """How many maps are read after the step that the parameter `name` belongs to.

        What belongs to no step (a classifier's norm) counts as the last.
        """
        owner = next((step for step in self.steps if name.startswith(f"{step}.")), self.steps[-1])
        read = [self.steps.index(tap) for tap in self.taps]
        return sum(at > self.steps.index(owner) for at in read) - (
            self.steps.index(owner) not in read and read[-1] > self.steps.index(owner)
        )

    def train(self, mode: bool = True) -> Trunk:
        """As nn.Module; what is frozen stays in eval."""
        super().train(mode)
        for name in self.frozen:
            self.get_submodule(name).eval()
        return self


@dataclass(frozen=True)
class Reading:
    """Where a chain of modules is read: the last step at each stride, and the width there."""

    taps: tuple[str, ...]
    strides: tuple[int, ...]
    widths: tuple[int, ...]
    channels_last: bool


def read_chain(model: nn.Module, steps: Sequence[str], name: str) -> Reading:
    """Run the `steps` of `model` on a made-up image without data, and find its strides.

    UserError, with the `name` of the classifier, where a map is not an exact part of the image.
    """
    height, width = 384, 256
    found: dict[int, tuple[str, int]] = {}
    last = False
    with torch.no_grad():
        x = torch.empty(2, 3, height, width, device="meta")
        for step in steps:
            x = model.get_submodule(step)(x)
            if x.ndim != 4:
                break
            last = x.shape[1] * width == x.shape[2] * height  # (B, H, W, C)
            rows, columns = (x.shape[1], x.shape[2]) if last else (x.shape[2], x.shape[3])
            stride = height // rows
            if stride * rows != height or stride * columns != width or stride & (stride - 1):
                raise UserError(
                    f"{name}: its maps are no exact parts of the image ({rows} x {columns} of"
                    f" {height} x {width}); take a classifier with strides 4, 8, 16 and 32"
                )
            found[stride] = step, x.shape[3] if last else x.shape[1]
    strides = tuple(stride for stride in sorted(found) if stride > 1)
    return Reading(
        tuple(found[s][0] for s in strides), strides, tuple(found[s][1] for s in strides), last
    )


def nearest_names(word: str, names: Iterable[str]) -> str:
    """`; did you mean ...?` with the names that are like `word`; empty if none is."""
    near = get_close_matches(word, list(names), n=3, cutoff=0.5)
    return f"; did you mean {' or '.join(near)}?" if near else ""
