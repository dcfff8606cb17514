"""TensorFlow Lite files in LiteRT's interpreter."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

from numpy.typing import NDArray

from centernet.export.extras import extra
from centernet.export.runtimes.runtime import check_inputs
from centernet.export.sidecar import read_card


class LiteRt:
    """The interpreter of one file; `threads` 0 leaves their number to it."""

    name = "litert"

    def __init__(self, path: Path, *, threads: int = 0) -> None:
        self.card, self.path = read_card(path), path
        module = extra("ai_edge_litert.interpreter")
        self.interpreter = module.Interpreter(str(path), num_threads=threads or None)
        self.interpreter.allocate_tensors()

    def run(self, inputs: Mapping[str, NDArray]) -> dict[str, NDArray]:
        check_inputs(self.card, inputs, self.path.name)
        places = sorted(self.interpreter.get_input_details(), key=lambda each: each["name"])
        for place, name in zip(places, self.card.inputs, strict=True):
            self.interpreter.set_tensor(place["index"], inputs[name])
        self.interpreter.invoke()
        outputs = sorted(self.interpreter.get_output_details(), key=lambda each: _number(each))
        found = [self.interpreter.get_tensor(place["index"]) for place in outputs]
        return dict(zip(self.card.outputs, found, strict=True))


def _number(detail: Mapping[str, object]) -> int:
    """The place of an output: names end in its number (StatefulPartitionedCall:2)."""
    tail = str(detail["name"]).rpartition(":")[2]
    return int(tail) if tail.isdigit() else 0
