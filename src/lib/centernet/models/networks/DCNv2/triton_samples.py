"""Where the samples of a tile of output pixels lie: the part that all Triton kernels share."""

from __future__ import annotations

import triton
import triton.language as tl

# Whole numbers that change with the image's size: a kernel is not compiled anew for each.
SIZES = [
    "height", "width", "out_height", "out_width", "offset_image", "offset_channel", "offset_row",
    "offset_column", "mask_image", "mask_channel", "mask_row", "mask_column",
]  # fmt: skip


@triton.jit
def pixels_of_tile(
    tile: tl.tensor,
    out_height: tl.tensor,
    out_width: tl.tensor,
    TILE_H: tl.constexpr,
    TILE_W: tl.constexpr,
) -> tuple[tl.tensor, ...]:
    """Image of a tile and, for each of its pixels, row, column and whether it is in the map.

    Tiles are rectangles, not runs of a row: what their samples read overlaps the most.
    """
    across = tl.cdiv(out_width, TILE_W)
    tiles = across * tl.cdiv(out_height, TILE_H)
    image = (tile // tiles).to(tl.int64)
    number = tl.arange(0, TILE_H * TILE_W)
    row = tile % tiles // across * TILE_H + number // TILE_W
    column = tile % tiles % across * TILE_W + number % TILE_W
    return image, row, column, (row < out_height) & (column < out_width)


@triton.jit
def locate(
    offset: tl.tensor,
    mask: tl.tensor,
    strides: tl.tuple,
    row: tl.tensor,
    column: tl.tensor,
    live: tl.tensor,
    place: tl.tensor,
    height: tl.tensor,
    width: tl.tensor,
    KERNEL: tl.constexpr,
    SAMPLING: tl.constexpr,
    SIGMOID: tl.constexpr,
    SUM: tl.constexpr,
) -> tuple[tl.tensor, ...]:
    """Top left corner (row, column) of each sample, its fractions down and right, its modulation.

    `offset` and `mask` point at the image; `strides` are theirs for channel, row and column.
    Nothing is sampled beyond one pixel outside the image, so that clamping there loses nothing and
    keeps the integers in range. A NaN is clamped too, and comes back as the modulation.
    """
    tap = place % (KERNEL[0] * KERNEL[1])
    there = row * strides[1] + column * strides[2]
    y = tl.load(offset + there + 2 * place * strides[0], mask=live, other=0.0).to(SUM)
    x = tl.load(offset + there + (2 * place + 1) * strides[0], mask=live, other=0.0).to(SUM)
    at = row * strides[4] + column * strides[5]
    modulation = tl.load(mask + at + place * strides[3], mask=live, other=0.0).to(SUM)
    if SIGMOID:
        modulation = 1.0 / (1.0 + tl.exp(-modulation))
    y += (row * SAMPLING[0] - SAMPLING[2] + tap // KERNEL[1] * SAMPLING[4]).to(SUM)
    x += (column * SAMPLING[1] - SAMPLING[3] + tap % KERNEL[1] * SAMPLING[5]).to(SUM)
    modulation = tl.where((y == y) & (x == x), modulation, float("nan"))
    y = tl.minimum(tl.maximum(y, -2.0), (height + 1).to(SUM))
    x = tl.minimum(tl.maximum(x, -2.0), (width + 1).to(SUM))
    top, left = tl.floor(y), tl.floor(x)
    return top.to(tl.int32), left.to(tl.int32), y - top, x - left, modulation


@triton.jit
def inside(
    top: tl.tensor, left: tl.tensor, live: tl.tensor, height: tl.tensor, width: tl.tensor
) -> tuple[tl.tensor, ...]:
    """Whether each of the four corners lies in the image: two by two, row by row."""
    upper = (top >= 0) & (top < height) & live
    lower = (top >= -1) & (top < height - 1) & live
    before = (left >= 0) & (left < width)
    behind = (left >= -1) & (left < width - 1)
    return upper & before, upper & behind, lower & before, lower & behind


@triton.jit
def shares(down: tl.tensor, right: tl.tensor, modulation: tl.tensor) -> tuple[tl.tensor, ...]:
    """Weights of the four corners in the sample; all NaN where the modulation is."""
    up, left = (1.0 - down) * modulation, 1.0 - right
    low = down * modulation
    return up * left, up * right, low * left, low * right


@triton.jit
def gather(
    start: tl.tensor,
    inside: tl.tensor,
    channel: tl.tensor,
    SHARE: tl.constexpr,
    BLOCK: tl.constexpr,
    SUM: tl.constexpr,
) -> tl.tensor:
    """Channels (pixels, BLOCK) at `start`, with zeros outside the image and beyond SHARE."""
    if SHARE % BLOCK == 0:
        values = tl.load(start[:, None] + channel[None, :], mask=inside[:, None], other=0.0)
    else:
        kept = inside[:, None] & (channel < SHARE)[None, :]
        values = tl.load(start[:, None] + channel[None, :], mask=kept, other=0.0)
    return values.to(SUM)


@triton.jit
def sample(
    x: tl.tensor,
    top: tl.tensor,
    left: tl.tensor,
    channel: tl.tensor,
    live: tl.tensor,
    parts: tl.tuple,
    height: tl.tensor,
    width: tl.tensor,
    CHANNELS: tl.constexpr,
    SHARE: tl.constexpr,
    BLOCK: tl.constexpr,
    SUM: tl.constexpr,
) -> tl.tensor:
    """The modulated samples (pixels, BLOCK); `x` points at the first channel of the group.

    `parts` are the weights of `shares`.
    """
    a, b, c, d = inside(top, left, live, height, width)
    start = x + (top * width + left) * CHANNELS
    below = start + width * CHANNELS
    value = gather(start, a, channel, SHARE, BLOCK, SUM) * parts[0][:, None]
    value += gather(start + CHANNELS, b, channel, SHARE, BLOCK, SUM) * parts[1][:, None]
    value += gather(below, c, channel, SHARE, BLOCK, SUM) * parts[2][:, None]
    value += gather(below + CHANNELS, d, channel, SHARE, BLOCK, SUM) * parts[3][:, None]
    return value
