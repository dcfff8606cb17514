"""The documents: links lead somewhere, flags and commands exist, tables are complete."""

from __future__ import annotations

import ast
import json
import re
import shlex
import shutil
from dataclasses import fields
from pathlib import Path
from string import Template

import cv2
import pytest

from centernet import cli
from centernet.models.zoo import ZOO
from centernet.options.parser import Parser, expand
from centernet.options.published import ORACLES
from centernet.options.verbs import VERBS
from centernet.runtime.errors import UserError
from centernet.structures.objects import Cuboids
from centernet.tasks import TASKS
from tests.tiny_coco import write_tiny_coco

ROOT = Path(__file__).resolve().parents[1]
DOCUMENTS = sorted([ROOT / "README.md", *(ROOT / "docs").glob("*.md")])
EACH = pytest.mark.parametrize("path", DOCUMENTS, ids=lambda path: path.name)
PROGRAMS = {verb.program: verb for verb in VERBS.values()}
ELSEWHERE = {
    # Flags of other programs: pip, docker, torchrun, pytest; the tools read their own.
    *("no-build-isolation", "no-deps", "build-arg", "gpus", "rm", "group", "index-url"),
    *("nproc_per_node", "standalone", "local_addr", "long"),
}


def anchors(path: Path) -> set[str]:
    """The names that links can end in, as GitHub makes them of headings."""
    headings = re.findall(r"^#+ (.+)$", path.read_text(encoding="utf-8"), re.MULTILINE)
    return {re.sub(r"[^\w\- ]", "", heading.lower()).replace(" ", "-") for heading in headings}


@EACH
def test_links_lead_somewhere(path: Path) -> None:
    for target in re.findall(r"\]\(([^)\s]+)\)", path.read_text(encoding="utf-8")):
        if "://" in target:
            continue
        file, _, anchor = target.partition("#")
        found = (path.parent / file).resolve() if file else path
        assert found.exists(), target
        if anchor:
            assert anchor in anchors(found), target


def declared(program: Path) -> set[str]:
    """The options that a program adds to its argument parser, without importing it."""
    names: set[str] = set()
    for call in ast.walk(ast.parse(program.read_text(encoding="utf-8"))):
        if isinstance(call, ast.Call) and getattr(call.func, "attr", "") == "add_argument":
            words = [word.value for word in call.args if isinstance(word, ast.Constant)]
            names |= {word.removeprefix("--") for word in words if word.startswith("--")}
    return names


def test_the_options_of_programs_are_found() -> None:
    assert {"short", "threads", "write"} <= declared(ROOT / "bench" / "run.py")
    assert "threshold" in declared(ROOT / "src" / "tools" / "gallery.py")
    assert not declared(ROOT / "bench" / "report.py")


def known_flags() -> set[str]:
    names: set[str] = set()
    for verb in VERBS.values():
        for task in TASKS if verb.takes_task else [None]:
            for section in Parser(verb).sections(task):
                names |= {flag.name for flag in section.flags}
    for program in [*(ROOT / "bench").glob("*.py"), *(ROOT / "src" / "tools").glob("*.py")]:
        names |= declared(program)
    return names | {"help"} | ELSEWHERE


@EACH
def test_flags_exist(path: Path) -> None:
    text = path.read_text(encoding="utf-8")
    used = set(re.findall(r"(?<![\w-])--([A-Za-z][\w-]*)", text))
    used = {flag.rstrip("_") for flag in used if not flag.endswith("_")}  # --eval_oracle_*
    known = known_flags()
    used -= set(ORACLES)
    completed = {expand(f"--{flag}", list(known)).removeprefix("--") for flag in used}
    assert not completed - known


def commands(path: Path) -> list[list[str]]:
    """The commands of the runner in the blocks of a document, as words without the program."""
    blocks = re.findall(r"```\w*\n(.*?)```", path.read_text(encoding="utf-8"), re.DOTALL)
    lines = "\n".join(blocks).replace("\\\n", " ").splitlines()
    variables: dict[str, str] = {}
    found = []
    for line in lines:
        if assigned := re.match(r'(\w+)="([^"]*)"$', line):
            variables[assigned[1]] = assigned[2]
        line = Template(line).safe_substitute(variables)
        match = re.match(r"\s*(?:\$ )?python (?:tools/)?(\w+\.py)(?: (.*))?", line)
        if match and "..." not in line and match[1] in PROGRAMS:
            found.append([match[1], *shlex.split(match[2] or "", comments=True)])
    return found


@EACH
def test_commands_are_understood(path: Path) -> None:
    for prog, *words in commands(path):
        if "--help" in words:
            continue
        words = ["1" if word == "N" else word for word in words]
        try:
            Parser(PROGRAMS[prog]).read(words)
        except UserError as error:
            pytest.fail(f"{prog} {' '.join(words)}: {error}")


def test_there_are_commands() -> None:
    assert sum(len(commands(path)) for path in DOCUMENTS) > 10


def test_every_package_has_its_licence() -> None:
    text = (ROOT / "docs" / "licences.md").read_text(encoding="utf-8")
    wanted = (ROOT / "requirements.txt").read_text() + (ROOT / "pyproject.toml").read_text()
    names = set(re.findall(r"^(\w[\w-]*)>=", wanted, re.MULTILINE))
    extras = re.search(r"optional-dependencies\]\n(.*?)\n\n", wanted, re.DOTALL)
    assert extras is not None
    names |= set(re.findall(r'"([\w-]+)>=', extras[1]))
    assert {"torch", "numba", "timm", "onnxruntime"} <= names
    assert all(f"| {name} |" in text for name in names)


def test_every_file_of_weights_falls_under_a_licence() -> None:
    text = (ROOT / "docs" / "licences.md").read_text(encoding="utf-8")
    rows = {
        pattern: line.split("|")[2]
        for line in text.splitlines()
        for pattern in re.findall(r"`([\w*-]+)`", line.split("|")[1] if "|" in line else "")
    }
    for name, weights in ZOO.items():
        (stated,) = [
            licence
            for pattern, licence in rows.items()
            if re.fullmatch(pattern.replace("*", ".*"), name)
        ]
        assert weights.licence in stated


@pytest.fixture(scope="module")
def trained(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with the files that the programs of the documents name."""
    root = tmp_path_factory.mktemp("trained")
    words = "ctdet --arch mobilenetv3 --weights none --input_res 64 --batch_size 4 --num_epochs 1"
    data = write_tiny_coco(root / "tiny")
    flags = ["--num_workers", "0", "--gpus", "-1", "--val_intervals", "1"]
    assert cli.train([*words.split(), *data, *flags], root) == 0
    shutil.copy(root / "exp" / "ctdet" / "default" / "model_best.pth", root)
    for name in ("photo.jpg", "a.jpg", "b.jpg"):
        cv2.imwrite(str(root / name), cv2.imread(str(root / "tiny" / "images" / "9.png")))
    return root


@pytest.mark.parametrize("path", [ROOT / "README.md", ROOT / "docs" / "demo.md"], ids=str)
def test_programs_run(path: Path, trained: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    programs = re.findall(r"```python\n(.*?)```", path.read_text(encoding="utf-8"), re.DOTALL)
    assert programs
    monkeypatch.chdir(trained)
    for program in programs:
        exec(compile(program, path.name, "exec"), {})


def test_the_numbers_are_those_described(trained: Path) -> None:
    words = ["--load_model", "model_best.pth", "--demo", "photo.jpg", "--output", "found"]
    with pytest.MonkeyPatch.context() as patch:
        patch.chdir(trained)
        assert cli.demo([*words, "--gpus", "-1"], trained) == 0
        (entry,) = json.loads(Path("found/results.json").read_text())
    shown = (ROOT / "docs" / "demo.md").read_text(encoding="utf-8")
    named = re.findall(r'"(\w+)":', shown)
    assert [*entry, *entry["objects"][0]] == named


def test_the_numbers_of_a_cuboid_are_named_as_the_results_file_has_them() -> None:
    text = (ROOT / "docs" / "demo.md").read_text(encoding="utf-8")
    for field in fields(Cuboids):
        assert f"`{field.name}`" in text, field.name
