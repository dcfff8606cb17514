"""The one exception a user's mistake raises."""

from __future__ import annotations


class UserError(Exception):
    """A mistake of the user's: one line that names the file or flag, the object and the remedy.

    The command line prints it and ends with exit code 2; as a library it is an ordinary exception.
    """
