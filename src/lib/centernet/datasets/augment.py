"""Which part of an image the network sees, and in which colours.

The views and the colour jitter are those of "Objects as Points" (arXiv 1904.07850); every draw
comes from a generator that the caller passes in, so a sample depends on nothing else.
"""

from __future__ import annotations

from dataclasses import dataclass, replace

import cv2
import numpy as np
from numpy.typing import NDArray

from centernet.datasets.pixels import mapped
from centernet.geometry import affine

Size = tuple[int, int]  # (height, width)

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

    def warp(self, image: NDArray[np.uint8], size_wh: tuple[int, int]) -> NDArray[np.uint8]:
        """Draw the view of `image` (H, W, 3) on a canvas; outside is black. One interpolation."""
        matrix = self.turned(size_wh)
        if self.mirror is not None:
            mirror = np.array([[-1.0, 0.0, self.mirror - 1], [0.0, 1.0, 0.0], [0.0, 0.0, 1.0]])
            matrix = matrix @ mirror
        return cv2.warpAffine(image, matrix, size_wh, flags=cv2.INTER_LINEAR)


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


NO_AUGMENTATION = Augmentation(False, 0.0, 0.0, 0.0, 0.0, 0.0, False, 0.0)


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
    mean: tuple[float, float, float],
    std: tuple[float, float, float],
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
    mean: tuple[float, float, float],
    std: tuple[float, float, float],
    colour: Colour | None = None,
) -> NDArray[np.float32]:
    """(H, W, 3) uint8 -> (3, H, W) float32 by its `colour_matrix`."""
    return mapped(image, colour_matrix(image, mean, std, colour))
