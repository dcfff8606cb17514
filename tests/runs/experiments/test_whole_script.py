"""One script a task from end to end: the toy set in place of the real one, by flags alone."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest
import torch

from centernet.datasets.toy import write_toy
from centernet.datasets.toy.source import part_for
from centernet.models.checkpoint import read_checkpoint
from centernet.models.networks import create_backbone
from centernet.runs.experiments.script import read_script
from centernet.runs.provenance import ENDED, STARTED, TESTED, Record, broken_seal
from centernet.runs.repro.table import NOT_RUN, rows_of
from centernet.tasks import TASKS

FOLDER = Path(__file__).resolve().parents[3] / "experiments"
# The network is small so that a machine without a GPU gets through; the flags do the rest.
TOY = (
    "--dataset toy --arch mobilenetv3 --input_h 64 --input_w 64 --weights none --gpus -1"
    " --num_workers 0 --batch_size 4 --num_epochs 1 --num_iters 1 --val_intervals 0 --threads 1"
)
NAMES = {
    "ctdet": "ctdet_coco_dla_1x",
    "multi_pose": "multi_pose_dla_1x",
    "ddd": "ddd_3dop",
    "exdet": "exdet_coco_dla",
    "triplet": "triplet_coco_hg52",
}


def bash(name: str, root: Path, *more: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        ["bash", FOLDER / f"{name}.sh", *TOY.split(), "--root", root, *more],
        capture_output=True,
        text=True,
        check=False,
        cwd=root,
        env=os.environ | {"PYTHON": sys.executable, "OMP_NUM_THREADS": "1"},
    )


@pytest.mark.slow
@pytest.mark.parametrize("task", NAMES)
def test_trains_and_tests(task: str, tmp_path: Path) -> None:
    script = read_script(FOLDER / f"{NAMES[task]}.sh")
    part = part_for(TASKS[task].needs)
    write_toy(tmp_path / "data" / "toy", parts=[part], counts={part: (6, 2)})
    more = []
    if "load_model" in script.training.given:
        more = ["--load_model", str(weights_to_start_from(tmp_path))]

    done = bash(script.name, tmp_path, *more)
    assert done.returncode == 0, done.stderr
    assert done.stdout.count("$ python main.py") == 1
    assert done.stdout.count("$ python test.py") == len(script.tests)
    folder = tmp_path / "exp" / task / script.training.given["exp_id"]
    last = read_checkpoint(folder / "model_last.pth")
    assert (last.epoch, last.description["task"], last.description["dataset"]) == (1, task, "toy")
    events = Record(folder).read()
    assert broken_seal(events) is None
    assert [event["event"] for event in events] == [STARTED, ENDED, *[TESTED] * len(script.tests)]
    assert all("AP" in event["metrics"] for event in events[2:])
    assert {event["weights"]["sha256"] for event in events[2:]} == {events[1]["weights"]["sha256"]}
    rows = rows_of([script], tmp_path)
    assert {row.status for row in rows} == {NOT_RUN}
    assert all(row.measured is None and "dataset toy" in row.reason for row in rows)

    if len(script.tests) == 1:  # the cheapest one also runs again
        again = bash(script.name, tmp_path, *more)
        assert again.returncode == 0, again.stderr
        assert "already complete: 1 of 1 epochs" in again.stdout
        kinds = [event["event"] for event in Record(folder).read()]
        assert kinds == [STARTED, ENDED, TESTED, TESTED]


def weights_to_start_from(folder: Path) -> Path:
    path = folder / "start.pth"
    torch.save({"state_dict": create_backbone("mobilenetv3").state_dict()}, path)
    return path
