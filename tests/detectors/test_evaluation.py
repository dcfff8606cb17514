"""Testing on a data set: which image got which result, and images that cannot be read."""

from __future__ import annotations

import io
from collections.abc import Mapping
from pathlib import Path

import numpy as np
import pytest

from centernet.datasets.class_lists import same_classes
from centernet.datasets.evaluate.evaluation import Evaluation
from centernet.datasets.joined import Joined
from centernet.datasets.source import Info, Source
from centernet.detectors.detector import Detector
from centernet.detectors.evaluation import evaluate
from centernet.io.image import ImageError
from centernet.models.create import create_model
from centernet.runs.logger import Logger
from centernet.runtime.errors import UserError
from centernet.structures.detections import Detections
from centernet.structures.objects import Objects
from centernet.tasks.ctdet import Ctdet

INFO = Info("made up", ("a", "b"), (1, 2), resolution=(64, 64))


class Grey(Source):
    """Images of different sizes, named 10, 11, ...; those of `broken` cannot be read."""

    def __init__(self, length: int, broken: tuple[int, ...] = (), first: int = 10) -> None:
        self.info, self.length, self.broken, self.first = INFO, length, broken, first
        self.seen: dict[int | str, Detections] = {}
        self.metrics = {"AP": 0.5}

    def __len__(self) -> int:
        return self.length

    def image_id(self, index: int) -> int:
        return self.first + index

    def path(self, index: int) -> Path:
        return Path(f"{self.first + index}.png")

    def image(self, index: int) -> np.ndarray:
        if index in self.broken:
            raise ImageError(f"{self.path(index)}: truncated")
        return np.full((40 + index, 50, 3), 10 * index, np.uint8)

    def objects(self, index: int) -> Objects:
        return Objects(
            boxes=np.array([[1, 2, 30, 31 + index]], np.float32), classes=np.zeros(1, np.int64)
        )

    def evaluate(self, results: Mapping[int | str, Detections], folder: Path) -> Evaluation:
        self.seen = dict(results)
        return Evaluation(self.metrics, table="a table\nof two lines")


@pytest.fixture(scope="module")
def detector() -> Detector:
    task = Ctdet(INFO)
    return Detector.of(task, create_model("mobilenetv3", task.heads), device="cpu", batch_size=2)


def run(detector: Detector, source: Source, tmp_path: Path, **more: object) -> dict[str, float]:
    return evaluate(detector, source, tmp_path, Logger(stream=io.StringIO()), **more).metrics


@pytest.mark.parametrize("workers", [0, 3])
def test_each_image_gets_its_own_result(detector: Detector, tmp_path: Path, workers: int) -> None:
    source, looked = Grey(5), []
    found = run(
        detector,
        source,
        tmp_path,
        workers=workers,
        on_image=lambda index, ready, found: looked.append((index, ready.image_size)),
    )
    assert found == {"AP": 0.5}
    assert {name: result.image_size for name, result in source.seen.items()} == {
        10 + i: (40 + i, 50) for i in range(5)
    }
    assert looked == [(i, (40 + i, 50)) for i in range(5)]


def test_unreadable_images_are_told_and_left_out(
    detector: Detector, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    source = Grey(4, broken=(1,))
    run(detector, source, tmp_path)
    assert list(source.seen) == [10, 12, 13]
    assert source.seen[12].image_size == (42, 50)
    assert "11.png: truncated" in capsys.readouterr().err


def test_strict_stops_at_the_first(detector: Detector, tmp_path: Path) -> None:
    source = Grey(3, broken=(2,))
    source.strict = True
    with pytest.raises(UserError, match=r"12\.png: truncated"):
        run(detector, source, tmp_path)


@pytest.mark.parametrize("source", [Grey(0), Grey(2, broken=(0, 1))], ids=["none", "all broken"])
def test_nothing_to_test_on(detector: Detector, tmp_path: Path, source: Grey) -> None:
    with pytest.raises(UserError, match="made up"):
        run(detector, source, tmp_path)


def test_a_metric_near_zero_is_explained(detector: Detector, tmp_path: Path) -> None:
    source, out = Grey(2), io.StringIO()
    source.metrics = {"AP": 0.0}
    evaluate(detector, source, tmp_path, Logger(stream=out))
    assert "Why the metric is so low" in out.getvalue()


def test_the_table_is_in_the_log(detector: Detector, tmp_path: Path) -> None:
    evaluate(detector, Grey(1), tmp_path, Logger(tmp_path, tensorboard=False, stream=io.StringIO()))
    lines = (tmp_path / "log.txt").read_text().splitlines()
    assert [line.split(maxsplit=2)[2] for line in lines[:2]] == ["a table", "of two lines"]


class TestJoined:
    def test_is_one_after_another(self) -> None:
        joined = Joined([Grey(2), Grey(3, first=20)])
        assert [joined.image_id(i) for i in range(len(joined))] == [10, 11, 20, 21, 22]
        assert joined.path(3) == Path("21.png")
        assert joined.image(4).shape == (42, 50, 3)
        assert joined.objects(4).boxes[0, 3] == 33

    def test_needs_equal_classes(self) -> None:
        same_classes(("a", "b"), ["a", "b"])
        with pytest.raises(UserError, match=r"2 classes \(a, b\) but .* 1 \(a\)"):
            same_classes(("a", "b"), ("a",))
        with pytest.raises(UserError, match="same categories"):
            same_classes(("a", "b"), ("b", "a"))
