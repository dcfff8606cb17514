"""How a command ends."""

from __future__ import annotations

import sys
from collections.abc import Callable

from centernet.errors import UserError


def exit_code(prog: str, work: Callable[[], None]) -> int:
    """The exit code of `work`: 0, or 130 when it was interrupted.

    A mistake of the user's is 2 and told in one line that begins `prog`.
    """
    try:
        work()
    except UserError as error:
        print(f"{prog}: {error}", file=sys.stderr)
        return 2
    except KeyboardInterrupt:
        return 130
    return 0
