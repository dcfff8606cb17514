"""CenterNet: objects as points. One runner for the whole centre-point family."""

__version__ = "0.1.0"
