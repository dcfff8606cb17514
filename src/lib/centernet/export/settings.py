"""What a user chooses of an exported file."""

from __future__ import annotations

from dataclasses import dataclass

from centernet.geometry.view import Size


@dataclass(frozen=True)
class Settings:
    """The shape of one file.

    k: detections of an image. floats: take `images`, normalised float32 NCHW, in place of `image`,
    uint8 NHWC BGR. raw: give the network's maps. flip_test: average with the mirrored picture.
    fixed: the only (height, width) it takes, None for any that the network divides. batch: the only
    number of pictures, None for any. precision: "fp32" or "fp16", decoding is float32 always.
    dcn: "native" or "decompose". keep_res and input_size: how pictures are to be framed, as the
    checkpoint was tested; (0, 0) for the data set's resolution.
    """

    k: int = 100
    floats: bool = False
    raw: bool = False
    flip_test: bool = False
    fixed: Size | None = None
    batch: int | None = None
    precision: str = "fp32"
    dcn: str = "native"
    opset: int = 20
    keep_res: bool = False
    input_size: Size = (0, 0)
