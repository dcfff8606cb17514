"""What holds for every tracker: identities, videos, classes, memory and speed."""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import replace

import numpy as np
import pytest

from centernet.runtime.errors import UserError
from centernet.structures.detections import Detections
from centernet.trackers import (
    ByteTracker,
    CenterTracker,
    LightningTracker,
    PerClass,
    ReidTracker,
    Tracker,
)

NEEDING_COLUMNS = [CenterTracker, LightningTracker, ReidTracker]


def _moving(frame: int, classes: list[int], score: float = 0.9) -> Detections:
    """One object a class, ten pixels a row apart, two pixels further every frame."""
    place = np.arange(len(classes))[:, None] * 60.0
    corner = np.concatenate([place + 2.0 * frame, place], axis=1)
    boxes = np.concatenate([corner, corner + np.array([20, 40])], axis=1)
    return Detections(boxes, np.full(len(classes), score), np.array(classes), ("a", "b", "c"))


def test_an_object_keeps_its_identity_and_its_row() -> None:
    tracker: Tracker = ByteTracker()
    for frame in range(10):
        found = _moving(frame, [0, 1])
        found = found.select([1, 0]) if frame % 2 else found
        tracked = tracker.update(found)
        assert tracked.identities is not None
        assert dict(zip(tracked.classes.tolist(), tracked.identities.tolist(), strict=True)) == {
            0: 1,
            1: 2,
        }
        expected = _moving(frame, [0, 1]).boxes
        np.testing.assert_allclose(tracked.boxes[np.argsort(tracked.classes)], expected, atol=2)


def test_no_detection_is_no_error() -> None:
    tracker = ByteTracker()
    tracker.update(_moving(0, [0]))
    tracked = tracker.update(Detections.empty(("a",)))
    assert len(tracked) == 0
    assert tracker.update(_moving(2, [0])).identities == [1]


def test_reset_forgets() -> None:
    tracker = ByteTracker()
    tracker.update(_moving(0, [0, 1]))
    tracker.reset()
    assert tracker.update(_moving(0, [0])).identities == [1]


@pytest.mark.parametrize("make", NEEDING_COLUMNS)
def test_what_a_tracker_lacks_is_named(make: Callable[[], Tracker]) -> None:
    with pytest.raises(UserError, match=r"needs (embeddings|displacements).*--tracker byte"):
        make().update(_moving(0, [0]))


def test_classes_do_not_share_a_track() -> None:
    tracker = PerClass(lambda identities: ByteTracker(identities=identities))
    first = tracker.update(_moving(0, [0, 2]))
    changed = replace(_moving(1, [0, 2]), classes=np.array([1, 2]))
    for _ in range(2):  # what begins later is told from its second frame on
        second = tracker.update(changed)
    assert first.identities is not None
    assert first.identities.tolist() == [1, 2]
    assert dict(zip(second.classes.tolist(), second.identities.tolist(), strict=True)) == {
        1: 3,
        2: 2,
    }


def test_own_ids_count_each_class() -> None:
    tracker = PerClass(lambda identities: ByteTracker(identities=identities), own_ids=True)
    assert tracker.update(_moving(0, [0, 2])).identities.tolist() == [1, 1]
    tracker.reset()
    assert len(tracker.update(Detections.empty())) == 0


def test_memory_does_not_grow_with_the_video() -> None:
    rng = np.random.default_rng(0)
    tracker = ByteTracker()
    for _ in range(300):
        corner = rng.uniform(0, 2000, (5, 2))
        boxes = np.concatenate([corner, corner + 20], axis=1)
        tracker.update(Detections(boxes, np.full(5, 0.9), np.zeros(5)))
    roster = tracker.roster
    assert len(roster.tracked) + len(roster.lost) < 50
    assert not roster._gone


def test_fifty_objects_take_two_milliseconds() -> None:
    rng = np.random.default_rng(0)
    corner = rng.uniform(0, 1500, (50, 2))
    boxes = np.concatenate([corner, corner + rng.uniform(30, 90, (50, 2))], axis=1)
    tracker, best = ByteTracker(), np.inf
    for frame in range(60):
        found = Detections(boxes + frame, np.full(50, 0.9), np.zeros(50))
        start = time.perf_counter()
        tracker.update(found)
        best = min(best, time.perf_counter() - start)
    print(f"{best * 1e3:.2f} ms")
    assert best < 2e-3


def _with(found: Detections, **columns: np.ndarray) -> Detections:
    return replace(found, columns=columns)


def test_displacements_lead_across_a_jump() -> None:
    tracker = CenterTracker()
    still = np.zeros((2, 2), np.float32)
    first = tracker.update(_with(_moving(0, [0, 0]), displacements=still))
    moved = _moving(0, [0, 0])
    moved = replace(moved, boxes=moved.boxes + np.float32([60, 60, 60, 60]))  # one onto the other
    jump = np.full((2, 2), -60, np.float32)
    second = tracker.update(_with(moved, displacements=jump))
    assert first.identities is not None
    assert second.identities is not None
    assert second.identities.tolist() == first.identities.tolist() == [1, 2]
    assert second.columns["displacements"].shape == (2, 2)


@pytest.mark.parametrize("make", [ReidTracker, LightningTracker])
def test_embeddings_tell_who_is_who(make: Callable[[], Tracker]) -> None:
    tracker = make()
    looks = np.eye(2, 8, dtype=np.float32)
    for _ in range(4):
        first = tracker.update(_with(_moving(0, [0, 0]), embeddings=looks))
    assert first.identities is not None
    near = _moving(0, [0, 0])
    near = replace(near, boxes=near.boxes + np.float32([1, 1, 1, 1]))
    turned = tracker.update(_with(near.select([1, 0]), embeddings=looks[::-1]))
    assert turned.identities is not None
    known = dict(zip(first.boxes[:, 1].round(-1), first.identities, strict=True))
    again = dict(zip(turned.boxes[:, 1].round(-1), turned.identities, strict=True))
    assert known == again


def test_identities_survive_fifteen_hidden_frames() -> None:
    rng = np.random.default_rng(0)
    survived = []
    for _ in range(60):
        start, step = rng.uniform(0, 200, 2), rng.uniform(-6, 6, 2)
        size = rng.uniform((25, 50), (50, 100))
        hidden = range(20, 20 + int(rng.integers(1, 16)))
        tracker, ids = ByteTracker(), []
        for frame in range(50):
            corner = start + step * frame
            box = np.concatenate([corner, corner + size]) + rng.normal(0, 1.0, 4)
            found = Detections(box[None], [0.9], [0])
            tracked = tracker.update(found.select([]) if frame in hidden else found)
            assert tracked.identities is not None
            ids += tracked.identities.tolist()
        survived.append(set(ids) == {1})
    assert np.mean(survived) >= 0.8
