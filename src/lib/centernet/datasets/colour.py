"""The colours that the network sees: jitter, lighting noise and normalisation as one affine map.

The jitter is that of "Objects as Points" (arXiv 1904.07850); every draw comes from a generator
that the caller passes in, so a sample depends on nothing else.
"""

from __future__ import annotations

from dataclasses import dataclass

import cv2
import numpy as np
from numpy.typing import NDArray

from centernet.datasets.pixels import mapped

# Principal components of COCO's colours (BGR), for the lighting noise of AlexNet.
COLOUR_VALUES = np.array([0.2141788, 0.01817699, 0.00341571], dtype=np.float32)
COLOUR_VECTORS = np.array(
    [
        [-0.58752847, -0.69563484, 0.41340352],
        [-0.5832747, 0.00994535, -0.81221408],
        [-0.56089297, 0.71832671, 0.41158938],
    ],
    dtype=np.float32,
)
GREY_WEIGHTS = np.array([0.114, 0.587, 0.299])  # of B, G, R


Triple = tuple[float, float, float]


@dataclass(frozen=True)
class Colour:
    """A jitter of brightness, contrast, saturation and lighting as one affine map of the colours.

    Each step of the published jitter mixes the image with its own first grey version or that
    version's mean, so any order of them is `image * own + grey * grey_part + mean(grey) * mean_part
    + shift`, with colours in [0, 1] and channels B, G, R.
    """

    own: float = 1.0
    grey: float = 0.0
    mean: float = 0.0
    shift: tuple[float, float, float] = (0.0, 0.0, 0.0)

    def brightness(self, alpha: float) -> Colour:
        """Scale everything by `alpha`."""
        return Colour(self.own * alpha, self.grey * alpha, self.mean * alpha, self.shift)

    def contrast(self, alpha: float) -> Colour:
        """Blend with the mean grey, `alpha` of the image."""
        return Colour(
            self.own * alpha, self.grey * alpha, self.mean * alpha + 1 - alpha, self.shift
        )

    def saturation(self, alpha: float) -> Colour:
        """Blend with the grey image, `alpha` of the image."""
        return Colour(
            self.own * alpha, self.grey * alpha + 1 - alpha, self.mean * alpha, self.shift
        )

    def lighting(self, noise: NDArray) -> Colour:
        """Add `noise` (3,) along the principal components of the colours."""
        shift = COLOUR_VECTORS.astype(np.float64) @ (COLOUR_VALUES * np.asarray(noise, np.float64))
        b, g, r = (float(v) for v in shift)
        return Colour(self.own, self.grey, self.mean, (b, g, r))

    @classmethod
    def draw(cls, rng: np.random.Generator, reach: float = 0.4, lighting: float = 0.1) -> Colour:
        """The three blends in random order with factors 1 +- `reach`, then lighting noise."""
        jitter = cls()
        for step in rng.permutation(3):
            change = (jitter.brightness, jitter.contrast, jitter.saturation)[step]
            jitter = change(1.0 + rng.uniform(-reach, reach))
        return jitter.lighting(rng.normal(scale=lighting, size=3))

    def matrix(self, grey_mean: float) -> NDArray[np.float64]:
        """(3, 4) map of colours in [0, 1]; `grey_mean` is the mean grey of the image."""
        linear = self.own * np.eye(3) + self.grey * np.tile(GREY_WEIGHTS, (3, 1))
        offset = self.mean * grey_mean + np.asarray(self.shift)
        return np.hstack([linear, offset[:, None]])


def colour_matrix(
    image: NDArray[np.uint8],
    mean: Triple,
    std: Triple,
    colour: Colour | None = None,
) -> NDArray[np.float64]:
    """(3, 4) map of the colours 0 .. 255 of `image` (H, W, 3) to the network's input.

    Colours over 255, jittered, minus `mean`, over `std`; both in the image's own channel order.
    """
    if colour is None:
        matrix = np.hstack([np.eye(3), np.zeros((3, 1))])
    else:
        matrix = colour.matrix(float(cv2.mean(image)[:3] @ GREY_WEIGHTS) / 255.0)
    matrix[:, 3] -= mean
    matrix /= np.asarray(std, dtype=np.float64)[:, None]
    matrix[:, :3] /= 255.0
    return matrix


def normalise(
    image: NDArray[np.uint8],
    mean: Triple,
    std: Triple,
    colour: Colour | None = None,
) -> NDArray[np.float32]:
    """(H, W, 3) uint8 -> (3, H, W) float32 by its `colour_matrix`."""
    return mapped(image, colour_matrix(image, mean, std, colour))


def colour_table(mean: Triple, std: Triple) -> NDArray[np.float32]:
    """(3, 256) values of each channel: colours over 255, minus `mean`, over `std`."""
    values = np.arange(256) / 255.0
    columns = (np.asarray(one, np.float64)[:, None] for one in (mean, std))
    middle, spread = columns
    return ((values - middle) / spread).astype(np.float32)
