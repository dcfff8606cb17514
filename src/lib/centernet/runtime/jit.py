"""`njit`: numba's compiler with the compiled code kept between runs, where it can be kept."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numba


def njit(function: Callable[..., Any]) -> Callable[..., Any]:
    """Compile `function` on its first call, without the GIL and with division as in C.

    The machine code is cached beside the source or in the user's cache folder. numba refuses to
    decorate at all where neither can be written (a container run as an unknown user): there the
    function is compiled anew in every process. A cached function that calls one of another module
    does not see that module change: keep what calls each other in one file.
    """
    try:
        return numba.njit(cache=True, nogil=True, error_model="numpy")(function)
    except RuntimeError as error:
        if "cannot cache" not in str(error):
            raise
        return numba.njit(nogil=True, error_model="numpy")(function)
