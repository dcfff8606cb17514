"""Starting a backbone from an ImageNet classifier, when a training asks for it."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from centernet.io.download import DownloadError, Remote, fetch, remote_of
from centernet.models import packaged
from centernet.models.networks.backbone import Backbone, Normalisation, Pretrained, convolutions
from centernet.models.tensor_file import SUFFIX, read_safetensors
from centernet.runtime.errors import UserError

# As the package's network learned; timm names another one for the same tensors.
PACKAGED = Normalisation((127 / 255,) * 3, (128 / 255,) * 3)
CHOICES = "'imagenet', 'none', 'package' or the path of an ImageNet classifier"
STEM = "conv_stem.weight"
EXAMPLE = f"--arch {packaged.TRUNK}+fpn"


def initialise(
    backbone: Backbone, weights: str | Path, folder: str | Path, offline: bool = False
) -> str:
    """Copy ImageNet weights into the trunk of `backbone` and return one line that says so.

    `weights` is "imagenet" (the published classifier, looked for in `folder` and else downloaded
    into it unless `offline`), "package" (what an installed package brings), "none" (leave the
    random weights), or the path of a classifier in the published layout. The published classifiers
    saw RGB and the tasks feed BGR, as the originals do; a training from here adapts within its
    first epochs.

    Raises UserError if the file cannot be had or read, or is of another architecture.
    """
    weights = str(weights)
    if weights == "none":
        return "backbone: random weights"
    published = backbone.pretrained
    if weights == "package":
        return from_package(backbone)
    if published is None:
        if weights != "imagenet":
            raise UserError(
                f"{weights}: this architecture has no ImageNet layout; "
                "give a checkpoint of the whole network (--load_model) or --weights none"
            )
        return "backbone: random weights (no ImageNet weights are published for this architecture)"
    if weights == "imagenet":
        hint = ", or start from random weights with --weights none"
        path = fetch_first(published, folder, offline, hint)
        state = read(path)
    else:
        path = Path(weights)
        if not path.is_file():
            raise UserError(f"{weights}: no such file; --weights takes {CHOICES}")
        state = read(path)
    count = copy_trunk(backbone, published, backbone.renamed(state), path)
    return f"backbone: {count} tensors from {path}"


@torch.no_grad()
def take_bgr(backbone: Backbone) -> bool:
    """Let a trunk that holds a classifier's weights take B, G, R, in which order images are read.

    One that learned RGB has the input channels of its first convolution exchanged: it computes what
    it did of an image in its own order. False for other backbones, which are left as published.
    """
    normal = backbone.normalisation
    if normal is None:
        return False
    if normal.colour == "rgb":
        weight = next(conv.weight for conv in convolutions(backbone) if conv.in_channels == 3)
        weight.copy_(weight.flip(1))
    return True


def from_package(backbone: Backbone) -> str:
    """Copy the weights that a package brings into the trunk of `backbone`; a line that says so.

    UserError where the package is not installed, or has none for this trunk.
    """
    own = backbone.state_dict()
    if backbone.pretrained is None or f"trunk.net.{STEM}" not in own:
        raise UserError(f"--weights package: has weights for {packaged.TRUNK}, as {EXAMPLE}")
    path = packaged.packaged_file()
    state = packaged.in_timms_names(read(path))
    count = copy_trunk(backbone, backbone.pretrained, backbone.renamed(state), path)
    return f"backbone: {count} tensors from {path}"


def fetch_first(published: Pretrained, folder: str | Path, offline: bool, hint: str) -> Path:
    """The file that is in `folder` already, else that of the first address that gives it.

    DownloadError names all addresses that were tried.
    """
    remotes = (classifier(published), *published.mirrors)
    there = [remote for remote in remotes if (Path(folder) / remote.name).exists()]
    failures = []
    for remote in there[:1] or remotes:
        try:
            return fetch(remote, folder, offline=offline, hint=hint)
        except DownloadError as error:
            failures.append(error)
    others = ", ".join(remote.url for remote in remotes[1 : len(failures)])
    raise DownloadError(f"{failures[0]} (also tried: {others})" if others else str(failures[0]))


def classifier(published: Pretrained) -> Remote:
    """The published classifier; the last word of its name is the beginning of its hash."""
    remote = remote_of(published.url)
    word = re.split(r"[-_]", Path(remote.name).stem)[-1]
    known = re.fullmatch(r"[0-9a-f]{8,64}", word)
    return replace(
        remote, name=published.name or remote.name, digest=f"sha256:{word}" if known else ""
    )


def read(path: Path) -> Mapping[str, Tensor]:
    """The tensors of a file that holds a bare state dict."""
    if path.suffix == SUFFIX:
        return read_safetensors(path)
    try:
        state: Any = torch.load(path, map_location="cpu", weights_only=True)
    # torch.load raises UnpicklingError, RuntimeError, EOFError, KeyError ... by what the bytes are
    except Exception as error:
        raise UserError(
            f"{path}: cannot be read as PyTorch weights ({type(error).__name__}); "
            "it may be truncated: delete it and download it again"
        ) from error
    if not isinstance(state, Mapping) or not all(isinstance(v, Tensor) for v in state.values()):
        raise UserError(
            f"{path}: not an ImageNet classifier (a plain dictionary of tensors); "
            "checkpoints of whole networks are loaded with --load_model"
        )
    return state


@torch.no_grad()
def copy_trunk(
    backbone: Backbone, published: Pretrained, state: Mapping[str, Tensor], path: Path
) -> int:
    """Copy `state` into the trunk of `backbone`; the trunk must be filled and nothing be left over.

    Returns the number of tensors copied. Counters of BN steps may be missing, which files older
    than PyTorch 0.4.1 do not have, and what is `spare`.
    """
    own = backbone.state_dict()
    given = {
        published.prefix + key: value
        for key, value in state.items()
        if not key.startswith(published.ignored)
    }
    wanted = [k for k in own if k.startswith(published.trunk)]
    lacking = [k for k in wanted if k not in given and not k.startswith(published.spare)]
    problems = [f"{k} is missing" for k in lacking if not k.endswith("_tracked")]
    problems += [f"{k} is unknown" for k in given if k not in own]
    problems += [
        f"{k} is {tuple(given[k].shape)}, not {tuple(own[k].shape)}"
        for k in given
        if k in own and given[k].shape != own[k].shape
    ]
    if problems:
        raise UserError(
            f"{path}: weights of another architecture than this backbone's "
            f"({problems[0]}; {len(problems)} differences in all)"
        )
    for key, value in given.items():
        own[key].copy_(value)
    return len(given)
