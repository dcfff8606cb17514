"""CVAT's own xml for images: annotations.xml with boxes and polygons by image."""

from __future__ import annotations

import math
from collections.abc import Collection
from pathlib import Path, PurePosixPath
from xml.etree.ElementTree import Element

from centernet.datasets.inspect import Report
from centernet.datasets.named_boxes import NamedBox, Picture, boxed, open_named_boxes
from centernet.datasets.table_source import TableSource
from centernet.datasets.voc_table import parse
from centernet.io import meaning
from centernet.runtime.errors import UserError

FILE = "annotations.xml"


def cvat_file(root: Path, parts: Collection[str], alone: bool) -> Path | None:
    """The xml of a part: <part>/annotations.xml, <part>.xml or, `alone`, the one of `root`."""
    places = [place for part in parts for place in (root / part / FILE, root / f"{part}.xml")]
    places += [root / FILE] if alone else []
    return next((path for path in places if path.is_file()), None)


def open_cvat(
    root: Path,
    path: Path,
    *,
    wanted: Collection[str] | None = None,
    strict: bool = False,
    coco_eval: str = "pycocotools",
) -> TableSource:
    """The images of the xml `path`; classes as its labels, else those that its objects have."""
    report = Report(root.name, strict)
    tree, unusual = parse(path)
    if tree.tag != "annotations":
        raise UserError(f"{path}: <{tree.tag}> where <annotations> is expected: no xml of CVAT")
    if unusual:
        report.count(unusual, path.name)
    nodes = list(tree.iter("image"))
    names = [(n.findtext("name") or "").strip() for n in tree.iter("label")]
    names = list(dict.fromkeys(name for name in names if name))
    pictures = [_picture(node, path.parent, report) for node in nodes]
    if not names:
        names = sorted({o.name for picture in pictures for o in picture.objects if o.name})
    return open_named_boxes(root, pictures, names, report, wanted=wanted, coco_eval=coco_eval)


def _picture(node: Element, folder: Path, report: Report) -> Picture:
    name = node.get("name") or "?"
    parts = PurePosixPath(name.replace("\\", "/").replace("\0", "?")).parts
    candidates = [base.joinpath(*parts) for base in (folder, folder / "images", folder.parent)]
    path = next((place for place in candidates if place.is_file()), candidates[0])
    return Picture(
        path, (_side(node, "height"), _side(node, "width")), _objects(node, name, report)
    )


def _side(node: Element, side: str) -> int:
    try:
        found = meaning.whole(node.get(side) or "0")
    except ValueError:
        return 0
    return found if 0 < found < 2**31 else 0


def _objects(image: Element, file: str, report: Report) -> list[NamedBox]:
    found = []
    for number, node in enumerate(image, 1):
        if node.tag not in ("box", "polygon"):
            if node.tag in ("polyline", "points", "mask", "cuboid", "ellipse", "skeleton"):
                report.count(f"<{node.tag}> is not read", f"'{file}'")
            continue
        try:
            if node.tag == "box":
                values = [meaning.number(node.get(k) or "") for k in ("xtl", "ytl", "xbr", "ybr")]
            else:
                text = (node.get("points") or "").replace(";", " ")
                values = meaning.numbers(text)
            if len(values) < 4 or len(values) % 2 or any(map(math.isnan, values)):
                raise ValueError("no points")
        except ValueError:
            what = f"annotation {number}, '{file}'"
            report.drop(what, "no box", f"its <{node.tag}> lacks numbers")
            continue
        found.append(boxed(number, (node.get("label") or "").strip(), values))
    return found
