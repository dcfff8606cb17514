"""Model repositories for Triton and for OpenVINO Model Server, which reads the same layout.

The fields are those of Triton's `model_config.proto`. Neither server has been run here.
"""

from __future__ import annotations

import json
import shutil
from pathlib import Path

from centernet.export.card import Card
from centernet.export.extras import extra
from centernet.io.files import atomic_write, write_text
from centernet.runtime.errors import UserError

VERSION = "1"  # of the model: its folder
LARGEST_BATCH = 8  # that a server puts together, where the file takes any
TYPES = {1: "TYPE_FP32", 2: "TYPE_UINT8", 6: "TYPE_INT32", 7: "TYPE_INT64", 10: "TYPE_FP16"}


def write_repository(card: Card, path: Path, folder: Path) -> list[Path]:
    """Put the ONNX file `path` with its configurations into `folder`; return what was written.

    folder/NAME/1/model.onnx, folder/NAME/config.pbtxt, folder/NAME/labels.txt for Triton, and
    folder/config.json for OpenVINO Model Server.
    """
    if path.suffix != ".onnx":
        raise UserError(f"--triton: takes --format onnx, not {path.name}")
    name = path.stem.replace(".", "_")
    place = folder / name
    model = place / VERSION / "model.onnx"
    model.parent.mkdir(parents=True, exist_ok=True)
    with atomic_write(model) as temporary:
        shutil.copyfile(path, temporary)
    labels = write_text(place / "labels.txt", "".join(f"{each}\n" for each in _labels(card)))
    triton = write_text(place / "config.pbtxt", triton_config(name, card, path))
    served = write_text(folder / "config.json", openvino_config(name, folder))
    return [model, triton, labels, served]


def triton_config(name: str, card: Card, path: Path) -> str:
    """The text of config.pbtxt: types and sizes as the file itself states them."""
    graph = extra("onnx").load(str(path), load_external_data=False).graph
    batched = card.sizes.batch is None
    lines = [
        f'name: "{name}"',
        'backend: "onnxruntime"',
        f"max_batch_size: {LARGEST_BATCH if batched else 0}",
    ]
    for word, values in (("input", graph.input), ("output", graph.output)):
        for value in values:
            tensor = value.type.tensor_type
            dims = [d.dim_value if d.HasField("dim_value") else -1 for d in tensor.shape.dim]
            dims = dims[1:] if batched else dims
            lines += [
                f"{word} {{",
                f'  name: "{value.name}"',
                f"  data_type: {TYPES[tensor.elem_type]}",
                f"  dims: {dims}",
                *(['  label_filename: "labels.txt"'] if value.name == "classes" else []),
                "}",
            ]
    if batched:
        lines += ["dynamic_batching { max_queue_delay_microseconds: 2000 }"]
    for key, value in sorted(card.courtesy().items()):
        text = json.dumps(value)
        lines += [f"parameters {{ key: {json.dumps(key)} value {{ string_value: {text} }} }}"]
    return "\n".join(lines) + "\n"


def openvino_config(name: str, folder: Path) -> str:
    """The text of the server's config.json, with every model that lies in `folder`."""
    others = {place.parent.name for place in folder.glob(f"*/{VERSION}")}
    entries = [
        {
            "config": {
                "name": each,
                "base_path": f"/models/{each}",
                "plugin_config": {"INFERENCE_PRECISION_HINT": "f32"},
            }
        }
        for each in sorted(others | {name})
    ]
    return json.dumps({"model_config_list": entries}, indent=1) + "\n"


def _labels(card: Card) -> list[str]:
    return [str(each) for each in card.description.get("class_names", ())]
