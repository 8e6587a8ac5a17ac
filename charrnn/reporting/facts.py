"""What a report says of one run, gathered from its directory: at any time, and as much as can be had."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from charrnn import sampling, tasks
from charrnn.config import reading
from charrnn.config.resolve import resolve
from charrnn.config.schema import Config, keys
from charrnn.config.writing import to_dict
from charrnn.errors import CharrnnError, CheckpointError
from charrnn.reporting.history import History, Point
from charrnn.runs import checkpoint
from charrnn.runs.places import BEST, CONFIG, DIVERGED, LAST, METRICS, PREVIOUS, SAMPLES, inside
from charrnn.runs.run import Run
from charrnn.tasks.base import Scores, Task
from charrnn.tasks.writer import Writer

LENGTH = 400
"""Characters that a model writes for a report."""

LARGEST = 1e15
"""Weights beyond this have exploded, and write nothing."""


@dataclass(frozen=True)
class Facts:
    """Holds what is known of a run."""

    name: str
    """Its directory or checkpoint, as a user named it."""
    config: Config
    run: Run | None
    """The run as it was saved last; None where it was not saved yet."""
    history: History
    samples: History
    fresh: str | None
    """What the model writes now, where it has not written while it learnt."""
    baselines: dict[str, Scores]
    """What is reached on the validation part without the network, by the name of what reaches it."""
    notes: list[str]
    """What could not be had, and what else a reader should know, a sentence each."""

    @property
    def kind(self) -> type[Task]:
        """The task."""
        return tasks.find(self.config.task.name, self.config.data)

    @property
    def iteration(self) -> int:
        """How many iterations are done, as far as anything tells."""
        return max(int(self.history.last("iteration", 0)), self.run.iteration if self.run else 0)

    @property
    def elapsed(self) -> float:
        """Seconds of training so far."""
        return float(self.history.last("elapsed_s", self.run.elapsed if self.run else 0.0))

    def scores(self, name: str) -> list[Point]:
        """Returns a score of the validation part with its iterations."""
        return self.history.points(f"val_{name}")

    @property
    def best(self) -> tuple[int | None, float] | None:
        """The best score by the measure of the task, and the iteration that reached it; None where there is none.

        The iteration is None where only the checkpoint tells the score.
        """
        points = self.scores(self.kind.measure)
        if points:
            return (max if self.kind.higher_is_better else min)(points, key=lambda point: point[1])
        return (None, self.run.best) if self.run and self.run.best is not None else None

    @property
    def best_scores(self) -> Scores:
        """All scores of the evaluation that was the best."""
        best = self.best
        if best is None:
            return {}
        at_best = {name: dict(self.scores(name)).get(best[0] or 0) for name in self.history.scores()}
        return {name: score for name, score in at_best.items() if score is not None} or {self.kind.measure: best[1]}

    def changed(self) -> dict[str, tuple[Any, Any]]:
        """Returns each key of the configuration that is not as it is by default: its value, and the default."""
        now, before = flat(self.config), flat(resolve([])[0])
        return {key: (now[key], before[key]) for key in now if now[key] != before[key]}


def flat(config: Config) -> dict[str, Any]:
    """Returns the value of each key of a configuration by its dotted path."""
    sections = to_dict(config)
    return {path: sections[path.partition(".")[0]][path.partition(".")[2]] for path in keys()}


Compute = Callable[[Run, Path], dict[str, Scores]]
"""Computes the baselines of a run and its place, or raises a CharrnnError that says why there are none."""


def gather(path: Path, baselines: Compute) -> Facts:
    """Returns what is known of the run in a directory, or of a checkpoint with what lies beside it.

    Raises CheckpointError where that is nothing.
    """
    place = path if path.is_dir() else path.parent
    run, notes = _newest(path)
    config = run.config if run else _config(path, notes)
    history, samples = (History.read(place / name) for name in (METRICS, SAMPLES))
    reached: dict[str, Scores] = {}
    if run is None:
        notes.append("It was not saved yet, so there is no more than what its lines of metrics tell.")
    else:
        try:
            reached = baselines(run, path)
        except CharrnnError as error:
            notes.append(_sentence(f"There are no baselines: {error}"))
    for name, some in ((METRICS, history), (SAMPLES, samples)):
        if some.passed_over:
            lines = "1 line" if some.passed_over == 1 else f"{some.passed_over:,} lines"
            notes.append(f"Left out: {lines} of {name} that could not be read, as after a crash.")
    if not history.lines:
        notes.append(f"There are no curves, as there is no line in {METRICS}.")
    if diverged := _divergence(place):
        notes.append(diverged)
    fresh = _fresh(run) if run and not samples.lines else None
    return Facts(str(path), config, run, history, samples, fresh, reached, notes)


def _sentence(text: str) -> str:
    """Returns a text with a full stop, where it has no end of its own."""
    return text if text.endswith((".", "?")) else f"{text}."


def _fresh(run: Run) -> str | None:
    """Returns what a language model writes; None for another, and for one whose weights have exploded."""
    if not isinstance(run.task, Writer) or not np.abs(run.weights.vector).max() < LARGEST:
        return None
    return "".join(sampling.sample(run, length=LENGTH, seed=0))


def _divergence(place: Path) -> str | None:
    """Returns what `diverged.json` says of a loss that was no number; None where there is no such file."""
    try:
        what = json.loads((place / DIVERGED).read_text("utf-8"))["what"]
    except (OSError, ValueError, LookupError, TypeError):
        return None
    return f"It {what}."


def _newest(path: Path) -> tuple[Run | None, list[str]]:
    """Returns the checkpoint, or the newest whole one of a directory, and a sentence for each that is damaged."""
    if not path.is_dir():
        return checkpoint.load(path), []
    notes: list[str] = []
    found: list[Run] = []
    for name in (LAST, PREVIOUS, BEST):
        if (path / name).exists():
            try:
                found.append(checkpoint.load(path / name))
                break
            except CheckpointError as error:
                notes.append(_sentence(str(error)))
    return (found[0] if found else None), notes


def _config(path: Path, notes: list[str]) -> Config:
    """Returns what `config.yaml` says. Raises CheckpointError where there is none: then it is no run."""
    try:
        text = (path / CONFIG).read_text("utf-8-sig")
        return resolve(reading.read_yaml(text, str(path / CONFIG)))[0]
    except (OSError, ValueError, CharrnnError):
        said = notes[0].removesuffix(".") if notes else f"{path} holds no run{inside(path)}"
        raise CheckpointError(f"{said}; give the directory of a run, or a checkpoint") from None
