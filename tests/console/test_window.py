"""The window: none without a display, and none that ends the process on a display that refuses."""

from __future__ import annotations

import sys
from types import SimpleNamespace

import numpy as np
import pytest

from centernet.console import window
from centernet.console.window import Window

PICTURE = np.zeros((20, 30, 3), np.uint8)
linux_only = pytest.mark.skipif(
    sys.platform in ("win32", "darwin"), reason="there is always a display on this system"
)


@linux_only
@pytest.mark.parametrize("display", [None, ":77"])
def test_no_display(
    display: str | None, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.delenv("WAYLAND_DISPLAY", raising=False)
    monkeypatch.delenv("DISPLAY", raising=False)
    if display:
        monkeypatch.setenv("DISPLAY", display)  # nothing answers there
    closed = Window()
    assert not closed.open
    assert capsys.readouterr().err.startswith("no display: --show has no effect")
    assert closed.show(PICTURE, wait=True)  # goes on
    closed.close()


@pytest.mark.parametrize(
    ("keys", "visible", "goes_on"),
    [
        ([-1, -1, ord("n")], True, True),
        ([-1, 27], True, False),
        ([ord("q")], True, False),
        ([-1, -1, -1], False, False),
    ],
)
def test_keys_and_the_closed_window(
    keys: list[int], visible: bool, goes_on: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    left = list(keys)
    monkeypatch.setattr(window, "has_display", lambda: True)
    monkeypatch.setattr(
        window,
        "cv2",
        SimpleNamespace(
            WINDOW_NORMAL=0,
            WND_PROP_VISIBLE=4,
            error=RuntimeError,
            namedWindow=lambda *_: None,
            destroyWindow=lambda *_: None,
            imshow=lambda *_: None,
            waitKey=lambda _: left.pop(0),
            getWindowProperty=lambda *_: float(visible),
        ),
    )
    shown = Window()
    assert shown.show(PICTURE, wait=True) is goes_on
    assert left == [] or not visible
    shown.close()
