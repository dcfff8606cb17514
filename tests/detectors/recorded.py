"""The images and weights that the recorded runs were made with."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import cv2
import numpy as np
import torch

from centernet.models.model import CenterNet
from centernet.models.published import published_key
from tests import parity_cases, real_data

MEAN, STD = (0.408, 0.447, 0.470), (0.289, 0.274, 0.278)


def image_of(params: dict[str, Any]) -> np.ndarray:
    """The picture of a recorded case: drawn by the recipe, or one of the sample photos."""
    recipe = parity_cases.recipe()
    if "image_seed" in params:
        return recipe.make_image(params["image_seed"], *params["image_hw"])
    name = params["file"].rsplit("/", 1)[1]
    image = cv2.imread(str(real_data.folder("photos") / name))
    step = params.get("subsample", 1)
    image = image[::step, ::step]
    assert list(image.shape[:2]) == params["image_hw"]
    return image


def fill(
    model: CenterNet,
    seed: int,
    feature_scale: float,
    inputs: Mapping[str, np.ndarray] | None = None,
) -> None:
    """The recipe's weights, which follow from the published names of the tensors.

    An input `override.<name>` of the case stands in for the tensor of that name.
    """
    state = model.state_dict()
    published = {published_key(key): value for key, value in state.items()}
    filled = parity_cases.recipe().fill_state_dict(published, seed, feature_scale)
    for name, value in (inputs or {}).items():
        if name.startswith("override."):
            filled[name.removeprefix("override.")] = torch.from_numpy(value)
    model.load_state_dict({key: filled[published_key(key)] for key in state})
