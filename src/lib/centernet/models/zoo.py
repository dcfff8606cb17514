"""Published weights by name: where they are, what they are, and what may be done with them.

Addresses, tasks and networks are those of the model zoos of the projects themselves. Hardly any
project states a licence for its weights: `licence` is that of its code, and the images that the
weights learned have terms of their own.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from difflib import get_close_matches
from pathlib import Path
from typing import Any

from centernet.io.download import Remote, fetch, remote_of
from centernet.io.files import write_text
from centernet.io.meter import Log
from centernet.runtime.errors import UserError

OFFICIAL = "https://github.com/xingyizhou/CenterNet/blob/master/readme/MODEL_ZOO.md"
EXTREMENET = "https://github.com/xingyizhou/ExtremeNet"
TRIPLETS = "https://github.com/Duankaiwen/CenterNet"
MMDETECTION = "https://github.com/open-mmlab/mmdetection/tree/main/configs/centernet"
# What Google Drive answers to without asking first whether a large file is really wanted.
DRIVE = "https://drive.usercontent.google.com/download?id={}&export=download&confirm=t"
OPENMMLAB = "https://download.openmmlab.com/mmdetection/v2.0/centernet/"


@dataclass(frozen=True)
class Weights:
    """One published file. `known` is what it is, in the words of a checkpoint's description."""

    remote: Remote
    source: str
    licence: str
    known: Mapping[str, Any] = field(default_factory=dict)


def _official(name: str, task: str, arch: str, dataset: str, drive: str, **more: Any) -> Weights:
    page = f"https://drive.google.com/file/d/{drive}"
    remote = Remote(f"{name}.pth", DRIVE.format(drive), page=page)
    known = {"task": task, "arch": arch, "dataset": dataset, **more}
    return Weights(remote, OFFICIAL, "MIT", known)


def _mmdetection(name: str, file: str, sha256: str, size: int | None = None) -> Weights:
    remote = Remote(file, f"{OPENMMLAB}{name}/{file}", f"sha256:{sha256}", size)
    return Weights(remote, MMDETECTION, "Apache-2.0", {"task": "ctdet", "dataset": "coco"})


def _triplet(name: str, arch: str, page: str) -> Weights:
    known = {"task": "triplet", "arch": arch, "dataset": "coco"}
    return Weights(Remote(name, page=page), TRIPLETS, "BSD 3-Clause", known)


_LARGE = {"input_size": (512, 512)}

# fmt: off
ZOO: dict[str, Weights] = {
    **{name: _official(name, *facts) for name, facts in {
        "ctdet_coco_hg": ("ctdet", "hourglass", "coco", "13F904yXltGIqa_K3g3-FLleaNX0n7c9O"),
        "ctdet_coco_dla_1x": ("ctdet", "dla_34", "coco", "1xqFsdA3DANMq1MfnXG8n7nQPe4AfXTHv"),
        "ctdet_coco_dla_2x": ("ctdet", "dla_34", "coco", "18Q3fzzAsha_3Qid6mn4jcIFPeOGUaj1d"),
        "ctdet_coco_resdcn101":
            ("ctdet", "resdcn_101", "coco", "1tKkSyzC3iWmM6XTYNJrC4XLCIToDmnHz"),
        "ctdet_coco_resdcn18":
            ("ctdet", "resdcn_18", "coco", "1RtFps3kQAyLjQyzCao7pPDclOBQ64Vyp"),
        "exdet_coco_hg": ("exdet", "hourglass", "coco", "1gf9bVWs9htzOaQiAF_mqaa2SCFTvwNvh"),
        "ctdet_pascal_dla_384":
            ("ctdet", "dla_34", "pascal", "19J7WoUZKYiSEU7vrhZInz5C2m0-9zmC1"),
        "ctdet_pascal_resdcn18_384":
            ("ctdet", "resdcn_18", "pascal", "1mpeslWUt0aJqx99_-UcCzJ7GBcD6sCA-"),
        "ctdet_pascal_resdcn101_384":
            ("ctdet", "resdcn_101", "pascal", "1-Qy4zMhzmBk9fMF0u2s5zNI0Uj9latsk"),
        "multi_pose_hg_1x":
            ("multi_pose", "hourglass", "coco_hp", "1neg1zfVjRTS45FCdk5hgIV-TxJ0McAew"),
        "multi_pose_hg_3x":
            ("multi_pose", "hourglass", "coco_hp", "17-YS11iguOQKwPPHUg8LzakLzrgKSLfA"),
        "multi_pose_dla_1x":
            ("multi_pose", "dla_34", "coco_hp", "1WKqVdkIew43SxLTSxi81a-_f4Q9v2Fx5"),
        "multi_pose_dla_3x":
            ("multi_pose", "dla_34", "coco_hp", "1mC2PAQT_RuHi_9ZMZgkt4rg7BSY2_Lkd"),
        "ddd_3dop": ("ddd", "dla_34", "kitti", "1LrAzVJqlZECVuyr_NJI_4xd88mA1fL5b"),
        "ddd_sub": ("ddd", "dla_34", "kitti", "1ZUsUqrM_yTjxaJuDBxm0WTKXj1snVuvP"),
    }.items()},
    **{name: _official(name, "ctdet", arch, "pascal", drive, **_LARGE) for name, arch, drive in (
        ("ctdet_pascal_dla_512", "dla_34", "1Iqqr_VLtG8T3tUzy-EuMaeuCtFuv6pEU"),
        ("ctdet_pascal_resdcn18_512", "resdcn_18", "1ILnmGrJQiDK2Ib-D7TzBs2fq5bfju-Bd"),
        ("ctdet_pascal_resdcn101_512", "resdcn_101", "1TiJkPaofzUaEMLi5wr9TIIUY8G2VewCQ"),
    )},
    # The model zoo's link of this row is that of ctdet_coco_resdcn18; the folder has all files.
    "exdet_coco_dla": Weights(
        Remote("exdet_coco_dla.pth", page=
            "https://drive.google.com/drive/folders/1S3NnppRgXea_IG4WeyquJcnOB3I6G-LX"),
        OFFICIAL, "MIT", {"task": "exdet", "arch": "dla_34", "dataset": "coco"}),
    # To start from; its own task is that of another program.
    "ExtremeNet_500000": Weights(
        Remote("ExtremeNet_500000.pth", DRIVE.format("1omiOUjWCrFbTJREypuZaODu0bOlF_7Fg"), page=
            "https://drive.google.com/file/d/1omiOUjWCrFbTJREypuZaODu0bOlF_7Fg"),
        EXTREMENET, "see its repository", {"arch": "hourglass"}),
    "CenterNet-104": _triplet("CenterNet-104_480000.pkl", "hourglass",
        "https://pan.baidu.com/s/17RvbWaxrvW1kXRuk7XmIfw (code 2clj)"),
    "CenterNet-52": _triplet("CenterNet-52_480000.pkl", "hourglass_52",
        "https://pan.baidu.com/s/1Ltig0csUPp4T5HA4BjHikA (code ed0y)"),
    "centernet_resnet18_140e_coco": _mmdetection("centernet_resnet18_140e_coco",
        "centernet_resnet18_140e_coco_20210705_093630-bb5b3bf7.pth", "bb5b3bf7"),
    "centernet_resnet18_dcnv2_140e_coco": _mmdetection("centernet_resnet18_dcnv2_140e_coco",
        "centernet_resnet18_dcnv2_140e_coco_20210702_155131-c8cd631f.pth", "c8cd631f"),
}
# fmt: on


def remote_named(word: str) -> Remote | None:
    """The published file that `word` names or, as an http(s) address, is; None for a path."""
    if "://" in word:
        return remote_of(word)
    return None if Path(word).exists() or word not in ZOO else ZOO[word].remote


def locate(
    word: str, folder: str | Path, *, offline: bool = False, log: Log = print
) -> tuple[Path, Mapping[str, Any]]:
    """(path of the checkpoint `word`, what is known of it beside what the file itself says).

    `word` is a path, a name in ZOO or an http(s) address; the last two are looked for in `folder`
    and else downloaded into it, unless `offline`. Raises UserError for what is none of these, and
    DownloadError, which says how to place the file by hand.
    """
    remote = remote_named(word)
    if remote is not None and word in ZOO:
        return fetch(remote, folder, offline=offline, log=log), ZOO[word].known
    if remote is not None:
        return _fetch_address(remote, Path(folder), offline, log), {}
    path = Path(word)
    if path.exists():
        return path, {}
    raise UserError(f"{word}: no such checkpoint{_hint(path)}")


def _fetch_address(remote: Remote, folder: Path, offline: bool, log: Log) -> Path:
    """`fetch`, which never takes a file of the same name from another address for this one.

    Beside what was downloaded stands where from; without that it was placed by hand.
    """
    path = folder / remote.name
    note = folder / f"{remote.name}.url"
    if not path.exists():
        fetch(remote, folder, offline=offline, log=log)
        write_text(note, remote.url)
    elif note.exists() and note.read_text(encoding="utf-8") != remote.url:
        raise UserError(
            f"{path} came from {note.read_text(encoding='utf-8')}, not from {remote.url}: name that"
            f" file, or delete it (with {note.name}) to fetch the other"
        )
    return path


def _hint(path: Path) -> str:
    """What a missing file may have been meant to be."""
    names = [name for name, weights in ZOO.items() if path.name in (name, weights.remote.name)]
    if names:
        return f"; --load_model {names[0]} fetches it"
    near = get_close_matches(path.stem, ZOO, n=1)
    return f"; did you mean {near[0]}, which is published?" if near else ""
