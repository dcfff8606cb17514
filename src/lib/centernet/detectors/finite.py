"""Refusing what no sound network predicts."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path

import numpy as np

from centernet.runtime.errors import UserError


def check_finite(
    arrays: Mapping[str, np.ndarray], paths: Sequence[Path | None], narrow: bool
) -> None:
    """UserError where decoded `arrays` (B, K, ...) hold NaN or infinity: no finite map gives any.

    `paths` are the images' files, as far as they have any; `narrow`: the network ran in float16.
    """
    for name, values in arrays.items():
        if np.isfinite(values).all():
            continue
        spoiled = ~np.isfinite(values).reshape(len(values), -1).all(1)
        path = dict(enumerate(paths)).get(int(spoiled.argmax()))
        remedy = "float16 is too narrow for it, use bf16" if narrow else "its weights are no good"
        raise UserError(
            f"{path or 'an image'}: the network gives {name} that are not finite; {remedy}"
        )
