"""The page of a run: whole, alone, legible."""

from __future__ import annotations

import json
import re
import shutil
import subprocess
from html.parser import HTMLParser
from pathlib import Path

import cv2
import numpy as np
import pytest

from centernet.commands.call import call
from centernet.io.run_folder import RunFolder
from centernet.runs.report.report import write_report
from centernet.runtime.errors import UserError

VOID = {"meta", "link", "img", "br"}
BROWSER = next(
    filter(None, map(shutil.which, ("chromium", "chromium-browser", "google-chrome"))), None
)


class Reader(HTMLParser):
    """Checks that every element is closed, and collects ids, links, texts and addresses."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.open: list[str] = []
        self.ids: list[str] = []
        self.links: list[str] = []
        self.addresses: list[str] = []
        self.unnamed: list[str] = []
        self.feed(text)
        assert self.open == []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        values = dict(attrs)
        if tag not in VOID:
            self.open.append(tag)
        if values.get("id"):
            self.ids.append(str(values["id"]))
        for name in ("href", "src", "xlink:href"):
            if values.get(name):
                place = self.links if name == "href" and tag == "a" else self.addresses
                place.append(str(values[name]))
        if (tag == "img" and not values.get("alt")) or (
            tag == "svg" and not values.get("aria-label")
        ):
            self.unnamed.append(tag)

    def handle_startendtag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.handle_starttag(tag, attrs)
        if tag not in VOID:
            self.open.pop()

    def handle_endtag(self, tag: str) -> None:
        assert self.open.pop() == tag


def made_up(path: Path, epochs: int = 5, tested: bool = True, classes: int = 3) -> RunFolder:
    """A run with everything that a page shows."""
    run = RunFolder(path)
    run.findings.parent.mkdir(parents=True)
    rows: list[dict] = []
    for epoch in range(1, epochs + 1):
        rows.append({"epoch": epoch, "phase": "train", "loss": 3 / epoch, "hm_loss": 1 / epoch,
                     "lr": 1e-3, "seconds": 7.5})  # fmt: skip
        rows.append(
            {"epoch": epoch, "phase": "val", "loss": 4 / epoch, "AP": epoch / 10, "APl": None}
        )
    if tested:
        rows.append({"epoch": epochs, "phase": "test", "AP": 0.6123, "AP50": 0.8})
    run.file("metrics.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows))
    run.file("opt.json").write_text(json.dumps({"task": "ctdet", "arch": "res_18", "lr": 1e-3}))
    said = "time per image: tot 59.5 ms | net 53.7 ms\n<script>alert(1)</script>\n"
    run.file("log.txt").write_text(said)
    if not tested:
        return run
    names = [f"kind {n} <b>" for n in range(classes)]
    evaluation = {
        "metrics": {"AP": 0.6123},
        "per_class": {name: {"AP": 0.5, "AP50": 0.75} for name in names},
        "curves": {name: [[0, 0.5, 1], [1, 0.9, 0]] for name in names},
        "curves_at": "IoU 0.5",
        "by_size": {"all": {"0.50": 0.7, "0.55": 0.4}, "small": {"0.50": -1, "0.55": -1}},
    }
    run.file("evaluation.json").write_text(json.dumps(evaluation))
    cv2.imwrite(str(run.findings.parent / "worst_1.jpg"), np.full((40, 120, 3), 90, np.uint8))
    found = {
        "threshold": 0.3,
        "classes": names,
        "objects": list(range(classes)),
        "confusion": np.eye(classes + 1, dtype=int).tolist(),
        "kinds": [[5, 1, 2, 3, 4]] * classes,
        "missed": [[1, 2, 3]] * classes,
        "calibration": {"count": [4] * 10, "right": [-1, *(n / 10 for n in range(1, 10))]},
        "best_thresholds": {names[0]: {"score": 0.31, "precision": 0.7, "recall": 0.6, "f1": 0.65}},
        "joints": [{"joint": "left <eye>", "count": 5, "median": 0.02, "near": 0.8}],
        "depths": [{"range": "0 to 10 m", "objects": 4, "found": 0.5, "median": None}],
        "worst": [{"file": "a.jpg", "picture": "worst_1.jpg", "right": 1, "wrong": 2, "missed": 3}],
        "best": [],
    }
    run.findings.write_text(json.dumps(found))
    return run


def test_the_page_stands_alone(tmp_path: Path) -> None:
    path = write_report(made_up(tmp_path / "a"), {"arch": "dla_34", "lr": None, "seed": 317})
    text = path.read_text()
    reader = Reader(text)
    assert len(set(reader.ids) & {"metrics", "training", "classes", "mistakes", "images"}) == 5
    assert [link for link in reader.links if link[1:] not in reader.ids] == []
    assert [a for a in reader.addresses if not a.startswith(("data:", "#"))] == []
    assert reader.unnamed == []
    assert "<script" not in text
    assert "url(http" not in text
    for shown in ("0.6123", "kind 1 &lt;b&gt;", "--arch", "res_18", "59.5 ms", "1 right, 2 wrong"):
        assert shown in text, shown
    assert "--seed" not in text  # as by default
    assert "#010203" not in text  # the ink is the page's own
    assert len(text) < 6_000_000


def test_of_a_training_alone_and_of_many_classes(tmp_path: Path) -> None:
    text = write_report(made_up(tmp_path / "a", epochs=1, tested=False), {}).read_text()
    assert "Losses, train" in text
    assert "Mistakes" not in text
    Reader(write_report(made_up(tmp_path / "b", classes=80), {}).read_text())


def test_beside_another_run(tmp_path: Path) -> None:
    other = made_up(tmp_path / "other <i>", epochs=3, tested=False)
    text = write_report(made_up(tmp_path / "a"), {}, other).read_text()
    Reader(text)
    assert "other &lt;i&gt;" in text
    assert "+0.3123" in text  # AP 0.6123 beside 0.3


@pytest.mark.usefixtures("pages")
def test_the_command(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    made_up(tmp_path / "exp" / "ctdet" / "a")
    assert call("report", ["ctdet", "--exp_id", "a"], tmp_path) == 0
    path = tmp_path / "exp" / "ctdet" / "a" / "report.html"
    assert capsys.readouterr().out == f"report: {path}\n"
    assert path.exists()
    assert call("report", ["ctdet", "--exp_id", "b"], tmp_path) == 2
    assert "holds no run to report of" in capsys.readouterr().err
    assert call("report", ["ctdet", "--exp_id", "a", "--compare", "c"], tmp_path) == 2


def test_a_damaged_file_is_named(tmp_path: Path) -> None:
    run = made_up(tmp_path / "a")
    run.findings.write_text("{")
    with pytest.raises(UserError, match=r"findings\.json: cannot be read"):
        write_report(run, {})


@pytest.mark.skipif(BROWSER is None, reason="no Chromium here")
@pytest.mark.parametrize("width", [400, 1400])
def test_in_a_browser(tmp_path: Path, width: int) -> None:
    """Nothing sticks out at the side, and the browser has nothing to complain of."""
    text = write_report(made_up(tmp_path / "a", classes=15), {"arch": "dla_34"}).read_text()
    probe = (
        "<script>document.title = [document.documentElement.scrollWidth, innerWidth,"
        " document.querySelectorAll('svg').length].join(' ')</script>"
    )
    page = tmp_path / "page.html"
    page.write_text(text.replace("</body>", f"{probe}</body>"))
    done = subprocess.run(
        [str(BROWSER), "--headless", "--no-sandbox", "--disable-gpu", "--enable-logging=stderr",
         "--hide-scrollbars", f"--window-size={width},1000", "--dump-dom", page.as_uri()],
        capture_output=True, text=True, check=True, timeout=120,
    )  # fmt: skip
    assert "CONSOLE" not in done.stderr
    title = re.search(r"<title>(\d+) (\d+) (\d+)</title>", done.stdout)
    assert title is not None
    scroll, inner, drawings = map(int, title.groups())
    assert inner <= max(width, 500)  # a headless window has a least width
    assert scroll <= inner
    assert drawings >= 6


def test_sizes_joints_and_distances(tmp_path: Path) -> None:
    run = made_up(tmp_path / "run")
    text = write_report(run, {}).read_text()
    assert '<th scope="row">all</th><td>0.700</td><td>0.400</td>' in text
    assert '<th scope="row">small</th>' not in text  # nothing there to decide
    assert "left &lt;eye&gt;</th><td>5</td><td>0.020</td><td>80.0%</td>" in text
    assert "0 to 10 m</th><td>4</td><td>50.0%</td><td></td>" in text
