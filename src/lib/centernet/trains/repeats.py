"""How often each image is seen in an epoch, so that rare classes are seen more often.

Repeat-factor sampling of Gupta, Dollár and Girshick, "LVIS: A Dataset for Large Vocabulary Instance
Segmentation", CVPR 2019: a class on the part f of all images asks for max(1, sqrt(t / f)) views of
its images, an image is seen as often as the rarest of its classes asks.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray


def repeat_factors(
    classes: Sequence[NDArray[np.int64]], num_classes: int, threshold: float
) -> NDArray[np.float64]:
    """(M,) at least 1, of M images with these `classes` of objects (below 0: no object)."""
    there = [np.unique(each[each >= 0]) for each in classes]
    images = np.bincount(np.concatenate([*there, np.zeros(0, np.int64)]), minlength=num_classes)
    share = images / max(len(classes), 1)
    wanted = np.maximum(1.0, np.sqrt(threshold / np.maximum(share, 1e-12)))
    return np.array([wanted[each].max(initial=1.0) for each in there], np.float64)


def drawn(repeats: NDArray[np.float64], rng: np.random.Generator) -> NDArray[np.int64]:
    """Images in random order, each as often as `repeats` (M,) says, rounded up or down by chance.

    There are floor(sum of `repeats`) of them, whatever is drawn.
    """
    total = int(repeats.sum())
    ends = np.cumsum(repeats) * (total / repeats.sum())
    places = np.searchsorted(ends, np.arange(total) + rng.random(), side="right")
    return rng.permutation(np.minimum(places, len(repeats) - 1))
