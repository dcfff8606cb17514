"""Identities over time: trackers that work on the detections of any task."""

from centernet.trackers.byte import ByteTracker
from centernet.trackers.center import CenterTracker
from centernet.trackers.lightning import LightningTracker
from centernet.trackers.offset import OffsetByteTracker
from centernet.trackers.per_class import PerClass
from centernet.trackers.reid import ReidTracker
from centernet.trackers.tracker import Tracker

__all__ = [
    "ByteTracker",
    "CenterTracker",
    "LightningTracker",
    "OffsetByteTracker",
    "PerClass",
    "ReidTracker",
    "Tracker",
]
