"""CenterNet: objects as points. One runner for the whole centre-point family.

In short::

    from centernet import load_detector
    detector = load_detector("model_best.pth")
    found = detector.detect("photo.jpg")
    found.save("photo_found.jpg")
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from centernet.builders.centernet import build_centernet
    from centernet.builders.load import load_detector
    from centernet.structures.detections import Detections

__version__ = "0.1.0"
__all__ = ["Detections", "__version__", "build_centernet", "load_detector"]

_HOMES = {
    "Detections": "centernet.structures.detections",
    "build_centernet": "centernet.builders.centernet",
    "load_detector": "centernet.builders.load",
}


def __getattr__(name: str) -> Any:
    """Public names are imported when first used: `--help` need not wait for PyTorch."""
    if name not in _HOMES:
        raise AttributeError(f"module 'centernet' has no attribute '{name}'")
    from importlib import import_module

    return getattr(import_module(_HOMES[name]), name)
