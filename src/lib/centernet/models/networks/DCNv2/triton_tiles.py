"""How the Triton kernels cut their work, from the sizes of a layer and of the device.

Rules, not a search at run time: a search would repeat at each new size of image. They follow from
counting registers, shared memory and programs; on no GPU have they been measured yet.
"""

from __future__ import annotations

from dataclasses import dataclass, replace


@dataclass(frozen=True)
class Problem:
    """Sizes of a layer: images, output map, channels in and out, groups, taps, bytes a number."""

    batch: int
    out_size: tuple[int, int]
    channels: int
    outs: int
    groups: int
    taps: int
    item_size: int

    @property
    def places(self) -> int:
        """Samples of an output pixel: one for each deformable group and tap."""
        return self.groups * self.taps

    @property
    def share(self) -> int:
        """Channels of a deformable group."""
        return self.channels // self.groups


@dataclass(frozen=True)
class Tiles:
    """Rectangle of output pixels, blocks of channels in and out, and what a program is given."""

    height: int
    width: int
    outs: int
    channels: int
    splits: int  # of the places (forward) or of the rectangles (gradient of the weight)
    warps: int
    # More stages would prefetch the corners of samples by asynchronous copies, which pass by the
    # first cache, where neighbouring samples find what they share.
    stages: int = 1

    def count(self, problem: Problem) -> int:
        """Rectangles of all images."""
        height, width = problem.out_size
        return problem.batch * up(height, self.height) * up(width, self.width)


def up(number: int, by: int) -> int:
    """number / by, rounded up."""
    return -(-number // by)


def block(number: int, most: int) -> int:
    """The power of two that holds `number`, at least 16 (the least of a matrix unit)."""
    return min(most, max(16, 1 << (number - 1).bit_length()))


def block_of_channels(problem: Problem) -> int:
    """128 bytes of a pixel: one line of the cache for each corner of a sample."""
    return block(problem.share, 128 // problem.item_size)


def forward_tiles(problem: Problem, processors: int) -> Tiles:
    """All output channels in one program where they fit, so that a pixel is sampled once.

    Small maps are first cut into smaller rectangles, then their places are split, then the output
    channels, until there is about a program for every processor.
    """
    widest = {2: 256, 4: 128}.get(problem.item_size, 32)
    large = (16, 128) if problem.item_size <= 4 and problem.outs <= 128 else (8, widest)
    for width, most in (large, (8, widest), (8, min(widest, 64))):
        outs = block(problem.outs, most)
        tiles = Tiles(
            8, width, outs, block_of_channels(problem), 1, 4 if width * outs <= 512 else 8
        )
        programs = tiles.count(problem) * up(problem.outs, outs)
        if programs * (problem.places if width == 8 else 1) >= processors:
            break
    splits = up(problem.places, max(1, round(problem.places * programs / processors)))
    each = up(problem.places, splits)  # evened out, so that none is left without any
    return replace(tiles, splits=up(problem.places, each))


def data_tiles(problem: Problem) -> Tiles:
    """For the gradients of input, offset and mask; a program serves one place."""
    most = 64 if problem.item_size <= 4 else 16
    return Tiles(8, 8, block(problem.outs, most), block_of_channels(problem), 1, 8)


def weight_tiles(problem: Problem, processors: int) -> Tiles:
    """For the gradient of the weight; the rectangles are split for two programs a processor."""
    outs = block(problem.outs, {2: 128, 4: 64}.get(problem.item_size, 16))
    tiles = Tiles(8, 8, outs, block_of_channels(problem), 1, 8)
    programs = problem.places * up(problem.share, tiles.channels) * up(problem.outs, outs)
    count = tiles.count(problem)
    each = up(count, min(count, up(2 * processors, programs)))
    return replace(tiles, splits=up(count, each))
