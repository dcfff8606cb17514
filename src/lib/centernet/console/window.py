"""A window, for those who ask for one."""

from __future__ import annotations

import os
import subprocess
import sys

import cv2
import numpy as np

ESCAPE = 27
_PROBE = "import cv2; cv2.namedWindow('probe', cv2.WINDOW_NORMAL); cv2.destroyAllWindows()"
_PATIENCE = 60.0  # seconds for the probe


class Window:
    """A window where there is a display; where there is none it says so and does nothing."""

    def __init__(self, title: str = "centernet") -> None:
        self.title = title
        self.open = has_display() and self._opened()
        if not self.open:
            print("no display: --show has no effect, the results are saved", file=sys.stderr)

    def _opened(self) -> bool:
        try:
            cv2.namedWindow(self.title, cv2.WINDOW_NORMAL)
        except cv2.error:  # an OpenCV built without windows
            return False
        return True

    def show(self, picture: np.ndarray, wait: bool) -> bool:
        """Show an image, until a key is pressed if `wait`.

        False when the user wants no more: Esc, q, or the window's own button.
        """
        if not self.open:
            return True
        cv2.imshow(self.title, picture)
        key = cv2.waitKey(1)
        while key < 0 and wait and self._visible():
            key = cv2.waitKey(50)
        return self._visible() and key & 0xFF not in (ESCAPE, ord("q"))

    def _visible(self) -> bool:
        return cv2.getWindowProperty(self.title, cv2.WND_PROP_VISIBLE) >= 1

    def close(self) -> None:
        """Close the window."""
        if self.open and self._visible():
            cv2.destroyWindow(self.title)


def has_display() -> bool:
    """Whether a window can be opened.

    Where the environment names a display, another process tries it first: some builds of OpenCV end
    the process that asks for a window on a display that refuses it (a container, an old session).
    """
    if sys.platform in ("win32", "darwin"):
        return True
    if not (os.environ.get("DISPLAY") or os.environ.get("WAYLAND_DISPLAY")):
        return False
    command = [sys.executable, "-c", _PROBE]
    try:
        probe = subprocess.run(command, capture_output=True, timeout=_PATIENCE, check=False)
    except (OSError, subprocess.TimeoutExpired):
        return False
    return probe.returncode == 0
