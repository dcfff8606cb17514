"""nuScenes' detection metrics beside those recorded of its devkit."""

from __future__ import annotations

import json
from typing import Any

import numpy as np
import pytest

from centernet.datasets.evaluate.nuscenes import Boxes3D, evaluate_nuscenes, yaw_of
from centernet.datasets.nuscenes_tables import Tables
from tests.parity_cases import folder


@pytest.fixture(scope="module")
def recorded() -> dict[str, Any]:
    path = folder() / "family/nuscenes/convert_and_eval.json"
    if not path.is_file():
        pytest.skip(f"{path} is absent")
    return json.loads(path.read_text())


def test_metrics_are_the_devkits(recorded: dict[str, Any]) -> None:
    tables = Tables(recorded["tables"])
    results = recorded["submission"]["results"]
    samples = {token: row for row, token in enumerate(results)}
    truth, points = tables.truth(samples)
    found = Boxes3D.of([box for boxes in results.values() for box in boxes], samples)
    scores = evaluate_nuscenes(truth, found, tables.centres(samples), points)
    wanted = recorded["metrics"]
    for name, aps in wanted["label_aps"].items():
        for distance, value in aps.items():
            assert scores.label_aps[name][float(distance)] == pytest.approx(value, abs=1e-6)
        for error, value in wanted["label_tp_errors"][name].items():
            ours = scores.label_tp_errors[name][error]
            assert np.isnan(ours) if value is None else ours == pytest.approx(value, abs=1e-6)
    assert scores.mean_dist_aps == pytest.approx(wanted["mean_dist_aps"], abs=1e-6)
    assert scores.tp_errors == pytest.approx(wanted["tp_errors"], abs=1e-6)
    assert scores.tp_scores == pytest.approx(wanted["tp_scores"], abs=1e-6)
    assert scores.mean_ap == pytest.approx(wanted["mean_ap"], abs=1e-6)
    assert scores.nd_score == pytest.approx(wanted["nd_score"], abs=1e-6)


def test_heading_of_a_turn_about_the_vertical() -> None:
    half = np.pi / 8
    turned = np.array([[np.cos(half), 0, 0, np.sin(half)]])
    assert yaw_of(turned) == pytest.approx([np.pi / 4])
