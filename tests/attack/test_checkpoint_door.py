from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from centernet.datasets.source import Info
from centernet.detectors.load import load_detector
from centernet.models.checkpoint import read_checkpoint, save_checkpoint
from centernet.models.description import describe
from centernet.models.model import create_model
from centernet.runtime.errors import UserError
from centernet.tasks import TASKS
from tests.attack.mutate import LONG, TRIED, places, replaced

KIND = TASKS["ctdet"]
VALUES: list[Any] = [
    None, True, 0, -1, 7, 0.5, float("nan"), float("inf"), 2**70, "", "a", "0", b"x", [], [[]],
    ["a"], [1, 2], (1, 2, 3), {}, {"a": 1}, {1: 2}, torch.zeros(2), torch.tensor(1), [None] * 3,
    (0.1, 0.2, float("nan")), "a" * 5000, [torch.zeros(1)],
]  # fmt: skip


@pytest.fixture(scope="module")
def written(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, dict[str, Any]]:
    info = Info("t", ("a", "b"), (1, 2), sigmas=None)
    task = KIND(info, KIND.Options())
    model = create_model("unet", task.heads, 8)
    description = describe(task, model, "unet", 8, (64, 64), "custom")
    path = save_checkpoint(tmp_path_factory.mktemp("file") / "a.pth", model, description)
    return path, torch.load(path, weights_only=True)


def in_one_line(error: UserError, path: Path) -> None:
    assert "\n" not in str(error), error
    assert str(error).startswith(str(path))
    assert len(str(error)) < 1500


@TRIED
@given(data=st.data())
def test_no_description_ends_in_a_traceback(
    written: tuple[Path, dict[str, Any]], data: st.DataObject
) -> None:
    path, content = written
    description = content["description"]
    for _ in range(data.draw(st.integers(1, 2))):
        plain = {k: list(v) if isinstance(v, tuple) else v for k, v in description.items()}
        where = data.draw(st.sampled_from([p for p in places(plain) if p]))
        value = data.draw(st.sampled_from(VALUES))
        description = replaced(plain, where, value, absent=data.draw(st.integers(0, 7)) == 0)
    torch.save({**content, "description": description}, path.with_name("b.pth"))
    try:
        checkpoint = read_checkpoint(path.with_name("b.pth"))
        if LONG or data.draw(st.integers(0, 9)) == 0:
            load_detector(checkpoint, device="cpu")
    except UserError as error:
        in_one_line(error, path.with_name("b.pth"))


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
