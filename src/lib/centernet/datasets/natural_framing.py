"""Views that keep the resolution of the image, as the keypoint triplets are trained and tested."""

from __future__ import annotations

import numpy as np

from centernet.datasets.framing import Augmentation, SquareFraming
from centernet.geometry.view import Size, View


class NaturalFraming(SquareFraming):
    """A pixel of the input is a pixel of the image, enlarged by the test scale.

    Duan et al., "CenterNet: Keypoint Triplets for Object Detection", ICCV 2019, after CornerNet:
    training crops a canvas, 0.6 to 1.3 times as large, out of the image; a test pads the image with
    black to the next size, 2^n - 1, that the network halves evenly. `keep_res` is how it always is.
    """

    def test(
        self, image: Size, canvas: Size, *, pad: int, keep_res: bool = False, scale: float = 1.0
    ) -> tuple[View, Size, Size]:
        """As SquareFraming.test; the view knows the bounds of the image in the padding."""
        resized = int(image[0] * scale), int(image[1] * scale)
        padded = resized[0] | pad, resized[1] | pad
        view = View(
            middle_of(resized, padded),
            (float(padded[1]), float(padded[0])),
            zoom=scale,
            bounds=(float(resized[0]), float(resized[1])),
        )
        return view, padded, resized

    def whole(self, image: Size, canvas: Size, *, pad: int, keep_res: bool) -> tuple[View, Size]:
        """The view of a sample that is not augmented: all of the image, resized to the canvas."""
        if keep_res:
            padded = image[0] | pad, image[1] | pad
            return View(middle_of(image, padded), float(padded[1])), padded
        side = max(image)
        return View(middle_of(image, (side, side)), float(side)), canvas

    def train(
        self,
        image: Size,
        view: View,
        augmentation: Augmentation,
        rng: np.random.Generator,
        canvas: Size | None = None,
    ) -> View:
        """A random crop of about the size of the canvas; of the `view` if that is not known."""
        if canvas is not None:
            view = View((image[1] / 2, image[0] / 2), float(canvas[1]))
        return super().train(image, view, augmentation, rng)


def middle_of(image: Size, canvas: Size) -> tuple[float, float]:
    """The point (x, y) of the image that lies in the middle of a canvas whose pixels are its own.

    Whole pixels are moved: the middle pixel of either, rounded down, is the other's.
    """
    return image[1] // 2 + canvas[1] % 2 / 2, image[0] // 2 + canvas[0] % 2 / 2
