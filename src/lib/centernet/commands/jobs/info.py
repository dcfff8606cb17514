"""What each network costs, as a table."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import asdict, replace
from typing import Any

from centernet.commands.info import Info as Networks
from centernet.datasets.published import PUBLISHED
from centernet.datasets.source import Info
from centernet.geometry.view import Size, check_divisible
from centernet.io.meter import Log
from centernet.models.measure import cost, shapes_of
from centernet.models.networks import BACKBONES
from centernet.options.flag import unknown
from centernet.options.groups import Input
from centernet.runtime.errors import UserError
from centernet.tasks import TASKS, Task

# (million parameters, "FLOPs" in G) that Vastai's model zoo prints for 80 classes. It states
# neither its input size nor its way of counting: 13.14 is near the multiply-adds at 512 x 512.
ELSEWHERE: Mapping[str, tuple[float, float]] = {
    "res_18": (15.82, 90.0),
    "resconv_18": (14.22, 13.14),
}
LARGEST = 1 << 16  # pixels of a side: beyond it maps have more values than PyTorch counts
COLUMNS = (
    *("network", "stride", "multiple of", "parameters, M", "FLOPs, G", "multiply-adds, G"),
    *("weights, MB", "maps, MB", "published: parameters, M", "published: FLOPs, G"),
)

Row = dict[str, Any]


def run(given: Networks, asked: Input, log: Log = print) -> None:
    """Print the cost of the networks that are asked for."""
    if len(given.task) > 1:
        raise UserError(f"one task at a time, not {' '.join(given.task)}")
    name = given.task[0] if given.task else "ctdet"
    for word, choices in ((name, TASKS), (given.dataset or None, PUBLISHED)):
        if word is not None and word not in choices:
            raise UserError(unknown("task or data set", word, list(choices)))
    kind = TASKS[name]
    facts = PUBLISHED[given.dataset or kind.Options.default_dataset]
    if given.num_classes is not None:
        facts = with_classes(facts, given.num_classes)
    task = kind(facts)
    size = asked.size(task.resolution(facts, task.options))
    rows = [row_of(arch, task, size, given.head_conv) for arch in given.arch or BACKBONES]
    if given.json:
        head = {"task": name, "classes": facts.num_classes, "input": list(size)}
        log(json.dumps({**head, "networks": rows}, indent=1))
    else:
        same = (name, facts.num_classes, given.head_conv) == ("ctdet", 80, None)
        for line in lines(rows, f"{name}, {facts.num_classes} classes", size, same):
            log(line)


def with_classes(facts: Info, count: int) -> Info:
    """`facts` with `count` classes of no particular name."""
    if count < 1:
        raise UserError(f"--num_classes must be at least 1, not {count}")
    ids = tuple(range(1, count + 1))
    return replace(facts, class_names=tuple(map(str, ids)), category_ids=ids)


def row_of(arch: str, task: Task, size: Size, head_conv: int | None = None) -> Row:
    """One network's figures, as plain values; UserError for a size that it does not divide."""
    model = shapes_of(arch, task.heads, head_conv, task.inputs)
    backbone = model.backbone
    multiple = backbone.pad + 1
    if max(size) > LARGEST:
        raise UserError(f"input of {size[0]} x {size[1]}: {LARGEST} is the longest side")
    check_divisible(size, backbone.pad, backbone.stride, arch)
    facts = {"arch": arch, "stride": backbone.stride, "multiple": multiple}
    return facts | asdict(cost(model, size))


def lines(rows: Sequence[Row], what: str, size: Size, same: bool) -> list[str]:
    """A table in Markdown, with what its figures mean; `same` is the network of ELSEWHERE."""
    return [
        f"{what}, input {size[0]} x {size[1]} (height x width), one image, float32",
        "",
        f"| {' | '.join(COLUMNS)} |",
        f"|---{'|--:' * (len(COLUMNS) - 1)}|",
        *(f"| {' | '.join(_cells(row, same))} |" for row in rows),
        "",
        "FLOPs: PyTorch's counter, convolutions only, two for a multiply-add; a deformable",
        "convolution as the plain one of its shape. Maps: most that are alive at once.",
        "Published: Vastai's model zoo, 80 classes, input size and way of counting not stated.",
    ]


def _cells(row: Row, same: bool) -> list[str]:
    elsewhere = ELSEWHERE.get(row["arch"]) if same else None
    return [
        row["arch"],
        str(row["stride"]),
        str(row["multiple"]),
        f"{row['parameters'] / 1e6:.2f}",
        f"{row['flops'] / 1e9:.2f}",
        f"{row['flops'] / 2e9:.2f}",
        f"{row['weights'] / 1e6:.1f}",
        f"{row['peak'] / 1e6:.1f}",
        *(("", "") if elsewhere is None else (f"{elsewhere[0]:.2f}", f"{elsewhere[1]:.2f}")),
    ]
