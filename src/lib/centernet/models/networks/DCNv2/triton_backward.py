"""Backward pass in Triton: one kernel for what was sampled and where, one for the weight."""

from __future__ import annotations

import triton
import triton.language as tl

from centernet.models.networks.DCNv2.triton_samples import (
    SIZES,
    gather,
    inside,
    locate,
    pixels_of_tile,
    sample,
    shares,
)


@triton.jit
def gradient_of_columns(
    grad: tl.tensor,
    weight: tl.tensor,
    row: tl.tensor,
    column: tl.tensor,
    live: tl.tensor,
    out_width: tl.tensor,
    tap: tl.tensor,
    channel: tl.tensor,
    kept: tl.tensor,
    CHANNELS: tl.constexpr,
    OUTS: tl.constexpr,
    TAPS: tl.constexpr,
    SUM: tl.constexpr,
    PRECISION: tl.constexpr,
    BLOCK_OUT: tl.constexpr,
    PIXELS: tl.constexpr,
    BLOCK: tl.constexpr,
) -> tl.tensor:
    """Gradient (PIXELS, BLOCK) of the modulated samples of a tap: grad times weight."""
    sums = tl.zeros((PIXELS, BLOCK), dtype=SUM)
    pixel = (row * out_width + column)[:, None] * OUTS
    for first in range(0, OUTS, BLOCK_OUT):
        out = first + tl.arange(0, BLOCK_OUT)
        g = tl.load(
            grad + pixel + out[None, :], mask=live[:, None] & (out < OUTS)[None, :], other=0.0
        )
        w = tl.load(
            weight + (out * TAPS + tap)[:, None] * CHANNELS + channel[None, :],
            mask=(out < OUTS)[:, None] & kept[None, :],
            other=0.0,
        )
        sums = tl.dot(g, w, sums, input_precision=PRECISION, out_dtype=SUM)
    return sums


@triton.jit
def scatter(
    start: tl.tensor, values: tl.tensor, inside: tl.tensor, kept: tl.tensor, channel: tl.tensor
) -> None:
    """Add values (pixels, channels) to the gradient of the input at `start`."""
    tl.atomic_add(
        start[:, None] + channel[None, :],
        values,
        mask=inside[:, None] & kept[None, :],
        sem="relaxed",
    )


@triton.jit(do_not_specialize=SIZES)
def differentiate(
    grad: tl.tensor,
    x: tl.tensor,
    offset: tl.tensor,
    mask: tl.tensor,
    weight: tl.tensor,
    grad_input: tl.tensor,
    grad_offset: tl.tensor,
    grad_mask: tl.tensor,
    height: tl.tensor,
    width: tl.tensor,
    out_height: tl.tensor,
    out_width: tl.tensor,
    offset_image: tl.tensor,
    offset_channel: tl.tensor,
    offset_row: tl.tensor,
    offset_column: tl.tensor,
    mask_image: tl.tensor,
    mask_channel: tl.tensor,
    mask_row: tl.tensor,
    mask_column: tl.tensor,
    CHANNELS: tl.constexpr,
    OUTS: tl.constexpr,
    GROUPS: tl.constexpr,
    KERNEL: tl.constexpr,
    SAMPLING: tl.constexpr,
    SIGMOID: tl.constexpr,
    SUM: tl.constexpr,
    PRECISION: tl.constexpr,
    TILE_H: tl.constexpr,
    TILE_W: tl.constexpr,
    BLOCK_OUT: tl.constexpr,
    BLOCK: tl.constexpr,
) -> None:
    """Gradients of input (N, H, W, C, added to), offset (N, Ho, Wo, 2 * places), mask (places).

    grad (N, Ho, Wo, O), x (N, H, W, C), weight (O, kh, kw, C). Grid: rectangles of output pixels of
    all images, places. Each program sums over the channels of its group, so that only the
    gradient of the input, on which samples meet, needs atomic additions.
    """
    image, row, column, live = pixels_of_tile(
        tl.program_id(0), out_height, out_width, TILE_H, TILE_W
    )
    place = tl.program_id(1)
    TAPS: tl.constexpr = KERNEL[0] * KERNEL[1]
    SHARE: tl.constexpr = CHANNELS // GROUPS
    PIXELS: tl.constexpr = TILE_H * TILE_W
    group = place // TAPS
    strides = (offset_channel, offset_row, offset_column, mask_channel, mask_row, mask_column)
    top, left, down, right, modulation = locate(
        offset + image * offset_image, mask + image * mask_image, strides, row, column, live, place,
        height, width, KERNEL, SAMPLING, SIGMOID, SUM,
    )  # fmt: skip
    in_a, in_b, in_c, in_d = inside(top, left, live, height, width)
    part_a, part_b, part_c, part_d = shares(down, right, modulation)
    corner = (top * width + left) * CHANNELS + group * SHARE
    x += image * height * width * CHANNELS
    grad_input += image * height * width * CHANNELS
    grad += image * out_height * out_width * OUTS
    along_y = tl.zeros((PIXELS,), dtype=SUM)
    along_x = tl.zeros((PIXELS,), dtype=SUM)
    plain = tl.zeros((PIXELS,), dtype=SUM)
    for start in range(0, SHARE, BLOCK):
        channel = start + tl.arange(0, BLOCK)
        kept = channel < SHARE
        pull = gradient_of_columns(
            grad, weight, row, column, live, out_width, place % TAPS, group * SHARE + channel, kept,
            CHANNELS, OUTS, TAPS, SUM, PRECISION, BLOCK_OUT, PIXELS, BLOCK,
        )  # fmt: skip
        at = grad_input + corner
        scatter(at, pull * part_a[:, None], in_a, kept, channel)
        scatter(at + CHANNELS, pull * part_b[:, None], in_b, kept, channel)
        scatter(at + width * CHANNELS, pull * part_c[:, None], in_c, kept, channel)
        scatter(at + (width + 1) * CHANNELS, pull * part_d[:, None], in_d, kept, channel)
        at = x + corner
        a = tl.sum(pull * gather(at, in_a, channel, SHARE, BLOCK, SUM), 1)
        b = tl.sum(pull * gather(at + CHANNELS, in_b, channel, SHARE, BLOCK, SUM), 1)
        below = at + width * CHANNELS
        c = tl.sum(pull * gather(below, in_c, channel, SHARE, BLOCK, SUM), 1)
        d = tl.sum(pull * gather(below + CHANNELS, in_d, channel, SHARE, BLOCK, SUM), 1)
        along_y += (c - a) * (1.0 - right) + (d - b) * right
        along_x += (b - a) * (1.0 - down) + (d - c) * down
        plain += (a * (1.0 - right) + b * right) * (1.0 - down)
        plain += (c * (1.0 - right) + d * right) * down
    pixel = ((image * out_height + row) * out_width + column) * (GROUPS * TAPS) + place
    kind = grad_offset.dtype.element_ty
    tl.store(grad_offset + 2 * pixel, (along_y * modulation).to(kind), mask=live)
    tl.store(grad_offset + 2 * pixel + 1, (along_x * modulation).to(kind), mask=live)
    if SIGMOID:
        plain *= modulation * (1.0 - modulation)
    else:
        # A lost sample has the modulation NaN, which its gradient must show too.
        plain = tl.where(modulation == modulation, plain, modulation)
    tl.store(grad_mask + pixel, plain.to(kind), mask=live)


@triton.jit(do_not_specialize=[*SIZES, "tiles", "tiles_each"])
def correlate(
    grad: tl.tensor,
    x: tl.tensor,
    offset: tl.tensor,
    mask: tl.tensor,
    grad_weight: tl.tensor,
    height: tl.tensor,
    width: tl.tensor,
    out_height: tl.tensor,
    out_width: tl.tensor,
    offset_image: tl.tensor,
    offset_channel: tl.tensor,
    offset_row: tl.tensor,
    offset_column: tl.tensor,
    mask_image: tl.tensor,
    mask_channel: tl.tensor,
    mask_row: tl.tensor,
    mask_column: tl.tensor,
    tiles: tl.tensor,
    tiles_each: tl.tensor,
    CHANNELS: tl.constexpr,
    OUTS: tl.constexpr,
    GROUPS: tl.constexpr,
    KERNEL: tl.constexpr,
    SAMPLING: tl.constexpr,
    SIGMOID: tl.constexpr,
    SUM: tl.constexpr,
    PRECISION: tl.constexpr,
    TILE_H: tl.constexpr,
    TILE_W: tl.constexpr,
    BLOCK_OUT: tl.constexpr,
    BLOCK: tl.constexpr,
) -> None:
    """Gradient of the weight, (splits, O, kh, kw, C): grad, transposed, times the samples.

    Grid: places and blocks of their channels, blocks of output channels, splits of the rectangles
    of all images. The sums of the splits are left to the caller, for a fixed order.
    """
    TAPS: tl.constexpr = KERNEL[0] * KERNEL[1]
    SHARE: tl.constexpr = CHANNELS // GROUPS
    BLOCKS: tl.constexpr = (SHARE + BLOCK - 1) // BLOCK
    place = tl.program_id(0) // BLOCKS
    channel = tl.program_id(0) % BLOCKS * BLOCK + tl.arange(0, BLOCK)
    out = tl.program_id(1) * BLOCK_OUT + tl.arange(0, BLOCK_OUT)
    split = tl.program_id(2)
    first = place // TAPS * SHARE
    strides = (offset_channel, offset_row, offset_column, mask_channel, mask_row, mask_column)
    sums = tl.zeros((BLOCK_OUT, BLOCK), dtype=SUM)
    for tile in range(split * tiles_each, tl.minimum((split + 1) * tiles_each, tiles)):
        image, row, column, live = pixels_of_tile(tile, out_height, out_width, TILE_H, TILE_W)
        top, left, down, right, modulation = locate(
            offset + image * offset_image, mask + image * mask_image, strides, row, column, live,
            place, height, width, KERNEL, SAMPLING, SIGMOID, SUM,
        )  # fmt: skip
        values = sample(
            x + image * height * width * CHANNELS + first, top, left, channel, live,
            shares(down, right, modulation), height, width, CHANNELS, SHARE, BLOCK, SUM,
        )  # fmt: skip
        pixel = ((image * out_height + row) * out_width + column) * OUTS
        g = tl.load(
            grad + pixel[None, :] + out[:, None],
            mask=(out < OUTS)[:, None] & live[None, :],
            other=0.0,
        )
        sums = tl.dot(g, values.to(g.dtype), sums, input_precision=PRECISION, out_dtype=SUM)
    at = ((split.to(tl.int64) * OUTS + out) * TAPS + place % TAPS)[:, None] * CHANNELS
    kept = (out < OUTS)[:, None] & (channel < SHARE)[None, :]
    tl.store(grad_weight + at + first + channel[None, :], sums, mask=kept)
