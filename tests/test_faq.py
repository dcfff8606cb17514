"""What docs/faq.md says that the program prints, the program prints."""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys
from pathlib import Path

import pytest
import torch

from centernet import cli
from tests.tiny_coco import write_tiny_coco

FAQ = Path(__file__).resolve().parents[1] / "docs" / "faq.md"
BLOCKS = re.findall(r"```text\n(.*?)```", FAQ.read_text(encoding="utf-8"), re.DOTALL)
QUOTES = sorted({line for block in BLOCKS for line in block.splitlines()})
NEW = [
    "--arch",
    "mobilenetv3",
    "--weights",
    "none",
    "--input_res",
    "64",
    "--num_workers",
    "0",
    "--gpus",
    "-1",
]


def one_class(folder: Path) -> list[str]:
    """The tiny set with one other class and two faults, trained and judged on the same."""
    data = json.loads((folder / "train.json").read_text())
    data["categories"] = [{"id": 3, "name": "rumex"}]
    for row in data["annotations"]:
        row["category_id"] = 3
    data["annotations"][0]["bbox"][2] = -3
    data["annotations"][1]["category_id"] = 77
    for name in ("t", "v"):
        (folder / f"{name}.json").write_text(json.dumps(data))
    files = ["--train_json", str(folder / "t.json"), "--val_json", str(folder / "v.json")]
    return ["--dataset", "custom", *files, "--image_dir", str(folder / "images")]


@pytest.fixture(scope="module")
def said(tmp_path_factory: pytest.TempPathFactory) -> str:
    """Everything that a day of misfortunes prints."""
    root = tmp_path_factory.mktemp("root")
    data, other = write_tiny_coco(root / "tiny"), one_class(root / "tiny")
    last = str(root / "exp" / "ctdet" / "a" / "model_last.pth")
    few = ["--batch_size", "4", "--num_epochs"]
    show = ["--demo", str(root / "tiny" / "images" / "1.png"), "--vis_thresh", "0.99"]
    commands = [
        ("train", 0, ["ctdet", "--exp_id", "a", *NEW, *data, *few, "2"]),
        ("train", 0, ["ctdet", "--exp_id", "a", "--resume", "--num_workers", "0"]),
        (
            "demo",
            0,
            ["ctdet", "--exp_id", "a", "--resume", *show],
        ),
        ("train", 2, ["multi_pose", *NEW, *data]),
        ("train", 2, ["ctdet", "--arch", "res_18", "--weights", "imagenet", *data, "--offline"]),
        ("train", 2, ["ctdet", "--exp_id", "n", *NEW, *data, *few, "1", "--lr", "1e18"]),
        ("train", 2, ["ctdet", *NEW, *data, "--input_res", "100"]),
        ("train", 0, ["ctdet", "--exp_id", "b", "--load_model", last, *NEW[4:], *other, *few, "1"]),
        ("test", 2, ["ctdet", "--load_model", last, *other]),
    ]
    with pytest.MonkeyPatch.context() as patch:
        lines: list[str] = []
        for stream in ("stdout", "stderr"):
            patch.setattr(getattr(sys, stream), "write", lines.append)
        patch.setattr(torch.cuda, "is_available", lambda: False)
        for verb, code, words in commands:
            assert cli.call(verb, words, root) == code, words
    return "".join(lines)


@pytest.mark.parametrize("quote", QUOTES)
def test_it_is_printed(quote: str, said: str) -> None:
    parts = map(re.escape, quote.split("..."))
    assert re.search(".*?".join(parts), said), quote


def test_there_is_something_to_compare() -> None:
    assert len(QUOTES) >= 11


PROGRAM = """
import multiprocessing, sys
from centernet import cli
if __name__ == "__main__":
    multiprocessing.set_start_method("spawn")
    sys.exit(cli.train(sys.argv[1:]))
"""


@pytest.mark.slow
@pytest.mark.heavy
def test_loading_processes_as_windows_starts_them(tmp_path: Path) -> None:
    (tmp_path / "program.py").write_text(PROGRAM)
    data = write_tiny_coco(tmp_path / "tiny")
    words = ["ctdet", *NEW, *data, "--batch_size", "4", "--num_epochs", "1", "--num_workers", "1"]
    done = subprocess.run(
        [sys.executable, "program.py", *words, "--val_intervals", "1"],
        cwd=tmp_path, capture_output=True, text=True, check=False,
        env=os.environ | {"OMP_NUM_THREADS": "1"},
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    assert (tmp_path / "exp" / "ctdet" / "default" / "model_last.pth").exists()
