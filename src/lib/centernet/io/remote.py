"""What is known of a published file before it is fetched."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class Remote:
    """A published file.

    `url` is empty where only a person can fetch it, from the web page `page`. `digest` is
    "sha256:..." (the whole or its first digits) or "md5:...", `size` its bytes; unknown: "", None.
    """

    name: str
    url: str = ""
    digest: str = ""
    size: int | None = None
    page: str = ""

    @property
    def source(self) -> str:
        """Where a person finds it."""
        return self.page or self.url
