"""Building and choosing: with a compiler, without one, with a broken one, twice at once."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest
import torch

from centernet.models.networks.DCNv2 import (
    backend_in_use,
    backends,
    build,
    compiled,
    describe_backend,
    use_backend,
)
from centernet.runtime import private
from centernet.runtime.errors import UserError


@pytest.fixture
def no_compiler(monkeypatch, tmp_path):
    """A machine without a compiler and with an empty cache."""
    monkeypatch.setenv("PATH", str(tmp_path))
    monkeypatch.delenv("CXX", raising=False)
    monkeypatch.setenv("CENTERNET_CACHE", str(tmp_path / "cache"))
    compiled.why_not.cache_clear()
    yield
    compiled.why_not.cache_clear()


def script(tmp_path: Path, name: str, text: str) -> str:
    path = tmp_path / name
    path.write_text(f"#!/bin/sh\n{text}\n")
    path.chmod(0o755)
    return str(path)


def test_without_a_compiler_plain_tensors_run_and_it_is_said(no_compiler):
    assert backend_in_use() == "plain"
    assert describe_backend() == (
        "DCNv2: plain, slower than compiled "
        "(no C++ compiler found; install g++ or clang++ (or set CXX))"
    )


def test_without_a_compiler_the_forced_kernel_is_an_error(no_compiler):
    with use_backend("compiled"), pytest.raises(UserError, match="no C\\+\\+ compiler"):
        backend_in_use()


def test_a_failing_compiler_leaves_its_words_in_a_log(no_compiler, monkeypatch, tmp_path):
    monkeypatch.setenv("PATH", os.defpath)
    monkeypatch.setenv("CXX", script(tmp_path, "cxx", "echo internal error 17 >&2; exit 1"))
    reason = compiled.why_not()
    assert reason is not None
    (log,) = (tmp_path / "cache").glob("*.log")
    assert str(log) in reason
    assert "internal error 17" in log.read_text()
    assert not list((tmp_path / "cache").glob("*.so"))


def test_a_library_that_does_not_load_is_not_fatal(no_compiler, tmp_path):
    path = tmp_path / "cache" / f"dcn-{build._key()}.so"
    path.parent.mkdir()
    path.write_text("not a library")
    assert "does not load" in (compiled.why_not() or "")
    assert backend_in_use() == "plain"


def test_a_file_in_place_of_the_cache_folder(no_compiler, monkeypatch, tmp_path):
    monkeypatch.setenv("CXX", script(tmp_path, "cxx", "exit 1"))
    (tmp_path / "cache").write_text("")
    assert "set CENTERNET_CACHE to a folder" in (compiled.why_not() or "")


def test_processes_at_once_build_once(tmp_path):
    """A compiler that counts its calls: the second process waits for the first and has no need."""
    cxx = script(
        tmp_path,
        "cxx",
        f'echo called >> {tmp_path}/calls; sleep 0.2\nfor last; do :; done; echo built > "$last"',
    )
    environment = {**os.environ, "CXX": cxx, "CENTERNET_CACHE": str(tmp_path / "cache")}
    command = [sys.executable, "-m", "centernet.models.networks.DCNv2"]
    running = [
        subprocess.Popen(command, env=environment, stdout=subprocess.PIPE, text=True)
        for _ in range(2)
    ]
    paths = {process.communicate(timeout=300)[0].strip() for process in running}
    assert len(paths) == 1
    assert Path(paths.pop()).read_text() == "built\n"
    sources = len(list(build.SOURCES.glob("*.cpp")))
    assert (tmp_path / "calls").read_text().count("called") == sources + 1  # and one to link


def test_the_key_follows_torch_and_processor(monkeypatch):
    key = build._key()
    assert build._key() == key
    monkeypatch.setattr(torch, "__version__", "0.0")
    other = build._key()
    monkeypatch.setattr(build, "_processor", lambda: "another")
    assert len({key, other, build._key()}) == 3


def test_the_switch_is_a_setter_and_a_context():
    before = backends.forced_backend()
    with use_backend("plain"):
        assert backend_in_use() == "plain"
        assert describe_backend() == "DCNv2: plain (forced)"
        with use_backend("torchvision"):
            assert backend_in_use() == "torchvision"
        assert backend_in_use() == "plain"
    assert backends.forced_backend() == before
    use_backend("torchvision")
    assert backend_in_use() == "torchvision"
    use_backend(None)
    assert backends.forced_backend() == before


def test_the_environment_forces(monkeypatch):
    monkeypatch.setenv("CENTERNET_DCN", "plain")
    assert backend_in_use() == "plain"
    with use_backend("torchvision"):
        assert backend_in_use() == "torchvision"
    monkeypatch.setenv("CENTERNET_DCN", "fastest")
    with pytest.raises(UserError, match=r"CENTERNET_DCN.*fastest.*compiled, triton"):
        backend_in_use()


def test_unknown_names_are_refused():
    with pytest.raises(UserError, match="no DCN backend 'cuda'"):
        use_backend("cuda")


def test_other_devices_get_torchvision():
    assert backend_in_use("mps") == "torchvision"
    with use_backend("compiled"), pytest.raises(UserError, match="runs on the CPU, not on mps"):
        backend_in_use("mps")


@pytest.mark.parametrize("reason", [None, "no NVIDIA GPU is to be seen"])
def test_cuda_gets_triton_where_it_runs(monkeypatch, reason):
    monkeypatch.setattr(backends.triton_backend, "why_not", lambda device: reason)
    assert backend_in_use("cuda") == ("torchvision" if reason else "triton")
    line = describe_backend("cuda")
    assert line == "DCNv2: triton" or line == f"DCNv2: torchvision, slower than triton ({reason})"
    with use_backend("compiled"), pytest.raises(UserError, match="runs on the CPU, not on cuda"):
        backend_in_use("cuda")


def test_triton_is_not_for_the_cpu(monkeypatch):
    monkeypatch.delenv("TRITON_INTERPRET", raising=False)
    backends.triton_backend.why_not.cache_clear()
    with use_backend("triton"), pytest.raises(UserError, match="triton"):
        backend_in_use("cpu")


def test_the_key_follows_every_source(monkeypatch, tmp_path):
    """A release installed over an older one compiles its own kernels, headers included."""
    sources = tmp_path / "csrc"
    shutil.copytree(build.SOURCES, sources)
    monkeypatch.setattr(build, "SOURCES", sources)
    keys = [build._key()]
    for path in sorted(sources.iterdir()):
        found = path.stat()
        text = path.read_text()
        path.write_text(text[:-1] + " ")  # of the same size and time
        os.utime(path, ns=(found.st_atime_ns, found.st_mtime_ns))
        keys.append(build._key())
    assert {path.suffix for path in sources.iterdir()} >= {".cpp", ".h"}
    assert len(set(keys)) == len(keys)


def test_a_library_that_others_may_write_is_not_loaded(no_compiler, tmp_path):
    path = tmp_path / "cache" / f"dcn-{build._key()}.so"
    path.parent.mkdir()
    path.write_text("code of somebody else")
    path.chmod(0o666)
    reason = compiled.why_not()
    assert f"{path} is not loaded: other users may write to" in (reason or "")
    assert backend_in_use() == "plain"


def test_a_cache_that_others_may_write_to_is_passed_over(
    no_compiler, monkeypatch, tmp_path, capsys
):
    monkeypatch.setattr(private.tempfile, "tempdir", str(tmp_path))
    monkeypatch.setenv("CXX", script(tmp_path, "cxx", "exit 1"))
    monkeypatch.setenv("PATH", os.defpath)
    (tmp_path / "cache").mkdir()
    (tmp_path / "cache").chmod(0o777)
    private._instead.cache_clear()
    assert "failed" in (compiled.why_not() or "")
    assert not list((tmp_path / "cache").iterdir())
    assert "other users may write to" in capsys.readouterr().err
    private._instead.cache_clear()
