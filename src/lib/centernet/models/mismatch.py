"""What a checkpoint and a network do not have in common, in words."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any

from torch import Tensor

from centernet.datasets.class_lists import other_order
from centernet.models.published import published_key

COUNTERS = "num_batches_tracked"  # absent from files older than PyTorch 0.4.1, without influence
SHOWN = 3  # names listed before "and N more"


@dataclass(frozen=True)
class Comparison:
    """Keys of a network beside those of a file; shapes are (in the file, in the network)."""

    fitting: list[str]
    misshapen: dict[str, tuple[tuple[int, ...], tuple[int, ...]]]
    missing: list[str]
    unused: list[str]
    spared: tuple[str, ...] = ()  # missing, but without influence on what the network puts out
    zeroed: tuple[str, ...] = ()  # biases that the file's convolutions do not have: 0

    @property
    def total(self) -> int:
        """Tensors of the network that were looked for."""
        return len(self.fitting) + len(self.misshapen) + len(self.missing)


def compare(own: Mapping[str, Tensor], found: Mapping[str, Tensor]) -> Comparison:
    """Compare the tensors of a network with those of a file, both under the network's names."""
    fitting, misshapen, missing = [], {}, []
    for key, tensor in own.items():
        if key not in found:
            if not key.endswith(COUNTERS):
                missing.append(key)
        elif found[key].shape != tensor.shape:
            misshapen[key] = tuple(found[key].shape), tuple(tensor.shape)
        else:
            fitting.append(key)
    return Comparison(fitting, misshapen, missing, [key for key in found if key not in own])


def cause(
    comparison: Comparison, described: Mapping[str, Any], wanted: Mapping[str, Any]
) -> str | None:
    """Why the file cannot serve the network, one sentence; None when every tensor fits.

    `described` is what the file says of itself, `wanted` what is known of the network; either may
    be empty, then the tensors alone must tell.
    """
    task, asked = described.get("task"), wanted.get("task")
    if task and asked and task != asked:
        return f"is a checkpoint of task {task}, not of {asked}; run {task} or name another file"
    if not comparison.misshapen and not comparison.missing:
        return other_order("classes", _class_names(described), _class_names(wanted))
    for name, flag in (("arch", "--arch"), ("head_conv", "--head_conv")):
        theirs, ours = described.get(name), wanted.get(name)
        if theirs is not None and ours is not None and theirs != ours:
            return f"was trained with {flag} {theirs}, not {ours}; add {flag} {theirs}"
    return (
        _classes(comparison, described, wanted)
        or _absent_heads(comparison)
        or _other_network(comparison)
    )


def _class_names(facts: Mapping[str, Any]) -> list[str]:
    return [str(name) for name in facts.get("class_names") or ()]


def _other_names(described: Mapping[str, Any], wanted: Mapping[str, Any]) -> str | None:
    """How the classes of the file and of the network are called, where only the names differ."""
    theirs, ours = _class_names(described), _class_names(wanted)
    if theirs == ours or len(theirs) != len(ours):
        return None
    return f"its classes were {_named(len(theirs), theirs)}"


def _classes(
    comparison: Comparison, described: Mapping[str, Any], wanted: Mapping[str, Any]
) -> str | None:
    counts = _class_counts(comparison)
    if not counts:
        return None
    theirs = _named(counts[0], described.get("class_names"))
    ours = _named(counts[1], wanted.get("class_names"))
    tensors = _listed(published_key(key) for key in comparison.misshapen)
    return (
        f"checkpoint has {theirs}, data has {ours} (tensors {tensors}); use the data that it was"
        " trained on, or fine-tune it first: main.py with --load_model"
    )


def _class_counts(comparison: Comparison) -> tuple[int, int] | None:
    """Channels of the heat map in the file and in the network, where only these differ."""
    for key, (theirs, ours) in comparison.misshapen.items():
        if of_classes(key) and theirs[1:] == ours[1:]:
            return theirs[0], ours[0]
    return None


def of_classes(key: str) -> bool:
    """Whether a tensor belongs to a heat map that has a channel for each class.

    Such heads are called hm (ctdet, ddd, multi_pose), hm_t ... hm_c (exdet), hmap_tl ... (triplet);
    hm_hp has one for each joint.
    """
    parts = key.split(".")
    return parts[0] == "heads" and parts[1].startswith("hm") and parts[1] != "hm_hp"


def _named(count: int, names: Iterable[str] | None) -> str:
    """`count` classes in words, with the first of their names."""
    noun = "class" if count == 1 else "classes"
    names = list(names or ())
    if not names:
        return f"{count} {noun}"
    more = ", ..." if len(names) > SHOWN else ""
    return f"{count} {noun} ({', '.join(names[:SHOWN])}{more})"


def _absent_heads(comparison: Comparison) -> str | None:
    absent = {key.split(".")[1] for key in comparison.missing if key.startswith("heads.")}
    if not absent or any(key.startswith("backbone.") for key in comparison.missing):
        return None
    present = {published_key(key).split(".")[0] for key in comparison.unused}
    present |= {key.split(".")[1] for key in comparison.fitting if key.startswith("heads.")}
    return (
        f"has no head {', '.join(sorted(absent))} (its heads: {', '.join(sorted(present))}); it is"
        " of another task, or of other options of this task"
    )


def _other_network(comparison: Comparison) -> str:
    bad = [*comparison.missing, *comparison.misshapen]
    first = published_key(bad[0])
    how = "is missing"
    if not comparison.missing:
        theirs, ours = comparison.misshapen[bad[0]]
        how = f"is {_shape(theirs)}, expected {_shape(ours)}"
    return (
        f"is not of this architecture: {len(bad)} of {comparison.total} tensors do not fit,"
        f" tensor {first} {how}; give the --arch and --head_conv it was trained with"
    )


def report(comparison: Comparison, described: Mapping[str, Any], wanted: Mapping[str, Any]) -> str:
    """One line: how many tensors were loaded, which were not and why, which were of no use."""
    parts = [f"loaded {len(comparison.fitting)}/{comparison.total}"]
    fresh = [f"{_listed(names)} ({why})" for why, names in _grouped(comparison).items()]
    if fresh:
        parts.append("re-initialised " + ", ".join(fresh))
    unused = [key for key in comparison.unused if not key.endswith(COUNTERS)]
    if unused:
        parts.append(f"not used: {_listed(published_key(key) for key in unused)}")
    if comparison.spared:
        names = _listed(published_key(key) for key in comparison.spared)
        parts.append(f"not in the file, and of no influence: {names}")
    if comparison.zeroed:
        names = _listed(published_key(key) for key in comparison.zeroed)
        parts.append(f"biases that the file's convolutions do not have are 0: {names}")
    renamed = _other_names(described, wanted)
    return "; ".join([*parts, renamed] if renamed else parts)


def _grouped(comparison: Comparison) -> dict[str, list[str]]:
    """Published names of the tensors that were not loaded, by the reason why."""
    groups: dict[str, list[str]] = {}
    for key, (theirs, ours) in comparison.misshapen.items():
        why = f"{_shape(theirs)} -> {_shape(ours)}"
        if theirs[1:] == ours[1:]:
            heat = of_classes(key)
            why = f"{theirs[0]} -> {ours[0]} {'classes' if heat else 'channels'}"
        groups.setdefault(why, []).append(published_key(key))
    for key in comparison.missing:
        groups.setdefault("not in the checkpoint", []).append(published_key(key))
    return groups


def _listed(names: Iterable[str]) -> str:
    names = list(names)
    rest = len(names) - SHOWN
    return ", ".join(names[:SHOWN]) + (f" and {rest} more" if rest > 0 else "")


def _shape(shape: tuple[int, ...]) -> str:
    return "x".join(map(str, shape)) or "a scalar"
