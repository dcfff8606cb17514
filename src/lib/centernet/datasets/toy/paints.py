"""Colours, textures and backdrops. Everything is float32 BGR, 0 to 255."""

from __future__ import annotations

import colorsys

import cv2
import numpy as np
from numpy.random import Generator
from numpy.typing import NDArray

from centernet.datasets.toy.canvas import Part, Stencil

GRAIN = 5.0  # standard deviation of the camera's noise, grey levels


def colour(
    rng: Generator, saturation: tuple[float, float], value: tuple[float, float]
) -> NDArray[np.float32]:
    """A random hue, (3,), with saturation and value drawn from ranges within [0, 1]."""
    red, green, blue = colorsys.hsv_to_rgb(
        rng.uniform(), rng.uniform(*saturation), rng.uniform(*value)
    )
    return np.array([blue, green, red], np.float32) * 255


def vivid(rng: Generator) -> NDArray[np.float32]:
    """The colour of a thing."""
    return colour(rng, (0.6, 1.0), (0.55, 1.0))


def muted(rng: Generator) -> NDArray[np.float32]:
    """The colour of what is behind it."""
    return colour(rng, (0.05, 0.3), (0.25, 0.85))


def clouds(rng: Generator, height: int, width: int, cells: int = 8) -> NDArray[np.float32]:
    """(H, W) smooth random hills of about unit height."""
    coarse = rng.standard_normal((cells, cells)).astype(np.float32)
    hills = cv2.resize(coarse, (width, height), interpolation=cv2.INTER_CUBIC)
    return np.asarray(hills, np.float32)


def backdrop(rng: Generator, height: int, width: int) -> NDArray[np.float32]:
    """(H, W, 3): two muted colours running into each other, clouds and a few thin lines."""
    angle = rng.uniform(0, 2 * np.pi)
    x = np.linspace(-1, 1, width, dtype=np.float32)[None]
    y = np.linspace(-1, 1, height, dtype=np.float32)[:, None]
    share = (np.cos(angle) * x + np.sin(angle) * y) / 3 + 0.5 + 0.15 * clouds(rng, height, width)
    first, second = muted(rng), muted(rng)
    image = first + share[..., None].astype(np.float32) * (second - first)
    for _ in range(rng.integers(0, 5)):
        ends = rng.uniform(-0.2, 1.2, (2, 2)) * (width, height)
        start, stop = ([int(v) for v in end] for end in ends)
        tone = ((first + second) / 2 + rng.uniform(-50, 50)).tolist()
        cv2.line(image, start, stop, tone, int(rng.integers(1, 4)), cv2.LINE_AA)
    return image


def textured(rng: Generator, form: Stencil) -> Part:
    """`form` in one vivid colour, shaded, striped or dotted with a second tone of it."""
    base = vivid(rng)
    kind = rng.choice(["plain", "shade", "stripes", "dots"])
    if kind == "plain":
        return Part(form, base)
    h, w = form.alpha.shape
    y, x = np.mgrid[:h, :w].astype(np.float32)
    angle = rng.uniform(0, np.pi)
    along = np.cos(angle) * x + np.sin(angle) * y
    across = np.cos(angle) * y - np.sin(angle) * x
    if kind == "shade":
        pattern = along / max(h, w)
    else:
        period = 2 * np.pi / rng.uniform(8, 16)
        pattern = np.sin(period * along)
        if kind == "dots":
            pattern = pattern * np.sin(period * across)
        pattern = np.clip(3 * pattern, -1, 1)
    tone = base * (1 + 0.22 * pattern[..., None])
    return Part(form, np.clip(tone, 0, 255).astype(np.float32))


def develop(rng: Generator, image: NDArray[np.float32]) -> NDArray[np.uint8]:
    """Add the grain, the same in the three channels, and round to (H, W, 3) uint8."""
    grain = rng.standard_normal(image.shape[:2], np.float32) * GRAIN
    return rounded(np.asarray(cv2.add(image, cv2.merge([grain] * 3)), np.float32))


def rounded(image: NDArray[np.float32]) -> NDArray[np.uint8]:
    """To the nearest whole grey level within 0 to 255."""
    return np.rint(image).clip(0, 255).astype(np.uint8)
