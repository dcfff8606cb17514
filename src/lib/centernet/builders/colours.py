"""What a network sees of colours: as the weights that it starts from learned them."""

from __future__ import annotations

from dataclasses import replace

import torch

from centernet.datasets.source import Info, Triple
from centernet.models.checkpoint import Checkpoint
from centernet.models.networks.trunks import create_trunk
from centernet.models.pretrained import PACKAGED
from centernet.models.spec import ModelSpec


def starting_colours(
    info: Info, spec: ModelSpec, weights: str, checkpoint: Checkpoint | None
) -> Info:
    """`info` with the mean and std that fit the weights which a training starts from.

    A checkpoint's are those that it was trained with, where it says so. A trunk with its
    classifier's `weights` (--weights) has that one's. Networks without a neck of their own, and
    random weights, take those of the data set, as published.
    """
    if checkpoint is not None:
        said = checkpoint.description
        mean, std = said.get("mean", info.mean), said.get("std", info.std)
        return replace(info, mean=_triple(mean), std=_triple(std))
    if spec.neck is None or weights == "none":
        return info
    with torch.device("meta"):  # its numbers are of no use here
        normal = create_trunk(spec.trunk).normalisation
    mean, std = (PACKAGED if weights == "package" else normal).bgr
    return replace(info, mean=mean, std=std)


def _triple(values: Triple) -> Triple:
    b, g, r = values
    return b, g, r
