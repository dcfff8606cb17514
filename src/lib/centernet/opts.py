"""The options as CenterNet's users know them: one object with an attribute for each flag.

opt = opts().parse(["ctdet", "--arch", "res_18"])            # as main.py reads it
opt = opts().init("ctdet --load_model model.pth".split())    # to detect inside a program
opt.arch, opt.K, opt.input_size((512, 512))
"""

from __future__ import annotations

import sys
from collections.abc import Sequence
from dataclasses import FrozenInstanceError
from pathlib import Path
from typing import Any

from centernet.options.layers import TaskOf, parse
from centernet.options.options import Options
from centernet.options.published import ORACLE, ORACLES
from centernet.options.verbs import VERBS


class opts:
    """The flags of one command (`verb`: train, test, demo), with folders beneath `root`."""

    def __init__(
        self,
        verb: str = "train",
        root: str | Path | None = None,
        prog: str = "main.py",
        task_of: TaskOf = lambda checkpoint: None,
    ) -> None:
        self.verb, self.root, self.prog, self.task_of = verb, root, prog, task_of

    def parse(self, argv: Sequence[str] | None = None) -> FlatOptions:
        """Options of a command line (by default this process's); UserError on a mistake."""
        words = list(sys.argv[1:] if argv is None else argv)
        return FlatOptions(parse(VERBS[self.verb], words, self.root, self.prog, self.task_of))

    def init(self, argv: Sequence[str]) -> FlatOptions:
        """Options to detect with inside a program."""
        return opts("demo", self.root, self.prog, self.task_of).parse(argv)


class FlatOptions:
    """Frozen options with every flag as an attribute, those of other tasks too.

    `options` are the same by group, as the library reads them.
    """

    options: Options

    def __init__(self, options: Options) -> None:
        vars(self).update({**options.ignored, **options.flat()})
        perfect = [f"{ORACLE}{name}" for name in vars(self)["eval_oracle"]]
        vars(self).update({name: name in perfect for name in [*ORACLES, *perfect]})
        vars(self).update(options=options, task=options.task_name, verb=options.verb)

    def __getattr__(self, name: str) -> Any:  # asked only for what is no flag
        options = vars(self).get("options")
        if options is not None and name in ("save_dir", "exp_dir", "debug_dir", "output_dir"):
            return getattr(options, name)
        raise AttributeError(f"no option is called {name!r}")

    def __setattr__(self, name: str, value: object) -> None:
        raise FrozenInstanceError(f"options are frozen: give --{name} on the command line")

    def input_size(self, resolution: tuple[int, int]) -> tuple[int, int]:
        """(height, width) of the input, for a data set whose own is `resolution`."""
        return self.options.input.size(resolution)
