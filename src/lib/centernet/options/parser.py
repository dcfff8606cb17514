"""From words on the command line to the values that were given, and to the text of --help."""

from __future__ import annotations

import argparse
from collections import defaultdict
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from difflib import get_close_matches
from typing import Any, NoReturn

from centernet.options.flag import Flag, flags_of, unknown
from centernet.options.groups import GROUPS
from centernet.options.original import ORIGINAL, PUBLISHED
from centernet.runtime.errors import UserError


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
        # The task is taken from the words left over: argparse would lose a positional argument
        # that may be absent and comes after a flag.
        given, left = self._argparse().parse_known_args(words)
        values = vars(given)
        wants_help = values.pop("help", False)
        task = next((word for word in left if word in self.tasks), None)
        if wants_help:
            print(self.overview() if task is None else self.help(task))
            raise SystemExit(0)
        strange = [word for word in left if word != task]
        if strange:
            raise UserError(self._strange(strange[0], task, names))
        return task, values

    def _strange(self, word: str, task: str | None, names: Sequence[str]) -> str:
        name = word.lstrip("-").partition("=")[0]
        if name in names:
            return f"{word}: did you mean --{name}?"
        if task is None and not word.startswith("-"):
            return unknown("task", word, list(self.tasks))
        near = get_close_matches(name, names, n=1)
        hint = (
            f"did you mean --{near[0]}?" if near else f"{self.prog} {task} --help lists the flags"
        )
        return f"unknown word {word!r}; {hint}"

    def sections(self, task: str | None) -> Iterator[Section]:
        """Every flag once: the common ones, the task's own, those of other tasks."""
        seen: set[str] = set()

        def section(title: str, flags: Sequence[Flag], without: str | None = None) -> Section:
            new = tuple(flag for flag in flags if flag.name not in seen)
            seen.update(flag.name for flag in new)
            return Section(title, new, without)

        for group, verbs in GROUPS.items():
            title = group.__doc__ or group.__name__
            served = [flag for flag in flags_of(group) if flag.serves(self.verb, verbs)]
            alive = [flag for flag in served if not flag.inert]
            yield section(title, alive)
            for flag in served:
                if flag.inert:
                    yield section(title, [flag], f": {flag.inert}")
            yield section(title, flags_of(group), f" in {self.prog}")
        if task is not None:
            yield section(f"The task {task}", flags_of(self.tasks[task].Options))
        for name, other in self.tasks.items():
            yield section(name, flags_of(other.Options), f" for {task}: it belongs to {name}")
        for group, why in ORIGINAL.items():
            yield section("", flags_of(group), f" for {task}: {why}")

    def _argparse(self) -> ArgumentParser:
        parser = ArgumentParser(self.prog, allow_abbrev=False, add_help=False)
        parser.add_argument("-h", "--help", action="store_true", default=argparse.SUPPRESS)
        for section in self.sections(None):
            for flag in section.flags:
                flag.add_to(parser, explain=False)
        return parser

    def overview(self) -> str:
        """What `--help` says when no task is named."""
        lines = [f"usage: {self.prog} <task> [flags]", "", "tasks:"]
        lines += [f"  {name:<12}{task.Options.title}" for name, task in self.tasks.items()]
        lines += ["", f"{self.prog} <task> --help explains the flags of a task."]
        return "\n".join(lines)

    def help(self, task: str) -> str:
        """The flags that mean something to the task, with their defaults, and the others' names."""
        parser = ArgumentParser(
            f"{self.prog} {task}",
            usage=f"{self.prog} {task} [flags]",
            description=f"{self.tasks[task].Options.title}. A flag may be cut short while it stays"
            " unique.",
            formatter_class=lambda prog: argparse.HelpFormatter(prog, max_help_position=28),
            add_help=False,
        )
        silent: defaultdict[str, list[str]] = defaultdict(list)  # by reason
        for section in self.sections(task):
            if section.without is not None:
                silent[section.without] += [f"--{flag.name}" for flag in section.flags]
            elif section.flags:
                group = parser.add_argument_group(section.title)
                for flag in section.flags:
                    flag.add_to(group, explain=True)
        parser.epilog = "Also accepted. " + " ".join(
            f"Without effect{why}: {', '.join(flags)}." for why, flags in silent.items() if flags
        )
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
