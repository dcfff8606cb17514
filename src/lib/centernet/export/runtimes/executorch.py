"""ExecuTorch's files in its own runtime."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

import torch
from numpy.typing import NDArray

from centernet.export.extras import extra
from centernet.export.runtimes.runtime import check_inputs
from centernet.export.sidecar import read_card


class ExecuTorch:
    """The method `forward` of a program."""

    name = "executorch"

    def __init__(self, path: Path) -> None:
        self.card, self.path = read_card(path), path
        self.program = extra("executorch.runtime").Runtime.get().load_program(path)
        self.method = self.program.load_method("forward")

    def run(self, inputs: Mapping[str, NDArray]) -> dict[str, NDArray]:
        check_inputs(self.card, inputs, self.path.name)
        found = self.method.execute([torch.from_numpy(inputs[n]) for n in self.card.inputs])
        return {n: v.numpy() for n, v in zip(self.card.outputs, found, strict=True)}
