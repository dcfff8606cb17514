"""The floors of the house: which folder may import which, and how deep imports go.

A folder imports those that stand before it in FLOORS, at the top of a file or inside a function.
So no two folders import each other. What is imported for annotations alone (TYPE_CHECKING) follows
the same rule, since who names a type knows of the floor it is on; likewise the addresses in a
registry ("centernet.tasks.ddd:Ddd"), which are imports put off.
"""

from __future__ import annotations

import pytest

from centernet.options.verbs import VERBS
from tests.imports_of import PACKAGE, SOURCES, Import, Kind, folder, imports, longest_chain

# From the ground up. The root of the package, its face, stands above all of them.
FLOORS = (
    *("runtime", "geometry", "io", "console", "external"),
    *("drawing", "structures", "datasets", "models", "heads", "tasks", "trackers", "trains"),
    *("options", "runs", "detectors", "export", "builders", "commands", ""),
)
FACE = {"__init__.py", "__main__.py", "cli.py", "opts.py"}
# Who may know the flags of a command: nothing below is told by them what to do.
READ_OPTIONS = {"options", "runs", "builders", "commands", ""}
# What points up and may. Drawing names the structures that it is given, which draw themselves.
TYPES_ABOVE = {("drawing", "structures")}
# The verbs are known by name to the parser and to the scripts of experiments.
ADDRESSES_ABOVE = {("options", "commands")}
DEEPEST = 16


def points_up(found: Import) -> bool:
    """Whether an import breaks the rule of the floors."""
    source, target = folder(found.source), folder(found.target)
    if found.target == PACKAGE:  # the version, which stands where setuptools reads it
        return found.names != ("__version__",) and source != ""
    allowed = {"types": TYPES_ABOVE, "address": ADDRESSES_ABOVE}.get(found.kind, set())
    return FLOORS.index(target) > FLOORS.index(source) and (source, target) not in allowed


@pytest.mark.parametrize(
    ("source", "target", "kind", "names"),
    [
        ("io.files", "centernet.tasks.ctdet", "start", ()),
        ("io.files", "centernet.tasks.ctdet", "later", ()),
        ("io.files", "centernet.tasks.ctdet", "types", ()),
        ("tasks.ctdet", "centernet.builders.load", "address", ()),
        ("drawing.flat", "centernet.structures.detections", "start", ()),
        ("io.files", "centernet", "start", ("load_detector",)),
    ],
)
def test_what_breaks_the_rule_is_seen(
    source: str, target: str, kind: Kind, names: tuple[str, ...]
) -> None:
    assert points_up(Import(f"centernet.{source}", target, 1, kind, names))


def test_every_folder_has_its_floor() -> None:
    root = SOURCES / PACKAGE
    folders = {path.name for path in root.iterdir() if (path / "__init__.py").exists()}
    assert folders == {*FLOORS} - {""}


def test_the_root_is_the_face_alone() -> None:
    assert {path.name for path in (SOURCES / PACKAGE).glob("*.py")} == FACE


def test_nothing_imports_upwards() -> None:
    assert [str(each) for each in imports() if points_up(each)] == []


def test_only_the_top_reads_options() -> None:
    reading = [each for each in imports() if folder(each.target) == "options"]
    assert [str(each) for each in reading if folder(each.source) not in READ_OPTIONS] == []


def test_what_may_point_up_does() -> None:
    """An exception that nothing needs any more is taken off the lists."""
    pairs = {(each.kind, folder(each.source), folder(each.target)) for each in imports()}
    assert {("types", *pair) for pair in TYPES_ABOVE} <= pairs
    assert {("address", *pair) for pair in ADDRESSES_ABOVE} <= pairs


def test_imports_do_not_go_deep() -> None:
    chain = longest_chain()  # ValueError names a circle of modules
    assert len(chain) <= DEEPEST, " > ".join(chain)


def test_all_kinds_of_imports_are_seen() -> None:
    found = imports()
    assert {each.kind for each in found} == {"start", "later", "address", "types"}
    commands = {each.target for each in found if each.source == "centernet.options.verbs"}
    assert {f"centernet.commands.{name}" for name in VERBS} <= commands
