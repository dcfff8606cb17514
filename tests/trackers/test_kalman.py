"""The Kalman filter and the costs of ByteTrack and FairMOT, beside recorded numbers."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from centernet.trackers import kalman
from centernet.trackers.assignment import cheapest_then, cheapest_within, nearest
from centernet.trackers.kalman import OF_BOXES, Belief
from centernet.trackers.overlap import giou, iou
from centernet.trackers.reid import cosine_distance, fused_distance, unit_rows
from tests.parity_cases import cases


def _named(prefix: str) -> Any:
    return lambda case: case.name.startswith(prefix)


@pytest.mark.parametrize("case", cases("tracking/bytetrack/tracker", where=_named("kalman")))
def test_filter_is_the_recorded_one(case: Any) -> None:
    measured, out = case.inputs["measurements"], case.outputs
    skipped = case.params["updates_skipped"]
    belief = OF_BOXES.begin(measured[:1])
    history = [belief]
    projected, gates = [], []
    for step in range(1, len(measured)):
        belief = OF_BOXES.predict(belief)
        history.append(belief)
        mean, variance = OF_BOXES.expected(belief)
        projected.append(np.concatenate([mean.T, np.diag(variance[0])], axis=1))
        gates.append(
            [
                OF_BOXES.gating_distance(belief, measured)[0],
                OF_BOXES.gating_distance(belief, measured, position=True, euclidean=True)[0],
            ]
        )
        if step not in skipped:
            belief = OF_BOXES.correct(belief, measured[step : step + 1])
            history.append(belief)
    assert len(history) == len(out["mean"])
    means = np.stack([b.mean.reshape(8) for b in history])
    np.testing.assert_allclose(means, out["mean"], rtol=1e-6, atol=1e-6)
    np.testing.assert_allclose(
        np.stack([b.matrix()[0] for b in history]), out["covariance"], rtol=1e-6, atol=1e-6
    )
    np.testing.assert_allclose(np.stack(projected), out["projected"], rtol=1e-6, atol=1e-6)
    gates = np.moveaxis(np.array(gates), 1, 0)
    np.testing.assert_allclose(gates[0], out["gating_maha"], rtol=1e-6, atol=1e-6)
    names = "gating_position_gaussian"
    np.testing.assert_allclose(gates[1], out[names], rtol=1e-6, atol=1e-6)


def test_many_boxes_are_filtered_as_one_by_one() -> None:
    rng = np.random.default_rng(0)
    measured = rng.uniform(10, 100, (7, 4))
    together = OF_BOXES.predict(OF_BOXES.begin(measured))
    together = OF_BOXES.correct(together, measured + 1)
    for row in range(7):
        one = OF_BOXES.predict(OF_BOXES.begin(measured[row : row + 1]))
        one = OF_BOXES.correct(one, measured[row : row + 1] + 1)
        np.testing.assert_array_equal(one.mean[0], together.mean[row])
        np.testing.assert_array_equal(one.covariance[0], together.covariance[row])


def test_box_and_measurement_are_inverse() -> None:
    boxes = np.array([[1.0, 2, 11, 42], [-3, 5, 4, 6]])
    belief = OF_BOXES.begin(kalman.measurements(boxes))
    np.testing.assert_allclose(kalman.corners(belief), boxes)
    assert len(Belief.stack([])) == 0


@pytest.mark.parametrize("case", cases("tracking/bytetrack/tracker", where=_named("costs")))
def test_costs_of_bytetrack(case: Any) -> None:
    a, b, scores = (case.inputs[name] for name in ("a", "b", "scores"))
    apart = 1 - iou(a, b, pixel=1)
    fused = 1 - (1 - apart) * scores
    np.testing.assert_allclose(apart, case.outputs["iou_distance"], atol=1e-6)
    np.testing.assert_allclose(fused, case.outputs["fused"], atol=1e-6)
    found = cheapest_within(apart, case.params["limit"])
    assert sorted(found.pairs) == sorted(map(tuple, case.outputs["matches"].tolist()))
    assert found.rows == sorted(case.outputs["unmatched_a"].tolist())
    assert found.columns == sorted(case.outputs["unmatched_b"].tolist())


@pytest.mark.parametrize("case", cases("tracking/fairmot/tracker", where=_named("costs")))
def test_costs_of_fairmot(case: Any) -> None:
    tracks, dets = (_corners(case.inputs[n]) for n in ("tracks_tlwh", "dets_tlwh"))
    looks = cosine_distance(
        unit_rows(case.inputs["track_features"]), unit_rows(case.inputs["det_features"])
    )
    belief = OF_BOXES.predict(OF_BOXES.begin(kalman.measurements(tracks)))
    fused = fused_distance(looks, belief, kalman.measurements(dets))
    tolerance = {"rtol": 1e-5, "atol": 1e-5}
    np.testing.assert_allclose(looks, case.outputs["embedding_distance"], **tolerance)
    np.testing.assert_allclose(fused, case.outputs["fused"], **tolerance)
    np.testing.assert_allclose(
        1 - iou(tracks, dets, pixel=1), case.outputs["iou_distance"], **tolerance
    )
    found = cheapest_within(fused, 0.4)
    assert sorted(found.pairs) == sorted(map(tuple, case.outputs["matches"].tolist()))


def _corners(tlwh: np.ndarray) -> np.ndarray:
    return np.concatenate([tlwh[:, :2], tlwh[:, :2] + tlwh[:, 2:]], axis=1)


@pytest.mark.parametrize("case", cases("tracking/lightning/tracker", where=_named("costs")))
def test_costs_of_lightning(case: Any) -> None:
    a, b = case.inputs["a"], case.inputs["b"]
    np.testing.assert_allclose(1 - iou(a, b), case.outputs["iou"], atol=1e-6)
    np.testing.assert_allclose(1 - giou(a, b), case.outputs["giou"], atol=1e-6)
    found = cheapest_then(1 - iou(a, b), case.params["threshold"])
    assert sorted(found.pairs) == sorted(map(tuple, case.outputs["matches"].tolist()))
    assert found.rows == sorted(case.outputs["unmatched_rows"].tolist())
    assert found.columns == sorted(case.outputs["unmatched_cols"].tolist())


@pytest.mark.parametrize(
    "case", cases("tracking/centertrack/tracker", where=_named("greedy_assignment"))
)
def test_nearest_takes_turns(case: Any) -> None:
    assert nearest(case.inputs["dist"]).pairs == [tuple(p) for p in case.outputs["pairs"].tolist()]


def test_a_dear_pair_gives_way_to_two_cheap_ones() -> None:
    cost = np.array([[0.1, 0.2], [0.15, 0.9]])
    assert cheapest_within(cost, 0.5).pairs == [(0, 1), (1, 0)]
    assert cheapest_within(np.array([[0.5]]), 0.5).pairs == []
    assert cheapest_within(np.array([[0.4, np.inf]]), 0.5).pairs == [(0, 0)]
    assert cheapest_within(np.zeros((0, 3)), 0.5).columns == [0, 1, 2]
