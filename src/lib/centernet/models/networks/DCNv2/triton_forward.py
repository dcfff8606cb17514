"""Forward pass in Triton: an implicit matrix product whose left factor is sampled on the fly.

A program computes a rectangle of output pixels for a block of output channels. It walks over the
places (deformable group and tap) outside and over channels inside, so that a sample is located
once for all its channels; with channels last a corner is one run of memory. Where the map has too
few rectangles for the device the places are split among programs, whose sums `finish` adds up in a
fixed order.
"""

from __future__ import annotations

import triton
import triton.language as tl

from centernet.models.networks.DCNv2.triton_samples import (
    SIZES,
    locate,
    pixels_of_tile,
    sample,
    shares,
)


@triton.jit
def finished(
    sums: tl.tensor,
    bias: tl.tensor,
    out: tl.tensor,
    BIAS: tl.constexpr,
    RELU: tl.constexpr,
    OUTS: tl.constexpr,
) -> tl.tensor:
    """Sums plus the bias of their channels `out` (a shape that goes with theirs), rectified."""
    if BIAS:
        sums += tl.load(bias + out, mask=out < OUTS, other=0.0).to(sums.dtype)
    if RELU:
        sums = tl.where(sums < 0, 0.0, sums)  # NaN stays
    return sums


@triton.jit(do_not_specialize=[*SIZES, "splits_apart"])
def convolve(
    x: tl.tensor,
    offset: tl.tensor,
    mask: tl.tensor,
    weight: tl.tensor,
    bias: tl.tensor,
    output: tl.tensor,
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
    splits_apart: tl.tensor,
    CHANNELS: tl.constexpr,
    OUTS: tl.constexpr,
    GROUPS: tl.constexpr,
    KERNEL: tl.constexpr,
    SAMPLING: tl.constexpr,
    SIGMOID: tl.constexpr,
    BIAS: tl.constexpr,
    RELU: tl.constexpr,
    SUM: tl.constexpr,
    PRECISION: tl.constexpr,
    TILE_H: tl.constexpr,
    TILE_W: tl.constexpr,
    BLOCK_OUT: tl.constexpr,
    BLOCK: tl.constexpr,
    PLACES: tl.constexpr,
) -> None:
    """x (N, H, W, C), weight (O, kh, kw, C), output (N, Ho, Wo, O) or sums of PLACES places each.

    Grid: rectangles of all images, blocks of output channels, splits of the places.
    """
    image, row, column, live = pixels_of_tile(
        tl.program_id(0), out_height, out_width, TILE_H, TILE_W
    )
    out = tl.program_id(1) * BLOCK_OUT + tl.arange(0, BLOCK_OUT)
    split = tl.program_id(2)
    TAPS: tl.constexpr = KERNEL[0] * KERNEL[1]
    SHARE: tl.constexpr = CHANNELS // GROUPS
    x += image * height * width * CHANNELS
    offset += image * offset_image
    mask += image * mask_image
    strides = (offset_channel, offset_row, offset_column, mask_channel, mask_row, mask_column)
    sums = tl.zeros((TILE_H * TILE_W, BLOCK_OUT), dtype=SUM)
    for place in range(split * PLACES, tl.minimum((split + 1) * PLACES, GROUPS * TAPS)):
        top, left, down, right, modulation = locate(
            offset, mask, strides, row, column, live, place, height, width,
            KERNEL, SAMPLING, SIGMOID, SUM,
        )  # fmt: skip
        parts = shares(down, right, modulation)
        first = place // TAPS * SHARE
        for start in range(0, SHARE, BLOCK):
            channel = start + tl.arange(0, BLOCK)
            values = sample(
                x + first, top, left, channel, live, parts, height, width,
                CHANNELS, SHARE, BLOCK, SUM,
            )  # fmt: skip
            at = (out * TAPS + place % TAPS)[None, :] * CHANNELS + first + channel[:, None]
            kept = (out < OUTS)[None, :] & (channel < SHARE)[:, None]
            factor = tl.load(weight + at, mask=kept, other=0.0)
            sums = tl.dot(
                values.to(factor.dtype), factor, sums, input_precision=PRECISION, out_dtype=SUM
            )
    sums = finished(sums, bias, out[None, :], BIAS, RELU, OUTS)
    output += split * splits_apart.to(tl.int64) + image * out_height * out_width * OUTS
    at = (row * out_width + column)[:, None] * OUTS + out[None, :]
    tl.store(
        output + at, sums.to(output.dtype.element_ty), mask=live[:, None] & (out < OUTS)[None, :]
    )


@triton.jit(do_not_specialize=["size"])
def finish(
    parts: tl.tensor,
    bias: tl.tensor,
    output: tl.tensor,
    size: tl.tensor,
    SPLITS: tl.constexpr,
    OUTS: tl.constexpr,
    BIAS: tl.constexpr,
    RELU: tl.constexpr,
    BLOCK: tl.constexpr,
) -> None:
    """output (size,) = the sum over parts (SPLITS, size), finished; OUTS channels last."""
    at = tl.program_id(0).to(tl.int64) * BLOCK + tl.arange(0, BLOCK)
    sums = tl.load(parts + at, mask=at < size, other=0.0)
    for split in tl.static_range(1, SPLITS):
        sums += tl.load(parts + at + split * size.to(tl.int64), mask=at < size, other=0.0)
    sums = finished(sums, bias, at % OUTS, BIAS, RELU, OUTS)
    tl.store(output + at, sums.to(output.dtype.element_ty), mask=at < size)
