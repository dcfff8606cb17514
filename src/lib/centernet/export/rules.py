"""What an exported ONNX file may consist of, so that runtimes other than ONNX Runtime read it."""

from __future__ import annotations

from typing import Any

# Operators that no file needs and that many runtimes lack are not among them: NonZero, OneHot,
# Loop, If, ScatterND, NonMaxSuppression.
NETWORK = frozenset(
    {
        *("Conv", "ConvTranspose", "DeformConv", "BatchNormalization", "MaxPool", "AveragePool"),
        *("GlobalAveragePool", "Resize", "Pad", "Relu", "LeakyRelu", "Clip", "Sigmoid"),
        *("HardSwish", "HardSigmoid", "Softplus", "Tanh", "Softmax", "Gelu", "Erf", "MatMul"),
        *("Gemm", "LayerNormalization", "GroupNormalization", "InstanceNormalization"),
    }
)
ARITHMETIC = frozenset(
    {
        *("Add", "Sub", "Mul", "Div", "Mod", "Min", "Max", "Pow", "Reciprocal", "Neg", "Abs"),
        *("Floor", "Ceil", "Sqrt", "Exp", "Log", "Atan", "Sin", "Cos", "Sign"),
        *("Equal", "Less", "Greater", "LessOrEqual", "GreaterOrEqual", "And", "Or", "Not"),
        *("Where", "IsNaN", "ReduceSum", "ReduceMin", "ReduceMax", "ReduceMean", "ArgMin"),
        *("ArgMax", "TopK", "CumSum"),
    }
)
SHAPES = frozenset(
    {
        *("Shape", "Squeeze", "Unsqueeze", "Reshape", "Flatten", "Concat", "Split", "Slice"),
        *("Transpose", "Expand", "Tile", "Cast", "Identity", "Constant", "ConstantOfShape"),
        *("Range", "Gather", "GatherElements"),
    }
)
QUANTIZED = frozenset({"QuantizeLinear", "DequantizeLinear"})
ALLOWED = NETWORK | ARITHMETIC | SHAPES | QUANTIZED
DECOMPOSED_DCN = frozenset({"GatherND"})  # its samples, spelt out
TENSORRT_TOPK = 3840  # the largest K of its TopK layer


def faults(model: Any, *, decomposed_dcn: bool = False) -> list[str]:
    """Sentences on what `model`, an onnx.ModelProto, has that it must not have."""
    graph, found = model.graph, []
    allowed = ALLOWED | DECOMPOSED_DCN if decomposed_dcn else ALLOWED
    constants = {each.name for each in graph.initializer}
    constants |= {node.output[0] for node in graph.node if node.op_type == "Constant"}
    for node in graph.node:
        if node.domain not in ("", "ai.onnx"):
            found.append(f"{node.op_type} of domain {node.domain}")
        elif node.op_type not in allowed:
            found.append(node.op_type)
        if node.op_type == "TopK" and node.input[1] not in constants:
            found.append("TopK whose K is computed")
    if model.functions:
        found.append(f"functions {[each.name for each in model.functions]}")
    opset = next(each.version for each in model.opset_import if each.domain in ("", "ai.onnx"))
    if opset < 19 and any(node.op_type == "DeformConv" for node in graph.node):
        found.append(f"DeformConv, which opset {opset} has not")
    return found


def tensorrt_faults(model: Any) -> list[str]:
    """`faults`, and what TensorRT's parser refuses besides; it has not been run."""
    import onnx

    found = faults(model)
    values = {each.name: onnx.numpy_helper.to_array(each) for each in model.graph.initializer}
    for node in model.graph.node:
        if node.op_type == "TopK" and int(values[node.input[1]].ravel()[0]) > TENSORRT_TOPK:
            found.append(f"TopK with K above {TENSORRT_TOPK}")
        if node.op_type == "DeformConv":
            found.append("DeformConv: TensorRT 10.1 or later, else export with --dcn decompose")
    return found
