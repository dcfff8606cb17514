"""Folders of runs that never ran, written by the functions that real runs write theirs with."""

from __future__ import annotations

import json
from collections.abc import Sequence
from contextlib import suppress
from pathlib import Path

import torch

from centernet.builders.record import record_test, recorded
from centernet.io.files import digest_of
from centernet.models.checkpoint import Checkpoint
from centernet.options.options import Options
from centernet.opts import opts
from centernet.runs.experiments.launch import fitted
from centernet.runs.experiments.machine import Machine
from centernet.runs.experiments.script import Line, Script
from centernet.runs.logger import Logger
from centernet.trains.distributed import Processes

SCRIPT = """#!/usr/bin/env bash
# Boxes of a set that nobody has.
#: expected none: AP 36.3, AP50 55.1
#: expected flip: AP 38.2
#: band: 0.4
#: schedule: 3 epochs, learning rate 0.0005, a tenth after 2
#: batch: 128 on 8 GPUs of 12 GB
#: tested on: 7 images
#: source: this test
source "$(dirname "${BASH_SOURCE[0]}")/common.sh"

run train ctdet --exp_id small --dataset coco --arch res_18 --batch_size 128 --lr 5e-4 \\
    --num_epochs 3 --lr_step 2
run test ctdet --exp_id small --dataset coco --arch res_18 --keep_res --resume
run test ctdet --exp_id small --dataset coco --arch res_18 --keep_res --resume --flip_test
run test ctdet --exp_id small --dataset coco --arch res_18 --keep_res --resume \\
    --flip_test --test_scales 0.5,1
"""
CPU = Machine((-1,), None)


class Killed(Exception):
    """Stands for what no program can catch."""


class Images(list):
    """Stands for a data set."""

    results_name = "results.json"


class FabricatedRun:
    """The folder of the run of `script` under `root`; `extra` are flags given to the script."""

    def __init__(self, root: Path, script: Script, extra: Sequence[str] = ()) -> None:
        self.root, self.script, self.extra = root, script, extra
        training = script.training
        self.folder = root / "exp" / training.task / training.given["exp_id"]
        self.logger = Logger(self.folder, tensorboard=False)

    def train(self, first: int = 1, last: int = 3, killed: bool = False) -> FabricatedRun:
        """Epochs `first` to `last`, then a kill or the end."""
        if first == 1:  # as main.py begins without --resume
            (self.folder / "model_last.pth").unlink(missing_ok=True)
        options = self._options(self.script.training)
        options.save(self.folder)
        self.logger.rewind(first - 1)
        with suppress(Killed), recorded(options, Processes(), first - 1):
            for epoch in range(first, last + 1):
                self.logger.metrics(epoch, "train", {"loss": 1 / epoch})
                (self.folder / "model_last.pth").write_text(f"weights of epoch {epoch}")
            if killed:
                raise Killed
        return self

    def test(
        self, place: int, images: int = 7, epoch: int | None = None, **metrics: float
    ) -> FabricatedRun:
        """The test of the line at `place`, which finds `metrics` of the weights after `epoch`."""
        options = self._options(self.script.tests[place])
        last = max(row["epoch"] for row in self.rows() if row["phase"] == "train")
        epoch = last if epoch is None else epoch
        (self.folder / "results.json").write_text(json.dumps([options.command, metrics]))
        self.logger.metrics(epoch, "test", metrics)
        path = self.folder / "model_last.pth"
        checkpoint = Checkpoint({}, epoch=epoch, path=path)
        source = Images(range(images))
        record_test(options, checkpoint, digest_of(path), source, metrics, torch.device("cpu"))
        return self

    def rows(self) -> list[dict]:
        return [json.loads(row) for row in self.path("metrics.jsonl").read_text().splitlines()]

    def path(self, name: str) -> Path:
        return self.folder / name

    def change(self, name: str, old: str, new: str) -> None:
        """Edit a file by hand."""
        text = self.path(name).read_text()
        assert old in text
        self.path(name).write_text(text.replace(old, new))

    def _options(self, line: Line) -> Options:
        extra = [*self.extra, "--root", str(self.root)]
        command = fitted(self.script, line, extra, self.root, CPU)
        prog = "main.py" if line.verb == "train" else "test.py"
        return opts(line.verb, self.root, prog).parse(command.words).options
