"""The checkup: what it says of a sound machine, and of ones with something amiss."""

from __future__ import annotations

import re
import shutil
import subprocess
import sys
from importlib import metadata
from pathlib import Path

import numpy as np
import pytest
import torchvision

from centernet.commands import doctor as module
from centernet.commands.call import call
from centernet.commands.checkup import operators, packages
from centernet.commands.checkup.data import check_checkpoints, check_data
from centernet.commands.checkup.finding import BAD, GOOD, NOTE, Finding
from centernet.external import nms
from centernet.models.networks.DCNv2 import backends


def states(findings: object) -> dict[str, str]:
    return {finding.what: finding.state for finding in findings}


@pytest.mark.slow
def test_a_sound_machine(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert call("doctor", [], tmp_path) == 0
    said = capsys.readouterr().out
    for title in ("versions", "device", "operators", "data and checkpoints", "disk"):
        assert f"\n{title}:\n" in f"\n{said}"
    assert f"torch {metadata.version('torch')}" in said
    for name in backends.BACKENDS:
        assert f"DCNv2 {name} on the CPU" in said
    assert re.search(r"NMS: (compiled|numba)", said)
    assert "BROKEN" not in said
    assert said.endswith("nothing is broken\n")
    assert list(tmp_path.iterdir()) == []


def test_it_can_be_pasted(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(Path, "home", lambda: tmp_path)
    assert module.without_home(f"in {tmp_path}/project/data") == "in ~/project/data"


@pytest.mark.slow
def test_a_broken_backend_is_named(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    backend = backends.torchvision_backend
    right = backend.forward
    monkeypatch.setattr(backend, "forward", lambda *args: right(*args) * 1.01)
    assert call("doctor", [], tmp_path) == 2
    told = capsys.readouterr()
    assert re.search(
        r"BROKEN DCNv2 torchvision on the CPU: wrong by \d\.\de-0[123]\n +-> ", told.out
    )
    assert "doctor.py: 1 broken: DCNv2 torchvision" in told.err


def test_a_backend_that_cannot_be_had(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(backends.compiled, "why_not", lambda: "no compiler")
    found = {finding.what: finding for finding in operators.check_dcn()}
    what = next(text for text in found if "compiled on the CPU: not available" in text)
    assert found[what].state == NOTE
    assert "compiler" in found[what].remedy
    assert any("plain, slower than compiled (no compiler)" in text for text in found)


def test_a_cache_that_cannot_be_written(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """There is a compiler: what is missing is a folder."""
    why = f"{tmp_path} cannot be written; set CENTERNET_CACHE to a folder"
    monkeypatch.setattr(backends.compiled, "why_not", lambda: why)
    found = [finding for finding in operators.check_dcn() if "not available" in finding.what]
    (cache,) = [finding for finding in found if "compiled on the CPU" in finding.what]
    assert "set CENTERNET_CACHE" in cache.what
    assert "install" not in cache.remedy


@pytest.mark.parametrize("name", ["triton", "fastest"])
@pytest.mark.slow
def test_a_forced_backend_that_does_not_run(
    name: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.delenv("TRITON_INTERPRET", raising=False)
    monkeypatch.setenv("CENTERNET_DCN", name)
    assert call("doctor", [], tmp_path) == 2
    said = capsys.readouterr().out
    assert re.search(rf"BROKEN on the CPU: .*'{name}'.*\n +-> unset CENTERNET_DCN", said)
    assert "\ndisk:\n" in said  # the rest was looked at


def test_what_cannot_be_looked_at(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    def fail(path: Path) -> None:
        raise OSError(5, "Input/output error", str(path))

    monkeypatch.setattr(shutil, "disk_usage", fail)
    (tmp_path / "models").mkdir()
    (tmp_path / "models" / "gone.pth").symlink_to(tmp_path / "elsewhere.pth")
    assert call("doctor", [], tmp_path) == 0
    said = capsys.readouterr().out
    assert f"models/gone.pth: leads to {tmp_path / 'elsewhere.pth'}, which is absent" in said
    assert f"{tmp_path}: cannot be looked at (Input/output error)" in said


def test_torchvision_of_another_release(monkeypatch: pytest.MonkeyPatch) -> None:
    def fail(*args: object) -> None:
        raise RuntimeError("operator torchvision::nms does not exist\nmore")

    monkeypatch.setattr(torchvision.ops, "nms", fail)
    (finding,) = operators.check_torchvision()
    assert finding.state == BAD
    assert "nms does not exist)" in finding.what
    assert "pip install -U torch torchvision" in finding.remedy


def test_nms_without_the_extension_and_a_wrong_one(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(nms, "BACKEND", "numba")
    assert [finding.state for finding in operators.check_nms()] == [NOTE]
    right = nms.soft_nms

    def wrong(boxes: np.ndarray, **more: object) -> np.ndarray:
        kept = right(boxes, **more)
        boxes[0, 4] *= 1.001
        return kept

    monkeypatch.setattr(nms, "soft_nms", wrong)
    assert [finding.state for finding in operators.check_nms()] == [BAD]


class TestPackages:
    def test_of_this_machine(self) -> None:
        found = states(packages.check_packages())
        assert found[f"numpy {np.__version__}"] == GOOD
        assert BAD not in found.values()

    @pytest.mark.parametrize(
        ("version", "least", "state"),
        [(None, "2.11", BAD), ("2.9.1", "2.11", BAD), ("2.15.0+cu132", "2.11", GOOD)],
    )
    def test_versions(
        self, version: str | None, least: str, state: str, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setattr(packages, "version_of", lambda name: version)
        finding = packages.required("torch", least)
        assert finding.state == state
        assert (f'pip install "torch>={least}"' in finding.remedy) == (state == BAD)

    def test_what_does_not_import(self, monkeypatch: pytest.MonkeyPatch) -> None:
        def fail(name: str) -> None:
            raise ImportError("libGL.so.1: cannot open shared object file\nmore")

        monkeypatch.setattr(packages.importlib, "import_module", fail)
        finding = packages.required("opencv-python", "4.10")
        assert finding.state == BAD
        assert "does not import (libGL.so.1: cannot open shared object file)" in finding.what
        assert "headless" in finding.remedy

    def test_extras_are_no_shortcoming(self, monkeypatch: pytest.MonkeyPatch) -> None:
        lines = ['nowhere>=1; extra == "rare"', 'numpy>=1; extra == "common"', "numpy>=1.26"]
        monkeypatch.setattr(metadata, "requires", lambda name: lines)
        found = states(packages.check_packages())
        assert found["optional [rare]: without nowhere"] == NOTE
        assert found[f"optional [common]: numpy {np.__version__}"] == GOOD


def test_it_runs_where_opencv_does_not(tmp_path: Path) -> None:
    """The usual first trouble must not stop the one command that explains it."""
    (tmp_path / "cv2.py").write_text("raise ImportError('libGL.so.1: cannot open')\n")
    for name in ("torch", "torchvision", "numba", "matplotlib", "pycocotools"):
        (tmp_path / f"{name}.py").touch()  # they load; that takes seconds and is not in question
    script = Path(__file__).resolve().parents[2] / "src" / "doctor.py"
    done = subprocess.run(
        [sys.executable, "-c", f"import sys, runpy; sys.path.insert(0, {str(tmp_path)!r});"
         f" sys.argv = ['doctor.py']; runpy.run_path({str(script)!r}, run_name='__main__')"],
        capture_output=True, text=True, check=False,
    )  # fmt: skip
    assert done.returncode == 2, done.stderr
    assert "BROKEN opencv-python" in done.stdout
    assert "libGL.so.1" in done.stdout
    assert len(done.stderr.splitlines()) == 1


def test_data_in_part_and_checkpoints(tmp_path: Path) -> None:
    (tmp_path / "data" / "toy" / "shapes").mkdir(parents=True)
    (tmp_path / "data" / "coco" / "annotations").mkdir(parents=True)
    for split in ("train", "val"):
        for kind in ("instances", "person_keypoints", "captions"):
            (tmp_path / "data" / "coco" / "annotations" / f"{kind}_{split}2017.json").touch()
    found = {finding.what.partition(":")[0]: finding for finding in check_data(tmp_path / "data")}
    assert "(shapes)" in found["toy"].what
    assert "without image_info_test2017, val2017, train2017" in found["coco"].what
    fetch = f"python tools/get_data.py {{}} --data_dir {tmp_path / 'data'}".format
    parts = " --parts image_info_test2017,val2017,train2017"
    assert found["coco"].remedy == fetch("coco") + parts
    assert found["kitti"].remedy.startswith(fetch("kitti"))

    (tmp_path / "models").mkdir()
    (tmp_path / "models" / "ctdet_coco_dla_2x.pth").write_bytes(b"0" * 10)
    (tmp_path / "models" / "other.pth.part").write_bytes(b"0" * 10)
    run = tmp_path / "exp" / "ctdet" / "a"
    run.mkdir(parents=True)
    for number in range(9):
        (run / f"model_{number}.pth").touch()
    lines = [finding.what for finding in check_checkpoints(tmp_path)]
    assert any("published as ctdet_coco_dla_2x" in line or "more" in line for line in lines)
    assert "and 2 more" in lines
    assert "models/other.pth.part: an unfinished download of 10 bytes" in lines


def test_no_such_root(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert call("doctor", ["--root", str(tmp_path / "absent")]) == 2
    assert "there is no folder" in capsys.readouterr().out


def test_a_finding_for_the_eye() -> None:
    assert Finding(NOTE, "x").lines() == ["note   x"]
    assert Finding(BAD, "x", "do y").lines() == ["BROKEN x", "       -> do y"]
