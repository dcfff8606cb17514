"""The constant-velocity Kalman filter of SORT and DeepSORT, for many boxes at once.

Wojke, Bewley and Paulus, "Simple Online and Realtime Tracking with a Deep Association Metric", ICIP
2017. A box is centre x, centre y, aspect (width / height) and height, each with a velocity a frame.
Neither motion nor noise couples one of the four with another, so the filter of eight states is four
filters of two, and no matrix is ever inverted.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

POSITION, VELOCITY = 1 / 20, 1 / 160  # standard deviations, as shares of the height
GATE = 9.4877  # of a squared Mahalanobis distance: 95 % of chi-square with four degrees of freedom
_ASPECT = 2

Array = NDArray[np.float64]


@dataclass
class Belief:
    """What is believed of N boxes: means and covariances of the four coordinates.

    `mean` (N, 2, 4): values, then velocities. `covariance` (N, 3, 4): of the value, of value and
    velocity, of the velocity.
    """

    mean: Array
    covariance: Array

    def __len__(self) -> int:
        return len(self.mean)

    def select(self, index: Any) -> Belief:
        """The rows of `index` (mask, slice or integers)."""
        return Belief(self.mean[index], self.covariance[index])

    def matrix(self) -> Array:
        """(N, 8, 8) covariances in the usual order: four values, four velocities."""
        full = np.zeros((len(self), 8, 8))
        place = np.arange(4)
        full[:, place, place] = self.covariance[:, 0]
        full[:, place, place + 4] = full[:, place + 4, place] = self.covariance[:, 1]
        full[:, place + 4, place + 4] = self.covariance[:, 2]
        return full

    @staticmethod
    def stack(parts: list[Belief]) -> Belief:
        """Rows of several beliefs, one below the other."""
        if not parts:
            return Belief(np.zeros((0, 2, 4)), np.zeros((0, 3, 4)))
        return Belief(
            np.concatenate([part.mean for part in parts]),
            np.concatenate([part.covariance for part in parts]),
        )


@dataclass(frozen=True)
class Filter:
    """Constant velocity with DeepSORT's noise: shares of the height, the aspect's own.

    `of_corners`: the coordinates are x1 y1 x2 y2, their noise shares of the width and the height.
    """

    of_corners: bool = False

    def begin(self, measured: Array) -> Belief:
        """Of boxes seen for the first time, (N, 4) coordinates: standing still."""
        mean = np.zeros((len(measured), 2, 4))
        mean[:, 0] = measured
        covariance = np.zeros((len(measured), 3, 4))
        covariance[:, 0] = self._noise(mean, 2 * POSITION, 1e-2)
        covariance[:, 2] = self._noise(mean, 10 * VELOCITY, 1e-5)
        return Belief(mean, covariance)

    def predict(self, belief: Belief) -> Belief:
        """One frame later."""
        value, both, velocity = np.moveaxis(belief.covariance, 1, 0)
        mean = belief.mean.copy()
        mean[:, 0] += mean[:, 1]
        step = self._noise(belief.mean, POSITION, 1e-2)
        step_of_velocity = self._noise(belief.mean, VELOCITY, 1e-5)
        covariance = np.stack(
            [value + 2 * both + velocity + step, both + velocity, velocity + step_of_velocity],
            axis=1,
        )
        return Belief(mean, covariance)

    def correct(self, belief: Belief, measured: Array) -> Belief:
        """After box i was seen at `measured[i]`."""
        value, both, velocity = np.moveaxis(belief.covariance, 1, 0)
        middle, spread = self.expected(belief)
        gain, gain_of_velocity = value / spread, both / spread
        gains = np.stack([gain, gain_of_velocity], axis=1)
        mean = belief.mean + gains * (measured - middle)[:, None]
        covariance = np.stack(
            [value - gain * value, both - gain * both, velocity - gain_of_velocity * both], axis=1
        )
        return Belief(mean, covariance)

    def expected(self, belief: Belief) -> tuple[Array, Array]:
        """Mean and variance, (N, 4) each, of what would be measured now."""
        noise = self._noise(belief.mean, POSITION, 1e-1)
        return belief.mean[:, 0], belief.covariance[:, 0] + noise

    def gating_distance(
        self, belief: Belief, measured: Array, *, position: bool = False, euclidean: bool = False
    ) -> Array:
        """(N, M) squared distances of N beliefs and M measurements: Mahalanobis, or `euclidean`.

        `position` looks at the first two coordinates alone.
        """
        mean, variance = self.expected(belief)
        squared = (measured[None] - mean[:, None]) ** 2
        if not euclidean:
            squared = squared / variance[:, None]
        return squared[..., : 2 if position else 4].sum(axis=-1)

    def _noise(self, mean: Array, share: float, aspect: float) -> Array:
        """(N, 4) variances, in proportion to the box; of the aspect a constant."""
        if self.of_corners:
            size = mean[:, 0, 2:] - mean[:, 0, :2]
            return (share * np.tile(size, (1, 2))) ** 2
        deviation = np.repeat(share * mean[:, 0, 3:], 4, axis=1)
        deviation[:, _ASPECT] = aspect
        return deviation**2


OF_BOXES = Filter()
OF_CORNERS = Filter(of_corners=True)


def measurements(boxes: NDArray[Any]) -> Array:
    """Centre x y, aspect, height of boxes x1 y1 x2 y2."""
    boxes = np.asarray(boxes, np.float64).reshape(-1, 4)
    size = boxes[:, 2:] - boxes[:, :2]
    height = np.maximum(size[:, 1:], 1e-6)  # a box without height has no aspect
    return np.concatenate([boxes[:, :2] + size / 2, size[:, :1] / height, height], axis=1)


def corners(belief: Belief) -> Array:
    """Boxes x1 y1 x2 y2 that are believed."""
    x, y, aspect, height = belief.mean[:, 0].T
    width = aspect * height
    left, top = x - width / 2, y - height / 2
    return np.stack([left, top, left + width, top + height], axis=1)
