"""Which sizes of pictures and batches a file takes."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Any

from torch.export import Dim

from centernet.geometry.view import Size, map_size
from centernet.runtime.errors import UserError
from centernet.runtime.exporting import LARGEST
from centernet.tasks import Task

LEAST = 2  # times `multiple`: torch.export writes 1 down for a constant


@dataclass(frozen=True)
class Sizes:
    """Heights and widths n * `multiple` - `less`, from `smallest` to `largest`, or `fixed` alone.

    `batch` is the number of pictures, None for any.
    """

    multiple: int
    less: int = 0
    smallest: int = 0
    largest: int = 0
    fixed: Size | None = None
    batch: int | None = None

    @staticmethod
    def of(
        task: Task,
        *,
        pad: int,
        stride: int,
        k: int,
        fixed: Size | None = None,
        batch: int | None = None,
    ) -> Sizes:
        """What a network of `pad` and `stride` takes, if `k` peaks must fit on each of its maps."""
        multiple = pad + 1
        resolution = task.resolution(task.info, task.options)
        less = map_size((resolution[0], 0), stride)[0] * stride - resolution[0]
        k = max(k, getattr(task.options, "topk", 0))
        steps = max(LEAST, math.ceil(math.sqrt(k) * stride / multiple))
        sizes = Sizes(
            multiple, less, steps * multiple - less, LARGEST * stride - less, fixed, batch
        )
        if fixed is not None:
            sizes.check(fixed, "--input_res")
        return sizes

    def check(self, size: Size, name: str) -> None:
        """Raise UserError, naming `name`, if the file does not take `size` (height, width)."""
        one = f"{self.multiple}" + (f" less {self.less}" if self.less else "")
        if any((side + self.less) % self.multiple or side < 1 for side in size):
            raise UserError(
                f"{name}: {size[0]} x {size[1]}: height and width must be multiples of {one}"
            )
        if self.fixed is not None and size != self.fixed:
            raise UserError(
                f"{name}: {size[0]} x {size[1]}: made for {self.fixed[0]} x {self.fixed[1]} alone;"
                " export it without --fixed for any size"
            )
        if min(size) < self.smallest or max(size) > self.largest:
            raise UserError(
                f"{name}: {size[0]} x {size[1]}: sides from {self.smallest} to {self.largest} fit"
            )

    def __str__(self) -> str:
        count = "any number of pictures" if self.batch is None else f"{self.batch} at once"
        if self.fixed is not None:
            return f"{self.fixed[0]} x {self.fixed[1]}, {count}"
        less = f" less {self.less}" if self.less else ""
        return (
            f"height and width multiples of {self.multiple}{less}, {self.smallest} to"
            f" {self.largest}, {count}"
        )

    @property
    def example(self) -> tuple[int, Size]:
        """Batch and (height, width) of the picture that is traced: all different, if free."""
        low = math.ceil((self.smallest + self.less) / self.multiple)
        size = self.fixed or (
            (low + 1) * self.multiple - self.less,
            (low + 2) * self.multiple - self.less,
        )
        return self.batch or 2, size

    def dims(self, channels_last: bool) -> dict[int, Any]:
        """The free dimensions of the picture, for torch.export."""
        free: dict[int, Any] = {}
        if self.batch is None:
            free[0] = Dim("batch", min=1, max=1024)
        if self.fixed is None:
            low, high = (math.ceil((s + self.less) / self.multiple) for s in self._ends)
            for axis, name in zip((1, 2) if channels_last else (2, 3), "hw", strict=True):
                step = Dim(name, min=low, max=high)
                free[axis] = (
                    self.multiple * step - self.less
                    if self.less
                    else (self.multiple * step if self.multiple > 1 else step)
                )
        return free

    @property
    def _ends(self) -> tuple[int, int]:
        return self.smallest, self.largest
