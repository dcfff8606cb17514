"""The table over fabricated runs: it prints what a whole run has measured, and nothing else."""

from __future__ import annotations

import json
import re
from collections.abc import Callable
from dataclasses import replace
from html.parser import HTMLParser
from pathlib import Path

import pytest

from centernet.commands.call import call
from centernet.io.files import digest_of
from centernet.runs import provenance
from centernet.runs.experiments.script import Script, read_script
from centernet.runs.repro.table import Row, rows_of
from tests.runs.repro.fabricated import SCRIPT, FabricatedRun


@pytest.fixture
def script(tmp_path: Path) -> Script:
    (tmp_path / "experiments").mkdir()
    path = tmp_path / "experiments" / "small.sh"
    path.write_text(SCRIPT)
    return read_script(path)


@pytest.fixture
def run(script: Script, tmp_path: Path) -> FabricatedRun:
    return FabricatedRun(tmp_path, script)


def rows(run: FabricatedRun) -> list[Row]:
    return rows_of([run.script], run.root)


def measured(run: FabricatedRun) -> list[float | None]:
    return [row.measured for row in rows(run)]


def whole(run: FabricatedRun) -> FabricatedRun:
    return run.train().test(0, AP=0.3601, AP50=0.5601).test(1, AP=0.381).test(2, AP=0.4)


def test_a_whole_run(run: FabricatedRun) -> None:
    first, second, third, fourth = rows(whole(run))
    assert (first.script, first.mode, first.metric) == ("small", "none", "AP")
    assert (first.expected, first.band, first.measured) == (36.3, 0.4, pytest.approx(36.01))
    assert (first.status, first.colour) == ("within the band", "green")
    assert first.difference == pytest.approx(-0.29)
    assert (second.metric, second.status, second.colour) == ("AP50", "outside the band", "red")
    assert (third.mode, third.colour) == ("flip", "green")
    assert (fourth.mode, fourth.expected, fourth.measured) == ("multi", None, 40)
    assert (fourth.status, fourth.colour) == ("measured, none published", "plain")


def test_a_figure_says_where_it_comes_from(run: FabricatedRun) -> None:
    origin = rows(whole(run))[2].origin
    assert origin is not None
    commit, changed = provenance.commit_here()
    assert (origin.commit, origin.changed, origin.elsewhere) == (commit, changed, False)
    assert origin.weights == digest_of(run.path("model_last.pth"))
    assert origin.hardware.endswith("threads")
    assert origin.command.startswith("test.py ctdet --exp_id small")
    assert "--flip_test" in origin.command
    for part in (origin.weights[:10], origin.hardware, "--flip_test"):
        assert part in str(origin)


@pytest.mark.parametrize(
    ("value", "colour"),
    [(0.3590, "green"), (0.3584, "red"), (0.3670, "green"), (0.3674, "green"), (0.3676, "red")],
)
def test_the_edge_of_the_band(run: FabricatedRun, value: float, colour: str) -> None:
    """Published with one decimal, compared with one."""
    assert rows(run.train().test(0, AP=value, AP50=0.5))[0].colour == colour


def test_no_run_at_all(run: FabricatedRun) -> None:
    run.folder.rmdir()
    assert [row.status for row in rows(run)] == ["not run"] * 4
    assert measured(run) == [None] * 4
    assert rows(run)[0].reason == "no run in exp/ctdet/small"


def test_trained_but_not_tested(run: FabricatedRun) -> None:
    assert {row.reason for row in rows(run.train())} == {"trained, but not tested"}


def test_tested_only_in_part(run: FabricatedRun) -> None:
    run.train().test(1, AP=0.38)
    assert [row.status for row in rows(run)] == ["not run", "not run", "within the band", "not run"]
    assert "flip_test on, not off" in rows(run)[0].reason


def test_a_killed_training_has_no_figures(run: FabricatedRun) -> None:
    run.train(last=2, killed=True).test(0, AP=0.363, AP50=0.551)
    assert measured(run) == [None] * 4
    assert rows(run)[0].reason == "training is not finished: epoch 2 of 3"
    with run.path("metrics.jsonl").open("a") as file:
        file.write('{"epoch": 3, "phase": "tr')  # cut off by the kill
    assert rows(run)[0].reason == "training is not finished: epoch 2 of 3"


def test_killed_and_resumed(run: FabricatedRun) -> None:
    run.train(last=2, killed=True).train(first=3).test(0, AP=0.363, AP50=0.551)
    assert rows(run)[0].colour == "green"


def test_trained_anew_over_a_whole_run(run: FabricatedRun) -> None:
    whole(run).train(last=1, killed=True)
    assert rows(run)[0].reason == "training is not finished: epoch 1 of 3"
    assert measured(run) == [None] * 4


def test_figures_of_earlier_weights_are_gone(run: FabricatedRun) -> None:
    run.train(last=2, killed=True).test(0, AP=0.363, AP50=0.551)
    run.train(first=3)
    assert "other weights" in rows(run)[0].reason
    assert measured(run) == [None] * 4


@pytest.mark.parametrize(
    ("extra", "said"),
    [
        ("--dataset toy", "dataset toy, not coco"),
        ("--num_iters 5", "num_iters 5, not -1"),
        ("--batch_size 64", "images a step 64, not 128"),
        ("--amp bf16", "amp bf16, not none"),
        ("--wh_weight 1", "wh_weight 1.0, not 0.1"),
        ("--num_epochs 4", "num_epochs 4, not 3"),
        ("--load_model x.pth", "did not start from the weights of the script"),
    ],
)
def test_another_experiment_in_the_same_folder(
    script: Script, tmp_path: Path, extra: str, said: str
) -> None:
    run = FabricatedRun(tmp_path, script, extra.split()).train().test(0, AP=0.363, AP50=0.551)
    assert said in rows(run)[0].reason
    assert measured(run) == [None] * 4


def test_where_it_ran_does_not_matter(script: Script, tmp_path: Path) -> None:
    extra = [
        "--num_workers",
        "0",
        "--batch_size",
        "32",
        "--accumulate",
        "4",
        "--seed",
        "3",
        "--print_iter",
        "7",
    ]
    run = FabricatedRun(tmp_path, script, extra).train().test(0, AP=0.363, AP50=0.551)
    assert rows(run)[0].colour == "green"


def test_tested_with_other_flags(run: FabricatedRun, script: Script, tmp_path: Path) -> None:
    run.train()
    FabricatedRun(tmp_path, script, ["--K", "300"]).test(0, AP=0.363, AP50=0.551)
    assert rows(run)[0].reason == "tested otherwise: K 300, not 100"


def test_the_last_of_several_tests_counts(run: FabricatedRun) -> None:
    run.train().test(0, AP=0.1, AP50=0.2).test(0, AP=0.363, AP50=0.551)
    assert rows(run)[0].measured == pytest.approx(36.3)


def test_a_part_of_the_images_is_no_row(run: FabricatedRun) -> None:
    run.train().test(0, images=5, AP=0.363, AP50=0.551)
    assert rows(run)[0].reason == "tested on 5 images, not 7"
    assert measured(run) == [None] * 4


def test_weights_replaced_during_the_test(run: FabricatedRun) -> None:
    """The training beside it ends: the file at the end of the test is not what was tested."""
    run.train().test(0, epoch=2, AP=0.363, AP50=0.551)
    assert rows(run)[0].reason == "tested after epoch 2, not 3"
    assert measured(run) == [None] * 4


def test_resumed_without_a_record_of_the_beginning(run: FabricatedRun) -> None:
    run.train(last=2, killed=True)
    run.path("run.json").unlink()
    run.train(first=3).test(0, AP=0.363, AP50=0.551)
    assert rows(run)[0].reason == "run.json does not tell of the first 2 epochs"
    assert measured(run) == [None] * 4


@pytest.mark.parametrize(
    ("given", "same"),
    [
        ("", True),
        ("--load_model ../models/ctdet_coco_dla_2x.pth", True),
        ("--load_model exp/ctdet/mine/model_best.pth", False),
        ("--load_model ctdet_coco_dla_1x", False),
    ],
)
def test_the_weights_that_a_script_starts_from(tmp_path: Path, given: str, same: bool) -> None:
    (tmp_path / "experiments").mkdir()
    path = tmp_path / "experiments" / "small.sh"
    path.write_text(
        SCRIPT.replace("--num_epochs 3", "--num_epochs 3 --load_model ctdet_coco_dla_2x")
    )
    run = FabricatedRun(tmp_path, read_script(path), given.split()).train()
    first = rows(run.test(0, AP=0.363, AP50=0.551))[0]
    assert (first.colour == "green") is same
    assert same or "did not start from the weights of the script" in first.reason


def test_of_another_commit(run: FabricatedRun, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(provenance, "commit_here", lambda: ("f" * 40, True))
    whole(run)
    monkeypatch.undo()
    origin = rows(run)[0].origin
    assert origin is not None
    assert (origin.commit, origin.changed, origin.elsewhere) == ("f" * 40, True, True)
    assert "ffffffffff, changed, not this one" in str(origin)


def test_trained_at_another_commit(
    run: FabricatedRun, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """The figure is that of the weights: where they were trained is named beside the test."""
    monkeypatch.setattr(provenance, "commit_here", lambda: ("a" * 40, False))
    run.train(last=2, killed=True)
    monkeypatch.setattr(provenance, "commit_here", lambda: ("b" * 40, True))
    run.train(first=3)
    monkeypatch.undo()
    run.test(0, AP=0.363, AP50=0.551)
    origin = rows(run)[0].origin
    assert origin is not None
    assert not origin.elsewhere
    assert [(part.commit, part.changed, part.elsewhere) for part in origin.trained] == [
        ("a" * 40, False, True),
        ("b" * 40, True, True),
    ]
    assert "trained: aaaaaaaaaa, not this one" in str(origin)
    assert "then bbbbbbbbbb, changed, not this one" in str(origin)
    assert call("repro", [], run.root) == 0
    table = json.loads((run.root / "exp" / "repro.json").read_text())
    assert "--batch_size 16" in table["rows"][0]["origin"]["trained"][0]["command"]


EDITS: dict[str, tuple[Callable[[FabricatedRun], object], str]] = {
    "figure": (lambda run: run.change("run.json", "0.3601", "0.3631"), "changed by hand (event 3)"),
    "hardware": (lambda run: run.change("run.json", '"hardware"', '"fast"'), "changed by hand"),
    "not json": (lambda run: run.path("run.json").write_text("{"), "run.json cannot be read"),
    "metrics": (
        lambda run: run.change("metrics.jsonl", "0.3601", "0.3631"),
        "metrics.jsonl does not tell the figures",
    ),
    "epochs": (
        lambda run: run.path("metrics.jsonl").write_text(
            "".join(
                line + "\n"
                for line in run.path("metrics.jsonl").read_text().splitlines()
                if '"epoch": 2' not in line
            )
        ),
        "metrics.jsonl does not tell of every epoch",
    ),
    "options": (
        lambda run: run.change("opt.json", '"lr": 0.0005', '"lr": 0.001'),
        "opt.json is not what",
    ),
    "options of another kind": (
        lambda run: run.path("opt.json").write_text("[]"),
        "opt.json is not what",
    ),
    "metrics of another kind": (
        lambda run: run.path("metrics.jsonl").write_bytes(b'\xff{"epoch": "1", "phase": "train"}'),
        "metrics.jsonl does not tell of every epoch",
    ),
    "a folder for metrics": (
        lambda run: (run.path("metrics.jsonl").unlink(), run.path("metrics.jsonl").mkdir()),
        "metrics.jsonl: Is a directory",
    ),
    "a folder for weights": (
        lambda run: (run.path("model_last.pth").unlink(), run.path("model_last.pth").mkdir()),
        "model_last.pth: Is a directory",
    ),
    "no options": (lambda run: run.path("opt.json").unlink(), "opt.json is not what"),
    "weights": (
        lambda run: run.path("model_last.pth").write_text("better ones"),
        "model_last.pth is no longer what was tested",
    ),
}


@pytest.mark.parametrize("edit", EDITS)
def test_edited_by_hand(run: FabricatedRun, edit: str) -> None:
    change, said = EDITS[edit]
    change(whole(run))
    row = rows(run)[0]
    assert (row.status, row.colour, row.measured) == ("not trusted", "red", None)
    assert said in row.reason


def test_edited_detections(run: FabricatedRun) -> None:
    """Only the last test's are still there to be compared."""
    whole(run)
    run.change("results.json", "0.4", "0.5")
    assert [row.status for row in rows(run)][2:] == ["within the band", "not trusted"]
    assert rows(run)[3].reason == "results.json is no longer what was evaluated"


def test_a_folder_without_a_record(run: FabricatedRun) -> None:
    whole(run)
    run.path("run.json").unlink()
    assert {row.reason for row in rows(run)} == {"no run.json in exp/ctdet/small"}
    assert measured(run) == [None] * 4


def test_weights_that_were_tidied_away(run: FabricatedRun) -> None:
    whole(run)
    run.path("model_last.pth").unlink()
    assert rows(run)[0].colour == "green"


def test_weights_that_are_published(tmp_path: Path) -> None:
    """A script without training: what counts is the test alone."""
    path = tmp_path / "tested.sh"
    path.write_text(re.sub(r"run train .*\n.*\n", "", SCRIPT).replace("--resume", "--load_model w"))
    trained = tmp_path / "small.sh"
    trained.write_text(SCRIPT)
    run = FabricatedRun(tmp_path, read_script(trained)).train().test(0, AP=0.363, AP50=0.551)
    script = read_script(path)
    assert script.training is None
    assert [row.colour for row in rows_of([script], run.root)] == [
        "green",
        "green",
        "plain",
        "plain",
    ]


class Links(HTMLParser):
    """What a page would fetch, and its texts."""

    def __init__(self) -> None:
        super().__init__()
        self.fetched: list[str] = []
        self.cells: list[tuple[str, str]] = []  # (class of the row, text)
        self.row = ""

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        given = dict(attrs)
        self.fetched += [f"{tag} {v}" for k, v in given.items() if k in ("src", "href")]
        self.fetched += [tag] if tag in ("script", "link", "iframe", "img") else []
        if tag == "tr":
            self.row = given.get("class") or ""

    def handle_data(self, data: str) -> None:
        if data.strip():
            self.cells.append((self.row, data))


def test_the_command_writes_three_files(
    run: FabricatedRun, capsys: pytest.CaptureFixture[str]
) -> None:
    whole(run)
    assert call("repro", [], run.root) == 0
    said = capsys.readouterr().out
    markdown = (run.root / "exp" / "repro.md").read_text()
    assert markdown in said
    assert "2 within the band, 1 outside the band, 1 measured, none published" in said
    lines = markdown.splitlines()
    assert {line.count("|") for line in lines} == {10}
    assert "| 36.3 | ± 0.4 | 36.01 | -0.29 | 🟢 within the band |" in lines[2]
    assert "| 55.1 | ± 0.4 | 56.01 | +0.91 | 🔴 outside the band |" in lines[3]
    content = json.loads((run.root / "exp" / "repro.json").read_text())
    assert content["rows"][0]["measured"] == pytest.approx(36.01)
    assert content["rows"][0]["origin"]["weights"] == digest_of(run.path("model_last.pth"))
    assert content["commit"] == provenance.commit_here()[0]
    page = Links()
    text = (run.root / "exp" / "repro.html").read_text()
    page.feed(text)
    assert page.fetched == []
    assert "url(" not in text
    assert ("green", "36.01") in page.cells
    assert ("red", "56.01") in page.cells


def test_nothing_in_the_page_is_markup(run: FabricatedRun) -> None:
    from centernet.runs.repro.render import to_html, to_markdown

    row = replace(rows(run)[0], reason="<script>alert(1)</script> | a\n| b")
    assert "<script>" not in to_html([row], None)
    assert to_markdown([row]).splitlines()[2].replace("\\|", "").count("|") == 10


def test_scripts_by_name(run: FabricatedRun, capsys: pytest.CaptureFixture[str]) -> None:
    assert call("repro", ["small", "--output", str(run.root / "out")], run.root) == 0
    assert (run.root / "out" / "repro.md").exists()
    capsys.readouterr()
    for words, said in (
        (["smal"], "no script smal; did you mean small?"),
        (["--root", str(run.root / "exp")], "no script of an experiment in this folder"),
        (["--output", str(run.root / "experiments" / "small.sh")], "--output names another"),
        (["--lines"], "--lines"),
    ):
        assert call("repro", words, run.root) == 2
        complaint = capsys.readouterr().err
        assert complaint.startswith("repro.py: ")
        assert said in complaint
        assert len(complaint.splitlines()) == 1
