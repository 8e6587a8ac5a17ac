"""How a run goes on beyond where it is: `300` updates, `5epochs` or `10m` more than it has."""

from __future__ import annotations

import dataclasses
import math
import re
from dataclasses import dataclass

from charrnn.config.schema import TrainConfig
from charrnn.errors import ConfigError
from charrnn.keys import parse_duration
from charrnn.runs.run import Run
from charrnn.training.progress import Progress

ENDS = ("iterations", "epochs", "time_budget")
"""The keys of the section `train` that end a run."""


@dataclass(frozen=True)
class More:
    """Says how much more there is to do than is done, in one of the units that a run can end by."""

    amount: float
    """How many of them: iterations and epochs are whole, a time is in seconds."""
    end: str
    """The key of the section `train` that ends the run: one of ENDS."""

    def __str__(self) -> str:
        """Returns it as it is typed behind `--more`."""
        if self.end == "time_budget":
            return duration(self.amount)
        unit = "" if self.end == "iterations" else "epoch" if self.amount == 1 else "epochs"
        return f"{self.amount:.0f}{unit}"

    def in_words(self) -> str:
        """Says it as in `300 iterations`, `1 epoch` or `10m`."""
        if self.end == "time_budget":
            return str(self)
        unit = "iteration" if self.end == "iterations" else "epoch"
        return f"{self.amount:,.0f} {unit}{'s' * (self.amount != 1)}"

    def beyond(self, run: Run, batches_per_epoch: int) -> TrainConfig:
        """Returns the section `train` by which a run does so much more than it has done.

        Nothing else ends it then but `train.patience`, which begins anew. A run that was stopped on its way goes on
        from where it is, and not from where it should have ended.
        """
        train = dataclasses.replace(run.config.train, iterations=None, epochs=None, time_budget=None)
        if self.end == "time_budget":
            return dataclasses.replace(train, time_budget=run.elapsed + self.amount)
        if self.end == "iterations":
            return dataclasses.replace(train, iterations=run.iteration + int(self.amount))
        done, within = divmod(run.iteration, batches_per_epoch)
        if within:  # in the middle of an epoch, and so it will end
            return dataclasses.replace(train, iterations=run.iteration + int(self.amount) * batches_per_epoch)
        return dataclasses.replace(train, epochs=done + int(self.amount))


def parse(text: str) -> More:
    """Returns what `--more` says: `300`, `5epochs`, or a time such as `90s`, `10m` or `1h30m`. Raises ConfigError."""
    words = text.strip().lower().replace("_", "").replace(",", "")
    if match := re.fullmatch(r"(\d+)\s*(?:|(?:i|it|iter|iteration|iterations|updates?|steps?))", words):
        more = More(int(match[1]), "iterations")
    elif match := re.fullmatch(r"(\d+)\s*(?:e|ep|epochs?)", words):
        more = More(int(match[1]), "epochs")
    elif re.fullmatch(r"[\d.]+", words):  # seconds to the parser of a duration, and to nobody else
        more = More(0, "time_budget")
    else:
        try:
            more = More(parse_duration(words) or 0, "time_budget")
        except ValueError:
            more = More(0, "time_budget")
    if not more.amount:
        raise ConfigError(
            f"--more {text!r} is no amount; give iterations, as in 300, epochs, as in 5epochs, or a time, as in 10m"
        )
    return more


def as_much_again(progress: Progress) -> More:
    """Returns as much as a complete run has done, in the unit that ended it; in iterations, where patience did."""
    run, train = progress.run, progress.run.config.train
    if train.iterations and run.iteration >= train.iterations:
        return More(run.iteration, "iterations")
    if train.epochs and run.iteration >= train.epochs * progress.batches_per_epoch:
        return More(train.epochs, "epochs")
    if train.time_budget and run.elapsed >= train.time_budget:
        return More(max(1, round(run.elapsed)), "time_budget")
    return More(run.iteration, "iterations")


def ends(run: Run) -> list[float | None]:
    """Returns what ends a run: the values of ENDS."""
    return [getattr(run.config.train, end) for end in ENDS]


def left(progress: Progress, saved: Run) -> More:
    """Returns how much there is left to do from where a run was `saved` to the end that it has now."""
    total = progress.total_iterations
    if total:
        return More(max(1, total - saved.iteration), "iterations")
    return More((progress.run.config.train.time_budget or 0) - saved.elapsed, "time_budget")


def duration(seconds: float) -> str:
    """Returns a time as it is typed, in whole seconds, as `1h30m`, `10m` or `45s`."""
    minutes, rest = divmod(max(1, math.ceil(seconds)), 60)
    hours, minutes = divmod(minutes, 60)
    parts = (hours, "h"), (minutes, "m"), (rest, "s")
    return "".join(f"{number}{unit}" for number, unit in parts if number)
