"""Names that two sides must have in common: classes, joints."""

from __future__ import annotations

from collections.abc import Sequence

from centernet.runtime.errors import UserError

LONGEST = 7  # lists that are shown whole


def counted(noun: str, names: Sequence[str]) -> str:
    """ "3 joints (nose, left, right)", of a long list the first."""
    return f"{len(names)} {noun} ({_some(names)})"


def other_order(noun: str, theirs: Sequence[str], ours: Sequence[str]) -> str | None:
    """What is wrong where a file and the data have the same names, but not in the same order."""
    if theirs == ours or sorted(theirs) != sorted(ours):
        return None
    return (
        f"has the {noun} in the order {', '.join(theirs)}, the data {', '.join(ours)}: each would"
        " be taken for another; give the data's (COCO: in 'categories') the order of the checkpoint"
    )


def same_classes(train: Sequence[str], val: Sequence[str]) -> None:
    """Raise UserError unless both parts of a data set have the same classes in the same order."""
    if list(train) == list(val):
        return
    alone = (("training", train, val), ("validation", val, train))
    parts = [
        f"only in {part}: {_some(names)}"
        for part, own, other in alone
        if (names := [name for name in own if name not in other])
    ]
    raise UserError(
        f"the training part has {counted('classes', train)} but the validation part {len(val)}"
        f" ({_some(val)}), {'; '.join(parts) or 'in another order'}; give both the same categories"
        " in the same order (COCO: 'categories')"
    )


def _some(names: Sequence[str]) -> str:
    return ", ".join([*names[: LONGEST - 1], "..."] if len(names) > LONGEST else names)
