"""Colours for drawing: one for each class, distinguished by eye, and what can be read on them."""

from __future__ import annotations

import colorsys

BGR = tuple[int, int, int]

BLACK: BGR = (20, 20, 20)
WHITE: BGR = (255, 255, 255)

# Steps of the golden ratio round the colour circle never come near an earlier hue for long.
_STEP = 0.6180339887498949
_FIRST = 0.08
_TONES = ((0.80, 1.00), (0.55, 1.00), (0.95, 0.80))  # saturation, value


def colour(index: int) -> BGR:
    """BGR colour of class, joint or identity `index`; the same in every image."""
    saturation, value = _TONES[(index // 8) % len(_TONES)]
    red, green, blue = colorsys.hsv_to_rgb((_FIRST + index * _STEP) % 1.0, saturation, value)
    return round(blue * 255), round(green * 255), round(red * 255)


def text_on(background: BGR) -> BGR:
    """Black or white, whichever can be read better on `background` (Rec. 601 luma)."""
    blue, green, red = background
    return BLACK if 0.114 * blue + 0.587 * green + 0.299 * red > 140 else WHITE
