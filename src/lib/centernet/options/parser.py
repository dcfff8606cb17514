"""From words on the command line to the values that were given, and to the text of --help."""

from __future__ import annotations

import argparse
from collections import defaultdict
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from difflib import get_close_matches
from typing import Any, NoReturn

from centernet.options.flag import Flag, flags_of, unknown, words_of
from centernet.options.options import shared_groups
from centernet.options.published import ORACLE, ORACLES, PUBLISHED
from centernet.options.verbs import Verb
from centernet.runtime.errors import UserError
from centernet.tasks import ALIASES, TASKS, task_options


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
    """The flags of one command, called `program` by the user, for any of the tasks."""

    def __init__(self, verb: Verb, program: str = "") -> None:
        self.verb, self.program = verb, program or verb.program

    def read(self, argv: Sequence[str]) -> tuple[str | None, dict[str, Any]]:
        """(task or None, {flag: value} of the flags that were given). --help prints and exits."""
        holder = self._holder()
        if holder is not None and holder.metadata["verbatim"] and argv not in (["-h"], ["--help"]):
            return None, {holder.name: tuple(argv)}
        names = [flag.name for section in self.sections(None) for flag in section.flags]
        words = gathered([expand(word, [*names, *ORACLES, "help"]) for word in argv])
        # The task is taken from the words left over: argparse would lose a positional argument
        # that may be absent and comes after a flag.
        given, left = self._argparse().parse_known_args(words)
        left = [ALIASES.get(word, word) for word in left]
        values = vars(given)
        wants_help = values.pop("help", False)
        task = next((word for word in left if self.verb.takes_task and word in TASKS), None)
        if wants_help:
            print(self.help(task))
            raise SystemExit(0)
        if holder is not None:
            left = self._take(holder, left, values)
        strange = [word for word in left if word != task]
        if strange:
            raise UserError(self._strange(strange[0], task, names))
        return task, values

    def _holder(self) -> Flag | None:
        """The field that takes the words which belong to no flag."""
        return next(filter(None, map(words_of, self.verb.groups)), None)

    def _take(self, holder: Flag, left: Sequence[str], values: dict[str, Any]) -> list[str]:
        """Put the words that are no flags into `values`; return the rest."""
        words = tuple(word for word in left if not word.startswith("-"))
        if len(words) < holder.metadata["fewest"]:
            raise UserError(f"name at least one {holder.words}: {holder.metadata['help']}")
        if words:
            values[holder.name] = words
        return [word for word in left if word.startswith("-")]

    def _strange(self, word: str, task: str | None, names: Sequence[str]) -> str:
        name = word.lstrip("-").partition("=")[0]
        if name in names:
            return f"{word}: did you mean --{name}?"
        if self.verb.takes_task and task is None and not word.startswith("-"):
            return unknown("task", word, list(TASKS))
        near = get_close_matches(name, names, n=1)
        command = f"{self.program} {task}" if task else self.program
        hint = f"did you mean --{near[0]}?" if near else f"{command} --help lists the flags"
        return f"unknown word {word!r}; {hint}"

    def sections(self, task: str | None) -> Iterator[Section]:
        """Every flag once: the command's, the task's own, those of other commands and tasks."""
        seen: set[str] = set()

        def section(title: str, flags: Sequence[Flag], without: str | None = None) -> Section:
            new = tuple(flag for flag in flags if flag.name not in seen)
            seen.update(flag.name for flag in new)
            return Section(title, new, without)

        for group in self.verb.groups:
            served = [flag for flag in flags_of(group) if self.verb.serves(group, flag.name)]
            yield section(group.__doc__ or group.__name__, [f for f in served if not f.inert])
            for flag in served:
                if flag.inert:
                    yield section(flag.name, [flag], f": {flag.inert}")
        if not self.verb.takes_task:
            return
        for group in shared_groups().values():
            yield section(group.__name__, flags_of(group), f" in {self.program}")
        if task is not None:
            yield section(f"The task {task}", flags_of(task_options(task)))
        for name in TASKS:
            flags = flags_of(task_options(name))
            yield section(name, flags, f" for {task}: it belongs to {name}")

    def _argparse(self) -> ArgumentParser:
        parser = ArgumentParser(self.program, allow_abbrev=False, add_help=False)
        parser.add_argument("-h", "--help", action="store_true", default=argparse.SUPPRESS)
        for section in self.sections(None):
            for flag in section.flags:
                flag.add_to(parser, explain=False)
        return parser

    def help(self, task: str | None) -> str:
        """The flags that mean something to the command and task, with their defaults.

        The names of the others follow. Without a task, where one is needed: which there are.
        """
        if self.verb.takes_task and task is None:
            return self._overview()
        holder = self._holder()
        words = f" [{holder.words} ...]" if holder else ""
        command = f"{self.program} {task}" if task else self.program
        title = self.verb.help if task is None else task_options(task).title
        text = [f"{title}.", self.verb.details, "A flag may be cut short while it stays unique."]
        parser = ArgumentParser(
            command,
            usage=f"{command}{words} [flags]",
            description=" ".join(filter(None, text)),
            epilog=f"{holder.words}: {holder.metadata['help']}" if holder else None,
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
        published = [f"--{name}" for name in ORACLES]
        if silent:
            parser.epilog = "Also accepted. " + " ".join(
                f"Without effect{why}: {', '.join(names)}."
                for why, names in silent.items()
                if names
            )
            parser.epilog += f" As published, for --eval_oracle: {', '.join(published)}."
        return parser.format_help()

    def _overview(self) -> str:
        lines = [f"usage: {self.program} <task> [flags]", "", f"{self.verb.help}.", "", "tasks:"]
        lines += [f"  {name:<12}{task_options(name).title}" for name in TASKS]
        lines += ["", f"{self.program} <task> --help explains the flags of a task."]
        return "\n".join(lines)

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


def gathered(words: Sequence[str]) -> list[str]:
    """`words` with all of --eval_oracle_hm, --eval_oracle_wh ... as one --eval_oracle hm,wh."""
    start, flag = f"--{ORACLE}", f"--{ORACLE.removesuffix('_')}"
    names = [word.removeprefix(start) for word in words if word.startswith(start)]
    if not names:
        return list(words)
    rest = [word for word in words if not word.startswith(start)]
    for at, word in enumerate(rest):
        if word == flag and at + 1 < len(rest):
            names, rest = [*rest[at + 1].split(","), *names], rest[:at] + rest[at + 2 :]
            break
        if word.startswith(f"{flag}="):
            names, rest = [*word.partition("=")[2].split(","), *names], rest[:at] + rest[at + 1 :]
            break
    return [*rest, flag, ",".join(dict.fromkeys(names))]
