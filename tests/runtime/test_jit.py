"""The compiler of the numba loops where its cache can, and where it cannot, be written."""

from __future__ import annotations

from types import SimpleNamespace

import numba
import pytest

from centernet.runtime import jit


def twice(number: int) -> int:
    return 2 * number


def test_compiles_without_a_place_for_the_cache(monkeypatch):
    asked = []

    def njit(**options):
        asked.append(options.get("cache", False))
        if options.get("cache"):
            raise RuntimeError("cannot cache function 'twice': no locator available for file")
        return numba.njit(**options)

    monkeypatch.setattr(jit, "numba", SimpleNamespace(njit=njit))
    assert jit.njit(twice)(21) == 42
    assert asked == [True, False]


def test_other_errors_are_not_hidden(monkeypatch):
    def njit(**options):
        raise RuntimeError("something else")

    monkeypatch.setattr(jit, "numba", SimpleNamespace(njit=njit))
    with pytest.raises(RuntimeError, match="something else"):
        jit.njit(twice)
