"""Trunks by name: those that are written here, and all of torchvision's and timm's."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial

from centernet.models.networks.trunks.trunk import Normalisation, Trunk, nearest_names
from centernet.runtime.errors import UserError


def _vovnet(name: str) -> Trunk:
    from centernet.models.networks.trunks.vovnet import VoVNet

    return VoVNet(name)


def _torchvision(name: str) -> Trunk:
    from centernet.models.networks.trunks.torchvision_trunk import TorchvisionTrunk

    return TorchvisionTrunk(name)


def _timm(name: str) -> Trunk:
    from centernet.models.networks.trunks.timm_trunk import TimmTrunk

    return TimmTrunk(name)


def _dla34() -> Trunk:
    from centernet.models.networks.trunks.dla_trunk import DLATrunk

    return DLATrunk()


def _centerface(relu6: bool, width: float) -> Trunk:
    from centernet.models.networks.trunks.centerface_trunk import CenterFaceTrunk

    return CenterFaceTrunk(relu6, width)


_VOVNETS = ("19_slim_dw", "19_dw", "19_slim", "19", "27s", "39", "57", "99")
_TOOLBOX = ("19_slim_ese", "19_ese", "27_slim", "39", "39_ese", "57", "57_ese", "99_ese")
_RESNETS = ("resnet18", "resnet34", "resnet50", "resnet101", "resnet152")
_OTHERS = ("mobilenet_v2", "mobilenet_v3_small", "mobilenet_v3_large", "resnext50_32x4d")

# Trunks with a short name; the rest of torchvision is `tv:NAME`, all of timm `timm:NAME`.
TRUNKS: dict[str, Callable[[], Trunk]] = {
    **{name: partial(_torchvision, name) for name in (*_RESNETS, *_OTHERS)},
    **{f"vovnet{size}": partial(_vovnet, f"vovnet{size}") for size in _VOVNETS},
    **{f"toolbox_vovnet{n}": partial(_vovnet, f"toolbox_vovnet{n}") for n in _TOOLBOX},
    "dla34": _dla34,
    "centerface": partial(_centerface, relu6=True, width=1.0),
    "centerface_half": partial(_centerface, relu6=True, width=0.5),
    "centerface_relu": partial(_centerface, relu6=False, width=1.0),
}
ORIGINS: dict[str, Callable[[str], Trunk]] = {"tv": _torchvision, "timm": _timm}

__all__ = ["ORIGINS", "TRUNKS", "Normalisation", "Trunk", "create_trunk"]


def create_trunk(name: str) -> Trunk:
    """The trunk called `name`, with random weights: one of TRUNKS, `tv:NAME` or `timm:NAME`.

    UserError for an unknown name.
    """
    origin, colon, rest = name.partition(":")
    if colon and origin in ORIGINS:
        return ORIGINS[origin](rest)
    if name not in TRUNKS:
        raise UserError(
            f"unknown trunk '{name}'{nearest_names(name, TRUNKS)}; there are {', '.join(TRUNKS)},"
            " tv:NAME for any of torchvision's classifiers, timm:NAME for any of timm's"
        )
    return TRUNKS[name]()
