"""What is promised about installing: what is needed, what may be missing, and the two commands."""

from __future__ import annotations

import os
import shutil
import stat
import subprocess
import sys
import tarfile
from email.parser import Parser
from pathlib import Path

import pytest
from packaging.requirements import Requirement

if sys.version_info >= (3, 11):
    import tomllib
else:
    import tomli as tomllib

ROOT = Path(__file__).resolve().parents[1]
PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))
CORE = [
    Requirement(line)
    for line in (ROOT / "requirements.txt").read_text(encoding="utf-8").splitlines()
    if line and not line.startswith("#")
]
needs_make = pytest.mark.skipif(shutil.which("make") is None, reason="make is not on this machine")


@pytest.fixture
def copy(tmp_path: Path) -> Path:
    """The files that a build reads, without what earlier builds left beside them."""
    target = tmp_path / "project"
    ignore = shutil.ignore_patterns("*.so", "*.pyd", "__pycache__", "*.egg-info")
    target.mkdir()
    for name in ("external", "src", "tests"):
        shutil.copytree(ROOT / name, target / name, ignore=ignore)
    for path in ROOT.iterdir():
        if path.is_file() and path.name != ".git":
            shutil.copy(path, target)
    return target


def run(folder: Path, *command: str, **environment: str) -> subprocess.CompletedProcess[str]:
    """Run in `folder`, knowing nothing of a `make test` that these tests may run in."""
    made = ("MAKEFLAGS", "MFLAGS", "MAKELEVEL", "MAKEOVERRIDES", "PYTEST_ARGS", "PYTHON")
    outside = {name: value for name, value in os.environ.items() if name not in made}
    return subprocess.run(
        command,
        cwd=folder,
        env={**outside, **environment},
        capture_output=True,
        text=True,
        check=False,
        timeout=300,
    )


def build_nms(folder: Path, **environment: str) -> subprocess.CompletedProcess[str]:
    return run(folder, sys.executable, "setup.py", "build_ext", "--build-lib=out", **environment)


def built(folder: Path) -> list[Path]:
    return [path for path in (folder / "out").rglob("_nms*") if path.suffix in (".so", ".pyd")]


def test_nothing_is_pinned_from_above():
    requirements = list(CORE)
    for listed in PROJECT["project"]["optional-dependencies"].values():
        requirements += map(Requirement, listed)
    for listed in PROJECT["dependency-groups"].values():
        requirements += [Requirement(entry) for entry in listed if isinstance(entry, str)]
    requirements += map(Requirement, PROJECT["build-system"]["requires"])
    for requirement in requirements:
        operators = {specifier.operator for specifier in requirement.specifier}
        assert operators == {">="}, requirement
        assert requirement.url is None


def test_core_packages():
    named = {requirement.name: requirement for requirement in CORE}
    assert set(named) == {
        "torch",
        "torchvision",
        "numpy",
        "opencv-python",
        "pycocotools",
        "progress",
        "numba",
        "matplotlib",
        "scipy",
        "PyYAML",
        "pillow",
        "msgspec",
        "filelock",
    }
    assert "2.11" in named["torch"].specifier
    assert "2.10" not in named["torch"].specifier
    assert PROJECT["project"]["requires-python"] == ">=3.10"


def test_building_needs_neither_torch_nor_numpy(copy):
    """The build is run with both made impossible to import, and a compiler that fails."""
    for name in ("torch", "numpy"):
        (copy / f"{name}.py").write_text("raise ImportError('not at build time')\n")
    done = build_nms(copy, CC="/bin/false", PYTHONPATH=str(copy))
    assert done.returncode == 0, done.stderr
    assert not built(copy)
    names = {Requirement(line).name for line in PROJECT["build-system"]["requires"]}
    assert names == {"setuptools", "Cython"}


def test_build_goes_on_without_a_compiler(copy):
    done = build_nms(copy, CC="/nonexistent/cc")
    assert done.returncode == 0, done.stderr
    assert not built(copy)
    assert "_nms" in done.stderr  # it says what was not built


@pytest.mark.skipif(shutil.which("cc") is None, reason="no C compiler on this machine")
def test_build_with_a_compiler(copy):
    done = build_nms(copy)
    assert done.returncode == 0, done.stderr
    assert len(built(copy)) == 1, done.stderr


def test_sdist_holds_the_sources_and_asks_for_the_core(copy):
    done = run(copy, sys.executable, "setup.py", "--quiet", "sdist", "--formats=gztar")
    assert done.returncode == 0, done.stderr
    (archive,) = (copy / "dist").glob("*.tar.gz")
    with tarfile.open(archive) as tar:
        names = {name.partition("/")[2] for name in tar.getnames()}
        (member,) = [m for m in tar.getmembers() if m.name.count("/") == 1 and "PKG-INFO" in m.name]
        about = Parser().parsestr(tar.extractfile(member).read().decode())
    wanted = {
        "LICENSE",
        "NOTICE",
        "README.md",
        "Makefile",
        "requirements.txt",
        "setup.py",
        "external/nms.pyx",
        "src/lib/centernet/external/_nms.pyi",
        "src/lib/centernet/external/nms_numba.py",
        "src/lib/centernet/py.typed",
        "tests/test_packaging.py",
    }
    assert wanted <= names, wanted - names
    asked = [line for line in about.get_all("Requires-Dist") if "extra ==" not in line]
    assert {str(Requirement(line)) for line in asked} == {str(line) for line in CORE}
    assert set(about.get_all("Provides-Extra")) == set(PROJECT["project"]["optional-dependencies"])
    compiled = [name for name in names if name.endswith((".so", ".pyd", ".pyc"))]
    assert not compiled
    sources = {".cpp", ".cu", ".h"}
    kernels = [p for p in (copy / "src/lib").rglob("*") if p.suffix in sources]
    assert {str(p.relative_to(copy)) for p in kernels} <= names


@needs_make
def test_make_has_the_two_commands_of_the_readme():
    listing = run(ROOT, "make", "-rpn", "test")
    phony = [line for line in listing.stdout.splitlines() if line.startswith(".PHONY:")]
    assert phony == [".PHONY: demo test"]


@needs_make
def test_make_test_runs_pytest_with_what_is_passed_on():
    planned = run(ROOT, "make", "-n", "test", "PYTEST_ARGS=-k nms")
    assert planned.returncode == 0, planned.stderr
    command = planned.stdout.splitlines()[-1]
    assert "-m tests " in command  # a worker a core: tests/__main__.py
    assert command.endswith(" -k nms")


@needs_make
def test_make_demo_trains_tests_and_draws():
    planned = run(ROOT, "make", "-n", "demo")
    assert planned.returncode == 0, planned.stderr
    lines = [line for line in planned.stdout.splitlines() if line.startswith("cd src && ")]
    scripts = [line.split()[4] for line in lines]
    assert scripts == ["main.py", "test.py", "demo.py"]
    assert all(line.split()[5:8] == ["ctdet", "--exp_id", "toy_demo"] for line in lines)
    assert "--dataset toy" in lines[0]
    assert all("/toy_demo/model_best.pth" in line for line in lines[1:])


def fake_python(path: Path, version_check: int, venv: int) -> Path:
    """An interpreter that passes or fails the version check and the making of an environment."""
    path.write_text(f'#!/bin/sh\n[ "$1" = -m ] && exit {venv}\nexit {version_check}\n')
    path.chmod(path.stat().st_mode | stat.S_IXUSR)
    return path


@needs_make
@pytest.mark.parametrize(
    ("version_check", "venv", "remedy"),
    [(1, 0, "make PYTHON="), (0, 1, "apt install python3-venv")],
    ids=["too old", "no venv module"],
)
def test_make_names_the_remedy(copy, version_check, venv, remedy):
    python = fake_python(copy / "python", version_check, venv)
    done = run(copy, "make", f"PYTHON={python}", "test")
    assert done.returncode == 2
    assert remedy in done.stderr
    assert not (copy / ".venv" / "ready").exists()


@needs_make
def test_make_starts_afresh_from_a_half_made_environment(copy):
    """A run killed while it installed leaves .venv without `ready`: it is emptied, not mended."""
    (copy / ".venv" / "bin").mkdir(parents=True)
    planned = run(copy, "make", "-n", "test").stdout
    assert "-m venv --clear" in planned
    (copy / ".venv" / "ready").touch()
    assert run(copy, "make", "-n", "test").stdout.count("\n") == 1  # nothing but pytest is left
    os.utime(copy / ".venv" / "ready", (0, 0))
    assert "pip install" in run(copy, "make", "-n", "test").stdout  # pyproject.toml is newer


@needs_make
def test_make_in_a_folder_with_a_space(copy):
    """The commands of `make test` and `make demo` are run, with a stand-in for the interpreter."""
    folder = copy.rename(copy.with_name("my project"))
    (folder / ".venv" / "bin").mkdir(parents=True)
    fake_python(folder / ".venv" / "bin" / "python", 0, 0)
    (folder / ".venv" / "ready").touch()
    for target in ("test", "demo"):
        done = run(folder, "make", target)
        assert done.returncode == 0, done.stderr


def test_ci_runs_the_tests_of_the_makefile():
    script = ROOT / ".ci" / "run"
    assert os.access(script, os.X_OK)
    steps = script.read_text(encoding="utf-8").splitlines()
    checks = [steps.index(f".venv/bin/{tool}") for tool in ("ruff check .", "mypy")]
    assert max(checks) < next(n for n, step in enumerate(steps) if step.startswith("make test"))
