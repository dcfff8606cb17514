"""The compiler of the numba loops: its cache follows every source, or there is none."""

from __future__ import annotations

import ast
import os
import re
import shutil
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import numba
import pytest

from centernet.runtime import jit

ROOT = Path(__file__).parents[2]
ENCODE = """
import numpy as np
from centernet.structures.objects import Objects
from tests.tasks.recorded import make_task
boxes, classes = np.array([[4, 6, 24, 26]], np.float32), np.zeros(1, np.int64)
heat = make_task("ctdet", "coco", [], 1).encode(Objects(boxes, classes), (32, 32))["hm"]
print("cells:", int((heat > 0).sum()))
"""


def twice(number: int) -> int:
    return 2 * number


@pytest.fixture
def cache(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Iterator[Path]:
    """Where NUMBA_CACHE_DIR points to."""
    place = tmp_path / "cache"
    monkeypatch.setattr(numba.config, "CACHE_DIR", str(place))
    jit._folder.cache_clear()
    yield place
    jit._folder.cache_clear()


def test_the_code_is_kept_by_the_sources(cache: Path) -> None:
    compiled = jit.njit(twice)
    assert compiled(21) == 42
    (index,) = cache.rglob("*.nbi")
    assert index.is_relative_to(cache / "centernet" / jit.fingerprint())
    assert str(cache) == numba.config.CACHE_DIR  # the user's own functions go where they went
    again = jit.njit(twice)
    assert again(21) == 42
    assert list(again.stats.cache_hits.values()) == [1]


def test_compiles_without_a_place_for_the_cache(cache: Path) -> None:
    cache.write_text("a file where the folder would be")
    compiled = jit.njit(twice)
    assert compiled(21) == 42
    assert compiled.stats.cache_path is None


def test_other_errors_are_not_hidden(monkeypatch: pytest.MonkeyPatch, cache: Path) -> None:
    def refuse(**options: object) -> None:
        raise RuntimeError("something else")

    monkeypatch.setattr(numba, "njit", refuse)
    with pytest.raises(RuntimeError, match="something else"):
        jit.njit(twice)


def test_code_of_old_sources_is_forgotten_in_time(cache: Path) -> None:
    places = {name: cache / "centernet" / name for name in ("0" * 16, "1" * 16, "of the user")}
    for place in places.values():
        place.mkdir(parents=True)
    long_ago = time.time() - jit.UNUSED - 60
    os.utime(places["0" * 16], (long_ago, long_ago))
    os.utime(places["of the user"], (long_ago, long_ago))
    jit.njit(twice)
    left = {place.name for place in (cache / "centernet").iterdir()}
    assert left == {"1" * 16, "of the user", jit.fingerprint()}


def test_a_release_over_an_older_one_runs_its_own_code(tmp_path: Path) -> None:
    """Targets follow a function that another module's compiled code calls, at once.

    The file keeps its time and its size, as an archive unpacked over another may have them.
    """
    package = tmp_path / "lib" / "centernet"
    shutil.copytree(jit.PACKAGE, package, ignore=shutil.ignore_patterns("__pycache__"))
    environment = {
        **os.environ,
        "PYTHONPATH": f"{tmp_path / 'lib'}{os.pathsep}{ROOT}",
        "NUMBA_CACHE_DIR": str(tmp_path / "cache"),
    }

    def cells() -> int:
        done = subprocess.run(
            [sys.executable, "-c", ENCODE],
            env=environment,
            cwd=tmp_path,
            capture_output=True,
            text=True,
            check=True,
        )
        return int(done.stdout.split("cells: ")[1])

    before = cells()
    assert before == cells() > 1
    path = package / "heads" / "targets.py"
    found, text = path.stat(), path.read_text()
    edited = re.sub(r"return max\(0, .*\)", lambda line: "return 0".ljust(len(line[0])), text)
    assert edited != text
    path.write_text(edited)
    os.utime(path, ns=(found.st_atime_ns, found.st_mtime_ns))
    assert path.stat().st_size == found.st_size
    assert cells() == 1


def test_compiled_functions_use_nothing_the_fingerprint_does_not_see() -> None:
    """numba writes constants and callees of other modules into the code: those must count too."""
    known = {
        "centernet." + ".".join(path.relative_to(jit.PACKAGE).with_suffix("").parts)
        for path in jit.sources()
    }
    unseen = []
    compiled = 0
    for path in jit.sources():
        tree = ast.parse(path.read_text(encoding="utf-8"))
        origin = {
            name.asname or name.name: statement.module or ""
            for statement in tree.body
            if isinstance(statement, ast.ImportFrom)
            for name in statement.names
        }
        for function in _compiled(tree):
            compiled += 1
            used = {
                node.id
                for part in function.body
                for node in ast.walk(part)
                if isinstance(node, ast.Name)
            }
            unseen += [
                f"{path.name}: {function.name} uses {name} of {origin[name]}"
                for name in sorted(used & origin.keys())
                if origin[name].startswith("centernet.") and origin[name] not in known
            ]
    assert compiled > 20
    assert unseen == []


def _compiled(tree: ast.Module) -> Iterator[ast.FunctionDef]:
    for function in ast.walk(tree):
        if isinstance(function, ast.FunctionDef) and any(
            "njit" in ast.unparse(decorator) for decorator in function.decorator_list
        ):
            yield function
