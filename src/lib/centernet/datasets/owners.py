"""Where the owners of COCO, Pascal VOC and KITTI publish them, and what belongs where on the disk.

Sizes and digests: COCO's, and KITTI's images and labels, as the catalogue of TensorFlow Datasets
records them; VOC's as torchvision does. The owners themselves publish none.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path, PurePosixPath

from centernet.io.download import Remote

COCO_IMAGES = "http://images.cocodataset.org/zips/"
COCO_ANNOTATIONS = "http://images.cocodataset.org/annotations/"
VOC = "https://thor.robots.ox.ac.uk/pascal/VOC/"  # as host.robots.ox.ac.uk, where its page is
KITTI = "https://s3.eu-central-1.amazonaws.com/avg-kitti/"
PARTS_OF_A_SPLIT = ("train.txt", "val.txt", "trainval.txt", "test.txt")


@dataclass(frozen=True)
class Counted:
    """`count` files with `suffix` in the first of `folders` that is there."""

    folders: tuple[str, ...]
    suffix: str
    count: int

    def fault(self, root: Path) -> str | None:
        """What is missing under `root`, in words; None if nothing is."""
        folder = next((f for f in self.folders if (root / f).is_dir()), self.folders[0])
        found = 0
        if (root / folder).is_dir():
            found = sum(path.name.endswith(self.suffix) for path in (root / folder).iterdir())
        if found >= self.count:
            return None
        return f"{found} of {self.count} *{self.suffix} in {root / folder}"


@dataclass(frozen=True)
class Listed:
    """A file with `suffix` in `folder` for each first word of a line of `list`, `count` lines."""

    list: str
    folder: str
    suffix: str
    count: int

    def fault(self, root: Path) -> str | None:
        """What is missing under `root`, in words; None if nothing is."""
        if not (root / self.list).is_file():
            return f"no {root / self.list}"
        lines = (root / self.list).read_text(encoding="utf-8").splitlines()
        names = [line.split()[0] for line in lines if line.strip()]
        missing = [n for n in names if not (root / self.folder / f"{n}{self.suffix}").is_file()]
        if missing:
            first = root / self.folder / f"{missing[0]}{self.suffix}"
            return f"{len(missing)} of {len(names)} images, such as {first}"
        if len(names) < self.count:
            return f"{len(names)} of {self.count} lines in {root / self.list}"
        return None


@dataclass(frozen=True)
class Files:
    """Files that must be there, by name."""

    names: tuple[str, ...]

    def fault(self, root: Path) -> str | None:
        """What is missing under `root`, in words; None if nothing is."""
        missing = [name for name in self.names if not (root / name).is_file()]
        return f"no {root / missing[0]}" if missing else None


@dataclass(frozen=True)
class Part:
    """One archive of a data set: what it is called here, and what it leaves on the disk.

    `usual` parts are fetched when none is named. `place` renames members (None leaves one out).
    """

    name: str
    remote: Remote
    holds: tuple[Counted | Listed | Files, ...]
    usual: bool = True
    place: Callable[[str], str | None] = lambda name: name

    def faults(self, root: Path) -> list[str]:
        """What of this part is missing under `root`; empty when it is complete."""
        found = [content.fault(root) for content in self.holds]
        return [fault for fault in found if fault is not None]


@dataclass(frozen=True)
class Published:
    """A data set: the folder under data/ that its archives are unpacked in, and its terms."""

    folder: str
    terms: str
    parts: tuple[Part, ...]


def _coco_images(name: str, count: int, size: int, sha256: str, usual: bool = True) -> Part:
    remote = Remote(f"{name}.zip", f"{COCO_IMAGES}{name}.zip", f"sha256:{sha256}", size)
    return Part(name, remote, (Counted((name, f"images/{name}"), ".jpg", count),), usual)


def _coco_annotations(name: str, files: tuple[str, ...], size: int, sha256: str) -> Part:
    archive = f"{name}.zip"
    remote = Remote(archive, f"{COCO_ANNOTATIONS}{archive}", f"sha256:{sha256}", size)
    return Part(name, remote, (Files(tuple(f"annotations/{file}.json" for file in files)),))


def _voc(name: str, year: int, archive: str, md5: str, part: str, count: int) -> Part:
    root = f"VOCdevkit/VOC{year}"
    images = Listed(f"{root}/ImageSets/Main/{part}.txt", f"{root}/JPEGImages", ".jpg", count)
    xmls = Listed(f"{root}/ImageSets/Main/{part}.txt", f"{root}/Annotations", ".xml", count)
    return Part(name, Remote(archive, f"{VOC}voc{year}/{archive}", f"md5:{md5}"), (images, xmls))


def _kitti(
    name: str, files: dict[str, int], suffix: str, size: int | None = None, sha256: str = ""
) -> Part:
    archive = f"data_object_{name}.zip"
    digest = f"sha256:{sha256}" if sha256 else ""
    holds = tuple(Counted((folder,), suffix, count) for folder, count in files.items())
    page = "https://www.cvlibs.net/datasets/kitti/eval_object.php?obj_benchmark=3d"
    return Part(name, Remote(archive, KITTI + archive, digest, size, page), holds)


def _lists_of(folder: str) -> Callable[[str], str | None]:
    """Put the lists of an archive into `folder`, whatever folder they have in it."""

    def place(name: str) -> str | None:
        file = PurePosixPath(name).name
        return f"{folder}/{file}" if file in PARTS_OF_A_SPLIT else None

    return place


def _split(name: str, remote: Remote) -> Part:
    folder = f"ImageSets_{name}"
    lists = Files(tuple(f"{folder}/{part}.txt" for part in ("train", "val")))
    return Part(name, remote, (lists,), usual=name == "3dop", place=_lists_of(folder))


_TRAINVAL = tuple(
    f"{kind}_{split}2017"
    for kind in ("instances", "person_keypoints", "captions")
    for split in ("train", "val")
)

# fmt: off
OWNERS: dict[str, Published] = {
    "coco": Published(
        "coco",
        "annotations CC BY 4.0; images under the terms of Flickr (https://cocodataset.org/#termsofuse)",
        (
            _coco_annotations("annotations_trainval2017", _TRAINVAL, 252907541,
                "113a836d90195ee1f884e704da6304dfaaecff1f023f49b6ca93c4aaae470268"),
            _coco_annotations("image_info_test2017",
                ("image_info_test2017", "image_info_test-dev2017"), 1144034,
                "e52f412dd7195ac8f98d782b44c6dd30ea10241e9f42521f67610fbe055a74f8"),
            _coco_images("val2017", 5000, 815585330,
                "4f7e2ccb2866ec5041993c9cf2a952bbed69647b115d0f74da7ce8f4bef82f05"),
            _coco_images("train2017", 118287, 19336861798,
                "69a8bb58ea5f8f99d24875f21416de2e9ded3178e903f1f7603e283b9e06d929"),
            _coco_images("test2017", 40670, 6646970404,
                "c7908c3c9f94ba2f3340ebbeec58c25db6be8774f18d68c2f15d0e369d95baba", usual=False),
        ),
    ),
    "pascal": Published(
        "voc",
        "images under the terms of Flickr (http://host.robots.ox.ac.uk/pascal/VOC/)",
        (
            _voc("voc2007_trainval", 2007, "VOCtrainval_06-Nov-2007.tar",
                "c52e279531787c972589f7e41ab4ae64", "trainval", 5011),
            _voc("voc2007_test", 2007, "VOCtest_06-Nov-2007.tar",
                "b6e924de25625d8de591ea690078ad9f", "test", 4952),
            _voc("voc2012_trainval", 2012, "VOCtrainval_11-May-2012.tar",
                "6cd6e144f989b92b3379bac3b3de84fd", "trainval", 11540),
        ),
    ),
    "kitti": Published(
        "kitti",
        "CC BY-NC-SA 3.0, not for commercial use (https://www.cvlibs.net/datasets/kitti/)",
        (
            _kitti("label_2", {"training/label_2": 7481}, ".txt", 5601213,
                "4efc76220d867e1c31bb980bbf8cbc02599f02a9cb4350effa98dbb04aaed880"),
            _kitti("calib", {"training/calib": 7481, "testing/calib": 7518}, ".txt"),
            _split("3dop", Remote("imagesets.tar.gz",
                "https://xiaozhichen.github.io/files/mv3d/imagesets.tar.gz")),
            _split("subcnn", Remote("", page=
                "https://github.com/tanshen/SubCNN (folder fast-rcnn/data/KITTI)")),
            _kitti("image_2", {"training/image_2": 7481, "testing/image_2": 7518}, ".png",
                12569945557, "351c5a2aa0cd9238b50174a3a62b846bc5855da256b82a196431d60ff8d43617"),
        ),
    ),
}
# fmt: on
