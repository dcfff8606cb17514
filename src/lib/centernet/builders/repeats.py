"""Which images are trained on, and how often: --overfit and --class_balance."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from centernet.datasets.source import Source
from centernet.options.groups import Train
from centernet.runtime.errors import UserError
from centernet.trains.repeats import repeat_factors

OVERFIT_STEPS = 50  # of an epoch
BY_HEART = 0.8  # the metric from which images count as learned


def repeats_of(asked: Train, source: Source) -> NDArray[np.float64] | None:
    """How often each image is seen in an epoch; None for once."""
    if asked.overfit:
        return np.full(len(source), max(1.0, OVERFIT_STEPS * asked.batch_size / len(source)))
    if not asked.class_balance:
        return None
    classes = [source.objects(index).classes for index in range(len(source))]
    return repeat_factors(classes, source.info.num_classes, asked.class_balance)


def first_with_objects(source: Source, count: int) -> Source:
    """The first `count` images of `source` that have objects; UserError where there is none."""
    keep = np.zeros(len(source), bool)
    for index in range(len(source)):
        if keep.sum() < count and (source.objects(index).classes >= 0).any():
            keep[index] = True
    if not keep.any():
        raise UserError(f"--overfit: {source.info.name} has no image with an object")
    part = source.only(keep)
    if len(part) != int(keep.sum()):
        raise UserError(f"--overfit: a few images cannot be taken from {source.info.name}")
    return part


def overfit_verdict(metric: str, value: float | None, images: int) -> str:
    """Whether what was to be learned by heart was."""
    if value is None:
        return "--overfit: nothing was measured; leave out --val_intervals 0"
    said = f"--overfit: {metric} {value:.3f} on the {images} images that were learned"
    if value >= BY_HEART:
        return f"{said}: the chain of data, network, training and evaluation is whole"
    return (
        f"{said}, {BY_HEART:g} is expected: train longer (--num_epochs) and, if it stays low, look"
        " at the annotations as the network sees them (check.py) and at its maps (--debug 2)"
    )
