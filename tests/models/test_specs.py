"""Names, shapes and order of every tensor are those of the published checkpoints."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterable
from pathlib import Path
from typing import Any

import pytest
import torch
from torch import nn

from centernet.models.create import create_model
from centernet.models.networks.hourglass import Hourglass
from centernet.models.published import published_key
from tests.parity_cases import folder

SPECS = folder() / "specs"
ARCHS = [path for path in sorted(SPECS.glob("*.json")) if "head_template" in path.read_text()]
TRIPLETS = sorted((folder() / "specs47").glob("ct47_*.json"))


def read(path: Path) -> dict[str, Any]:
    return json.loads(path.read_text())


def parametrised(paths: Iterable[Path]) -> list[Any]:
    skip = pytest.mark.skip(reason=f"{folder()} has no key lists (CENTERNET_PARITY names another)")
    return [pytest.param(p, id=p.stem) for p in paths] or [pytest.param(None, marks=skip)]


def shapes(module: nn.Module) -> dict[str, list[int]]:
    return {published_key(key): list(value.shape) for key, value in module.state_dict().items()}


def key_shape_hash(shapes: dict[str, list[int]]) -> str:
    lines = sorted(f"{key}:{shape}" for key, shape in shapes.items())
    return hashlib.sha256("\n".join(lines).encode()).hexdigest()[:16]


def fill(template: dict[str, list[Any]], head: str, channels: int) -> dict[str, list[int]]:
    return {
        key.replace("{head}", head): [channels if size == "C" else size for size in shape]
        for key, shape in template.items()
    }


@pytest.mark.parametrize("path", parametrised(ARCHS))
def test_keys_of_every_task(path: Path) -> None:
    spec, heads = read(path), read(SPECS / "index.json")["heads"]
    for combination, expected in spec["combos"].items():
        with torch.device("meta"):
            found = shapes(create_model(path.stem, heads[combination]))
        wanted = dict(spec["backbone"])
        for head in expected["head_order"]:
            wanted |= fill(spec["head_template"], head, heads[combination][head])
        assert list(found.items()) == list(wanted.items()), combination
        assert key_shape_hash(found) == expected["key_shape_hash"], combination


@pytest.mark.parametrize("path", parametrised(ARCHS))
@pytest.mark.parametrize("head_conv", [0, 128])
def test_keys_of_other_head_widths(path: Path, head_conv: int) -> None:
    spec = read(path)
    with torch.device("meta"):
        model = create_model(path.stem, {"hm": 80}, head_conv)
    template = spec["head_template_other_head_conv"][f"head_conv_{head_conv}"]
    assert shapes(model) == dict(spec["backbone"]) | fill(template, "hm", 80)


@pytest.mark.parametrize("path", parametrised(TRIPLETS))
def test_trunk_of_keypoint_triplets_is_the_same_module(path: Path) -> None:
    """The networks of Duan et al., 2019, differ only in heads and in calling `up1` `top`."""
    settings: dict[str, dict[str, Any]] = {
        "ct47_hourglass104": {"stacks": 2},
        "ct47_hourglass52": {"stacks": 1},
        "ct47_tiny": {"stacks": 1, "dims": (256, 128, 256, 256, 256, 384)},
    }
    with torch.device("meta"):
        found = shapes(Hourglass(**settings[path.stem]))
    trunk = ("pre.", "kps.", "cnvs.", "inters.", "inters_.", "cnvs_.")
    published = dict(read(path)["state_dict"])
    wanted = {k.replace(".top.", ".up1."): v for k, v in published.items() if k.startswith(trunk)}
    assert found == wanted
