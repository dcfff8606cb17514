"""The layers of a head: convolutions over 3 x 3, then one over 1 x 1."""

from __future__ import annotations

from dataclasses import dataclass
from math import gcd

from torch import nn

from centernet.runtime.errors import UserError

NORMS = ("none", "bn", "gn")
GROUPS = 32  # of GroupNorm (Wu and He, 2018)


@dataclass(frozen=True)
class HeadLayers:
    """How many hidden layers a head has, and what normalises them: "none", "bn" or "gn"."""

    depth: int = 1
    norm: str = "none"

    def check(self, head_conv: int) -> None:
        """Raise UserError for layers that do not go with hidden layers of width `head_conv`."""
        if self.norm not in NORMS:
            raise UserError(f"--head_norm {self.norm}: there are {', '.join(NORMS)}")
        if self.depth < 1:
            raise UserError(f"--head_depth {self.depth}: 1 or more; --head_conv 0 for no layer")
        if head_conv == 0 and self != HeadLayers():
            raise UserError("--head_conv 0: has no hidden layer for --head_depth and --head_norm")

    def tower(self, width: int, head_conv: int, channels: int) -> nn.Module:
        """From `width` to `channels`: hidden layers of `head_conv` each with its norm and ReLU.

        With one layer and no norm it is the published head; with `head_conv` 0 the last layer.
        """
        if not head_conv:
            return nn.Conv2d(width, channels, 1)
        parts: list[nn.Module] = []
        for _ in range(self.depth):
            parts.append(nn.Conv2d(width, head_conv, 3, padding=1, bias=self.norm == "none"))
            if self.norm == "bn":
                parts.append(nn.BatchNorm2d(head_conv))
            elif self.norm == "gn":
                parts.append(nn.GroupNorm(gcd(GROUPS, head_conv), head_conv))
            parts.append(nn.ReLU(inplace=True))
            width = head_conv
        return nn.Sequential(*parts, nn.Conv2d(width, channels, 1))


PUBLISHED_HEAD = HeadLayers()
