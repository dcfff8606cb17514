"""Compiled code is loaded from folders of the user's own alone."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from centernet.runtime import private

pytestmark = pytest.mark.skipif(not hasattr(os, "getuid"), reason="no owners on this system")


@pytest.fixture(autouse=True)
def _anew(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Iterator[None]:
    temporary = tmp_path / "tmp"
    temporary.mkdir()
    temporary.chmod(0o1777)
    monkeypatch.setattr(private.tempfile, "gettempdir", lambda: str(temporary))
    monkeypatch.setattr(private.tempfile, "tempdir", str(temporary))
    private._instead.cache_clear()
    yield
    private._instead.cache_clear()


def give_away(path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """`path` belongs to somebody else; where only root may do so, all is somebody else's."""
    if os.getuid() == 0:
        os.chown(path, 12345, 12345)
    else:
        another = os.getuid() + 1
        monkeypatch.setattr(os, "getuid", lambda: another)


def test_ones_own_folder(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("CENTERNET_CACHE", str(tmp_path / "mine"))
    assert private.cache_folder("numba") == tmp_path / "mine" / "numba"
    monkeypatch.delenv("CENTERNET_CACHE")
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "xdg"))
    assert private.cache_folder() == tmp_path / "xdg" / "centernet"
    assert list(tmp_path.iterdir()) == [tmp_path / "tmp"]  # nothing was made


@pytest.mark.parametrize("place", ["folder", "folder/inside", "folder/not/there/yet"])
@pytest.mark.parametrize("mode", [0o777, 0o1777, 0o775])
def test_a_folder_others_may_write_to(
    place: str,
    mode: int,
    monkeypatch: pytest.MonkeyPatch,
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
) -> None:
    """Refused with a line; of a sticky folder such as /tmp only what is not there yet."""
    (tmp_path / "folder" / "inside").mkdir(parents=True)
    (tmp_path / "folder").chmod(mode)
    monkeypatch.setattr(private, "_only_mine", lambda group: False)
    monkeypatch.setenv("CENTERNET_CACHE", str(tmp_path / place))
    chosen = private.cache_folder()
    if mode == 0o1777 and place != "folder":
        assert chosen == tmp_path / place
        return
    assert chosen == tmp_path / "tmp" / f"centernet-{os.getuid()}"
    assert chosen.stat().st_mode & 0o777 == 0o700
    assert private.cache_folder() == chosen
    (line,) = capsys.readouterr().err.splitlines()  # once
    assert f"other users may write to {tmp_path / 'folder'} (mode {mode:o})" in line
    assert "set CENTERNET_CACHE" in line


def test_a_folder_of_another_user(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    theirs = tmp_path / "theirs"
    theirs.mkdir()
    monkeypatch.setenv("CENTERNET_CACHE", str(theirs))
    give_away(theirs, monkeypatch)
    assert not private.cache_folder().is_relative_to(theirs)
    assert "belongs to another user" in capsys.readouterr().err


def test_a_link_is_judged_by_where_it_leads(tmp_path: Path) -> None:
    (tmp_path / "open").mkdir(mode=0o777)
    (tmp_path / "open").chmod(0o777)
    (tmp_path / "link").symlink_to(tmp_path / "open")
    assert "other users may write to" in (private.why_not_private(tmp_path / "link") or "")


def test_the_private_place_was_taken_by_another(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """Whoever made the folder first does not get to hand out code: a new one, for this process."""
    (tmp_path / "open").mkdir()
    (tmp_path / "open").chmod(0o777)
    squatted = tmp_path / "tmp" / f"centernet-{os.getuid()}"
    squatted.mkdir()
    squatted.chmod(0o777)
    monkeypatch.setenv("CENTERNET_CACHE", str(tmp_path / "open"))
    chosen = private.cache_folder()
    assert chosen != squatted
    assert chosen.stat().st_mode & 0o777 == 0o700


def test_numba_and_other_compilers_follow(tmp_path: Path) -> None:
    """A whole process: nothing is written to nor read from the open folder."""
    (tmp_path / "open").mkdir()
    (tmp_path / "open").chmod(0o777)
    program = (
        "from centernet.runtime import jit, private; import os; private.keep_compilers_private();"
        "print(jit._folder()); print(os.environ['TORCHINDUCTOR_CACHE_DIR']);"
        "print(os.environ['TRITON_CACHE_DIR'])"
    )
    environment = {key: text for key, text in os.environ.items() if key != "NUMBA_CACHE_DIR"}
    environment |= {
        "CENTERNET_CACHE": str(tmp_path / "open"),
        "TORCHINDUCTOR_CACHE_DIR": str(tmp_path / "open"),
        "TRITON_CACHE_DIR": str(tmp_path / "mine"),
        "TMPDIR": str(tmp_path / "tmp"),
    }
    done = subprocess.run(
        [sys.executable, "-c", program], env=environment, capture_output=True, text=True, check=True
    )
    ours, inductor, triton = map(Path, done.stdout.splitlines())
    place = tmp_path / "tmp" / f"centernet-{os.getuid()}"
    assert ours.is_relative_to(place / "numba")
    assert inductor == place / "inductor"
    assert triton == tmp_path / "mine"
    assert not list((tmp_path / "open").iterdir())
