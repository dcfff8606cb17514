"""TorchScript, exported programs and compiled packages in PyTorch itself."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import torch
from numpy.typing import NDArray

from centernet.export.card import KEY, Card
from centernet.export.runtimes.runtime import check_inputs
from centernet.export.sidecar import read_card
from centernet.runtime.errors import UserError


class TorchFile:
    """A callable of tensors that was read from a file."""

    name = "torch"

    def __init__(self, path: Path, card: Card, call: Callable[..., Any]) -> None:
        self.path, self.card, self.call = path, card, call

    def run(self, inputs: Mapping[str, NDArray]) -> dict[str, NDArray]:
        check_inputs(self.card, inputs, self.path.name)
        with torch.inference_mode():
            found = self.call(*(torch.from_numpy(inputs[name]) for name in self.card.inputs))
        values = [value.cpu().numpy() for value in found]
        return dict(zip(self.card.outputs, values, strict=True))


def open_torch(path: Path, threads: int = 0) -> TorchFile:
    """The file by its suffix; `threads` are those of the whole process."""
    if threads:
        torch.set_num_threads(threads)
    try:
        if path.suffix == ".torchscript":
            import torchvision

            said = {KEY: ""}
            script = torch.jit.load(str(path), map_location="cpu", _extra_files=said)
            return TorchFile(path, _card(said, path), script)
        if path.name.endswith(".aoti.pt2"):
            card = read_card(path)
            return TorchFile(path, card, torch._inductor.aoti_load_package(str(path)))
        import torchvision  # noqa: F401

        said = {KEY: ""}
        program = torch.export.load(str(path), extra_files=said)
        return TorchFile(path, _card(said, path), program.module())
    except UserError:
        raise
    except Exception as error:  # its own classes, one for each kind of damage
        line = str(error).strip().splitlines()[0] if str(error).strip() else type(error).__name__
        raise UserError(f"{path}: PyTorch does not read it: {line}") from None


def _card(said: Mapping[str, Any], path: Path) -> Card:
    if not said[KEY]:
        raise UserError(f"{path}: a file of another program; export it with this one")
    return Card.from_json(said[KEY], str(path))
