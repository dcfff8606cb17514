"""Which part of an image the network sees.

The views are those of "Objects as Points" (arXiv 1904.07850); every draw comes from a generator
that the caller passes in, so a sample depends on nothing else.
"""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from centernet.geometry.view import Size, View, padded


@dataclass(frozen=True)
class Augmentation:
    """How far a training view may stray; the defaults are the published ones."""

    random_crop: bool = True  # centre anywhere, scale 0.6 .. 1.3; else shift and scale
    shift: float = 0.1
    scale: float = 0.4
    rotate: float = 0.0  # degrees, used with probability `rotate_chance`
    rotate_chance: float = 0.0
    flip: float = 0.5
    colour: bool = True
    crop_chance: float = 0.5  # of the 3D task, which crops only sometimes
    within: int = 3  # the previous frame is less than this many frames away
    same_before: bool = False  # it is seen as this one; else shifted and scaled once more


NO_AUGMENTATION = Augmentation(False, 0.0, 0.0, 0.0, 0.0, 0.0, False, 0.0)


class SquareFraming:
    """Views whose width is the longer side of the image, as all 2D tasks use them."""

    one_size = False  # whether inputs have one size even with `keep_res`

    def test(
        self, image: Size, canvas: Size, *, pad: int, keep_res: bool = False, scale: float = 1.0
    ) -> tuple[View, Size, Size]:
        """Return (view, size of the network input, size the image is resized to first).

        The view refers to the resized image. With `keep_res` the input is the image itself, padded
        to what the network divides; otherwise it is `canvas`, and `scale` shows more or less of it.
        """
        resized = int(image[0] * scale), int(image[1] * scale)
        if keep_res:
            canvas = padded(resized, pad)
            center = float(resized[1] // 2), float(resized[0] // 2)
            side = float(canvas[1]), float(canvas[0])
            return View(center, side, zoom=scale), canvas, resized
        center = resized[1] / 2, resized[0] / 2
        return View(center, float(max(image)), zoom=scale), canvas, resized

    def whole(self, image: Size, canvas: Size, *, pad: int, keep_res: bool) -> tuple[View, Size]:
        """The view of a training sample before augmentation, and the size of the input."""
        center = image[1] / 2, image[0] / 2
        if keep_res:
            canvas = padded(image, pad)
            return View(center, (float(canvas[1]), float(canvas[0]))), canvas
        return View(center, float(max(image))), canvas

    def train(
        self,
        image: Size,
        view: View,
        augmentation: Augmentation,
        rng: np.random.Generator,
        canvas: Size | None = None,
    ) -> View:
        """A random view of an `image` (height, width), starting from the `whole` one.

        `canvas` is the size of the input, for views whose scale depends on it.
        """
        (height, width), scale = image, np.asarray(view.scale, dtype=np.float64)
        x, y = view.center
        if augmentation.random_crop:
            scale = scale * rng.choice(np.arange(0.6, 1.4, 0.1))
            border_x, border_y = crop_border(width), crop_border(height)
            x = float(rng.integers(border_x, max(width - border_x, border_x + 1)))
            y = float(rng.integers(border_y, max(height - border_y, border_y + 1)))
        else:
            far = augmentation.shift
            span = np.broadcast_to(scale, 2)
            x += float(span[0] * _stray(rng, far))
            y += float(span[1] * _stray(rng, far))
            scale = scale * _factor(rng, augmentation.scale)
        rotation = 0.0
        if rng.random() < augmentation.rotate_chance:
            turn = augmentation.rotate
            rotation = _stray(rng, turn)
        mirror = None
        if rng.random() < augmentation.flip:
            mirror, x = width, width - 1 - x
        return View((x, y), _plain(scale), rotation, mirror, strayed=True)

    def before(self, view: View, augmentation: Augmentation, rng: np.random.Generator) -> View:
        """A view of the previous frame beside `view` of this one: shifted and scaled once more.

        As CenterTrack (Zhou et al., ECCV 2020) does, so that a still image moves too.
        """
        scale = np.asarray(view.scale, np.float64)
        span = np.broadcast_to(scale, 2)
        x = view.center[0] + float(span[0] * _stray(rng, augmentation.shift))
        y = view.center[1] + float(span[1] * _stray(rng, augmentation.shift))
        scale = scale * _factor(rng, augmentation.scale)
        return replace(view, center=(x, y), scale=_plain(scale))


class WideFraming(SquareFraming):
    """Views as wide as the image on a canvas of fixed size, as monocular 3D detection uses them.

    An object's size on the canvas then tells its depth, so that views stray only sometimes and are
    never mirrored or turned. With `keep_res` a canvas pixel is an image pixel, whatever is cut off.
    """

    one_size = True

    def test(
        self, image: Size, canvas: Size, *, pad: int, keep_res: bool = False, scale: float = 1.0
    ) -> tuple[View, Size, Size]:
        """As SquareFraming.test; at another `scale` things look as if they were nearer."""
        resized = int(image[0] * scale), int(image[1] * scale)
        view, _ = self.whole(resized, canvas, pad=pad, keep_res=keep_res)
        if not keep_res:
            view = replace(view, scale=(float(image[1]), float(image[0])))
        return replace(view, zoom=scale), canvas, resized

    def whole(self, image: Size, canvas: Size, *, pad: int, keep_res: bool) -> tuple[View, Size]:
        """The view of the whole image and the size of the input, which is always `canvas`."""
        seen = canvas if keep_res else image
        return View((image[1] / 2, image[0] / 2), (float(seen[1]), float(seen[0]))), canvas

    def train(
        self,
        image: Size,
        view: View,
        augmentation: Augmentation,
        rng: np.random.Generator,
        canvas: Size | None = None,
    ) -> View:
        """`view` itself or, with the chance of `augmentation.crop_chance`, scaled and shifted."""
        if rng.random() >= augmentation.crop_chance:
            return view
        scale = np.asarray(view.scale, np.float64) * _factor(rng, augmentation.scale)
        x = view.center[0] + image[1] * _stray(rng, augmentation.shift)
        y = view.center[1] + image[0] * _stray(rng, augmentation.shift)
        return View((x, y), _plain(scale), strayed=True)


def _stray(rng: np.random.Generator, reach: float) -> float:
    """A normal draw of deviation `reach`, cut at twice that."""
    return float(np.clip(rng.standard_normal() * reach, -2 * reach, 2 * reach))


def _factor(rng: np.random.Generator, reach: float) -> float:
    """A normal draw around 1 of deviation `reach`, cut at one deviation."""
    return float(np.clip(rng.standard_normal() * reach + 1, 1 - reach, 1 + reach))


def crop_border(size: int, border: int = 128) -> int:
    """How near to the edge a crop's centre may come: `border`, halved until that leaves room."""
    part = 1
    while size - border // part <= border // part:
        part *= 2
    return border // part


def _plain(scale: NDArray) -> float | tuple[float, float]:
    return float(scale) if scale.ndim == 0 else (float(scale[0]), float(scale[1]))
