from __future__ import annotations

import random
from pathlib import Path

import pytest

from centernet.runtime.errors import UserError
from tests.io.test_archive import FILES, MAKERS, tarred, tree, unpack, zipped
from tests.long import LONG


@pytest.mark.parametrize("inner", ["set", "set/deep", "set/a.txt"])
def test_nothing_is_unpacked_through_a_link_that_is_there(tmp_path: Path, inner: str) -> None:
    outside = tmp_path / "outside"
    outside.mkdir()
    (outside / "a.txt").write_text("mine")
    link = tmp_path / "out" / inner
    link.parent.mkdir(parents=True)
    link.symlink_to(outside / "a.txt" if inner.endswith(".txt") else outside)
    with pytest.raises(UserError, match="is a link, and nothing is unpacked through one"):
        unpack(zipped(tmp_path / "a.zip", FILES), tmp_path / "out")
    assert tree(outside) == {"a.txt": b"mine"}
    assert sorted(p.name for p in (tmp_path / "out").iterdir()) == ["set"]


def test_a_damaged_archive_puts_nothing_in_its_place(tmp_path: Path) -> None:
    path = tarred(tmp_path / "a.tar", FILES)
    data = path.read_bytes()
    path.write_bytes(data[:1800])  # within the second member
    with pytest.raises(UserError, match="damaged"):
        unpack(path, tmp_path / "out")
    assert tree(tmp_path / "out") == {}


@pytest.mark.parametrize(("make", "name"), MAKERS)
def test_no_archive_ends_in_a_traceback(make: object, name: str, tmp_path: Path) -> None:
    assert callable(make)
    whole = make(tmp_path / name, FILES).read_bytes()
    rng = random.Random(7)
    told = []
    for number in range(2000 if LONG else 120):
        data = bytearray(whole)
        for _ in range(rng.randint(1, 4)):
            data[rng.randrange(min(len(data), 2000))] = rng.randrange(256)
        if rng.random() < 0.3:
            del data[rng.randrange(len(data)) :]
        path = tmp_path / f"{number % 5}-{name}"
        path.write_bytes(data)
        try:
            unpack(path, tmp_path / "out")
        except UserError as error:
            told.append(str(error))
    assert told
    assert not any("\n" in line for line in told)
    assert not any(path.name.startswith(".") for path in (tmp_path / "out").rglob("*"))
