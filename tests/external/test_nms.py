"""Non-maximum suppression against recorded results, a plain form of the method, and itself."""

from __future__ import annotations

import os
import subprocess
import sys
from importlib.util import find_spec

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from centernet.external import nms as front
from centernet.external import nms_numba
from tests.parity_cases import cases

BACKENDS = ["numba"] + (["compiled"] if find_spec("centernet.external._nms") else [])


@pytest.fixture(params=BACKENDS)
def backend(request, monkeypatch):
    if request.param == "numba":
        monkeypatch.setattr(front, "_kernels", nms_numba)
    else:
        from centernet.external import _nms

        monkeypatch.setattr(front, "_kernels", _nms)
    return request.param


def random_rows(seed: int, count: int, columns: int = 5, grid: float = 0.0) -> np.ndarray:
    """Crowded boxes; with `grid` coordinates and scores are rounded, so that many are equal."""
    random = np.random.default_rng(seed)
    corner = random.uniform(0, 60, (count, 2))
    size = random.uniform(0, 40, (count, 2))
    rest = random.uniform(0.01, 1, (count, columns - 4))
    rows = np.concatenate([corner, corner + size, rest], axis=1)
    if grid:
        rows[:, :4] = np.round(rows[:, :4] / grid) * grid
        rows[:, 4] = np.ceil(rows[:, 4] * 4) / 4
    return rows.astype(np.float32)


def overlap(a: np.ndarray, b: np.ndarray) -> float:
    width = min(a[2], b[2]) - max(a[0], b[0]) + 1
    height = min(a[3], b[3]) - max(a[1], b[1]) + 1
    if width <= 0 or height <= 0:
        return 0.0
    area = (a[2] - a[0] + 1) * (a[3] - a[1] + 1) + (b[2] - b[0] + 1) * (b[3] - b[1] + 1)
    return width * height / (area - width * height)


def plain_soft_nms(rows, sigma, limit, threshold, method):
    """The method as its paper states it, on a list: {row number: score} of the rows that stay."""
    left = {number: float(row[4]) for number, row in enumerate(rows)}
    kept = {}
    while left:
        best = max(left, key=left.__getitem__)
        kept[best] = left.pop(best)
        for number in list(left):
            shared = overlap(rows[best], rows[number])
            if shared <= 0:
                continue
            if method == 2:
                left[number] *= np.exp(-(shared**2) / sigma)
            elif shared > limit:
                left[number] *= 1 - shared if method == 1 else 0
            if left[number] < threshold:
                del left[number]
    return kept


def swapped_soft_nms(rows, limit, threshold, method):
    """The loop of 2017 on whole rows: the best to the front, the last where one is suppressed.

    Overlaps and weights in the precision of the rows.
    """
    rows, count, pick = [row.copy() for row in rows], len(rows), 0
    one = np.float32(1)
    while pick < count:
        best = max(range(pick, count), key=lambda row: (rows[row][4], -row))
        rows[pick], rows[best] = rows[best], rows[pick]
        row = pick + 1
        while row < count:
            shared = np.float32(overlap(rows[pick], rows[row]))
            if shared > 0:
                if method == 2:
                    weight = np.float32(np.exp(-(np.float64(shared) ** 2) / 0.5))
                elif shared > np.float32(limit):
                    weight = one - shared if method == 1 else np.float32(0)
                else:
                    weight = one
                rows[row][4] *= weight
                if rows[row][4] < threshold:
                    count -= 1
                    rows[row], rows[count] = rows[count], rows[row]
                    continue
            row += 1
        pick += 1
    return np.array(rows[:count])


@pytest.mark.parametrize("case", cases("nms/nms"))
def test_recorded(case, backend):
    boxes = case.inputs["boxes"].copy()
    if case.name.startswith("nms_"):
        np.testing.assert_array_equal(front.nms(boxes, case.params["thresh"]), case.outputs["keep"])
        return
    given_ = [case.params[name] for name in ("sigma", "Nt", "threshold", "method")]
    if case.name.startswith("soft_nms_merge"):
        keep = front.soft_nms_merge(boxes, *given_, case.params["weight_exp"], recorded=True)
    else:  # soft_nms_39 too, whose rows are longer
        keep = front.soft_nms(boxes, *given_)
    count = int(case.outputs["num_keep"])
    np.testing.assert_array_equal(keep, np.arange(count))
    np.testing.assert_allclose(boxes[:count], case.outputs["boxes"][:count], rtol=1e-5, atol=1e-5)


@pytest.mark.parametrize("method", [0, 1, 2])
@pytest.mark.parametrize("seed", range(3))
def test_soft_is_the_published_method(seed, method, backend):
    rows = random_rows(seed, 60)
    expected = plain_soft_nms(rows.astype(np.float64), 0.5, 0.4, 0.05, method)
    boxes = rows.copy()
    keep = front.soft_nms(boxes, 0.5, 0.4, 0.05, method)
    assert len(keep) == len(expected) < 60
    np.testing.assert_array_equal(boxes[keep, :4], rows[list(expected), :4])
    np.testing.assert_allclose(boxes[keep, 4], list(expected.values()), rtol=1e-5)


@pytest.mark.parametrize("columns", [5, 39])
@pytest.mark.parametrize("shared", [False, True])
@pytest.mark.parametrize("method", [0, 1, 2])
def test_soft_in_the_order_of_the_published_swaps(method, shared, columns, backend):
    """Weak rows and equal scores included: then the changing of places decides."""
    for seed in range(20):
        rows = random_rows(seed, 50, columns, 5.0 if shared else 0.0)
        rows[::7, 4] *= 0.1
        expected = swapped_soft_nms(rows, 0.4, 0.06, method)
        boxes = rows.copy()
        keep = front.soft_nms(boxes, 0.5, 0.4, 0.06, method)
        assert len(keep) == len(expected) < 50
        np.testing.assert_array_equal(boxes[keep, :4], expected[:, :4])
        np.testing.assert_array_equal(boxes[keep, 5:], expected[:, 5:])
        np.testing.assert_allclose(boxes[keep, 4], expected[:, 4], rtol=1e-5)


@pytest.mark.parametrize("merge", [False, True])
def test_rows_move_whole(merge, backend):
    """Every row that comes out, kept or suppressed, still carries what it came with."""
    rows = random_rows(3, 50, 9)
    rows[:, 8] = np.arange(50)
    boxes = rows.copy()
    run = front.soft_nms_merge if merge else front.soft_nms
    keep = run(boxes, 0.5, 0.4, 0.2, 2)
    assert 0 < len(keep) < 50
    origin = boxes[:, 8].astype(int)
    assert sorted(origin) == list(range(50))
    np.testing.assert_array_equal(boxes[:, 5:], rows[origin, 5:])
    assert (np.diff(boxes[keep, 4]) <= 0).all()


def test_merge_is_the_mean_of_equal_corner_scores(backend):
    boxes = np.array(
        [[0, 0, 9, 9, 0.9, 0.5, 0.5], [2, 0, 11, 9, 0.8, 0.5, 0.5], [50, 50, 60, 60, 0.7, 1, 1]],
        np.float32,
    )
    keep = front.soft_nms_merge(boxes, 0.5, 0.5, 0.01, 0, weight_exp=6)
    np.testing.assert_array_equal(keep, [0, 1])
    np.testing.assert_allclose(boxes[0, :4], [1, 0, 10, 9])  # hard: the other counts in full
    np.testing.assert_allclose(boxes[1], [50, 50, 60, 60, 0.7, 1, 1])


def test_merge_weighs_a_box_by_its_own_corner_scores(backend):
    """The better box stands second: its corner scores have to change places with it."""
    boxes = np.array([[2, 0, 11, 9, 0.8, 0.1, 0.1], [0, 0, 9, 9, 0.9, 0.9, 0.9]], np.float32)
    recorded = boxes.copy()
    front.soft_nms_merge(boxes, 0.5, 0.5, 0.01, 0)
    np.testing.assert_allclose(boxes[0, [0, 2]], [0.2, 9.2], rtol=1e-6)
    front.soft_nms_merge(recorded, 0.5, 0.5, 0.01, 0, recorded=True)
    np.testing.assert_allclose(recorded[0, [0, 2]], [1.8, 10.8], rtol=1e-6)


@settings(max_examples=150, deadline=None)
@given(
    seed=st.integers(0, 2**32 - 1),
    count=st.integers(0, 40),
    columns=st.sampled_from([7, 8, 39]),
    grid=st.sampled_from([0.0, 5.0]),
    method=st.integers(0, 2),
    limit=st.floats(0, 1),
    threshold=st.sampled_from([0.001, 0.25, 0.9]),
    merge=st.booleans(),
    recorded=st.booleans(),
    spoiled=st.sampled_from([None, np.nan, np.inf]),
)
@pytest.mark.skipif(len(BACKENDS) < 2, reason="external/nms.pyx was not compiled here")
def test_compiled_equals_numba(
    seed, count, columns, grid, method, limit, threshold, merge, recorded, spoiled
):
    from centernet.external import _nms

    rows = random_rows(seed, count, columns, grid)
    if spoiled is not None and count:
        rows.flat[seed % rows.size] = spoiled
    results = []
    for kernels in (_nms, nms_numba):
        boxes = rows.copy()
        keep = kernels.soft(boxes, 0.5, limit, threshold, method, merge, 6.0, recorded and merge)
        hard = np.ones(count, np.uint8)
        kernels.hard(rows, np.arange(count), limit, hard)
        results.append((keep, boxes, hard))
    assert results[0][0] == results[1][0]
    np.testing.assert_array_equal(results[0][1], results[1][1])
    np.testing.assert_array_equal(results[0][2], results[1][2])


def test_hard_keeps_the_best_and_the_earliest(backend):
    boxes = np.array(
        [[0, 0, 9, 9, 0.5], [0, 0, 9, 9, 0.5], [30, 30, 39, 39, 0.6], [100, 0, 109, 9, 0.1]],
        np.float32,
    )
    before = boxes.copy()
    np.testing.assert_array_equal(front.nms(boxes, 0.5), [2, 0, 3])
    np.testing.assert_array_equal(boxes, before)
    assert len(front.nms(np.zeros((0, 5), np.float32), 0.5)) == 0


@pytest.mark.parametrize(
    ("boxes", "error", "words"),
    [
        (np.zeros((2, 5)), TypeError, "float64"),
        ([[0, 0, 1, 1, 1]], TypeError, "list"),
        (np.zeros((2, 4), np.float32), ValueError, "5 or more"),
        (np.zeros(5, np.float32), ValueError, "5 or more"),
        (np.zeros((2, 10), np.float32)[:, ::2], ValueError, "ascontiguousarray"),
    ],
)
def test_wrong_rows(boxes, error, words):
    for function in (front.soft_nms, lambda rows: front.nms(rows, 0.5)):
        with pytest.raises(error, match=words):
            function(boxes)


def test_wrong_arguments():
    boxes = np.zeros((2, 39), np.float32)
    with pytest.raises(ValueError, match="method"):
        front.soft_nms(boxes, method=3)
    with pytest.raises(ValueError, match="sigma"):
        front.soft_nms(boxes, sigma=0)
    frozen = boxes.copy()
    frozen.flags.writeable = False
    with pytest.raises(ValueError, match="read-only"):
        front.soft_nms(frozen)
    assert len(front.nms(frozen, 0.5)) == 1
    with pytest.raises(ValueError, match="5 or more"):
        front.soft_nms(boxes[:, :4].copy())


def test_numba_steps_in_where_nothing_was_compiled():
    """A process in which the extension cannot be found takes the numba form and says so."""
    code = (
        "import sys; sys.modules['centernet.external._nms'] = None\n"
        "from centernet.external import nms; print(nms.BACKEND)"
    )
    done = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, env=os.environ, check=False
    )
    assert done.stdout.strip() == "numba", done.stderr
