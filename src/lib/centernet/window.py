"""A window, for those who ask for one."""

from __future__ import annotations

import os
import sys

import cv2
import numpy as np

ESCAPE = 27


class Window:
    """A window where there is a display; where there is none it says so and does nothing."""

    def __init__(self, title: str = "centernet") -> None:
        self.title = title
        self.open = _has_display() and self._opened()
        if not self.open:
            print("no display: --show has no effect, the results are saved", file=sys.stderr)

    def _opened(self) -> bool:
        try:
            cv2.namedWindow(self.title, cv2.WINDOW_NORMAL)
        except cv2.error:  # an OpenCV built without windows
            return False
        return True

    def show(self, picture: np.ndarray, wait: bool) -> bool:
        """Show a picture, until a key is pressed if `wait`; False after Esc or q."""
        if not self.open:
            return True
        cv2.imshow(self.title, picture)
        return cv2.waitKey(0 if wait else 1) & 0xFF not in (ESCAPE, ord("q"))

    def close(self) -> None:
        """Close the window."""
        if self.open:
            cv2.destroyWindow(self.title)


def _has_display() -> bool:
    # Asked before OpenCV is: some of its builds end the process where there is no display.
    if sys.platform in ("win32", "darwin"):
        return True
    return bool(os.environ.get("DISPLAY") or os.environ.get("WAYLAND_DISPLAY"))
