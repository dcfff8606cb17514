"""What an exported file says of itself, so that it can be run without the program that made it."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass, field, fields
from typing import Any

import msgspec

from centernet import __version__
from centernet.export.sizes import Sizes
from centernet.models.description import info_of
from centernet.runtime.errors import UserError

KEY = "centernet"  # of the complete description among a file's metadata
VERSION = 1  # of that description; a file of a later one is not read


@dataclass(frozen=True)
class Card:
    """The facts of one file.

    `description` is the checkpoint's own (task, its options, network, class names, joints,
    skeleton ...). `inputs` and `outputs` are names in order. `framing` says what part of a picture
    the network sees: `affine` (its longer side fills the input), `keep_res` (its own size, black
    to the next that fits), `wide` (its width fills it) or `natural` (as keep_res, odd sizes).
    `coordinates` are those of the outputs. `sha256` is the checkpoint's. `parity` is the largest
    difference to PyTorch that was measured when the file was made.
    """

    description: dict[str, Any]
    inputs: tuple[str, ...]
    outputs: tuple[str, ...]
    sizes: Sizes
    stride: int
    k: int
    framing: str
    input_size: tuple[int, int]
    mean: tuple[float, ...]
    std: tuple[float, ...]
    colour: str = "BGR"
    raw: bool = False
    flip_test: bool = False
    precision: str = "fp32"
    dcn: str = "native"
    coordinates: str = "input pixels"
    sha256: str = ""
    format: str = "onnx"
    date: str = ""
    parity: dict[str, float] = field(default_factory=dict)
    quantization: dict[str, Any] = field(default_factory=dict)
    version: int = VERSION
    library_version: str = __version__

    @property
    def colours_inside(self) -> bool:
        """Whether the file normalises colours itself."""
        return "image" in self.inputs

    def to_json(self) -> str:
        """One line of JSON."""
        return msgspec.json.encode(self).decode()

    @staticmethod
    def from_json(text: str | bytes, name: str) -> Card:
        """The card that file `name` carries; UserError if it is not one that this version reads."""
        try:
            said = msgspec.json.decode(text)
        except msgspec.DecodeError as error:
            raise UserError(f"{name}: what it says of itself is not JSON ({error})") from None
        version = said.get("version") if isinstance(said, dict) else None
        if not isinstance(version, int):
            raise UserError(f"{name}: does not say what it is; export it with this program")
        if version > VERSION:
            raise UserError(
                f"{name}: made by a later version ({said.get('library_version')});"
                f" this is {__version__}: update it, or export the checkpoint here"
            )
        known = {each.name for each in fields(Card)}
        try:
            return msgspec.convert({k: v for k, v in said.items() if k in known}, Card)
        except msgspec.ValidationError as error:
            raise UserError(f"{name}: what it says of itself is damaged: {error}") from None

    def courtesy(self) -> dict[str, str]:
        """The keys by which other programs know a detector, as they write them."""
        info = info_of(self.description)
        names = dict(enumerate(info.class_names)) if info else {}
        sides = self.sizes.fixed or self.input_size
        said = {
            "description": f"CenterNet {self.description['task']} {self.description.get('arch')}",
            "author": "CenterNet",
            "license": "MIT",
            "date": self.date,
            "version": self.library_version,
            "task": _TASKS.get(self.description["task"], self.description["task"]),
            "names": str(names),
            "stride": str(self.stride),
            "imgsz": str(list(sides)),
            "batch": str(self.sizes.batch or 1),
            "channels": "3",
            "end2end": str(not self.raw),
            "colour": self.colour,
            "mean": json.dumps(list(self.mean)),
            "std": json.dumps(list(self.std)),
            "framing": self.framing,
            "pad_multiple": str(self.sizes.multiple),
            "k": str(self.k),
            "coordinates": self.coordinates,
            "precision": self.precision,
            "sha256": self.sha256,
            "parity": json.dumps(self.parity),
        }
        if info is not None and info.joints:
            said["kpt_shape"] = str([len(info.joints), 2])
            said["kpt_names"] = json.dumps(list(info.joints))
            said["flip_pairs"] = json.dumps(info.flip_pairs)
            said["skeleton"] = json.dumps(info.skeleton)
        return said

    def metadata(self) -> dict[str, str]:
        """All keys of the file."""
        return {**self.courtesy(), KEY: self.to_json()}


_TASKS: Mapping[str, str] = {"ctdet": "detect", "multi_pose": "pose"}
