"""What the evaluation of detections gives, whatever the data set's measure is."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray


class Curve(NamedTuple):
    """Precision over recall, both (N,) in [0, 1]; recall does not fall."""

    recall: NDArray[np.float64]
    precision: NDArray[np.float64]


@dataclass(frozen=True)
class Evaluation:
    """The metrics of detections on a data set; nothing is printed: the caller logs `table`.

    metrics: by name, the first is the one that a run is evaluated by; -1 is one that nothing in the
    data can decide. per_class: the same kind of numbers for each class, {class: {metric: value}}.
    curves: precision over recall of each class at the overlap of `curves_at`. table: the data set's
    usual table as text of several lines. by_size: {size of the objects: {overlap: AP}}.
    """

    metrics: dict[str, float]
    per_class: Mapping[str, Mapping[str, float]] = field(default_factory=dict)
    curves: Mapping[str, Curve] = field(default_factory=dict)
    curves_at: str = ""
    table: str = ""
    by_size: Mapping[str, Mapping[str, float]] = field(default_factory=dict)

    @property
    def main(self) -> float:
        """The metric that a run is evaluated by."""
        return next(iter(self.metrics.values()))

    def prefixed(self, prefix: str) -> Evaluation:
        """The same with `prefix` before the names of all metrics."""
        return replace(
            self,
            metrics={prefix + name: value for name, value in self.metrics.items()},
            per_class={
                c: {prefix + name: value for name, value in values.items()}
                for c, values in self.per_class.items()
            },
        )

    def joined(self, other: Evaluation) -> Evaluation:
        """Both measures of the same detections; where they have the same name this one's stays."""
        classes = dict.fromkeys([*self.per_class, *other.per_class])
        new = {name: v for name, v in other.metrics.items() if name not in self.metrics}
        return Evaluation(
            metrics={**self.metrics, **new},
            per_class={
                name: {**other.per_class.get(name, {}), **self.per_class.get(name, {})}
                for name in classes
            },
            curves=self.curves or other.curves,
            curves_at=self.curves_at if self.curves else other.curves_at,
            table="\n".join(filter(None, [self.table, other.table])),
            by_size=self.by_size or other.by_size,
        )
