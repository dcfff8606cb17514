"""What options say of detecting, in the words of the parts that need it."""

from __future__ import annotations

from typing import Any

from centernet.geometry.view import Size, check_divisible
from centernet.models.model import CenterNet
from centernet.options.groups import Input
from centernet.options.options import Options


def input_size(asked: Input, resolution: Size, model: CenterNet, arch: str) -> Size:
    """(height, width) of the input, which the network must be able to divide."""
    size, backbone = asked.size(resolution), model.backbone
    check_divisible(size, backbone.pad, backbone.stride, arch)
    return size


def detector_settings(options: Options) -> dict[str, Any]:
    """How a detector is to test."""
    test, machine = options.test, options.machine
    return {
        "keep_res": options.input.keep_res,
        "flip_test": test.flip_test,
        "scales": test.test_scales,
        "nms": test.nms,
        "k": test.K,
        "batch_size": options.batches.test_batch_size,
        "amp": None if machine.amp == "none" else machine.amp,
        "channels_last": machine.channels_last,
        "fuse": not machine.no_fuse,
    }
