"""The configurations that come along: every flag exists, every network and task is built."""

from __future__ import annotations

from pathlib import Path

import pytest
import torch

from centernet.builders.network import network_spec
from centernet.datasets.published import PUBLISHED
from centernet.models.create import create_model
from centernet.opts import opts
from centernet.tasks import TASKS

FOLDER = Path(__file__).resolve().parents[2] / "configs"


@pytest.mark.parametrize("path", sorted(FOLDER.glob("*.yaml")), ids=lambda path: path.stem)
def test_it_is_read_and_built(path: Path, tmp_path: Path) -> None:
    options = opts(root=tmp_path).parse(["--config", str(path)]).options
    task = TASKS[options.task_name](PUBLISHED["coco"], options.task)
    if options.model.arch == "dla_34":
        return  # a base of others
    with torch.device("meta"):
        model = create_model(network_spec(options.model), task.heads)
        (maps,) = model(torch.empty(1, 3, 64, 64))
    assert {name: m.shape[1] for name, m in maps.items()} == {"hm": 80, "ltrb": 4}
    assert {term.stat for term in task.terms} == {"hm_loss", "wh_loss"}
