"""The check of a data set: all its parts, in words, and a contact sheet."""

from __future__ import annotations

from pathlib import Path

from centernet.builders.data import check_fits, check_joints, open_part
from centernet.builders.examine import as_shown, doubts_of, framed_for
from centernet.commands.check import Check
from centernet.datasets.check.doubles import doubled
from centernet.datasets.check.figures import histograms
from centernet.datasets.check.seen import Framed
from centernet.datasets.check.sheet import contact_sheet
from centernet.datasets.class_map import matched
from centernet.datasets.inspect import SHOWN, compare
from centernet.datasets.source import Source
from centernet.datasets.table_source import TableSource
from centernet.datasets.turned import turned_lines
from centernet.io.image import ImageError
from centernet.io.picture_file import save_picture
from centernet.io.prefetch import prefetch
from centernet.options.options import Options
from centernet.runs.logger import Logger
from centernet.runtime.errors import UserError
from centernet.tasks import TASKS

FEW = 3000  # images that are compared by their bytes without being asked
THREADS = 4
PADDING = 31


def run(options: Options) -> None:
    """Print what the data holds; UserError where nothing could be learned from it."""
    asked, logger = options.of(Check), Logger()
    for line in options.notices:
        logger.write(line)
    parts = _open(options, logger)
    train = parts.get("train", next(iter(parts.values())))
    kind = TASKS[options.task_name]
    size = options.input.size(kind.resolution(train.info, options.task))
    framed = framed_for(kind.framing, size, PADDING, options.input.keep_res)
    stride = options.model.down_ratio
    logger.write(f"as the network sees it, on an input of {size[0]} x {size[1]}, stride {stride}:")
    for part, source in parts.items():
        lines = doubts_of(source, framed, stride)
        if isinstance(source, TableSource):
            lines = [*histograms(as_shown(source, framed, stride)), *lines]
        for line in lines:
            logger.write(f"  {part}: {line}")
    logger.write("images:")
    for line in _images(parts, asked.pixels) or ["  nothing doubled, nothing turned"]:
        logger.write(line)
    _draw(asked.sheet or options.exp_dir / "check.jpg", train, framed, logger)
    if not any((train.objects(index).classes >= 0).any() for index in range(len(train))):
        raise UserError(f"{train.info.name}: no object is left: there is nothing to learn")
    logger.write("nothing here stands in the way of training")


def _open(options: Options, logger: Logger) -> dict[str, Source]:
    """The parts that there are; UserError where there is none to train on or to test on."""
    kind, parts, missing = TASKS[options.task_name], dict[str, Source](), []
    for part in ("train", "val", "test"):
        try:
            source = open_part(options.data, kind, part, logger)
        except UserError as error:
            missing.append(f"no {part} part: {error}")
            continue
        parts[part] = source
        check_fits(kind, source.info)
        if part == "train" or "train" not in parts:
            continue
        train = parts["train"]
        check_joints(kind, train.info, source.info)
        lines = matched(source, train.info.class_names) if isinstance(source, TableSource) else []
        for line in (*lines, *compare(train, source)):
            logger.write(f"{part}: {line}")
    if not parts:
        raise UserError(missing[0].partition(": ")[2])
    for line in missing:
        logger.write(line)
    return parts


def _images(parts: dict[str, Source], pixels: bool) -> list[str]:
    """What is doubled or turned and, with `pixels`, what cannot be read."""
    paths = {part: [s.path(index) for index in range(len(s))] for part, s in parts.items()}
    whole = sum(map(len, paths.values()))
    by_bytes = pixels or whole <= FEW
    lines = [f"  {line}" for line in doubled(paths, by_bytes)]
    for part, source in parts.items():
        upright = isinstance(source, TableSource) and source.upright
        most = len(source) if by_bytes else FEW
        lines += [f"  {line}" for line in turned_lines(part, paths[part], upright, most)]
        if pixels:
            lines += _unreadable(part, source)
    if not by_bytes:
        lines.append("  images are compared by their paths alone; --pixels compares what they show")
    return lines


def _unreadable(part: str, source: Source) -> list[str]:
    def fault(index: int) -> str:
        try:
            source.image(index)
        except ImageError as error:
            return str(error)
        return ""

    faults = [each for each in prefetch(fault, range(len(source)), THREADS) if each]
    lines = [f"  {part}: {each}" for each in faults[:SHOWN]]
    if faults:
        lines.append(f"  {part}: {len(faults)} of {len(source)} images cannot be used")
    return lines


def _draw(path: Path, source: Source, framed: Framed, logger: Logger) -> None:
    sheet = contact_sheet(source, framed)
    if sheet is None:
        logger.write("no contact sheet: none of the images that would be on it can be read")
        return
    logger.write(f"contact sheet: {save_picture(path, sheet)}")
