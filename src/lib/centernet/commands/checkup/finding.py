"""One thing that was looked at."""

from __future__ import annotations

from dataclasses import dataclass

GOOD, NOTE, BAD = "ok", "note", "BROKEN"


@dataclass(frozen=True)
class Finding:
    """`what` was found, how it is (`state`), and what to do where something is amiss."""

    state: str
    what: str
    remedy: str = ""

    def lines(self) -> list[str]:
        """For the eye: the finding, and below it the remedy."""
        first = f"{self.state:<7}{self.what}"
        return [first, f"{'':<7}-> {self.remedy}"] if self.remedy else [first]
