"""A view of an image, the one affine map of training, testing and drawing; the sizes of maps."""

from __future__ import annotations

from dataclasses import dataclass

import cv2
import numpy as np
from numpy.typing import NDArray

from centernet.geometry.affine import affine
from centernet.runtime.errors import UserError

Size = tuple[int, int]  # (height, width)


@dataclass(frozen=True)
class View:
    """A window on an image: `scale` pixels around `center`, perhaps turned, perhaps mirrored.

    `center` is (x, y), `scale` a width or (width, height), `rotation` in degrees. `mirror` is the
    width of the image when it is mirrored before the window is laid on it (then `center` is a
    point of the mirrored image), else None. `zoom` is the test scale: how much larger things look
    than they do at scale 1. `strayed` tells a view drawn at random from one of the whole image.
    `bounds` (height, width) is the size of the image, where a detection may depend on it.
    """

    center: tuple[float, float]
    scale: float | tuple[float, float]
    rotation: float = 0.0
    mirror: int | None = None
    zoom: float = 1.0
    strayed: bool = False
    bounds: tuple[float, float] | None = None

    def upright(self, size_wh: tuple[int, int]) -> NDArray[np.float64]:
        """(2, 3) from the (already mirrored) image to the canvas, without the rotation."""
        return affine(self.center, self.scale, 0.0, size_wh)

    def turned(self, size_wh: tuple[int, int]) -> NDArray[np.float64]:
        """(2, 3) from the (already mirrored) image to the canvas."""
        return affine(self.center, self.scale, self.rotation, size_wh)

    def back(self, size_wh: tuple[int, int]) -> NDArray[np.float64]:
        """(2, 3) from the canvas to the (mirrored) image, without the rotation."""
        return affine(self.center, self.scale, 0.0, size_wh, inverse=True)

    def matrix(self, size_wh: tuple[int, int]) -> NDArray[np.float64]:
        """(2, 3) from the image, not yet mirrored, to the canvas: the whole of the view."""
        matrix = self.turned(size_wh)
        return matrix if self.mirror is None else matrix @ mirroring(self.mirror)

    def warp(self, image: NDArray[np.uint8], size_wh: tuple[int, int]) -> NDArray[np.uint8]:
        """Draw the view of `image` (H, W, 3) on a canvas; outside is black. One interpolation."""
        drawn = cv2.warpAffine(image, self.matrix(size_wh), size_wh, flags=cv2.INTER_LINEAR)
        return np.asarray(drawn, np.uint8)


def mirroring(width: int) -> NDArray[np.float64]:
    """(3, 3) that mirrors an image `width` pixels wide: x becomes width - 1 - x."""
    return np.array([[-1.0, 0.0, width - 1], [0.0, 1.0, 0.0], [0.0, 0.0, 1.0]])


def padded(size: Size, pad: int) -> Size:
    """The next size that fits a network whose size divisor is pad + 1 (pad = 31, 127)."""
    return (size[0] | pad) + 1, (size[1] | pad) + 1


def map_size(size: Size, stride: int) -> Size:
    """(height, width) of the maps that a network of `stride` makes of an input of `size`."""
    return -(-size[0] // stride), -(-size[1] // stride)


def divisible(size: Size, pad: int, stride: int) -> bool:
    """Whether a network doubles what it has halved back to the same size.

    So it is when the maps are, that is for multiples of pad + 1 and the `stride` - 1 sizes below.
    """
    return not any(side % ((pad + 1) // stride) for side in map_size(size, stride))


def check_divisible(size: Size, pad: int, stride: int, network: str) -> None:
    """Raise UserError, naming the `network`, where it cannot divide the input `size`."""
    if min(size) < 1 or not divisible(size, pad, stride):
        raise UserError(
            f"input of {size[0]} x {size[1]}: height and width must be multiples of {pad + 1} for"
            f" {network}; set --input_res, or --input_h and --input_w (input_size= in a program)"
        )
