"""How far the run of a combination is, as its directory tells, whoever trained it."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path

from charrnn import advice
from charrnn.config.schema import Config, TrainConfig
from charrnn.config.writing import scalar
from charrnn.errors import CheckpointError, OutputError
from charrnn.reporting.facts import flat
from charrnn.reporting.history import History
from charrnn.runs import checkpoint
from charrnn.runs.places import LAST, METRICS, holds_a_run
from charrnn.runs.run import Corpus
from charrnn.sweeping.combining import Combination
from charrnn.training import patience

FREE = ("train.threads", "train.checkpoint_every", "train.sample_every", "train.on_divergence")
"""Keys that may differ from those of a run that is there: what it reaches does not depend on them.

These are less than may change where a run is resumed (`training.resuming`), since the runs of a table are compared.
"""


@dataclass(frozen=True)
class Stage:
    """Says where a run stands."""

    saved: bool = False
    """Whether there is something to resume."""
    iteration: int = 0
    seconds: float = 0.0
    """Time that its training took so far."""
    best: float | None = None
    """The best score by the measure of its task."""
    complete: bool = False
    config: Config | None = None
    """The configuration with which the run was saved last; None where it was not, or cannot be read."""
    corpus: Corpus | None = None
    """What it has learnt from, likewise."""


def look(place: Path, train: TrainConfig) -> Stage:
    """Returns where the run in a directory stands on its way to the end that `train` sets."""
    try:
        history = History.read(place / METRICS)
    except OutputError:
        history = History([])
    seconds = float(history.last("elapsed_s", 0.0))
    if not (place / LAST).exists():
        return Stage(holds_a_run(place), int(history.last("iteration", 0)), seconds)
    try:
        run = checkpoint.load(place / LAST)
    except CheckpointError:  # an older one may be whole, which resuming will find
        return Stage(True, int(history.last("iteration", 0)), seconds)
    seconds = max(seconds, run.elapsed)
    at_its_end = patience.is_over(run) or _share(train, run.iteration, history.last("epoch", 0.0), seconds) >= 1
    judged = history.last("iteration") == run.iteration  # the line of an iteration is written after its evaluation
    return Stage(True, run.iteration, seconds, run.best, at_its_end and judged, run.config, run.corpus)


def share(place: Path, train: TrainConfig) -> float:
    """Returns the share of a run that is done, as far as its lines of metrics tell."""
    try:
        last = History.read(place / METRICS).last
    except OutputError:
        return 0.0
    return min(1.0, _share(train, last("iteration", 0), last("epoch", 0.0), last("elapsed_s", 0.0)))


def _share(train: TrainConfig, iteration: int, epoch: float, seconds: float) -> float:
    """Returns the share of a run that is done, by whichever end is nearest."""
    ends = ((iteration, train.iterations), (epoch, train.epochs), (seconds, train.time_budget))
    return max(done / end for done, end in ends if end)


def contradictions(
    directory: Path, combination: Combination, stage: Stage, texts: tuple[str, ...]
) -> Iterator[tuple[str, str]]:
    """Yields, for each way in which a run that is there is not that of its combination, what differs, and a message."""
    place = directory / combination.name
    elsewhere = f"this sweep needs another directory: -o {advice.word(_free(directory))}"
    if stage.config is None or stage.corpus is None:
        return
    for key, before, now in _changed(stage.config, combination.config):
        what = f"{key} was {scalar(before)} and would be {scalar(now)}"
        yield what, f"{place} is there with another configuration: {what}; {elsewhere}"
    if stage.corpus.found_at != texts:
        there, here = (", ".join(some) for some in (stage.corpus.found_at, texts))
        yield "text", f"{place} has learnt from {there}, and not from {here}; {elsewhere}"


def _changed(before: Config, now: Config) -> Iterable[tuple[str, object, object]]:
    """Yields each key that differs, with its values as YAML has them."""
    there, here = flat(before), flat(now)
    for key, value in here.items():
        drawn = key == "train.seed" and value is None  # each run has its own then
        if there[key] != value and key not in FREE and not drawn:
            yield key, there[key], value


def _free(directory: Path) -> Path:
    """Returns a directory beside this one that is not there yet."""
    number = 2
    while (beside := directory.with_name(f"{directory.name}-{number}")).exists():
        number += 1
    return beside
