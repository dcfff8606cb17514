"""Fetching published files over HTTP: resumed after a break, verified, put in place whole.

What has arrived lies beside the target as `<name>.part`; a later call, also of a later process,
goes on from there if the server still offers the same file.
"""

from __future__ import annotations

import http.client
import os
import shutil
import string
import time
import urllib.error
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any
from urllib.parse import quote, unquote, urlsplit

from filelock import FileLock, Timeout

from centernet import __version__
from centernet.io.files import digest_of
from centernet.io.meter import Log, Meter, megabytes
from centernet.io.remote import Remote
from centernet.runtime.errors import UserError

CHUNK = 1 << 18
TIMEOUT = 30.0  # seconds without a byte
ATTEMPTS = 4  # in a row that bring nothing
LONGEST = 240  # bytes of a file name, so that .part and the like still fit
# What the network raises when it fails; HTTP errors are distinguished from these.
NETWORK = (OSError, http.client.HTTPException)


class DownloadError(UserError):
    """A file could not be had; the line names its address and where to put it by hand."""


class Broken(Exception):
    """A transfer that ended early: worth another try."""


class Refused(Exception):
    """An answer that another try would not change."""


def remote_of(url: str) -> Remote:
    """The file at `url`, of which nothing else is known; UserError unless it is http(s)."""
    try:
        parts = urlsplit(url)
        named = parts.hostname and parts.port != 0  # a port that is no number raises
    except ValueError:
        named = False
    name = Path(unquote(parts.path)).name if named else ""
    fits = name.isprintable() and name != ".." and len(name.encode()) <= LONGEST
    if not name or not fits or parts.scheme not in ("http", "https"):
        raise UserError(f"{url!r}: not the http(s) address of a file")
    return Remote(name, quote(url, safe=string.punctuation))


def fetch(
    remote: Remote,
    folder: str | Path,
    *,
    offline: bool = False,
    log: Log = print,
    hint: str = "",
    pause: float = 1.0,
) -> Path:
    """The path of `remote` in `folder`, downloaded unless it is there, in either case verified.

    `offline` downloads nothing. `hint` ends the message of a failure (", or ..."); `pause` is the
    wait, in seconds, before the first repetition. Raises DownloadError, one line.
    """
    path = Path(folder) / remote.name
    if path.exists():
        fault = mismatch(path, remote)
        if fault:
            raise DownloadError(f"{path}: {fault}; delete it and fetch it again: {remote.source}")
        return path

    def failed(why: str) -> DownloadError:
        page = "" if not remote.page or remote.page == remote.url else f" from {remote.page}"
        return DownloadError(
            f"cannot download {remote.url or remote.name} ({why}); place the file at"
            f" {path.absolute()} by hand{page}{hint}"
        )

    if offline:
        raise failed("--offline")
    if not remote.url:
        raise failed("its owner offers no direct link")
    part = path.with_name(f"{path.name}.part")
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        with _alone(part):
            _complete(remote, part, log, pause)
            os.replace(part, path)
            _tag(part).unlink(missing_ok=True)
    except (Refused, *NETWORK) as error:
        raise failed(" ".join(str(error).split()) or type(error).__name__) from error
    log(f"{remote.url} -> {path} ({megabytes(path.stat().st_size)})")
    return path


def mismatch(path: Path, remote: Remote) -> str | None:
    """What is wrong with the file at `path`, in words; None if it is as published, or unknown."""
    size = path.stat().st_size
    if remote.size is not None and size != remote.size:
        return f"has {size} bytes, published are {remote.size}"
    if remote.digest:
        kind, _, wanted = remote.digest.partition(":")
        found = digest_of(path, kind)
        if not found.startswith(wanted):
            return f"invalid hash ({kind} {found[: max(len(wanted), 8)]}, published {wanted})"
    return None


def _complete(remote: Remote, part: Path, log: Log, pause: float) -> None:
    """Fill `part` with the whole, verified file."""
    began = part.stat().st_size if part.exists() else 0
    _transfer_in_pieces(remote, part, log, pause)
    fault = mismatch(part, remote)
    if fault and began:
        log(f"{part}: what an earlier download left does not fit the rest; starting over")
        _drop(part)
        _transfer_in_pieces(remote, part, log, pause)
        fault = mismatch(part, remote)
    if fault:
        _drop(part)
        raise Refused(fault)


def _transfer_in_pieces(remote: Remote, part: Path, log: Log, pause: float) -> None:
    failures = 0
    furthest = part.stat().st_size if part.exists() else 0
    while True:
        try:
            return _transfer(remote, part, log)
        except urllib.error.HTTPError as error:
            why: Exception = error
            if error.code < 500 and error.code not in (408, 416, 429):
                raise Refused(f"HTTP {error.code} {error.reason}") from error
            if error.code == 416:  # asked for what is beyond the end: not the same file any more
                _drop(part)
        except (Broken, *NETWORK) as error:
            why = error
            if isinstance(error, OSError) and not _of_the_network(error):
                raise  # a full disk or a forbidden folder stays what it is
            if isinstance(error, urllib.error.URLError) and not furthest:
                raise Refused(str(error.reason)) from error  # no network, or a dead host
        reached = part.stat().st_size if part.exists() else 0
        failures = 0 if reached > furthest else failures + 1
        furthest = max(furthest, reached)
        if failures >= ATTEMPTS:
            raise Refused(f"{why}, {ATTEMPTS} times")
        log(f"{remote.name}: {why}; going on from {megabytes(reached)}")
        time.sleep(pause * 2 ** max(failures - 1, 0))


def _of_the_network(error: BaseException) -> bool:
    return isinstance(error, ConnectionError | TimeoutError | urllib.error.URLError)


def _transfer(remote: Remote, part: Path, log: Log) -> None:
    """One request for what is missing of `part`; Broken when the connection ends early."""
    have = part.stat().st_size if part.exists() else 0
    if have and have == remote.size:
        return
    headers = {"User-Agent": f"centernet/{__version__}", "Accept-Encoding": "identity"}
    validator = _tag(part).read_text() if _tag(part).exists() else ""
    if have and (validator or remote.digest):
        headers["Range"] = f"bytes={have}-"
        if validator:
            headers["If-Range"] = validator
    request = urllib.request.Request(remote.url, headers=headers)
    with urllib.request.urlopen(request, timeout=TIMEOUT) as answer:
        start = _start(part, answer, have)
        total = _total(answer, start)
        _check(remote, answer, total)
        if total is not None and total - start > shutil.disk_usage(part.parent).free:
            raise Refused(f"{megabytes(total - start)} more do not fit on the disk")
        _remember(part, answer)
        with (
            open(part, "r+b" if start else "wb") as file,
            Meter(remote.name, total, log) as meter,
        ):
            file.seek(start)
            done = start
            while block := answer.read(CHUNK):
                file.write(block)
                done += len(block)
                meter.reach(done)
    if total is not None and done != total:
        raise Broken(f"the connection ended after {done} of {total} bytes")
    if done == 0 and remote.size != 0:
        raise Broken("the server answers with nothing")


def _start(part: Path, answer: Any, have: int) -> int:
    """The place in the file of the answer's first byte: after the first `have`, or 0."""
    if answer.status != 206:
        return 0
    said = answer.headers.get("Content-Range", "")
    if said.startswith(f"bytes {have}-"):
        return have
    _drop(part)
    raise Broken(f"the server answers with another part of the file ({said or 'not said which'})")


def _total(answer: Any, start: int) -> int | None:
    """The length of the whole file as this answer tells it; None if it does not."""
    whole = answer.headers.get("Content-Range", "").rpartition("/")[2]
    if answer.status == 206 and whole.isdecimal():
        return int(whole)
    length = answer.headers.get("Content-Length") or ""
    return start + int(length) if length.isdecimal() else None


def _check(remote: Remote, answer: Any, total: int | None) -> None:
    """Raise Refused where the server evidently offers something else than the published file."""
    packed = answer.headers.get("Content-Encoding", "identity")
    if packed != "identity":
        raise Refused(f"the server packs the file ({packed}) although it was not asked to")
    page = answer.headers.get_content_type() == "text/html"
    if page and not remote.name.endswith((".html", ".htm")):
        raise Refused("the server answers with a web page, not with the file")
    if remote.size is not None and total is not None and total != remote.size:
        raise Refused(f"the server offers {total} bytes, published are {remote.size}")


def _remember(part: Path, answer: Any) -> None:
    """Keep what tells whether the server still offers the same file (If-Range, RFC 9110)."""
    etag = answer.headers.get("ETag", "")
    validator = answer.headers.get("Last-Modified", "") if etag[:2] in ("", "W/") else etag
    if validator:
        _tag(part).write_text(validator)
    else:
        _tag(part).unlink(missing_ok=True)


def _tag(part: Path) -> Path:
    return part.with_name(f"{part.name}.tag")


def _drop(part: Path) -> None:
    part.unlink(missing_ok=True)
    _tag(part).unlink(missing_ok=True)


@contextmanager
def _alone(part: Path) -> Iterator[None]:
    """Keep a second process from writing to the same `part`."""
    lock = part.with_name(f"{part.name}.lock")
    try:
        with FileLock(lock, timeout=0):
            try:
                yield
            finally:
                lock.unlink(missing_ok=True)
    except Timeout as error:
        raise Refused("another process is downloading it; wait for that one") from error
