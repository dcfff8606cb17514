"""One picture of several networks at work on the toy set, where they are right.

python tools/gallery.py gallery.jpg ctdet.pth multi_pose.pth ...   (each gets a row)
"""

from __future__ import annotations

import argparse
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from centernet import load_detector
from centernet.datasets import open_source
from centernet.datasets.evaluate.findings import Findings
from centernet.detectors.detector import Detector
from centernet.io.picture_file import save_picture
from centernet.structures.shared_place import strongest_of_each_place

COLUMNS = 4
QUALITY = 88
Picture = NDArray[np.uint8]


def row_of(detector: Detector, data: Path, threshold: float, images: int) -> list[Picture]:
    """COLUMNS drawings of the validation images in which `detector` found most, all of it right.

    An image with a miss, a double or a false detection above `threshold` is not shown, unless
    there are fewer without: then the best come next.
    """
    source = open_source("toy", "val", data, wanted=detector.task.needs)
    findings = Findings(source.info.class_names, threshold)
    drawn = {}
    for index in range(min(images, len(source))):
        image, objects = source.image(index), source.objects(index)
        found = strongest_of_each_place(detector.detect(image).above(threshold))
        findings.add(index, objects, found)
        drawn[index] = found.plot(image, threshold=threshold)
    _, best = findings.ranked(COLUMNS)
    return [drawn[each.index] for each in best]


def main() -> None:
    """Draw the rows beneath each other."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("picture", type=Path, help="the file to write")
    parser.add_argument("checkpoints", type=Path, nargs="+", help="networks trained on the toy set")
    parser.add_argument("--data_dir", type=Path, default=Path("../data"))
    parser.add_argument("--threshold", type=float, default=0.4, help="lowest score drawn")
    parser.add_argument("--images", type=int, default=60, help="validation images looked at")
    asked = parser.parse_args()
    rows = []
    for checkpoint in asked.checkpoints:
        detector = load_detector(str(checkpoint), device="cpu")
        pictures = row_of(detector, asked.data_dir, asked.threshold, asked.images)
        if not pictures:
            parser.error(f"{checkpoint} is right on none of {asked.images} images")
        rows.append(np.hstack(pictures))
    width = max(row.shape[1] for row in rows)
    padded = [np.pad(row, ((0, 0), (0, width - row.shape[1]), (0, 0))) for row in rows]
    print(save_picture(asked.picture, np.vstack(padded), QUALITY))


if __name__ == "__main__":
    main()
