"""HOTA, CLEAR and IDF1 beside TrackEval on a made-up set as large as MOT17's training part.

`python bench/tracking.py --rival PYTHON`: PYTHON is an interpreter that has trackeval installed
(`python -m venv rival && rival/bin/pip install trackeval`); this project never needs it. Both sides
read the same text files and evaluate them on one core, in turn; their scores are compared first.
Exit code 1 where the goal is missed.
"""

from __future__ import annotations

import argparse
import json
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import numpy as np

from centernet.datasets.evaluate.mot_rules import MotTruth, countable, read_mot, rows_of
from centernet.datasets.evaluate.tracking import Scores

LENGTHS = (600, 1050, 837, 525, 654, 900, 750)  # frames of MOT17's seven training videos
OBJECTS = 24  # in sight at a time; MOT17 has about 21, and distractors
GOAL = 5.0
SHOWN = ("HOTA", "DetA", "AssA", "MOTA", "IDF1", "IDSW")

# Run by the rival's interpreter: prints seconds and scores as json.
RIVAL = """
import contextlib, io, json, sys, time
import numpy as np, trackeval
root, lengths = sys.argv[1], json.loads(sys.argv[2])
quiet = {"PRINT_CONFIG": False}
start = time.perf_counter()
with contextlib.redirect_stdout(io.StringIO()):
    evaluator = trackeval.Evaluator({**quiet, "USE_PARALLEL": False, "PRINT_RESULTS": False,
        "OUTPUT_SUMMARY": False, "OUTPUT_DETAILED": False, "PLOT_CURVES": False,
        "TIME_PROGRESS": False, "BREAK_ON_ERROR": True})
    data = trackeval.datasets.MotChallenge2DBox({**quiet, "GT_FOLDER": root + "/gt",
        "TRACKERS_FOLDER": root + "/trackers", "TRACKERS_TO_EVAL": ["us"], "BENCHMARK": "MOT17",
        "SKIP_SPLIT_FOL": True, "SEQ_INFO": lengths})
    metrics = [getattr(trackeval.metrics, n)(quiet) if n != "HOTA" else trackeval.metrics.HOTA()
               for n in ("HOTA", "CLEAR", "Identity")]
    results, _ = evaluator.evaluate([data], metrics)
seconds = time.perf_counter() - start
flat = {}
for values in results["MotChallenge2DBox"]["us"]["COMBINED_SEQ"]["pedestrian"].values():
    flat.update({k: float(np.mean(v)) for k, v in values.items()})
print(json.dumps([seconds, flat]))
"""


def made_up(root: Path, shorter: int) -> dict[str, int]:
    """Write gt and results of all videos; returns their lengths."""
    rng = np.random.default_rng(0)
    lengths = {}
    for number, frames in enumerate(LENGTHS, start=1):
        name, length = f"MADE-{number:02d}", frames // shorter
        lengths[name] = length
        truth, found = video(rng, length)
        for path, rows in (
            (f"gt/{name}/gt/gt.txt", truth),
            (f"trackers/us/data/{name}.txt", found),
        ):
            (root / path).parent.mkdir(parents=True, exist_ok=True)
            lines = (",".join(f"{value:g}" for value in row) for row in rows.tolist())
            (root / path).write_text("\n".join(lines) + "\n")
    return lengths


def video(rng: np.random.Generator, length: int) -> tuple[np.ndarray, np.ndarray]:
    """gt rows and result rows: walkers that come and go, tracks that miss, stray and switch."""
    life, walkers = 120, OBJECTS * length // 120 + OBJECTS
    truth, found = [], []
    for walker in range(1, walkers + 1):
        first = rng.integers(-life, length)
        frames = np.arange(max(first, 0), min(first + life, length))
        start, step = rng.uniform((0, 300), (1800, 700)), rng.normal(0, 2, 2)
        size = rng.uniform((40, 100), (100, 260))
        kind = rng.choice([1, 1, 1, 1, 1, 1, 7, 8, 12])
        corner = start + step * (frames - first)[:, None]
        count = len(frames)
        head = np.stack([frames + 1, np.full(count, walker)], axis=1)
        box = np.concatenate([corner, np.tile(size, (count, 1))], axis=1)
        tail = np.tile([float(kind == 1), kind, 1.0], (count, 1))
        truth.append(np.concatenate([head, box, tail], axis=1))
        seen = rng.uniform(size=count) < 0.85
        track = walker + walkers * (np.arange(count) > rng.integers(0, 2 * life))
        noisy = box + rng.normal(0, 0.06, box.shape) * np.tile(size, (count, 2))
        row = np.stack([frames + 1, track], axis=1)
        rest = np.tile([0.9, -1, -1, -1], (count, 1))
        found.append(np.concatenate([row, noisy, rest], axis=1)[seen])
    return tuple(np.concatenate(rows).round(2) for rows in (truth, found))


def ours(root: Path, lengths: dict[str, int]) -> tuple[float, dict[str, float]]:
    """Seconds and scores, from the same files."""
    start = time.perf_counter()
    parts = []
    for name, length in lengths.items():
        truth = MotTruth.of(read_mot(root / f"gt/{name}/gt/gt.txt", 7))
        found = rows_of(read_mot(root / f"trackers/us/data/{name}.txt"))
        parts.append(Scores.of(*countable(truth, found, "MOT17", length), length))
    scores = Scores.total(parts).metrics()
    return time.perf_counter() - start, scores


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--rival", required=True, help="a Python that has trackeval")
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--shorter", type=int, default=1, help="divide the videos' lengths by this")
    options = parser.parse_args()
    here, there = [], []
    with tempfile.TemporaryDirectory() as folder:
        root = Path(folder)
        lengths = made_up(root, options.shorter)
        command = [options.rival, "-c", RIVAL, folder, json.dumps(lengths)]
        for _ in range(options.rounds):
            seconds, scores = ours(root, lengths)
            here.append(seconds)
            answer = subprocess.run(command, check=True, capture_output=True, text=True).stdout
            seconds, rival = json.loads(answer.splitlines()[-1])
            there.append(seconds)
            for name in SHOWN:
                assert np.isclose(scores[name], rival[name], atol=1e-9), name
    print(" ".join(f"{name} {scores[name]:.5g}" for name in SHOWN), "on both sides")
    ratio = min(there) / min(here)
    print(
        f"TrackEval {min(there):.2f} s, here {min(here):.2f} s: {ratio:.1f} times (goal {GOAL:g})"
    )
    return int(ratio < GOAL)


if __name__ == "__main__":
    sys.exit(main())
