"""What a checkpoint says of itself, so that the file alone is enough to detect with."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, fields
from typing import Any, ClassVar, Protocol, get_type_hints

from centernet import __version__
from centernet.datasets.source import Info
from centernet.geometry.view import Size
from centernet.io.door import shown
from centernet.models.described import checked_options
from centernet.models.spec import HeadSpec, ModelSpec
from centernet.runtime.errors import UserError

# The facts of a data set that the network depends on or whose names its results carry.
_FACTS = (
    *("name", "class_names", "category_ids", "provides", "joints", "flip_pairs", "skeleton"),
    *("sigmas", "mean", "std", "colour", "max_objects"),
)


class TaskFacts(Protocol):
    """What a description tells of a task."""

    name: ClassVar[str]

    @property
    def options(self) -> Any: ...

    @property
    def info(self) -> Info: ...

    @property
    def heads(self) -> Mapping[str, HeadSpec]: ...


def describe(
    task: TaskFacts,
    arch: str | ModelSpec,
    head_conv: int,
    input_size: Size,
    dataset: str = "",
) -> dict[str, Any]:
    """The description of a network: plain values, all that `Detector` needs besides the weights.

    `arch` is its spec or its name, `head_conv` the width that its heads have, `input_size` (height,
    width) what it is trained on, `dataset` the name by which the command line opens the data.
    """
    spec = ModelSpec.named(arch) if isinstance(arch, str) else arch
    whole = spec.changed(head_conv=head_conv, task=task.name, classes=task.info.class_names)
    return {
        "task": task.name,
        "options": asdict(task.options),
        "arch": spec.arch,
        "head_conv": head_conv,
        "network": whole.plain(),
        "heads": {name: head.channels for name, head in task.heads.items()},
        **{name: getattr(task.info, name) for name in _FACTS},
        "input_size": tuple(input_size),
        "dataset": dataset,
        "library_version": __version__,
    }


def info_of(description: Mapping[str, Any]) -> Info | None:
    """The facts of the data that a checkpoint was trained on; None if it does not say."""
    if "class_names" not in description:
        return None
    facts = {name: _tuples(description[name]) for name in _FACTS if name in description}
    facts["provides"] = frozenset(facts.get("provides", {"boxes"}))
    facts.setdefault("name", "checkpoint")
    facts.setdefault("category_ids", tuple(range(1, len(facts["class_names"]) + 1)))
    if "input_size" in description:
        facts["resolution"] = _tuples(description["input_size"])
    return Info(**facts)


def options_of(
    options: type,
    description: Mapping[str, Any],
    given: Mapping[str, Any],
    file: str = "checkpoint",
) -> Any:
    """The task's own group: `given` values, else the checkpoint's, else the defaults.

    UserError, naming the `file`, for a value of the checkpoint's that has another type.
    """
    names = {field.name for field in fields(options)}
    hints = {name: hint for name, hint in get_type_hints(options).items() if name in names}
    saved = checked_options(hints, description.get("options") or {}, file)
    for field in fields(options):
        choices = field.metadata.get("choices")
        choices = choices() if callable(choices) else choices
        found = saved.get(field.name, field.default)
        if choices and found != field.default and found not in choices:
            raise UserError(
                f"{file}: description: options: {field.name} is {shown(found)}, where"
                f" one of {', '.join(map(str, choices))} is expected"
            )
    return options(**{k: v for k, v in {**saved, **given}.items() if k in names})


def _tuples(value: Any) -> Any:
    return tuple(map(_tuples, value)) if isinstance(value, list | tuple) else value


def spec_of(description: Mapping[str, Any], arch: str | None = None) -> ModelSpec | None:
    """The network that a checkpoint describes; None if it does not, or `arch` names another."""
    said = description.get("arch")
    if "network" in description and arch in (None, said):
        return ModelSpec.of(description["network"])
    name = arch or said
    return None if name is None else ModelSpec.named(name)
