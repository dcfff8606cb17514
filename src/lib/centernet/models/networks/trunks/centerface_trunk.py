"""MobileNetV2 (Sandler et al., 2018) as CenterFace cuts it, with CenterFace's keys."""

from __future__ import annotations

from torch import nn

from centernet.models.networks.trunks.trunk import Trunk

# The first block of torchvision's `features` in each part, and the part's name: strides 4 to 32.
PARTS = {"feature_1": (0, 4), "feature_2": (4, 7), "feature_4": (7, 14), "feature_6": (14, 18)}


class CenterFaceTrunk(Trunk):
    """MobileNetV2 in four parts, its channels times `width`.

    `relu6` as published for ImageNet, else plain ReLU as trained for faces.
    """

    strides = (4, 8, 16, 32)
    steps = taps = tuple(PARTS)

    def __init__(self, relu6: bool = True, width: float = 1.0) -> None:
        import torchvision  # slow to import, and a list of names does not need it

        super().__init__()
        features = torchvision.models.mobilenet_v2(weights=None, width_mult=width).features
        for name, (first, end) in PARTS.items():
            self.add_module(name, nn.Sequential(*features[first:end]))
        self.widths = tuple(int(features[end - 1].out_channels) for _, end in PARTS.values())
        if not relu6:
            plain_relu(self)


def plain_relu(module: nn.Module) -> None:
    """Replace every ReLU6 inside `module` by ReLU."""
    for name, child in module.named_children():
        if isinstance(child, nn.ReLU6):
            setattr(module, name, nn.ReLU(inplace=True))
        else:
            plain_relu(child)
