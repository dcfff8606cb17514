"""A web server on this machine that misbehaves on request."""

from __future__ import annotations

import hashlib
import threading
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

from centernet.io.download import Remote


@dataclass
class Loopback:
    """Serves `files`; the rest says how badly.

    `drop_after` bytes of an answer the connection ends, for the next `drops` answers; `claims` is a
    Content-Length that is not true, `part` the place where an answer begins whatever was asked;
    `more` are further headers; `asked` the (path, Range or None) of every request.
    """

    address: str = ""
    files: dict[str, bytes] = field(default_factory=dict)
    drop_after: int = 0
    drops: int = 0
    ranges: bool = True
    validators: bool = True
    claims: int | str | None = None
    part: int | None = None
    more: dict[str, str] = field(default_factory=dict)
    status: int = 200
    kind: str = "application/octet-stream"
    asked: list[tuple[str, str | None]] = field(default_factory=list)

    def offer(self, name: str, content: bytes) -> Remote:
        """Serve `content` as `name`; the file as one would publish it."""
        self.files[name] = content
        digest = f"sha256:{hashlib.sha256(content).hexdigest()}"
        return Remote(name, f"{self.address}/{name}", digest, len(content))


@contextmanager
def loopback() -> Iterator[Loopback]:
    """A running server."""
    state = Loopback()

    class Handler(BaseHTTPRequestHandler):
        def log_message(self, format: str, *args: object) -> None:
            pass

        def do_GET(self) -> None:
            answer(self, state)

    with ThreadingHTTPServer(("127.0.0.1", 0), Handler) as server:
        state.address = f"http://127.0.0.1:{server.server_port}"
        thread = threading.Thread(target=server.serve_forever, args=(0.01,))
        thread.start()
        try:
            yield state
        finally:
            server.shutdown()
            thread.join()


def answer(request: BaseHTTPRequestHandler, state: Loopback) -> None:
    """One answer, as `state` wants it."""
    wanted = request.headers.get("Range")
    state.asked.append((request.path, wanted))
    content = state.files.get(request.path.lstrip("/"))
    if content is None or state.status >= 400:
        request.send_error(404 if content is None else state.status)
        return
    etag = f'"{hashlib.md5(content, usedforsecurity=False).hexdigest()}"'
    same = request.headers.get("If-Range", etag) == etag
    start = int(wanted[len("bytes=") : -1]) if wanted and state.ranges and same else 0
    start = start if state.part is None else state.part
    if start >= len(content) > 0:
        request.send_error(416)
        return
    body = content[start:]
    request.send_response(206 if start else state.status)
    if start:
        last = len(content) - 1
        request.send_header("Content-Range", f"bytes {start}-{last}/{len(content)}")
    if state.validators:
        request.send_header("ETag", etag)
    request.send_header("Content-Type", state.kind)
    for name, value in state.more.items():
        request.send_header(name, value)
    length = len(body) if state.claims is None else state.claims
    request.send_header("Content-Length", str(length))
    request.end_headers()
    if state.drops:
        state.drops -= 1
        body = body[: state.drop_after]
    request.close_connection = True
    with suppress(ConnectionError):  # a client that has seen enough
        request.wfile.write(body)
