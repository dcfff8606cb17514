"""Every line of every script of experiments/, up to the point where work would begin."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest
import torch

from centernet.commands.call import call
from centernet.options.parser import Parser
from centernet.options.verbs import VERBS
from centernet.opts import opts
from centernet.runs.experiments.launch import words_of
from centernet.runs.experiments.machine import accumulation, at_hand
from centernet.runs.experiments.script import Line, Script, read_scripts
from tests.published_commands import SCRIPTS as PUBLISHED
from tests.published_commands import commands
from tests.published_data import write_published
from tests.runs.experiments.test_whole_script import NAMES

FOLDER = Path(__file__).resolve().parents[3] / "experiments"
SCRIPTS = read_scripts(FOLDER)
LINES = [(script, line) for script in SCRIPTS for line in script.lines]
EACH = pytest.mark.parametrize("script", SCRIPTS, ids=lambda script: script.name)


@pytest.fixture(autouse=True)
def _cpu(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(torch.cuda, "is_available", lambda: False)


@pytest.fixture(scope="module")
def root(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_published(tmp_path_factory.mktemp("published"))


def run(script: Script, line: Line, root: Path, *extra: str) -> int:
    words = [line.verb, *words_of(line.task, line.given)]
    return call("experiment", [str(script.path), *words, "--", *extra], root)


def test_every_published_row_has_its_script() -> None:
    names = {script.name for script in SCRIPTS}
    assert len(PUBLISHED) == 19
    # The published file of the second split of KITTI has a shorter name than the flag.
    wanted = {"ddd_sub" if name == "ddd_subcnn" else name for name in PUBLISHED}
    extra = {f"ctdet_coco_{net}" for net in ("res18", "resconv18", "res50", "resdcn50")}
    extra |= {"triplet_coco_hg52", "triplet_coco_hg104"}
    assert names == wanted | extra
    assert len(list(FOLDER.glob("*.sh"))) == len(names) + 1  # common.sh


def test_commands_are_those_of_the_published_scripts() -> None:
    """But for what the scripts here add: the schedule that the tables tell, batch and rate."""
    ours = {script.name: script for script in SCRIPTS}
    for verb, text in commands():
        words = text.split()
        name = words[words.index("--exp_id") + 1].replace("ddd_subcnn", "ddd_sub")
        theirs = opts(verb).parse([w for w in words if w != "--resume"])
        candidates = [line for line in ours[name].lines if line.verb == verb]
        (line,) = [
            line
            for line in candidates
            if verb == "train"
            or (
                line.given.get("test_scales", (1.0,)) == theirs.test_scales
                and line.given.get("flip_test", False) == theirs.flip_test
            )
        ]
        own = opts(verb).parse(
            words_of(line.task, {k: v for k, v in line.given.items() if k != "resume"})
        )
        same = ["task", "dataset", "keep_res", "kitti_split"]
        if verb == "train":
            same += ["arch", "batch_size"]
            # Their rate is 1.25e-4 for any batch where the script names none.
            assert own.lr == (theirs.lr if "lr" in theirs.options.given else 1.25e-4)
            # The tables tell another schedule than these two scripts.
            same += [] if name in ("ctdet_coco_hg", "exdet_coco_hg") else ["num_epochs", "lr_step"]
        for flag in same:
            assert getattr(own, flag) == getattr(theirs, flag), (name, verb, flag)


@EACH
def test_the_header_is_true(script: Script) -> None:
    given = script.training.given
    steps = " and ".join(map(str, given["lr_step"]))
    assert script.facts["schedule"] == (
        f"{given['num_epochs']} epochs, learning rate {given['lr']:g}, a tenth after {steps}"
    )
    assert script.facts["batch"].startswith(f"{given['batch_size']} on ")
    assert script.facts["source"]
    assert set(script.expected) <= {line.mode for line in script.tests}
    assert script.expected or script.facts["source"].startswith("none")
    parts = accumulation(given["batch_size"], script.published_devices, at_hand())
    assert given["batch_size"] % parts == 0
    bands = {figure.band for figures in script.expected.values() for figure in figures}
    if given["dataset"] != "kitti":
        assert bands <= {1.0 if given["dataset"] == "pascal" else 0.4}


@EACH
def test_tests_name_what_was_trained(script: Script) -> None:
    trained = script.training.given
    for line in script.tests:
        assert line.task == script.training.task
        assert line.given["resume"]
        for flag in ("exp_id", "dataset", "arch", "input_res", "kitti_split"):
            assert line.given.get(flag) == trained.get(flag)


@EACH
def test_the_shell_runs_the_lines_that_programs_read(script: Script, tmp_path: Path) -> None:
    done = subprocess.run(
        ["bash", script.path, "--seed", "1", "--output", "a b"],
        capture_output=True,
        text=True,
        check=True,
        cwd=tmp_path,
        env=os.environ | {"PYTHON": "echo"},
    )
    said = done.stdout.splitlines()
    assert len(said) == len(script.lines)
    for row, line in zip(said, script.lines, strict=True):
        words = row.split()
        assert Path(words[0]).resolve() == FOLDER.parent / "src" / "experiment.py"
        assert words[1:3] == [str(script.path), line.verb]
        assert row.endswith(" -- --seed 1 --output a b")
        assert Parser(VERBS[line.verb]).read(words[3 : words.index("--")]) == (
            line.task,
            line.given,
        )


@pytest.mark.parametrize(
    ("active", "used"), [({}, "venv"), ({"VIRTUAL_ENV": "/x"}, "path"), ({"PYTHON": "echo"}, "")]
)
def test_which_interpreter_runs(active: dict[str, str], used: str, tmp_path: Path) -> None:
    """The project's own environment, unless another is active or an interpreter is named."""
    shutil.copytree(FOLDER, tmp_path / "experiments")
    for name, folder in (("venv", tmp_path / ".venv" / "bin"), ("path", tmp_path / "bin")):
        folder.mkdir(parents=True)
        (folder / "python").write_text(f"#!/bin/sh\necho {name}\n")
        (folder / "python").chmod(0o755)
    inherited = {n: v for n, v in os.environ.items() if n not in ("VIRTUAL_ENV", "CONDA_PREFIX")}
    done = subprocess.run(
        ["bash", tmp_path / "experiments" / SCRIPTS[0].path.name],
        capture_output=True,
        text=True,
        check=True,
        env=inherited | {"PATH": f"{tmp_path / 'bin'}:{os.environ['PATH']}"} | active,
    )
    said = done.stdout.splitlines()
    assert said
    assert all(line == used or not used for line in said)
    assert used or "experiment.py" in said[0]


@pytest.mark.parametrize(
    ("script", "line"), LINES, ids=[f"{s.name}-{line.verb}-{line.mode}" for s, line in LINES]
)
def test_dry_run(
    root: Path, script: Script, line: Line, capsys: pytest.CaptureFixture[str]
) -> None:
    before = set(root.rglob("*"))
    assert run(script, line, root, "--dry_run", "--num_workers", "0") == 0
    said = capsys.readouterr().out
    assert "nothing is written" in said
    assert f"writes: {root / 'exp' / line.task / line.given['exp_id']}" in said
    if line.verb == "train":
        count = 41 if line.given["dataset"] == "pascal" else 40  # VOC 2012 adds one
        assert f"{count} images to train on, 40 to validate on" in said
        assert f"epoch 1 to {line.given['num_epochs']}" in said
    else:
        assert "40 images to test on" in said
        assert "model_last.pth, once training has written it" in said
    assert set(root.rglob("*")) == before


@EACH
def test_dry_run_without_the_data_is_one_line(
    script: Script, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    line = script.tests[0]
    assert run(script, line, tmp_path, "--dry_run") == 2
    complaint = capsys.readouterr().err
    assert len(complaint.splitlines()) == 1
    assert "--data_dir" in complaint
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize(
    "script", [s for s in SCRIPTS if "load_model" in s.training.given], ids=lambda s: s.name
)
def test_weights_to_start_from_are_asked_for(
    script: Script, root: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    flags = ["--dry_run", "--num_workers", "0", "--data_dir", str(root / "data")]
    name = script.training.given["load_model"]
    place = tmp_path / "models" / f"{name}.pth"
    assert run(script, script.training, tmp_path, *flags) == 0
    assert f"is downloaded to {place} first" in capsys.readouterr().out
    assert run(script, script.training, tmp_path, *flags, "--offline") == 2
    assert str(place) in capsys.readouterr().err
    assert list(tmp_path.iterdir()) == []


def test_a_whole_script_without_work(root: Path, tmp_path: Path) -> None:
    done = subprocess.run(
        ["bash", FOLDER / "ddd_3dop.sh", "--dry_run", "--gpus", "-1", "--data_dir", root / "data"],
        capture_output=True,
        text=True,
        check=False,
        cwd=tmp_path,
        env=os.environ | {"PYTHON": sys.executable, "OMP_NUM_THREADS": "1"},
    )
    assert done.returncode == 0, done.stderr
    assert done.stdout.count("dry run: nothing is written") == 2
    assert "batch 8 x 2, learning rate 0.000125; published: batch 16 on 2 GPUs" in done.stdout


def test_one_script_of_every_task_runs_as_a_whole() -> None:
    assert {line.task for _, line in LINES} == set(NAMES)
