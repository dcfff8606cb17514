"""What the activations of a network are, over pictures that are shown one by one."""

from __future__ import annotations

import copy
from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Any

from numpy.typing import NDArray

from centernet.export.extras import extra
from centernet.export.quantize.ranges import Seen

Inputs = Mapping[str, NDArray]


def with_outputs(model: Any, names: Sequence[str]) -> Any:
    """A copy of an onnx.ModelProto whose outputs are the tensors `names`."""
    helper, proto = extra("onnx").helper, extra("onnx").TensorProto
    found = copy.deepcopy(model)
    del found.graph.output[:]
    found.graph.output.extend(helper.make_tensor_value_info(n, proto.FLOAT, None) for n in names)
    return found


def session(model: Any, threads: int = 0) -> Any:
    """An ONNX Runtime session of a model in memory, optimised no further than its outputs allow."""
    ort = extra("onnxruntime")
    settings = ort.SessionOptions()
    settings.intra_op_num_threads = threads
    settings.log_severity_level = 3
    providers = ["CPUExecutionProvider"]
    return ort.InferenceSession(model.SerializeToString(), settings, providers=providers)


def observe(
    model: Any, names: Sequence[str], pictures: Callable[[], Iterable[Inputs]], threads: int = 0
) -> dict[str, Seen]:
    """Extremes and histograms of the tensors `names`.

    `pictures` gives the same inputs each time it is called. They are run twice and one at a time,
    and nothing is kept of them, so that memory does not grow with their number.
    """
    ready = session(with_outputs(model, names), threads)
    seen = {name: Seen() for name in names}
    for method in (Seen.stretch, Seen.count):
        for inputs in pictures():
            for name, values in zip(names, ready.run(list(names), dict(inputs)), strict=True):
                method(seen[name], values)
    return seen
