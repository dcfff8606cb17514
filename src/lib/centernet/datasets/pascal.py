"""Pascal VOC: the devkit folders as they come, and any folder laid out like them."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from centernet.datasets.absent import absent
from centernet.datasets.evaluate.coco import evaluate_coco
from centernet.datasets.evaluate.evaluation import Evaluation
from centernet.datasets.evaluate.voc import VOC_METRICS, evaluate_voc, write_voc_results
from centernet.datasets.inspect import Report, checked
from centernet.datasets.published import PASCAL_FACTS, VOC_CLASSES
from centernet.datasets.source import Info
from centernet.datasets.table_source import TableSource
from centernet.datasets.voc_table import VocList, class_names_of, read_voc
from centernet.runtime.errors import UserError

if TYPE_CHECKING:
    from centernet.structures.detections import Detections

_LISTS = {
    "train": (("VOC2007", "trainval"), ("VOC2012", "trainval")),
    "val": (("VOC2007", "test"),),
    "test": (("VOC2007", "test"),),
}
_BASES = ("voc/VOCdevkit", "voc", "pascal/VOCdevkit", "pascal", "VOCdevkit", "")


class VocSource(TableSource):
    """A table source whose results are evaluated by Pascal VOC's measure too."""

    @property
    def metric_names(self) -> tuple[str, ...]:
        """COCO's metrics and Pascal VOC's."""
        return (*super().metric_names, *VOC_METRICS)

    def evaluate(self, results: Mapping[int | str, Detections], folder: Path) -> Evaluation:
        """COCO's metrics, then VOC07 (11 points) and VOC12 (area) at IoU 0.5.

        `results.json` is that of Pascal's toolkits, [class][image] rows x1 y1 x2 y2 score;
        `results_coco.json` has the same in COCO's format.
        """
        evaluation = evaluate_coco(
            self.table,
            self.info,
            results,
            folder,
            backend=self.coco_eval,
            results_name="results_coco.json",
        )
        image_ids, classes = self.table.image_ids, self.info.num_classes
        write_voc_results(folder, results, image_ids, classes)
        return evaluation.joined(evaluate_voc(self.table, self.info.class_names, results))


def open_pascal(
    split: str,
    data_dir: Path,
    *,
    wanted: Collection[str] | None = None,
    strict: bool = False,
    coco_eval: str = "pycocotools",
) -> VocSource:
    """Trained on VOC2007 and VOC2012 trainval, tested on VOC2007 test, as is customary."""
    lists = [_find(Path(data_dir), year, part) for year, part in _LISTS[split]]
    return open_voc(
        lists,
        VOC_CLASSES,
        name="pascal",
        wanted=wanted,
        strict=strict,
        coco_eval=coco_eval,
        **PASCAL_FACTS,
    )


def open_voc_folder(
    root: Path,
    split: str,
    *,
    wanted: Collection[str] | None = None,
    strict: bool = False,
    coco_eval: str = "pycocotools",
) -> VocSource:
    """A folder laid out like VOC2007: the list `split`.txt, the classes that its xml files name."""
    voc = VocList(root, split)
    if not voc.path.is_file():
        raise UserError(
            f"{root} is a Pascal VOC folder without its {split} part: write the names of the "
            f"images without suffix, one a line, to {voc.path}"
        )
    names = class_names_of(root / "Annotations")
    if not names:
        raise UserError(f"{root / 'Annotations'}: no xml file there names an object")
    return open_voc([voc], names, name=root.name, wanted=wanted, strict=strict, coco_eval=coco_eval)


def open_xml_folder(
    root: Path,
    split: str,
    images: Path,
    xmls: Path,
    *,
    wanted: Collection[str] | None = None,
    strict: bool = False,
    coco_eval: str = "pycocotools",
) -> VocSource:
    """The xml files of the folder `xmls` with the images of `images`; classes as they name."""
    inner = [path for path in xmls.parent.iterdir() if path.is_dir()] if xmls != root else [xmls]
    folders = [xmls, *(path for path in inner if xmls.name == split)]
    names = tuple(sorted({name for folder in folders for name in class_names_of(folder)}))
    if not names:
        raise UserError(f"{xmls}: no xml file there names an object")
    voc = VocList(root, split, images, xmls)
    return open_voc([voc], names, name=root.name, wanted=wanted, strict=strict, coco_eval=coco_eval)


def open_voc(
    lists: Sequence[VocList],
    class_names: Sequence[str],
    *,
    name: str,
    wanted: Collection[str] | None = None,
    strict: bool = False,
    coco_eval: str = "pycocotools",
    **facts: Any,
) -> VocSource:
    """The images of `lists` as one source; `facts` are further fields of Info."""
    base = lists[0].root if len(lists) == 1 else lists[0].root.parent
    report = Report(name, strict)
    table = checked(read_voc(lists, base, class_names, report), base, report)
    ids = tuple(range(1, len(class_names) + 1))
    info = Info(name=name, class_names=tuple(class_names), category_ids=ids, **facts)
    return VocSource(info, table, base, report, wanted=wanted, coco_eval=coco_eval)


def _find(data_dir: Path, year: str, part: str) -> VocList:
    for base in _BASES:
        voc = VocList(data_dir / base / year, part)
        if voc.path.is_file():
            if not (voc.root / "JPEGImages").is_dir():
                raise absent("pascal", voc.root / "JPEGImages", data_dir)
            return voc
    raise absent("pascal", VocList(data_dir / _BASES[0] / year, part).path, data_dir)
