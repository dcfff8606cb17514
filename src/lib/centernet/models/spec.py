"""What a network is, in plain values: enough to build it again."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass, field, replace
from typing import Any, Protocol

import msgspec

from centernet.models.networks.head_layers import NORMS, HeadLayers
from centernet.models.networks.necks.neck import NeckOptions
from centernet.runtime.errors import UserError

STRIDES = (2, 4, 8, 16)  # of output maps
WIDEST = 65536  # channels that no layer has
DEEPEST = 100  # layers that no head has

# Other programs' names for some of the published networks.
ALIASES = {"large_hourglass": "hourglass", "small_hourglass": "hourglass_52"}


class HeadSpec(Protocol):
    """What the network needs to know of a task's head."""

    @property
    def channels(self) -> int: ...

    @property
    def bias(self) -> float | None: ...

    @property
    def pooling(self) -> str | None: ...


@dataclass(frozen=True)
class ModelSpec:
    """A network for a task.

    `trunk` and `neck` are names of TRUNKS and NECKS; a published network, which has its own way up,
    is a spec whose trunk is its name and whose neck is None. `head_conv` is the width of the heads'
    hidden layers (-1: the network's own), of which there are `head_depth`, each with `head_norm`;
    `prior` the probability with which heat maps start (None: 0.1); `stride` that of the output
    maps, `frozen_stages` how many stages of the trunk do not learn.
    `task` and `classes` are empty where the data decide.
    """

    trunk: str
    neck: str | None = None
    neck_options: NeckOptions = field(default_factory=NeckOptions)
    head_conv: int = -1
    head_depth: int = 1
    head_norm: str = "none"
    prior: float | None = None
    stride: int = 4
    frozen_stages: int = 0
    task: str = ""
    classes: tuple[str, ...] = ()

    @property
    def arch(self) -> str:
        """The name as --arch takes it: `resnet34+fpn`, or a published one."""
        return self.trunk if self.neck is None else f"{self.trunk}+{self.neck}"

    @classmethod
    def named(cls, arch: str, **more: Any) -> ModelSpec:
        """The spec of a name as --arch takes it; `more` are other fields."""
        trunk, plus, neck = ALIASES.get(arch, arch).rpartition("+")
        if not plus:
            return cls(neck, **more)
        return cls(trunk, neck, **more)

    @classmethod
    def of(cls, values: Mapping[str, Any] | str) -> ModelSpec:
        """The spec that a checkpoint keeps; a bare string is a name. UserError if damaged."""
        if isinstance(values, str):
            return cls.named(values)
        try:
            spec = msgspec.convert(values, cls)
        except (msgspec.ValidationError, TypeError, ValueError) as error:
            raise UserError(f"not the description of a network ({error})") from error
        widths = spec.neck_options.channels
        sound = {
            "stride": spec.stride in STRIDES,
            "head_conv": -1 <= spec.head_conv <= WIDEST,
            "head_depth": 1 <= spec.head_depth <= DEEPEST,
            "head_norm": spec.head_norm in NORMS,
            "prior": spec.prior is None or 0 < spec.prior < 1,
            "frozen_stages": 0 <= spec.frozen_stages <= WIDEST,
            "neck_options.channels": all(1 <= width <= WIDEST for width in widths),
        }
        for name, right in sound.items():
            if not right:
                raise UserError(f"not the description of a network ({name} is out of range)")
        return spec

    @property
    def layers(self) -> HeadLayers:
        """The hidden layers of the heads."""
        return HeadLayers(self.head_depth, self.head_norm)

    def plain(self) -> dict[str, Any]:
        """Plain values, from which `of` makes the spec again."""
        return asdict(self)

    def changed(self, **values: Any) -> ModelSpec:
        """The same with other values."""
        return replace(self, **values)
