"""From a float32 file and ranges to a file of 8 bits (QDQ)."""

from __future__ import annotations

import copy
from collections.abc import Collection, Mapping
from typing import Any

import numpy as np

from centernet.export.extras import extra
from centernet.export.quantize.reach import Reach


def quantized(
    model: Any,
    ranges: Mapping[str, tuple[float, float]],
    *,
    in_float: Collection[str] = (),
    alone: str | None = None,
    weight_bits: int = 7,
) -> Any:
    """An onnx.ModelProto with activations in uint8 and weights in int8, a scale for each channel.

    `ranges` are those of the tensors that `Reach.quantizable` reads and writes. Nodes named by
    `in_float` stay as they are; `alone` names the only one that is quantised. Unsigned activations
    because x86 multiplies uint8 with int8. `weight_bits` 7 leaves the top bit of the weights out:
    processors without VNNI add two products in 16 bits, which 8 by 8 bits overflow, silently (on
    such a machine 8 AP of 50 were lost, with 7 bits 0).
    """
    tools = extra("onnxruntime.quantization")
    calibrate = extra("onnxruntime.quantization.calibrate")
    qdq = extra("onnxruntime.quantization.qdq_quantizer")
    reach = Reach(model)
    nodes = [node.name for node in reach.quantizable if node.name not in in_float]
    if alone is not None:
        nodes = [alone]
    data = calibrate.TensorsData(
        calibrate.CalibrationMethod.MinMax,
        {
            name: (np.array(low, np.float32), np.array(high, np.float32))
            for name, (low, high) in ranges.items()
        },
    )
    quantizer = qdq.QDQQuantizer(
        copy.deepcopy(model),
        True,  # a scale for each channel
        weight_bits == 7,
        tools.QuantType.QInt8,
        tools.QuantType.QUInt8,
        data,
        nodes,
        [],
        sorted({node.op_type for node in reach.quantizable}),
        {"ActivationSymmetric": False, "WeightSymmetric": True},
    )
    quantizer.quantize_model()
    return quantizer.model.model


def macs(model: Any) -> dict[str, int]:
    """Weights of each convolution: with equal maps, how its work compares to the others'."""
    sizes = {each.name: int(np.prod(each.dims)) for each in model.graph.initializer}
    return {
        node.name: sizes.get(node.input[1], 0)
        for node in Reach(model).quantizable
        if len(node.input) > 1 and node.op_type.startswith("Conv")
    }
