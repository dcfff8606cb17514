"""ONNX files in ONNX Runtime."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path

from numpy.typing import NDArray

from centernet.export.card import KEY, Card
from centernet.export.extras import extra
from centernet.export.runtimes.runtime import check_inputs
from centernet.runtime.errors import UserError


class OnnxRuntime:
    """A session of ONNX Runtime.

    `threads` 0 leaves their number to it. `providers` are its own names, by default the CPU's.
    """

    name = "onnxruntime"

    def __init__(self, path: Path, *, threads: int = 0, providers: Sequence[str] = ()) -> None:
        ort = extra("onnxruntime")
        wanted = list(providers) or ["CPUExecutionProvider"]
        missing = [name for name in wanted if name not in ort.get_available_providers()]
        if missing:
            raise UserError(
                f"--providers {missing[0]}: not in this onnxruntime, which has"
                f" {', '.join(ort.get_available_providers())}"
            )
        settings = ort.SessionOptions()
        settings.intra_op_num_threads = threads
        settings.log_severity_level = 3
        try:
            self.session = ort.InferenceSession(str(path), settings, providers=wanted)
        except Exception as error:  # its own classes, one for each kind of damage
            line = str(error).strip().splitlines()[0]
            raise UserError(f"{path}: ONNX Runtime does not read it: {line}") from None
        said = self.session.get_modelmeta().custom_metadata_map
        if KEY not in said:
            raise UserError(f"{path}: an ONNX file of another program; export it with this one")
        self.card = Card.from_json(said[KEY], str(path))
        self.path = path

    def run(self, inputs: Mapping[str, NDArray]) -> dict[str, NDArray]:
        check_inputs(self.card, inputs, self.path.name)
        given = {name: inputs[name] for name in self.card.inputs}
        found = self.session.run(list(self.card.outputs), given)
        return dict(zip(self.card.outputs, found, strict=True))
