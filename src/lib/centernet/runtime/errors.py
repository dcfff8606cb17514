"""The one exception a user's mistake raises, and what the system refuses put into its words."""

from __future__ import annotations

import errno
from collections.abc import Iterator
from contextlib import contextmanager

_FULL = frozenset({errno.ENOSPC, errno.EDQUOT})
# What the system says of a path that a user chose; other errors are ours.
_REFUSED = frozenset(
    {
        *(errno.EACCES, errno.EPERM, errno.EROFS, errno.ENOENT, errno.EEXIST),
        *(errno.ENOTDIR, errno.EISDIR, errno.ENAMETOOLONG, errno.EFBIG),
    }
)


class UserError(Exception):
    """A mistake of the user's: one line that names the file or flag, the object and the remedy.

    The command line prints it and ends with exit code 2; as a library it is an ordinary exception.
    """


class Interrupted(KeyboardInterrupt):
    """An interruption of which a line that says how to go on has been written already."""


class ArgumentError(UserError, ValueError):
    """An argument that has the right type and cannot be; the message names it."""


class WriteError(UserError, OSError):
    """A file that could not be written; the message names it."""


def refusal(error: OSError, path: object = None) -> str | None:
    """One line for an `error` of the user's disk or folders; None for any other.

    `path` is the file at work, for errors that do not name one.
    """
    name = error.filename or path
    if error.errno in _FULL:
        return f"{name or 'a file'}: {error.strerror}; make room or choose another folder"
    if name is None or error.errno not in _REFUSED:
        return None
    return f"{name}: {error.strerror}"


@contextmanager
def in_words() -> Iterator[None]:
    """Raise UserError in place of an OSError that tells of the user's disk or folders."""
    try:
        yield
    except UserError:
        raise
    except OSError as error:
        line = refusal(error)
        if line is None:
            raise
        raise UserError(line) from error
