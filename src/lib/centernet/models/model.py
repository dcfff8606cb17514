"""The network: a backbone and one head for each output of the task."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from math import log

from torch import Tensor, nn

from centernet.models.inputs import IMAGE, IMAGE_ALONE, Input
from centernet.models.networks.backbone import Backbone
from centernet.models.networks.head_layers import PUBLISHED_HEAD, HeadLayers
from centernet.models.networks.pooling import POOLINGS
from centernet.models.sparse import PointHead, SparseMap
from centernet.models.spec import HeadSpec
from centernet.runtime.errors import UserError

HEAT_BIAS = -2.19  # sigmoid(-2.19) = 0.1: a heat map starts out sure that there is nothing


class CenterNet(nn.Module):
    """`backbone` with a head for each of `heads` on every stage.

    A value of `heads` is the number of output channels, or an object with `channels` and `bias`;
    a bare number gets the bias of a heat map when its name contains "hm". `head_conv` is the width
    of the hidden layer of the heads: None or -1 for the backbone's default, 0 for no hidden layer;
    `layers` how many there are, and their norm. `prior` is the probability with which a heat map
    starts everywhere, 0.1 as published.
    Heads whose `pooling` names one of POOLINGS see the feature map through that, one a stage.
    `inputs` are what it sees, the image among them; each further one has a stem of its own whose
    map is added to the backbone's first, as in "Tracking Objects as Points" (Zhou et al., 2020).

    Heads are registered in the order of the published checkpoints, by which optimizer states
    count: sorted by name if `backbone.sorted_heads`, else as given.
    """

    def __init__(
        self,
        backbone: Backbone,
        heads: Mapping[str, int | HeadSpec],
        head_conv: int | None = None,
        inputs: Mapping[str, Input] = IMAGE_ALONE,
        layers: HeadLayers = PUBLISHED_HEAD,
        prior: float | None = None,
    ) -> None:
        super().__init__()
        layers.check(backbone.head_conv if head_conv in (None, -1) else head_conv)
        if head_conv is None or head_conv == -1:
            head_conv = backbone.head_conv
        if head_conv < 0:
            raise UserError(f"--head_conv {head_conv}: a width, 0 for none or -1 for the usual one")
        self.backbone, self.head_conv = backbone, head_conv
        self.poolings = nn.ModuleDict()
        self.pooling_of = {name: getattr(head, "pooling", None) for name, head in heads.items()}
        for pooling in dict.fromkeys(self.pooling_of.values()):
            if pooling is not None:
                make = POOLINGS[pooling]
                each = [make(backbone.channels) for _ in range(backbone.stages)]
                self.poolings[pooling] = nn.ModuleList(each)
        self.heads = nn.ModuleDict()
        for name in sorted(heads) if backbone.sorted_heads else heads:
            channels, bias = channels_and_bias(name, heads[name])
            if bias == HEAT_BIAS and prior is not None:
                bias = log(prior / (1 - prior))
            self.heads[name] = backbone.make_head(channels, head_conv, bias, layers)
        self.inputs = dict(inputs)
        self.stems = nn.ModuleDict()
        for name, taken in inputs.items():
            if name != IMAGE:
                self.stems[name] = backbone.make_stem(taken.channels)

    def forward(
        self, inputs: Mapping[str, Tensor] | Tensor, last_only: bool = False
    ) -> list[dict[str, Tensor]]:
        """Raw maps {head: (B, channels, H/stride, W/stride)}, a dict a stage.

        `inputs` are (B, channels, H, W) by the names of `self.inputs`; the image may come as it is
        where it is the only one. No sigmoid has been applied. With `last_only` the list has
        the last stage alone: prediction reads nothing else, and the heads of the earlier stages are
        not computed.
        """
        features = self.features(inputs)
        first = len(features) - 1 if last_only else 0
        return [self.stage_maps(features[stage], stage) for stage in range(first, len(features))]

    def features(self, inputs: Mapping[str, Tensor] | Tensor) -> list[Tensor]:
        """The feature maps of the backbone, the last stage last."""
        if not self.stems:
            return self.backbone(inputs[IMAGE] if isinstance(inputs, Mapping) else inputs)
        if isinstance(inputs, Tensor):
            raise ValueError(f"this network takes {', '.join(self.inputs)}, not an image alone")
        beside = [stem(inputs[name]) for name, stem in self.stems.items()]
        return self.backbone(inputs[IMAGE], sum(beside[1:], beside[0]))

    def stage_maps(self, feature: Tensor, stage: int) -> dict[str, Tensor]:
        """The raw maps that the heads of one stage make of its feature map."""
        seen = self.seen(feature, stage)
        return {name: self.head(name, stage)(seen[self.pooling_of[name]]) for name in self.heads}

    def last_maps(
        self, inputs: Mapping[str, Tensor] | Tensor, sparse: Collection[str] = ()
    ) -> tuple[dict[str, Tensor], dict[str, SparseMap]]:
        """The raw maps of the last stage, and those of the heads in `sparse`, computed where asked.

        Heads without hidden layers or of one that sees one place at a time can be put off; others
        are computed whatever `sparse` says.
        """
        features = self.features(inputs)
        stage = len(features) - 1
        seen = self.seen(features[stage], stage)
        maps: dict[str, Tensor] = {}
        put_off: dict[str, SparseMap] = {}
        for name in self.heads:
            head, feature = self.head(name, stage), seen[self.pooling_of[name]]
            point = PointHead.of(head) if name in sparse else None
            if point is None:
                maps[name] = head(feature)
            else:
                put_off[name] = SparseMap(feature, point)
        return maps, put_off

    def seen(self, feature: Tensor, stage: int) -> dict[str | None, Tensor]:
        """What the heads of one stage see of its feature map, by the name of the pooling."""
        seen: dict[str | None, Tensor] = {None: feature}
        for name, modules in self.poolings.items():
            assert isinstance(modules, nn.ModuleList)
            seen[name] = modules[stage](feature)
        return seen

    def head(self, name: str, stage: int) -> nn.Module:
        """The head called `name` on one stage."""
        head = self.heads[name]
        return head[stage] if isinstance(head, nn.ModuleList) else head


def channels_and_bias(name: str, head: int | HeadSpec) -> tuple[int, float | None]:
    """Output channels of a head, and the bias it starts with (None for a regression)."""
    if isinstance(head, int):
        return head, HEAT_BIAS if "hm" in name else None
    return head.channels, head.bias
