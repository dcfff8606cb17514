"""A network from its description, for those who write models as YAML."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

from centernet.datasets.published import PUBLISHED
from centernet.datasets.source import Info
from centernet.models.create import create_model
from centernet.models.lightning import spec_in
from centernet.models.model import CenterNet
from centernet.models.spec import ModelSpec
from centernet.options.config import read_config
from centernet.runtime.errors import UserError
from centernet.tasks import TASKS


def build_centernet(description: str | Path | Mapping[str, Any] | ModelSpec) -> CenterNet:
    """The network of `description`, with random weights.

    A ModelSpec, a mapping of its fields (`trunk`, `neck`, `neck_options`, `head_conv`, `stride`,
    `frozen_stages`, `task`, `classes`), a model section of centernet-lightning of either generation
    (alone or under `model`), or the path of a YAML file that holds one of these. Without a task it
    is ctdet, without classes those of the set that the task is published with.

        build_centernet({"trunk": "resnet34", "neck": "bifpn", "classes": ["cat", "dog"]})

    UserError for what does not exist.
    """
    if isinstance(description, ModelSpec):
        spec = description
    elif isinstance(description, Mapping):
        spec = spec_from(description)
    else:
        spec = spec_from(read_config(description))
    name = spec.task or "ctdet"
    if name not in TASKS:
        raise UserError(f"task {name!r}: unknown; there are {', '.join(TASKS)}")
    kind = TASKS[name]
    task = kind(facts_of(spec, kind.Options.default_dataset))
    return create_model(spec, task.heads, inputs=task.inputs)


def spec_from(values: Mapping[str, Any]) -> ModelSpec:
    """The spec of a mapping, of its own fields or of a model section of centernet-lightning."""
    section = values.get("model", values)
    if not isinstance(section, Mapping):
        raise UserError("model: is a section, as model: {trunk: resnet34, neck: fpn}")
    if "backbone" in section:
        return spec_in(section)
    if "trunk" not in section:
        raise UserError("names no network: give trunk and neck, as trunk: resnet34, neck: fpn")
    unknown = sorted(set(section) - {f for f in ModelSpec.__dataclass_fields__})
    if unknown:
        fields = ", ".join(ModelSpec.__dataclass_fields__)
        raise UserError(f"{unknown[0]!r}: no field of a network; there are {fields}")
    return ModelSpec.of(section)


def facts_of(spec: ModelSpec, dataset: str) -> Info:
    """The facts of the published `dataset`, with the classes of `spec` if it has some."""
    facts = PUBLISHED[dataset]
    if not spec.classes:
        return facts
    ids = tuple(range(1, len(spec.classes) + 1))
    return replace(facts, class_names=spec.classes, category_ids=ids)
