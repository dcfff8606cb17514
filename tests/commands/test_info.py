"""The table of costs."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from centernet.commands.call import call
from centernet.tasks import TASKS


def test_a_table_in_markdown(capsys: pytest.CaptureFixture[str]) -> None:
    assert call("info", ["ctdet", "--arch", "res_18,resconv_18"]) == 0
    lines = capsys.readouterr().out.splitlines()
    assert lines[0] == "ctdet, 80 classes, input 512 x 512 (height x width), one image, float32"
    rows = [[cell.strip() for cell in line.split("|")[1:-1]] for line in lines if line[:2] == "| "]
    assert len({len(row) for row in rows}) == 1
    assert rows[1][0] == "res_18"
    assert (rows[1][3], rows[1][8]) == ("15.82", "15.82")
    assert (rows[2][3], rows[2][8]) == ("14.22", "14.22")


@pytest.mark.parametrize("task", TASKS)
def test_every_task(task: str, capsys: pytest.CaptureFixture[str]) -> None:
    arch = "hourglass_52" if task == "triplet" else "res_18"
    assert call("info", [task, "--arch", arch, "--json"]) == 0
    said = json.loads(capsys.readouterr().out)
    (row,) = said["networks"]
    assert said["task"] == task
    assert row["flops"] > 1e9


def test_input_and_classes(capsys: pytest.CaptureFixture[str]) -> None:
    words = "ctdet --arch mobilenetv3 --input_h 64 --input_w 96 --num_classes 3 --json"
    assert call("info", words.split()) == 0
    few = json.loads(capsys.readouterr().out)
    assert (few["classes"], few["input"]) == (3, [64, 96])
    assert call("info", words.replace(" 3 ", " 4 ").split()) == 0
    more = json.loads(capsys.readouterr().out)
    width = 64  # of the hidden layer of the head; a weight for each of it and a bias
    assert more["networks"][0]["parameters"] - few["networks"][0]["parameters"] == width + 1


@pytest.mark.parametrize(
    ("words", "shown"),
    [("ctdet", True), ("ddd", False), ("ctdet --num_classes 3", False)],
)
def test_published_figures_stand_beside_the_same_network(
    words: str, shown: bool, capsys: pytest.CaptureFixture[str]
) -> None:
    assert call("info", [*words.split(), "--arch", "res_18"]) == 0
    assert ("| 15.82 | 90.00 |" in capsys.readouterr().out) is shown


@pytest.mark.parametrize(
    ("words", "said"),
    [
        ("cdet", "did you mean ctdet?"),
        ("ctdet --arch res18", "unknown architecture 'res18'"),
        ("ctdet --arch hourglass --input_res 96", "multiples of 128 for hourglass"),
        ("ctdet --dataset cocos", "did you mean coco"),
        ("ctdet --num_classes 0", "at least 1"),
        ("ctdet --input_res big", "--input_res: takes a whole number"),
        ("ctdet --arch res_18 --input_res 1000000000", "65536 is the longest side"),
        ("ctdet --arch res_18 --head_conv -5", "--head_conv -5: a width"),
    ],
)
def test_mistakes(words: str, said: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert call("info", words.split()) == 2
    complaint = capsys.readouterr().err
    assert said in complaint
    assert len(complaint.splitlines()) == 1


def test_the_documented_table(capsys: pytest.CaptureFixture[str]) -> None:
    """docs/checkup.md shows what the command prints."""
    text = (Path(__file__).resolve().parents[2] / "docs" / "checkup.md").read_text()
    assert call("info", ["ctdet", "--arch", "res_18,resdcn_18,resconv_18"]) == 0
    printed = [line.split("|") for line in capsys.readouterr().out.splitlines()]
    for cells in (row for row in printed if len(row) > 1 and "_18" in row[1]):
        figures = [cell.strip() for cell in (cells[1], *cells[4:7])]
        assert f"| {' | '.join(figures)} |" in text
    assert call("info", ["ctdet", "--arch", "res_18", "--input_res", "1024", "--json"]) == 0
    (row,) = json.loads(capsys.readouterr().out)["networks"]
    assert f"at 1024 x 1024 are {row['flops'] / 2e9:.1f}" in text
