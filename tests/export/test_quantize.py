"""8-bit files: ranges, what stays in float, and a report on both."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray

from centernet.export.formats.onnx_file import onnx_model, save
from centernet.export.job import Job
from centernet.export.opening import open_file
from centernet.export.quantize.calibrate import observe
from centernet.export.quantize.quantize import macs, quantized
from centernet.export.quantize.ranges import BINS, Seen, kl, minmax, percentile
from centernet.export.quantize.reach import Reach
from centernet.export.quantize.report import Report, Row
from centernet.export.quantize.sensitivity import by_layer, left_in_float, sqnr
from tests.export.planted import job_of, lively, task_of

onnx = pytest.importorskip("onnx")
pytest.importorskip("onnxscript")
pytest.importorskip("onnxruntime")

SIZE = (64, 96)


def _seen(values: NDArray[np.float32]) -> Seen:
    seen = Seen()
    seen.stretch(values)
    seen.count(values)
    return seen


def _after_relu() -> NDArray[np.float32]:
    """Half zeros, a half normal, and one outlier far away."""
    rng = np.random.default_rng(0)
    values = np.maximum(rng.normal(size=200_000), 0).astype(np.float32)
    values[0] = 60
    return values


def test_minmax_is_all_that_was_seen() -> None:
    seen = _seen(np.array([-2, 0, 5], np.float32))
    assert minmax(seen) == (-2, 5)
    assert minmax(_seen(np.array([3, 5], np.float32))) == (0, 5)  # 0 is held exactly, always


def test_kl_cuts_an_outlier_and_keeps_the_rest() -> None:
    low, high = kl(_seen(_after_relu()))
    assert low == 0
    assert 3 < high < 20
    assert minmax(_seen(_after_relu())) == (0, 60)


def test_percentile_is_between() -> None:
    seen = _seen(_after_relu())
    assert 3 < percentile(seen, 99.9)[1] < 5
    assert percentile(seen, 100)[1] == 60


def test_kl_ignores_the_zeros() -> None:
    """However many there are, the threshold is that of what is not 0."""
    values = _after_relu()
    more = np.concatenate([values, np.zeros(5_000_000, np.float32)])
    assert kl(_seen(more)) == kl(_seen(values))


def test_kl_of_two_sided_values_keeps_both_sides() -> None:
    values = np.random.default_rng(0).normal(size=100_000).astype(np.float32)
    low, high = kl(_seen(values))
    assert low < -2.5
    assert high > 2.5


def test_histograms_do_not_grow_with_what_is_shown() -> None:
    seen = Seen()
    for number in range(50):
        seen.stretch(np.full(1000, number, np.float32))
    for number in range(50):
        seen.count(np.full(1000, number, np.float32))
    assert seen.counts.shape == (BINS,)
    assert seen.counts.sum() == 50_000


Made = tuple[Job, Any, Callable[[], Iterable[dict[str, NDArray]]]]


@pytest.fixture(scope="module", params=["unet", "resdcn_18"])
def made(request: pytest.FixtureRequest) -> Made:
    task = task_of("ctdet")
    job = job_of(task, lively(request.param, task), fixed=SIZE)
    return job, onnx_model(job), lambda: (job.pictures(1, SIZE, seed) for seed in range(4))


def test_a_quantised_network_is_near_its_own(made: Made, tmp_path: Path) -> None:
    job, model, pictures = made
    reach = Reach(model)
    seen = observe(model, reach.activations(reach.quantizable), pictures)
    ranges = {name: minmax(each) for name, each in seen.items()}
    found = quantized(model, ranges)
    assert sqnr(model, found, list(pictures())) > 15
    other = quantized(model, {name: kl(each) for name, each in seen.items()})
    assert other.SerializeToString() != found.SerializeToString()
    save(found, job.card, tmp_path / "int8.onnx")
    save(model, job.card, tmp_path / "float.onnx")
    assert (tmp_path / "int8.onnx").stat().st_size < 0.45 * (tmp_path / "float.onnx").stat().st_size
    one = open_file(tmp_path / "int8.onnx").run(job.pictures(1, SIZE, 9))
    assert set(one) == set(job.card.outputs)
    assert np.isfinite(one["boxes"]).all()


def test_decoding_and_sampling_stay_in_float(made: Made) -> None:
    _, model, _ = made
    reach = Reach(model)
    chosen = {node.name for node in reach.quantizable}
    kinds = {node.op_type for node in reach.quantizable}
    assert not kinds & {"DeformConv", "TopK", "Sigmoid", "Cast"}
    last = {name for name in reach.maps}
    after = [n for n in model.graph.node if last & set(n.input)]
    assert not chosen & {node.name for node in after}
    deformable = [n for n in model.graph.node if n.op_type == "DeformConv"]
    if deformable:
        assert len(reach.offsets) >= len(deformable)
        assert not chosen & reach.offsets
    convolutions = [n for n in reach.network if n.op_type == "Conv"]
    assert chosen >= {n.name for n in convolutions} - reach.offsets


def test_no_more_than_a_tenth_of_the_work_stays_in_float(made: Made) -> None:
    _, model, pictures = made
    reach = Reach(model)
    seen = observe(model, reach.activations(reach.quantizable), pictures)
    ranges = {name: minmax(each) for name, each in seen.items()}
    work = macs(model)
    few = list(work)[:3]
    layers = dict.fromkeys(few, 10.0)
    shown = list(pictures())[:1]
    assert left_in_float(model, ranges, shown, layers, enough=-100) == []
    chosen = left_in_float(model, ranges, shown, layers, enough=1000)
    assert sum(work[each] for each in chosen) <= 0.1 * sum(work.values())


@pytest.mark.slow
def test_layers_by_their_cost() -> None:
    task = task_of("ctdet")
    job = job_of(task, lively("unet", task), fixed=SIZE)
    model = onnx_model(job)
    reach = Reach(model)
    shown = [job.pictures(1, SIZE, 0)]
    seen = observe(model, reach.activations(reach.quantizable), lambda: shown)
    ranges = {name: minmax(each) for name, each in seen.items()}
    layers = by_layer(model, ranges, shown)
    assert set(layers) == set(macs(model))
    assert list(layers.values()) == sorted(layers.values())


def test_report_has_the_interval(tmp_path: Path) -> None:
    report = Report("ctdet", "AP", 50, 400, (128, 128))
    report.rows.append(Row("float32", "a.onnx", 1_000_000, {"onnxruntime": 10.0}, 0.5))
    report.rows.append(
        Row("int8 kl", "b.onnx", 280_000, {"onnxruntime": 4.0}, 0.497, -0.003, -0.006, 0.001)
    )
    written = report.write(tmp_path / "toy.quantized")
    assert [path.name for path in written] == ["toy.quantized.md", "toy.quantized.json"]
    text = written[0].read_text()
    assert "-0.30 (-0.60 to +0.10)" in text
    assert "0.28" in text
    assert "4.0 (0.40)" in text
