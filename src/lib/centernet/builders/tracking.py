"""The tracker that options name."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import fields
from typing import Any

from centernet.options.groups import Track
from centernet.trackers.byte import ByteRule, ByteTracker
from centernet.trackers.center import CenterRule, CenterTracker
from centernet.trackers.lightning import LightningRule, LightningTracker
from centernet.trackers.offset import OffsetByteTracker, OffsetRule
from centernet.trackers.per_class import PerClass
from centernet.trackers.reid import ReidRule, ReidTracker
from centernet.trackers.shaped import Shaped
from centernet.trackers.tracker import Identities, Tracker

Make = Callable[[Identities | None], Tracker]


def make_tracker(asked: Track, classes: int = 1, rate: float = 30.0) -> Tracker | None:
    """The tracker of the flags, None without --tracker.

    `classes` of the detections: with several each has a tracker of its own, unless the tracker
    looks at classes itself. `rate`, frames a second, is what byte's and reid's memory goes by.
    """
    if asked.tracker == "none":
        return None
    make = MAKERS[asked.tracker](asked, rate)
    alone = classes == 1 or (asked.tracker == "center" and not asked.ids_per_class)
    tracker = make(None) if alone else PerClass(make, own_ids=asked.ids_per_class)
    if asked.min_box_area or asked.max_box_ratio:
        return Shaped(tracker, asked.min_box_area, asked.max_box_ratio)
    return tracker


def _center(asked: Track, rate: float) -> Make:
    rule = CenterRule(**_given(asked, CenterRule))
    return lambda identities: CenterTracker(rule, identities)


def _byte(asked: Track, rate: float) -> Make:
    if asked.motion == "offset":
        offset = OffsetRule(**_given(asked, OffsetRule))
        return lambda identities: OffsetByteTracker(offset, identities)
    given = _given(asked, ByteRule)
    low = {} if asked.out_thresh is None else {"low_thresh": asked.out_thresh}
    rule = ByteRule(**{"frame_rate": rate, **given, **low})
    return lambda identities: ByteTracker(rule, identities)


def _reid(asked: Track, rate: float) -> Make:
    least = {} if asked.track_thresh is None else {"conf_thres": asked.track_thresh}
    rule = ReidRule(**{"frame_rate": rate, **_given(asked, ReidRule), **least})
    return lambda identities: ReidTracker(rule, identities)


def _lightning(asked: Track, rate: float) -> Make:
    least = {} if asked.track_thresh is None else {"detection_threshold": asked.track_thresh}
    ages = {} if asked.max_age is None else {"max_inactive_age": asked.max_age}
    rule = LightningRule(**{**_given(asked, LightningRule), **least, **ages})
    return lambda identities: LightningTracker(rule, identities)


MAKERS: Mapping[str, Callable[[Track, float], Make]] = {
    "center": _center,
    "byte": _byte,
    "reid": _reid,
    "lightning": _lightning,
}


def _given(asked: Track, rule: type) -> dict[str, Any]:
    """The flags that have the name of a field of `rule` and were given."""
    names = {field.name for field in fields(rule)}
    return {n: v for n, v in vars(asked).items() if n in names and v is not None}
