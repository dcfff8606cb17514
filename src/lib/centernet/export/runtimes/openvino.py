"""ONNX files and OpenVINO's own in OpenVINO, deformable convolutions included."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from centernet.export.card import KEY, Card
from centernet.export.extras import extra
from centernet.export.runtimes.runtime import check_inputs
from centernet.runtime.errors import UserError


class OpenVino:
    """A compiled model of OpenVINO.

    `precision` is its hint: "f32" for the same numbers as everywhere; "" leaves the choice to it,
    which on CPUs with bfloat16 is that. `threads` 0 leaves their number to it.
    """

    name = "openvino"

    def __init__(self, path: Path, *, threads: int = 0, precision: str = "f32") -> None:
        core = extra("openvino").Core()
        model = read(core, path)
        self.card = card_of(model, path)
        self.path = path
        settings: dict[str, Any] = {"INFERENCE_PRECISION_HINT": precision} if precision else {}
        if threads:
            settings["INFERENCE_NUM_THREADS"] = threads
        self.compiled = core.compile_model(model, "CPU", settings)

    def run(self, inputs: Mapping[str, NDArray]) -> dict[str, NDArray]:
        check_inputs(self.card, inputs, self.path.name)
        found = self.compiled({name: inputs[name] for name in self.card.inputs})
        return {name: found[name] for name in self.card.outputs}


def read(core: Any, path: Path) -> Any:
    """The openvino.Model of an ONNX or XML file; UserError if it is neither."""
    try:
        if path.suffix == ".onnx":
            core.add_extension(deformable())
        return core.read_model(str(path))
    except RuntimeError as error:
        line = str(error).strip().splitlines()[-1]
        raise UserError(f"{path}: OpenVINO does not read it: {line}") from None


def deformable() -> Any:
    """What OpenVINO's reader of ONNX lacks: DeformConv, by its own DeformableConvolution."""
    ops = extra("openvino.opset8")
    frontend = extra("openvino.frontend.onnx")

    def convert(node: Any) -> Any:
        given = [node.get_input(i) for i in range(node.get_input_size())]
        data, weight, offset = given[:3]
        bias = given[3] if len(given) > 3 else None
        mask = given[4] if len(given) > 4 else None
        pads = node.get_attribute("pads")
        out = ops.deformable_convolution(
            data,
            offset,
            weight,
            node.get_attribute("strides"),
            pads[:2],
            pads[2:],
            node.get_attribute("dilations"),
            mask=mask,
            group=node.get_attribute("group", 1),
            deformable_group=node.get_attribute("offset_group", 1),
            bilinear_interpolation_pad=True,
        )
        if bias is not None:
            shape = ops.constant(np.array([1, -1, 1, 1]))
            out = ops.add(out, ops.reshape(bias, shape, False))
        return out.outputs()

    return frontend.ConversionExtension("DeformConv", convert)


def card_of(model: Any, path: Path) -> Card:
    """What a file says of itself; UserError if it is of another program."""
    for place in ([KEY], ["framework", KEY]):  # its own file's; that of the ONNX file it came from
        if model.has_rt_info(place):
            return Card.from_json(model.get_rt_info(place).astype(str), str(path))
    raise UserError(f"{path}: a file of another program; export it with this one")
