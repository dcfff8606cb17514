"""docs/model_zoo.md says what the program knows."""

from __future__ import annotations

import shutil
from dataclasses import replace
from pathlib import Path

import pytest

from centernet.commands.call import call
from centernet.commands.jobs.model_zoo import FIGURES, FILES, filled, tables
from centernet.models.zoo import ZOO
from centernet.runs.experiments.script import read_scripts
from centernet.runs.repro.table import WITHIN, rows_of
from centernet.runtime.errors import UserError

ROOT = Path(__file__).resolve().parents[2]
DOCUMENT = ROOT / "docs" / "model_zoo.md"


@pytest.fixture(scope="module")
def content(tmp_path_factory: pytest.TempPathFactory) -> dict[str, str]:
    """The tables where nothing has been run."""
    scripts = read_scripts(ROOT / "experiments")
    return tables(scripts, rows_of(scripts, tmp_path_factory.mktemp("nothing")))


def rows(table: str, heading: str) -> list[dict[str, str]]:
    lines = [[cell.strip() for cell in line.split("|")[1:-1]] for line in table.splitlines()]
    assert lines[0][0] == heading
    return [dict(zip(lines[0], cells, strict=True)) for cells in lines[2:]]


@pytest.mark.slow
def test_the_document_is_up_to_date(content: dict[str, str]) -> None:
    text = DOCUMENT.read_text(encoding="utf-8")
    assert filled(text, content) == text, "run: python src/tools/model_zoo.py"


@pytest.mark.slow
def test_every_script_and_every_file_has_its_row(content: dict[str, str]) -> None:
    figures = rows(content["figures"], FIGURES[0])
    scripts = read_scripts(ROOT / "experiments")
    assert len(figures) == len(scripts) == 25
    assert all(row["measured here"] == "not run" for row in figures)
    by_name = {script.name: row for script, row in zip(scripts, figures, strict=True)}
    assert by_name["ctdet_coco_dla_2x"]["published, in percent"] == (
        "AP 37.4; mirrored AP 39.2; several scales AP 41.7"
    )
    assert by_name["ctdet_coco_resdcn50"]["published, in percent"] == "none"
    assert by_name["ctdet_pascal_dla_512"]["input"] == "512 x 512"
    assert by_name["ddd_sub"]["input"] == "384 x 1280"
    files = rows(content["files"], FILES[0])
    assert [row["name"].strip("`") for row in files] == list(ZOO)
    linked = {row["weights"] for row in figures} - {"none"}
    assert linked == {
        f"`{name}`"
        for name in ZOO
        if name
        not in ("ExtremeNet_500000", "CenterNet-104", "CenterNet-52",
                "centernet_resnet18_dcnv2_140e_coco")
    }  # fmt: skip


@pytest.mark.slow
def test_costs_are_those_of_info(
    content: dict[str, str], capsys: pytest.CaptureFixture[str]
) -> None:
    assert call("info", ["multi_pose", "--arch", "dla_34"]) == 0
    printed = capsys.readouterr().out.splitlines()
    (cells,) = [line.split("|") for line in printed if line.startswith("| dla_34")]
    row = next(row for row in rows(content["figures"], "script") if "pose_dla_1x" in row["script"])
    assert row["parameters, M"] == cells[4].strip()
    assert float(row["FLOPs, G"]) == round(float(cells[5]), 1)


def test_what_was_measured_stands_beside() -> None:
    scripts = [s for s in read_scripts(ROOT / "experiments") if s.name == "ctdet_coco_dla_1x"]
    found = [
        replace(row, measured=36.04, status=WITHIN) if row.mode == "none" else row
        for row in rows_of(scripts, Path("nowhere"))
    ]
    (row,) = rows(tables(scripts, found)["figures"], "script")
    assert row["measured here"] == "AP 36.0"
    assert row["published, in percent"].startswith("AP 36.3; mirrored")


def test_the_tool_fills_the_document(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (tmp_path / "experiments").mkdir()
    (tmp_path / "docs").mkdir()
    name = "ctdet_coco_resdcn18.sh"
    shutil.copy(ROOT / "experiments" / name, tmp_path / "experiments" / name)
    document = tmp_path / "docs" / "model_zoo.md"
    document.write_text("a\n<!-- files -->\nold\n<!-- end of files -->\n")
    assert call("model_zoo", [], tmp_path) == 2
    assert "no place for a table between <!-- figures -->" in capsys.readouterr().err
    document.write_text(document.read_text() + "<!-- figures -->\n<!-- end of figures -->\nb\n")
    assert call("model_zoo", [], tmp_path) == 0
    text = document.read_text()
    assert "old" not in text
    assert text.startswith("a\n<!-- files -->\n| name |")
    assert text.endswith("<!-- end of figures -->\nb\n")
    assert "| resdcn_18 | coco | 512 x 512 | 4 | " in text


def test_a_document_without_a_place() -> None:
    with pytest.raises(UserError, match="<!-- end of files -->"):
        filled("<!-- files -->\nand so on", {"files": "| a |\n"})
