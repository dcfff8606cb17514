"""Downloads from a server on this machine: broken off, resumed, lied to, refused."""

from __future__ import annotations

import hashlib
import shutil
import socket
from collections.abc import Iterator
from dataclasses import replace
from functools import partial
from pathlib import Path

import numpy as np
import pytest

from centernet.io import download
from centernet.io.download import DownloadError, Remote, remote_of
from centernet.runtime.errors import UserError
from tests.loopback import Loopback, loopback

CONTENT = np.random.default_rng(0).bytes(1_000_000)
fetch = partial(download.fetch, pause=0.0, log=lambda line: None)


@pytest.fixture
def server() -> Iterator[Loopback]:
    with loopback() as running:
        yield running


def names(folder: Path) -> list[str]:
    return sorted(path.name for path in folder.iterdir())


def test_fetched_once(server: Loopback, tmp_path: Path) -> None:
    remote = server.offer("a.bin", CONTENT)
    assert fetch(remote, tmp_path / "new").read_bytes() == CONTENT
    assert names(tmp_path / "new") == ["a.bin"]
    assert fetch(remote, tmp_path / "new", offline=True).read_bytes() == CONTENT
    assert len(server.asked) == 1


def test_dropped_connections_are_taken_up_where_they_broke(
    server: Loopback, tmp_path: Path
) -> None:
    remote = server.offer("a.bin", CONTENT)
    server.drops, server.drop_after = 6, 150_000  # more than would be tried without progress
    said: list[str] = []
    assert fetch(remote, tmp_path, log=said.append).read_bytes() == CONTENT
    starts = [0 if r is None else int(r[6:-1]) for _, r in server.asked]
    assert starts == [150_000 * i for i in range(7)]
    assert "the connection ended after 150000 of 1000000 bytes; going on from" in said[0]
    assert names(tmp_path) == ["a.bin"]


def test_a_later_process_goes_on(server: Loopback, tmp_path: Path) -> None:
    remote = server.offer("a.bin", CONTENT)
    (tmp_path / "a.bin.part").write_bytes(CONTENT[:400_000])
    fetch(remote, tmp_path)
    assert server.asked == [("/a.bin", "bytes=400000-")]


def test_what_was_left_of_another_file_is_not_mixed_in(server: Loopback, tmp_path: Path) -> None:
    remote = server.offer("a.bin", CONTENT)
    (tmp_path / "a.bin.part").write_bytes(b"\0" * 400_000)
    (tmp_path / "a.bin.part.tag").write_text('"of yesterday"')
    assert fetch(remote, tmp_path).read_bytes() == CONTENT  # the server sees the tag: all anew
    assert len(server.asked) == 1
    (tmp_path / "a.bin").unlink()
    (tmp_path / "a.bin.part").write_bytes(b"\0" * 400_000)  # no tag: only the digest tells
    said: list[str] = []
    assert fetch(remote, tmp_path, log=said.append).read_bytes() == CONTENT
    assert any("starting over" in line for line in said)


@pytest.mark.parametrize("size", [1_000_000, 1_200_000])
def test_a_left_over_as_long_as_the_file_or_longer(
    size: int, server: Loopback, tmp_path: Path
) -> None:
    remote = server.offer("a.bin", CONTENT)
    (tmp_path / "a.bin.part").write_bytes(b"\0" * size)
    assert fetch(remote, tmp_path).read_bytes() == CONTENT


@pytest.mark.parametrize(("ranges", "validators"), [(False, True), (True, False), (False, False)])
def test_servers_that_cannot_resume(
    ranges: bool, validators: bool, server: Loopback, tmp_path: Path
) -> None:
    remote = replace(server.offer("a.bin", CONTENT), digest="", size=None)
    server.ranges, server.validators = ranges, validators
    server.drops, server.drop_after = 2, 150_000
    assert fetch(remote, tmp_path).read_bytes() == CONTENT
    assert len(server.asked) == 3


REFUSED = {
    "no such file": ({"files": {}}, "HTTP 404"),
    "forbidden": ({"status": 403}, "HTTP 403"),
    "busy": ({"status": 503}, "503.*4 times"),
    "page": ({"kind": "text/html; charset=utf-8"}, "a web page, not with the file"),
    "longer": ({"claims": 1_000_001}, "offers 1000001 bytes, published are 1000000"),
    "shorter": ({"claims": 999_999}, "offers 999999 bytes, published are 1000000"),
    "changed": ({"files": {"a.bin": CONTENT[::-1]}}, "invalid hash"),
    "packed": ({"more": {"Content-Encoding": "gzip"}}, r"packs the file \(gzip\)"),
    "in the middle": ({"part": 100}, "another part of the file .bytes 100-.*4 times"),
    "in circles": ({"status": 302, "more": {"Location": "/a.bin"}}, "infinite loop"),
    "silent": ({"drops": 99}, "ended after 0 of 1000000 bytes, 4 times"),
}


@pytest.mark.parametrize(("state", "why"), REFUSED.values(), ids=REFUSED)
def test_failures_say_what_to_do(state: dict, why: str, server: Loopback, tmp_path: Path) -> None:
    remote = replace(server.offer("a.bin", CONTENT), page="https://example.org/zoo")
    for name, value in state.items():
        setattr(server, name, value)
    with pytest.raises(DownloadError, match=why) as error:
        fetch(remote, tmp_path, hint=", or do without")
    message = str(error.value)
    assert "\n" not in message
    for part in (remote.url, str(tmp_path / "a.bin"), "https://example.org/zoo", "or do without"):
        assert part in message
    assert not (tmp_path / "a.bin").exists()


def test_a_claim_longer_than_the_file_is_never_put_in_place(
    server: Loopback, tmp_path: Path
) -> None:
    remote = replace(server.offer("a.bin", CONTENT), digest="", size=None)
    server.claims = 1_000_010
    with pytest.raises(DownloadError, match="ended after"):
        fetch(remote, tmp_path)
    assert not (tmp_path / "a.bin").exists()


def test_a_part_that_was_not_asked_for_is_not_the_file(server: Loopback, tmp_path: Path) -> None:
    """Neither from the start, nor behind what an earlier call left."""
    remote = replace(server.offer("a.bin", CONTENT), digest="", size=None)
    (tmp_path / "a.bin.part").write_bytes(CONTENT[:4000])
    etag = hashlib.md5(CONTENT, usedforsecurity=False).hexdigest()
    (tmp_path / "a.bin.part.tag").write_text(f'"{etag}"')
    server.part = 5000
    with pytest.raises(DownloadError, match="another part of the file"):
        fetch(remote, tmp_path)
    assert server.asked[0][1] == "bytes=4000-"
    assert not (tmp_path / "a.bin").exists()
    server.part = None
    assert fetch(remote, tmp_path).read_bytes() == CONTENT


@pytest.mark.parametrize("claims", ["abc", -5])
def test_a_length_that_is_none(claims: int | str, server: Loopback, tmp_path: Path) -> None:
    remote = server.offer("a.bin", CONTENT)
    server.claims = claims
    assert fetch(remote, tmp_path).read_bytes() == CONTENT


def test_nothing_is_no_file(server: Loopback, tmp_path: Path) -> None:
    remote = replace(server.offer("a.bin", b""), digest="", size=None)
    with pytest.raises(DownloadError, match="answers with nothing"):
        fetch(remote, tmp_path)
    assert not (tmp_path / "a.bin").exists()


def test_no_server(tmp_path: Path) -> None:
    with socket.socket() as unused:
        unused.bind(("127.0.0.1", 0))
        url = f"http://127.0.0.1:{unused.getsockname()[1]}/a.bin"
    with pytest.raises(DownloadError, match="refused"):
        fetch(Remote("a.bin", url), tmp_path)
    assert names(tmp_path) == []


def test_offline_and_by_hand(server: Loopback, tmp_path: Path) -> None:
    remote = server.offer("a.bin", CONTENT)
    with pytest.raises(DownloadError, match=r"--offline\); place the file at .*a\.bin by hand"):
        fetch(remote, tmp_path, offline=True)
    with pytest.raises(DownloadError, match=r"no direct link.*by hand from https://x\.org"):
        fetch(Remote("b.bin", page="https://x.org"), tmp_path)
    assert server.asked == []


def test_a_file_placed_by_hand_is_verified(server: Loopback, tmp_path: Path) -> None:
    remote = server.offer("a.bin", CONTENT)
    (tmp_path / "a.bin").write_bytes(CONTENT[:-1])
    with pytest.raises(DownloadError, match="has 999999 bytes, published are 1000000; delete it"):
        fetch(remote, tmp_path)
    (tmp_path / "a.bin").write_bytes(CONTENT[::-1])
    with pytest.raises(DownloadError, match=r"a\.bin: invalid hash"):
        fetch(replace(remote, digest=remote.digest[: len("sha256:") + 8]), tmp_path)


def test_full_disk(server: Loopback, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    remote = server.offer("a.bin", CONTENT)
    usage = shutil.disk_usage(tmp_path)._replace(free=1000)
    monkeypatch.setattr(shutil, "disk_usage", lambda path: usage)
    with pytest.raises(DownloadError, match=r"1\.0 MB more do not fit on the disk"):
        fetch(remote, tmp_path)


def test_two_at_once(server: Loopback, tmp_path: Path) -> None:
    fcntl = pytest.importorskip("fcntl", reason="the lock is one of POSIX systems")
    remote = server.offer("a.bin", CONTENT)
    with open(tmp_path / "a.bin.part.lock", "w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        with pytest.raises(DownloadError, match="another process"):
            fetch(remote, tmp_path)


@pytest.mark.parametrize(
    "url",
    [
        *("file:///etc/passwd", "ftp://a.org/b", "https://a.org", "a.pth", "https://a.org/x/.."),
        *("https://a.org/%2e%2e", "https://a.org/a%00b", "https://a.org/a%0Ab", "http://[::1/a"),
        *("http://a.org:x/a", f"https://a.org/{'a' * 300}"),
    ],
)
def test_addresses(url: str) -> None:
    with pytest.raises(UserError, match=r"not the http\(s\) address of a file"):
        remote_of(url)
    assert remote_of("https://a.org/x/b%20c.pth?d=1").name == "b c.pth"
    assert remote_of("https://a.org/ä b.pth").url == "https://a.org/%C3%A4%20b.pth"
