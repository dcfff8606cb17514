"""From words on the command line to the values that were given, and to the text of --help."""

from __future__ import annotations

import argparse
import dataclasses
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, NoReturn

from centernet.errors import UserError
from centernet.options.flag import Flag, flags_of, unknown
from centernet.options.groups import GROUPS
from centernet.options.original import ORIGINAL

PUBLISHED = frozenset(
    """dataset exp_id test debug demo load_model resume gpus num_workers not_cuda_benchmark seed
    print_iter hide_data_time save_all metric vis_thresh debugger_theme arch head_conv down_ratio
    input_res input_h input_w lr lr_step num_epochs batch_size master_batch_size num_iters
    val_intervals trainval flip_test test_scales nms K not_prefetch_test fix_res keep_res
    not_rand_crop shift scale rotate flip no_color_aug aug_rot aug_ddd rect_mask kitti_split
    mse_loss reg_loss hm_weight off_weight wh_weight hp_weight hm_hp_weight dep_weight dim_weight
    rot_weight peak_thresh norm_wh dense_wh cat_spec_wh not_reg_offset agnostic_ex scores_thresh
    center_thresh aggr_weight dense_hp not_hm_hp not_reg_hp_offset not_reg_bbox eval_oracle_hm
    eval_oracle_wh eval_oracle_offset eval_oracle_kps eval_oracle_hmhp eval_oracle_hp_offset
    eval_oracle_dep""".split()
)


class ArgumentParser(argparse.ArgumentParser):
    """argparse, except that a mistake is a UserError: one line, no usage text before it."""

    def error(self, message: str) -> NoReturn:
        raise UserError(message.removeprefix("argument "))


@dataclass(frozen=True)
class Section:
    """A group of flags: shown under `title`; `without` says why its flags do nothing, if so."""

    title: str
    flags: tuple[Flag, ...]
    without: str | None = None


class Parser:
    """The flags of one command (`verb`) for any of `tasks` ({name: class with `Options`})."""

    def __init__(self, prog: str, verb: str, tasks: Mapping[str, Any]) -> None:
        self.prog, self.verb, self.tasks = prog, verb, tasks

    def read(self, argv: Sequence[str]) -> tuple[str | None, dict[str, Any]]:
        """(task or None, {flag: value} of the flags that were given). --help prints and exits."""
        names = [flag.name for section in self.sections(None) for flag in section.flags]
        words = [expand(word, [*names, "help"]) for word in argv]
        parser = self._argparse(None)
        parser.add_argument("task", nargs="?", default=None)
        given, left = parser.parse_known_args(words)
        values = vars(given)
        task = values.pop("task")
        wants_help = values.pop("help", False)
        if wants_help and task is None:
            print(self.overview())
            raise SystemExit(0)
        if task is not None and task not in self.tasks:
            raise UserError(self._strange_word(task, names))
        if wants_help:
            print(self.help(task))
            raise SystemExit(0)
        if left:
            raise UserError(self._strange_word(left[0], names))
        return task, values

    def _strange_word(self, word: str, names: Sequence[str]) -> str:
        name = word.lstrip("-").partition("=")[0]
        if name in names:
            return f"{word}: did you mean --{name}?"
        if word.startswith("-"):
            return unknown("flag", word, [f"--{name}" for name in names]).partition("; choose")[0]
        return unknown("task", word, list(self.tasks))

    def sections(self, task: str | None) -> Iterator[Section]:
        """All groups of flags, none twice: the task's own, the common ones, those without effect."""
        seen: set[str] = set()

        def section(title: str, flags: Sequence[Flag], without: str | None = None) -> Section:
            new = tuple(flag for flag in flags if flag.name not in seen)
            seen.update(flag.name for flag in new)
            return Section(title, new, without)

        if task is not None:
            yield section(f"The task: {task}", flags_of(self.tasks[task].Options))
        for group, verbs in GROUPS.items():
            title = group.__doc__ or group.__name__
            served = [flag for flag in flags_of(group) if flag.serves(self.verb, verbs)]
            alive = [flag for flag in served if not flag.inert]
            yield section(title, alive)
            for flag in served:
                if flag.inert:
                    yield section(title, [flag], f": {flag.inert}")
            yield section(title, flags_of(group), f" in {self.prog}")
        where = "" if task is None else f" for {task}"
        for name, other in self.tasks.items():
            yield section(name, flags_of(other.Options), f"{where} (a flag of {name})")
        for group in ORIGINAL:
            yield section(str(group.__doc__), flags_of(group), f"{where} (of {group.__doc__})")

    def _argparse(self, task: str | None) -> ArgumentParser:
        parser = ArgumentParser(self.prog, allow_abbrev=False, add_help=False)
        parser.add_argument("-h", "--help", action="store_true", default=argparse.SUPPRESS)
        for section in self.sections(task):
            for flag in section.flags:
                flag.add_to(parser)
        return parser

    def overview(self) -> str:
        """What `--help` says when no task is named."""
        lines = [f"usage: {self.prog} <task> [flags]", "", "tasks:"]
        lines += [f"  {name:<12}{task.title}" for name, task in self.tasks.items()]
        lines += ["", f"{self.prog} <task> --help explains the flags of a task."]
        return "\n".join(lines)

    def help(self, task: str) -> str:
        """Every flag that means something to the task, with its default, and the names of the rest."""
        parser = ArgumentParser(
            f"{self.prog} {task}",
            usage=f"{self.prog} {task} [flags]",
            description=f"{self.tasks[task].title}. A flag may be cut short while it stays unique.",
            formatter_class=lambda prog: argparse.HelpFormatter(prog, max_help_position=28),
            add_help=False,
        )
        silent = []
        for section in self.sections(task):
            if section.without is not None:
                silent += [f"--{flag.name}" for flag in section.flags]
            elif section.flags:
                group = parser.add_argument_group(section.title)
                for flag in section.flags:
                    flag.add_to(group)
        parser.epilog = f"Accepted without effect here: {', '.join(silent)}." if silent else None
        return parser.format_help()

    def silent(self, task: str) -> dict[str, tuple[Flag, str]]:
        """{name: (flag, why)} of the flags that are accepted without effect."""
        return {
            flag.name: (flag, section.without)
            for section in self.sections(task)
            if section.without is not None
            for flag in section.flags
        }


def expand(word: str, names: Sequence[str]) -> str:
    """Complete an abbreviated flag: `--master_batch 9` is `--master_batch_size 9`.

    A published name wins over one that came later, so that no old abbreviation became ambiguous.
    """
    name, equals, value = word.removeprefix("--").partition("=")
    if not word.startswith("--") or not name or name in names:
        return word
    fits = [full for full in names if full.startswith(name)]
    old = [full for full in fits if full in PUBLISHED]
    if len(old) == 1:
        fits = old
    if len(fits) > 1:
        raise UserError(f"{word} is short for several flags: {', '.join('--' + f for f in fits)}")
    return f"--{fits[0]}{equals}{value}" if fits else word


def defaults(group: type) -> dict[str, Any]:
    """{field: default} of a group."""
    return {item.name: item.default for item in dataclasses.fields(group)}
