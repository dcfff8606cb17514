"""Drawings for --debug."""

from __future__ import annotations

from pathlib import Path

import numpy as np

from centernet.detectors.detector import Detector
from centernet.detectors.preprocess import Ready
from centernet.drawing.flat import blend, heat_map
from centernet.io.picture_file import save_picture
from centernet.structures.detections import Detections


class Sketches:
    """Drawings for --debug in `folder`: the detections, and from level 2 on the heat maps."""

    def __init__(self, folder: Path, detector: Detector, level: int, threshold: float, theme: str):
        self.folder, self.detector, self.level = Path(folder).absolute(), detector, level
        self.threshold, self.theme = threshold, theme

    def draw(self, name: str, image: np.ndarray, ready: Ready, found: Detections) -> None:
        """Save what is known of the image `name`."""
        drawn = found.plot(image, threshold=self.threshold, theme=self.theme)
        save_picture(self.folder / f"{name}_out.jpg", drawn)
        above = found.birds_eye(threshold=self.threshold, theme=self.theme)
        if above is not None:
            save_picture(self.folder / f"{name}_above.jpg", above)
        if self.level < 2:
            return
        for head, heat in heat_maps(self.detector, ready, self.theme).items():
            save_picture(self.folder / f"{name}_{head}.jpg", heat)


def heat_maps(detector: Detector, ready: Ready, theme: str = "white") -> dict[str, np.ndarray]:
    """{head: its heat maps over the input, BGR uint8} of an image that was prepared."""
    prepared = ready.scales[0]
    seen = detector.preprocess.picture(prepared)
    size = seen.shape[0], seen.shape[1]
    return {
        head: blend(seen, heat_map(maps.whole()[0].float().cpu().numpy(), size, theme))
        for head, maps in detector.maps([prepared]).items()
        if head.startswith("hm")
    }


def heat_of(detector: Detector, ready: Ready) -> np.ndarray | None:
    """The first heat maps of an image over it; None for a task or an engine that has none."""
    if not detector.engine.has_maps:
        return None
    return next(iter(heat_maps(detector, ready).values()), None)
