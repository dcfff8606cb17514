"""A backbone of two parts: a trunk that is read at its strides, and a neck that joins the maps."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace

from torch import Tensor

from centernet.models.networks.backbone import Backbone, Stem
from centernet.models.networks.necks import Neck
from centernet.models.networks.trunks import Trunk


class Composite(Backbone):
    """`trunk` and `neck` as one backbone; its stride is the neck's."""

    def __init__(self, trunk: Trunk, neck: Neck) -> None:
        super().__init__()
        self.trunk, self.neck = trunk, neck
        self.channels, self.stride = neck.channels, neck.stride
        self.pad = max(32, trunk.strides[-1]) - 1
        if trunk.takes_more:
            self.stem_shape = Stem(trunk.widths[0], trunk.strides[0])
        self.leaves_unused = trunk.leaves_unused
        self.normalisation = trunk.normalisation
        if trunk.pretrained is not None:
            self.pretrained = replace(
                trunk.pretrained,
                trunk=("trunk.",),
                prefix=f"trunk.{trunk.pretrained.prefix}",
                spare=tuple(f"trunk.{name}" for name in trunk.pretrained.spare),
            )

    def renamed(self, state: Mapping[str, Tensor]) -> Mapping[str, Tensor]:
        """The tensors of a classifier under the trunk's own names."""
        return self.trunk.renamed(state)

    def freeze(self, stages: int) -> None:
        """Keep the stem and the first `stages` stages of the trunk as they are."""
        self.trunk.freeze(stages)

    @property
    def has_depth(self) -> bool:
        return True

    def trunk_depth(self, name: str) -> int | None:
        """How many stages of the trunk come after that of parameter `name`; None in the neck."""
        return self.trunk.depth(name[6:]) if name.startswith("trunk.") else None

    def forward(self, x: Tensor, beside: Tensor | None = None) -> list[Tensor]:
        """(B, 3, H, W) -> [(B, channels, H/stride, W/stride)]."""
        return [self.neck(self.trunk(x) if beside is None else self.trunk(x, beside))]
