"""Write the extreme points of every mask into a copy of a COCO annotation file.

    python tools/gen_coco_extreme_points.py instances_val2017.json instances_extreme_val2017.json

The task exdet computes them by itself from plain COCO files; the copy is for programs that want
them as `extreme_points` (x y of top, left, bottom, right) in each annotation.
"""

from __future__ import annotations

import argparse
import json
import sys
from collections.abc import Sequence
from pathlib import Path

from centernet.datasets.coco import read_json
from centernet.datasets.extremes import extreme_points
from centernet.io.files import write_text
from centernet.runtime.errors import UserError
from centernet.structures.masks import Masks

NAMED = 5  # annotations without a mask that are listed


def main(argv: Sequence[str] | None = None) -> int:
    """Return the exit code: 2 with one line on standard error for a file that cannot be used."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("annotations", type=Path, help="COCO instances file")
    parser.add_argument("output", type=Path, help="file to write")
    words = parser.parse_args(argv)
    try:
        print(convert(words.annotations, words.output))
    except UserError as error:
        print(f"gen_coco_extreme_points: {error}", file=sys.stderr)
        return 2
    return 0


def convert(path: Path, output: Path) -> str:
    """Write `output`; return a line that says how many annotations got their points."""
    data = read_json(path)
    sizes = {row.get("id"): (row.get("height", 0), row.get("width", 0)) for row in data["images"]}
    rows = data["annotations"]
    masks = Masks(
        [row.get("segmentation") for row in rows],
        [sizes.get(row.get("image_id"), (0, 0)) for row in rows],
    )
    without = []
    for place, row in enumerate(rows):
        mask = masks[place]
        points = None if mask is None else extreme_points(mask)
        if points is None:
            without.append(str(row.get("id", f"number {place + 1}")))
        else:
            row["extreme_points"] = [round(float(value), 2) for value in points.ravel()]
    if rows and len(without) == len(rows):
        raise UserError(f"{path}: none of its {len(rows)} annotations has a mask")
    write_text(output, json.dumps(data))
    line = f"{output.absolute()}: extreme points of {len(rows) - len(without)} annotations"
    if without:
        more = " ..." if len(without) > NAMED else ""
        listed = ", ".join(without[:NAMED])
        line += f"; {len(without)} have no mask and so no points ({listed}{more})"
    return line


if __name__ == "__main__":
    sys.exit(main())
