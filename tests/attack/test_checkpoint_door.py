from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import torch

from centernet.builders.load import load_detector
from centernet.datasets.source import Info
from centernet.models.checkpoint import read_checkpoint, save_checkpoint
from centernet.models.create import create_model
from centernet.models.described import checked
from centernet.models.description import describe
from centernet.runtime.errors import UserError
from centernet.tasks import TASKS
from tests.attack.mutate import places, replaced
from tests.long import LONG

KIND = TASKS["ctdet"]
VALUES: list[Any] = [
    None, True, 0, -1, 7, 0.5, float("nan"), float("inf"), 2**70, "", "a", "0", b"x", [], [[]],
    ["a"], [1, 2], (1, 2, 3), {}, {"a": 1}, {1: 2}, torch.zeros(2), torch.tensor(1), [None] * 3,
    (0.1, 0.2, float("nan")), "a" * 5000, [torch.zeros(1)],
]  # fmt: skip


DESCRIPTION = (
    *("task", "options", "arch", "head_conv", "heads", "name", "class_names", "category_ids"),
    *("provides", "joints", "flip_pairs", "skeleton", "sigmas", "mean", "std", "colour"),
    *("max_objects", "input_size", "dataset", "library_version", "network"),
)


@pytest.fixture(scope="module")
def written(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, dict[str, Any]]:
    info = Info("t", ("a", "b"), (1, 2), sigmas=None)
    task = KIND(info, KIND.Options())
    model = create_model("unet", task.heads, 8)
    description = describe(task, "unet", 8, (64, 64), "custom")
    path = save_checkpoint(tmp_path_factory.mktemp("file") / "a.pth", model, description)
    assert set(description) == set(DESCRIPTION)
    return path, torch.load(path, weights_only=True)


def in_one_line(error: UserError) -> None:
    assert "\n" not in str(error), error
    assert len(str(error)) < 1500


@pytest.mark.parametrize("field", sorted(DESCRIPTION))
def test_no_description_ends_in_a_traceback(
    written: tuple[Path, dict[str, Any]], field: str
) -> None:
    """Every field and every value within it replaced by every wrong one, and absent."""
    path, content = written
    whole = {k: list(v) if isinstance(v, tuple) else v for k, v in content["description"].items()}
    tensors = read_checkpoint(path)
    for where in [p for p in places(whole) if p and p[0] == field]:
        for number, value in enumerate([*VALUES, None]):
            description = replaced(whole, where, value, absent=number == len(VALUES))
            try:
                checkpoint = replace(tensors, description=checked(description, str(path)))
                if number % (1 if LONG else 6) == 0:
                    load_detector(checkpoint, device="cpu")
            except UserError as error:
                in_one_line(error)


@pytest.mark.parametrize(
    ("field", "value", "told"),
    [
        ("class_names", [1, "b"], "class_names is [1, 'b'], where a text is expected"),
        ("std", (0.1, 0.0, 0.1), "std is (0.1, 0.0, 0.1), not three numbers above 0"),
        ("heads", {"hm": "2"}, "heads is {'hm': '2'}, where a whole number is expected"),
        ("input_size", (64,), "input_size is (64,), where a list of 2 is expected"),
        ("category_ids", (1,), "category_ids has 1 ids for 2 classes"),
    ],
)
def test_a_field_of_a_wrong_type_is_named(
    written: tuple[Path, dict[str, Any]], field: str, value: Any, told: str
) -> None:
    path, content = written
    description = {**content["description"], field: value}
    torch.save({**content, "description": description}, path.with_name("c.pth"))
    with pytest.raises(UserError) as error:
        read_checkpoint(path.with_name("c.pth"))
    assert str(error.value).startswith(f"{path.with_name('c.pth')}: description: {told}")


def test_options_of_a_wrong_type_are_named(written: tuple[Path, dict[str, Any]]) -> None:
    path, content = written
    options = {**content["description"]["options"], "hm_weight": "much"}
    description = {**content["description"], "options": options}
    torch.save({**content, "description": description}, path.with_name("d.pth"))
    with pytest.raises(UserError, match="options: hm_weight is 'much', where a number is expected"):
        load_detector(path.with_name("d.pth"), device="cpu")
