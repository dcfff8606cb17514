"""DLA-34 as a trunk: the levels at strides 2 to 32, without aggregation over them."""

from __future__ import annotations

from centernet.models.networks.backbone import Pretrained
from centernet.models.networks.dla import ADDRESS, MIRRORS, SPARE, WIDTHS
from centernet.models.networks.dla import Trunk as Levels
from centernet.models.networks.trunks.trunk import Trunk


class DLATrunk(Trunk):
    """The trunk of `dla_34` under its keys, without the classifier."""

    strides = (2, 4, 8, 16, 32)
    widths = WIDTHS[1:]
    taps = ("level1", "level2", "level3", "level4", "level5")
    steps = ("base_layer", "level0", *taps)

    leaves_unused = True  # `project` of level3 and level4

    def __init__(self) -> None:
        super().__init__()
        levels = Levels()
        for name in self.steps:
            self.add_module(name, levels.get_submodule(name))
        self.pretrained = Pretrained(ADDRESS, ("",), ignored=("fc.",), spare=SPARE, mirrors=MIRRORS)
