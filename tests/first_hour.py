"""The first hour of a newcomer, unattended: `CENTERNET_LONG=1 pytest tests/first_hour.py`.

A new folder and a new environment, without compiler, display and network: install, doctor, check,
train, kill, resume, test, report, overfit, and the demo on a photograph, a folder and a video. What
is not of this project is taken from the environment that runs the test, as a machine without a
network has it from elsewhere. Every path that is printed must exist, and the command that a line
promises is run as it stands there.
"""

from __future__ import annotations

import json
import os
import re
import shlex
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import cv2
import numpy as np
import pytest

from tests.long import LONG

ROOT = Path(__file__).parents[1]
MINUTES = 10
SMALL = ["--arch", "unet", "--weights", "none", "--input_res", "64", "--gpus", "-1"]
PRINTED = re.compile(r"(?:^|\s)(/[^\s:;,)']+)")

pytestmark = pytest.mark.skipif(not LONG, reason="minutes: set CENTERNET_LONG=1")


class Newcomer:
    """Runs commands in a folder of its own, and remembers what they said."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.bin = folder / "env" / "bin"
        self.environment = {
            "PATH": str(self.bin), "HOME": str(folder), "LANG": "C.UTF-8",
            "CC": "/nowhere/cc", "CXX": "/nowhere/c++", "PIP_NO_INDEX": "1",
            "PIP_DISABLE_PIP_VERSION_CHECK": "1", "OMP_NUM_THREADS": "1",
            "http_proxy": "http://127.0.0.1:9", "https_proxy": "http://127.0.0.1:9",
        }  # fmt: skip

    def start(self, words: list[str]) -> subprocess.Popen[str]:
        return subprocess.Popen(
            words, cwd=self.folder, env=self.environment, text=True,
            stdout=subprocess.PIPE, stderr=subprocess.STDOUT,
        )  # fmt: skip

    def run(self, *words: str, code: int = 0) -> str:
        """What the command says; it must end with `code`, and what it names must exist."""
        process = self.start(list(words))
        said = process.communicate(timeout=60 * MINUTES)[0]
        assert process.returncode == code, f"{shlex.join(words)}: {process.returncode}\n{said}"
        assert "Traceback" not in said
        for path in PRINTED.findall(said):
            if path.startswith(str(self.folder)):
                assert Path(path.rstrip(".")).exists(), f"{shlex.join(words)} named {path}"
        return said


@pytest.fixture(scope="module")
def newcomer(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Newcomer]:
    folder = tmp_path_factory.mktemp("first_hour")
    someone = Newcomer(folder)
    subprocess.run([sys.executable, "-m", "venv", "--without-pip", folder / "env"], check=True)
    (packages,) = (folder / "env" / "lib").glob("python3*/site-packages")
    own = [path for path in sys.path if path.endswith("-packages")]
    (packages / "others.pth").write_text("".join(f"{path}\n" for path in own))
    yield someone
    shutil.rmtree(folder, ignore_errors=True)


def write_data(folder: Path) -> None:
    """Bright squares on noise: one class whose id is 0, and three boxes that are broken."""
    rng, rows, images = np.random.default_rng(0), [], []
    (folder / "images").mkdir(parents=True)
    for number in range(12):
        image = rng.integers(0, 60, (64, 64, 3), dtype=np.uint8)
        x, y = rng.integers(2, 30, 2).tolist()
        image[y : y + 24, x : x + 24] = 230
        cv2.imwrite(str(folder / "images" / f"{number}.jpg"), image)
        images.append({"id": number, "file_name": f"{number}.jpg", "width": 64, "height": 64})
        rows.append({"id": number, "image_id": number, "category_id": 0, "bbox": [x, y, 24, 24],
                     "area": 576, "iscrowd": 0})  # fmt: skip
    broken = ([5, 5, 0, 10], [5, 5, float("nan"), 10], [400, 400, 10, 10])
    for number, box in enumerate(broken, 100):
        rows.append({"id": number, "image_id": 1, "category_id": 0, "bbox": box})
    for part, numbers in (("train", range(8)), ("val", range(8, 12))):
        content = {
            "images": [images[n] for n in numbers],
            "annotations": [row for row in rows if row["image_id"] in numbers],
            "categories": [{"id": 0, "name": "square"}],
        }
        (folder / f"{part}.json").write_text(json.dumps(content))


def write_video(path: Path, images: Path) -> None:
    writer = cv2.VideoWriter(str(path), cv2.VideoWriter.fourcc(*"mp4v"), 10, (64, 64))
    for image in sorted(images.iterdir())[:6]:
        writer.write(cv2.imread(str(image)))
    writer.release()


def test_first_hour(newcomer: Newcomer) -> None:
    begun, folder = time.monotonic(), newcomer.folder
    python = str(newcomer.bin / "python")
    newcomer.run(python, "-m", "pip", "install", "--no-deps", "--no-build-isolation",
                 "--ignore-installed", str(ROOT))  # fmt: skip
    centernet = str(newcomer.bin / "centernet")
    newcomer.run(centernet, "doctor")

    data = folder / "data"
    write_data(data)
    flags = ["--dataset", "custom", "--train_json", str(data / "train.json"),
             "--val_json", str(data / "val.json"), "--image_dir", str(data / "images")]  # fmt: skip
    said = newcomer.run(centernet, "check", "ctdet", *flags, "--input_res", "64")
    for broken in (100, 101, 102):
        assert f"annotation {broken}" in said
    assert "8 images, 8 objects of 1 class (square 8)" in said

    train = [centernet, "train", "ctdet", *flags, *SMALL, "--batch_size", "2", "--num_workers", "0",
             "--val_intervals", "1", "--exp_id", "mine"]  # fmt: skip
    killed = newcomer.start([*train, "--num_epochs", "2"])
    last = folder / "exp" / "ctdet" / "mine" / "model_last.pth"
    while not last.exists() and killed.poll() is None:
        time.sleep(0.1)
    killed.send_signal(signal.SIGINT)
    said = killed.communicate(timeout=60 * MINUTES)[0]
    assert "Traceback" not in said
    promised = re.search(r"To go on: (.*)", said)
    if promised is not None:  # not where both epochs were over before the signal came
        newcomer.run(*shlex.split(promised[1].replace("python main.py", "centernet train")))
    newcomer.run(centernet, "test", "ctdet", "--exp_id", "mine", "--resume", "--num_workers", "0")
    newcomer.run(centernet, "report", "ctdet", "--exp_id", "mine")
    page = last.with_name("report.html")
    assert 10_000 < page.stat().st_size < 6_000_000
    said = newcomer.run(*train[:-1], "by_heart", "--overfit", "2", "--num_epochs", "1")
    assert "on the 2 images that were learned" in said

    write_video(folder / "film.mp4", data / "images")
    for source in (data / "images" / "0.jpg", data / "images", folder / "film.mp4"):
        out = folder / "found" / source.stem
        said = newcomer.run(centernet, "demo", "--load_model", str(last), "--demo", str(source),
                            "--output", str(out), "--gpus", "-1")  # fmt: skip
        assert (out / "results.json").is_file()
        hint = re.search(r"Try (--vis_thresh [\d.e-]+)", said)
        if hint is not None:  # a line that promises what another threshold would draw
            again = newcomer.run(centernet, "demo", "--load_model", str(last), "--demo",
                                 str(source), "--output", str(out), "--gpus", "-1",
                                 *hint[1].split())  # fmt: skip
            assert " above " in again
    minutes = (time.monotonic() - begun) / 60
    print(f"\nthe first hour took {minutes:.1f} minutes")
    assert os.environ.get("CENTERNET_SLOW") or minutes < MINUTES
