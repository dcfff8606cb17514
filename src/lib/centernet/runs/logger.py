"""What a run says and keeps: progress bar, log.txt, metrics.jsonl, TensorBoard if installed."""

from __future__ import annotations

import json
import math
import shutil
import sys
import time
from collections.abc import Mapping
from datetime import timedelta
from pathlib import Path
from types import TracebackType
from typing import Any, TextIO

import msgspec
from progress.bar import Bar

from centernet.io.files import write_text
from centernet.io.run_folder import LOG, METRICS, MetricsRow


class EpochBar:
    """Progress of one epoch, with the running means of its statistics; a context manager.

    On a terminal it is a bar; elsewhere (a pipe, nohup, a batch queue), or when `print_iter` is
    given, plain lines: every `print_iter` iterations, or else every `seconds` seconds, and the
    last one.
    """

    def __init__(
        self,
        phase: str,
        epoch: int | None,
        total: int,
        stream: TextIO | None,
        label: str = "",
        print_iter: int = 0,
        hide_data_time: bool = False,
        seconds: float = 10.0,
    ) -> None:
        self.phase = phase
        self.epoch = epoch
        self.total = total
        self.done = 0
        self._stream = stream
        self._label = label
        self._print_iter = print_iter
        self._hide_data_time = hide_data_time
        self._sums: dict[str, Any] = {}
        self._weights: dict[str, float] = {}
        self._data_time = 0.0
        self._net_time = 0.0
        self._start = self._shown = time.monotonic()
        terminal = stream is not None and stream.isatty() and not print_iter
        # A redraw in every iteration would wait for the GPU in every iteration.
        self._seconds = 0.1 if terminal else seconds
        self._bar = _bar(stream, label, total) if terminal else None

    @property
    def average(self) -> dict[str, float]:
        """The mean of every statistic so far, in the order in which they first came."""
        return {name: float(total) / self._weights[name] for name, total in self._sums.items()}

    @property
    def seconds(self) -> float:
        """Wall time since the epoch began."""
        return time.monotonic() - self._start

    def step(
        self,
        stats: Mapping[str, Any] | None = None,
        data_time: float = 0.0,
        net_time: float = 0.0,
        count: int = 1,
    ) -> None:
        """Count one iteration.

        `stats` are numbers or detached 0-d tensors (read only when shown, so that a device is not
        waited for in each iteration), each a mean over `count` images; the times are in seconds.
        """
        self.done += 1
        for name, value in (stats or {}).items():
            self._sums[name] = self._sums.get(name, 0.0) + value * count
            self._weights[name] = self._weights.get(name, 0) + count
        self._data_time += data_time
        self._net_time += net_time
        if self._stream is not None and self._due():
            self._show()

    def _due(self) -> bool:
        if self.done == self.total:
            return True
        if self._print_iter:
            return self.done % self._print_iter == 0
        return time.monotonic() - self._shown >= self._seconds

    def _show(self) -> None:
        self._shown = time.monotonic()
        if self._bar is None:
            label = f"{self._label} | " if self._label else ""
            print(f"{label}{self._suffix()}", file=self._stream, flush=True)
            return
        room = shutil.get_terminal_size().columns - len(self._bar.message) - self._bar.width - 5
        self._bar.suffix = self._suffix()[: max(room, 20)].replace("%", "%%")
        self._bar.goto(self.done)

    def _suffix(self) -> str:
        elapsed = self.seconds
        remaining = elapsed / self.done * max(self.total - self.done, 0)
        epoch = "" if self.epoch is None else f"[{self.epoch}]"
        parts = [
            f"{self.phase}: {epoch}[{self.done}/{self.total}]",
            f"Tot {_clock(elapsed)}",
            f"ETA {_clock(remaining)}",
            *(f"{name} {mean:.4f}" for name, mean in self.average.items()),
        ]
        if self._net_time and not self._hide_data_time:
            parts.append(f"Data {self._data_time / self.done:.3f}s")
            parts.append(f"Net {self._net_time / self.done:.3f}s")
        return " | ".join(parts)

    def __enter__(self) -> EpochBar:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        if self._bar is not None:
            self._bar.finish()


def _bar(stream: TextIO | None, label: str, total: int) -> Bar:
    # The cursor stays: a killed process could not bring it back.
    bar = Bar(label.replace("%", "%%"), max=total, file=stream, hide_cursor=False, width=16)
    bar.suffix = ""
    return bar


def _clock(seconds: float) -> str:
    return str(timedelta(seconds=round(seconds)))


class Logger:
    """The voice and the memory of one run.

    `folder` is the run's folder (None keeps nothing, as for a demo). Processes of a rank above 0
    neither speak nor write. `log.txt` and `metrics.jsonl` go on over restarts; TensorBoard events
    go to a folder `logs_<time>` per start, as TensorBoard likes them.
    """

    def __init__(
        self,
        folder: str | Path | None = None,
        label: str = "",
        rank: int = 0,
        print_iter: int = 0,
        hide_data_time: bool = False,
        tensorboard: bool = True,
        stream: TextIO | None = None,
        seconds: float = 10.0,
    ) -> None:
        speaks = rank == 0
        self.folder = Path(folder) if folder is not None and speaks else None
        self._stream = (sys.stdout if stream is None else stream) if speaks else None
        self._label = label
        self._print_iter = print_iter
        self._hide_data_time = hide_data_time
        self._seconds = seconds
        self._events: Any = None
        if self.folder is not None:
            self.folder.mkdir(parents=True, exist_ok=True)
            self._events = _event_writer(self.folder) if tensorboard else None

    def epoch(self, phase: str, epoch: int | None, total: int) -> EpochBar:
        """Progress over `total` iterations of `phase` ("train", "val", "test"), for a `with`."""
        return EpochBar(
            phase,
            epoch,
            total,
            self._stream,
            self._label,
            self._print_iter,
            self._hide_data_time,
            self._seconds,
        )

    def write(self, line: str) -> None:
        """Say a line and keep it in log.txt."""
        if self._stream is not None:
            print(line, file=self._stream, flush=True)
        if self.folder is not None:
            _append(self.folder / LOG, f"{time.strftime('%Y-%m-%d %H:%M:%S')} {line}")

    def metrics(self, epoch: int, phase: str, values: Mapping[str, float]) -> None:
        """Keep the figures of an epoch: in log.txt, metrics.jsonl and TensorBoard.

        JSON has no NaN or infinity; such a figure is written as null.
        """
        figures = {name: float(value) for name, value in values.items()}
        summary = " | ".join(f"{name} {value:.6g}" for name, value in figures.items())
        self.write(f"epoch {epoch} | {phase} | {summary}")
        if self.folder is None:
            return
        finite = {name: v if math.isfinite(v) else None for name, v in figures.items()}
        row = json.dumps({"epoch": epoch, "phase": phase, **finite}, allow_nan=False)
        _append(self.folder / METRICS, row)
        if self._events is not None:
            for name, value in figures.items():
                self._events.add_scalar(f"{phase}_{name}", value, epoch)
            self._events.flush()

    def rewind(self, epoch: int) -> None:
        """Drop from metrics.jsonl what comes after `epoch` and anything cut off by a kill.

        A run that is resumed from the end of `epoch` will write those lines again.
        """
        if self.folder is None or not (self.folder / METRICS).exists():
            return
        lines = (self.folder / METRICS).read_text(encoding="utf-8").splitlines()
        kept = [line for line in lines if _epoch_of(line) <= epoch]
        if kept != lines:
            write_text(self.folder / METRICS, "".join(f"{line}\n" for line in kept))

    def close(self) -> None:
        """Close TensorBoard's file; the others are never left open."""
        if self._events is not None:
            self._events.close()
            self._events = None


def _append(path: Path, line: str) -> None:
    # Opened for each line, so that a killed run keeps all it has said.
    with open(path, "a", encoding="utf-8") as handle:
        handle.write(line + "\n")


def _epoch_of(line: str) -> float:
    try:
        return msgspec.json.decode(line, type=MetricsRow).epoch
    except (ValueError, RecursionError):  # msgspec's errors are ValueErrors
        return math.inf


def _event_writer(folder: Path) -> Any:
    try:
        from torch.utils.tensorboard import SummaryWriter
    except ImportError:
        return None  # optional: metrics.jsonl holds the same figures
    return SummaryWriter(str(folder / time.strftime("logs_%Y-%m-%d-%H-%M")))
