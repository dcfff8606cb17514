"""centernet-lightning's tracker beside recorded sequences."""

from __future__ import annotations

from dataclasses import fields
from typing import Any

import numpy as np
import pytest

from centernet.trackers.lightning import LightningRule, LightningTracker
from centernet.trackers.tracker import Identities
from tests.parity_cases import cases

OPTIONS = [field.name for field in fields(LightningRule)]


@pytest.mark.parametrize(
    "case", cases("tracking/lightning/tracker", where=lambda case: "dets" in case.inputs)
)
def test_lightning_is_the_recorded_one(case: Any) -> None:
    p, dets, looks = case.params, case.inputs["dets"], case.inputs["embeddings"]
    rule = LightningRule(**{name: p[name] for name in OPTIONS})
    tracker = LightningTracker(rule, Identities(0))
    rows, embeddings = [], []
    for frame in range(1, p["frames"] + 1):
        here = dets[:, 0] == frame
        found = dets[here]
        for t in tracker.step(found[:, 1:5], found[:, 6], found[:, 5], looks[here]):
            state = [frame, t.identity, int(t.state), t.birth_age, t.inactive_age, t.label]
            rows.append([*state, *t.box])
            embeddings.append(t.embedding)
    recorded = case.outputs["tracks"]
    assert len(rows) == len(recorded)
    np.testing.assert_array_equal(np.array(rows)[:, :6], recorded[:, :6])
    np.testing.assert_allclose(np.array(rows), recorded, rtol=1e-6, atol=1e-5)
    if "embed" in case.outputs:
        np.testing.assert_allclose(np.stack(embeddings), case.outputs["embed"], atol=1e-5)
